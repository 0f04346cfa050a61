"""Registering two pictures of one view of one breast."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.images.registration.layout import Layout, Picture, laid_out
from core.images.registration.mapping import NODES, Registration, even_nodes
from core.images.registration.motion import Motion, find_motion

__all__ = ["METHOD", "register_views"]

METHOD = "1"
"""The method's version: what an earlier one found is computed anew."""

# Chosen on 59 pairs, 32 of them of real pictures as they are: a quality of 0.5 is reached by 24 of the 26 that were of
# one view, and by 1 of the 33 that were of two women (0 of 19), two views (1 of 9) or two breasts (0 of 5).
_ALIKE, _ALIKE_BY = 0.32, 0.07
_BENT_PX, _BENT_BY = 8.0, 2.5
_SURE, _STEEP = 0.4, 1.6


def register_views(prior: NDArray[Any], current: NDArray[Any], *, doubt: str = "") -> Registration:
    """Find where each point of the current picture lies in the prior.

    The chest wall's side, size, turn and place of the prior are searched for first, then what compression and position
    changed. What is compared are fine structures less what is around them, so that exposure, window and vendor drop out.
    The same pictures give the same answer.

    Parameters
    ----------
    prior, current
        (rows, columns), larger = brighter, of any size, spacing and window, mirrored or not.
    doubt
        A sentence on what is known to speak against it (another view, say): then nothing is searched for.

    Returns
    -------
    Registration
        Where nothing can be searched for, the two pictures laid over each other corner to corner, with a `doubt`.
    """
    shapes = (current.shape[0], current.shape[1]), (prior.shape[0], prior.shape[1])
    nodes = even_nodes(shapes[0])
    if doubt:
        return _side_by_side(nodes, *shapes, doubt)
    try:
        then, now = laid_out(prior), laid_out(current)
    except ValueError as error:
        return _side_by_side(nodes, *shapes, str(error))
    motion = find_motion(then, now)
    x, y = then.transform.to_original(*motion.at(*now.transform.to_network(nodes[:, 0], nodes[:, 1])))
    return Registration(*shapes, _by_rows(x), _by_rows(y), _quality(then, now, motion))


def _side_by_side(
    nodes: NDArray[np.float64], now: tuple[int, int], then: tuple[int, int], doubt: str
) -> Registration:
    x, y = nodes[:, 0] * then[1] / now[1], nodes[:, 1] * then[0] / now[0]
    return Registration(now, then, _by_rows(x), _by_rows(y), 0.0, doubt)


def _by_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(values.reshape(NODES, NODES))


def _quality(then: Layout, now: Layout, motion: Motion) -> float:
    """Return 0..1: high where fine structures lie on each other, and the prior had to be bent little for it.

    Two breasts can be bent until they look somewhat alike; only one breast looks alike without.
    """
    half, whole = (_alike(now.pictures[size], motion.laid(then.pictures[size], size)) for size in (2, 1))
    alike = (half + 2 * whole) / 2
    bent = motion.bend_px(now.pictures[1].inside)
    evidence = min((alike - _ALIKE) / _ALIKE_BY, 6.0) - float(
        np.clip((bent - _BENT_PX) / _BENT_BY, -2.0, 4.0)
    )
    return 1 / (1 + math.exp(-_STEEP * (evidence - _SURE)))


def _alike(now: Picture, then: Picture) -> float:
    """Return the correlation of fine structures where both show breast; 0 where nothing is shared."""
    weight = now.inside * then.inside * now.known * then.known
    one, other = now.features[:, :, 0], then.features[:, :, 0]
    shared = float(weight.sum())
    if shared <= 0:
        return 0.0
    one, other = (part - float((weight * part).sum()) / shared for part in (one, other))
    spread = float((weight * one * one).sum()) * float((weight * other * other).sum())
    return float((weight * one * other).sum()) / math.sqrt(spread) if spread > 0 else 0.0
