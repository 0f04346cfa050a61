"""Registering two pictures of one view of one breast."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from core.images.registration.mapping import NODES, Registration, even_nodes
from models.view import standardise

__all__ = ["METHOD", "register_views"]

METHOD = "0"
"""The method's version: what an earlier one found is computed anew."""


def register_views(prior: NDArray[Any], current: NDArray[Any], *, doubt: str = "") -> Registration:
    """Find where each point of the current picture lies in the prior.

    Parameters
    ----------
    prior, current
        (rows, columns), larger = brighter, of any size, spacing and window, mirrored or not.
    doubt
        What is known to speak against it (another view, say): then nothing is searched for.

    Returns
    -------
    Registration
        Where nothing can be searched for, the two pictures laid over each other corner to corner, with a `doubt`.
    """
    now_shape, then_shape = (current.shape[0], current.shape[1]), (prior.shape[0], prior.shape[1])
    nodes = even_nodes(now_shape)
    try:
        then, now = standardise(prior).transform, standardise(current).transform
        x, y = then.to_original(*now.to_network(nodes[:, 0], nodes[:, 1]))
    except ValueError as error:
        doubt = str(error)
        x, y = nodes[:, 0] * then_shape[1] / now_shape[1], nodes[:, 1] * then_shape[0] / now_shape[0]
    x, y = x.reshape(NODES, NODES), y.reshape(NODES, NODES)
    return Registration(now_shape, then_shape, x, y, 0.0 if doubt else 0.4, doubt)
