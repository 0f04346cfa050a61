"""Registering two pictures of one view of one breast."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.registration.layout import Floats, Layout, Picture, laid_out
from core.images.registration.mapping import NODES, Registration, even_nodes
from core.images.registration.matching import Search, find_moves
from core.images.registration.pose import Affine, find_pose
from models.view import NETWORK_SHAPE

__all__ = ["METHOD", "register_views"]

METHOD = "1"
"""The method's version: what an earlier one found is computed anew."""

_POSE = ((4, Search(spacing=4, step=2, reach=6, window=6.0, evened=3.0)), (2, Search(8, 2, 7, 12.0, 3.0)))
"""By how much the pictures are shrunk, and how is searched, while the prior is moved as a whole."""
_BEND = (
    (2, Search(8, 2, 6, 10.0, 2.0)),
    (2, Search(8, 1, 5, 8.0, 2.0)),
    (1, Search(8, 1, 5, 10.0, 2.5)),
)
"""The same while it is bent."""


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
        then, now = laid_out(prior), laid_out(current)
    except ValueError as error:
        x, y = nodes[:, 0] * then_shape[1] / now_shape[1], nodes[:, 1] * then_shape[0] / now_shape[0]
        return Registration(
            now_shape, then_shape, x.reshape(NODES, NODES), y.reshape(NODES, NODES), 0.0, doubt or str(error)
        )
    affine = _whole(then, now)
    bent = _bent(then, now, affine)
    x, y = now.transform.to_network(nodes[:, 0], nodes[:, 1])
    x, y = then.transform.to_original(*_at(affine, bent, x, y))
    return Registration(now_shape, then_shape, x.reshape(NODES, NODES), y.reshape(NODES, NODES), 0.5, doubt)


def _whole(then: Layout, now: Layout) -> Affine:
    affine = find_pose(then, now)
    for shrunk, search in _POSE:
        bent = np.zeros((*NETWORK_SHAPE, 2), np.float32)
        moves, sure = find_moves(now.pictures[shrunk], _laid_on(then, affine, bent, shrunk), search)
        affine = _fitted(affine, moves, sure, search.spacing * shrunk, shrunk)
    return affine


def _fitted(affine: Affine, moves: Floats, sure: Floats, spacing: int, shrunk: int) -> Affine:
    """Return the affine map that follows the moves best, those that disagree weighing less (Huber)."""
    rows, columns = sure.shape
    x, y = np.meshgrid((np.arange(columns) + 0.5) * spacing, (np.arange(rows) + 0.5) * spacing)
    here = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    there = (here[:, :2] + shrunk * moves.reshape(-1, 2).astype(np.float64)) @ affine[:, :2].T + affine[:, 2]
    weight = sure.ravel().astype(np.float64)
    fit = affine.T
    for _ in range(5):
        apart = np.linalg.norm(here @ fit - there, axis=1)
        scale = weight * np.minimum(1.0, 4.0 / np.maximum(apart, 1e-6))
        root = np.sqrt(scale)[:, None]
        fit = np.linalg.lstsq(here * root, there * root, rcond=None)[0]
    return np.asarray(fit.T)


def _bent(then: Layout, now: Layout, affine: Affine) -> Floats:
    """Return (512, 416, 2) by how much further than the affine map each pixel of the current layout is moved."""
    bent = np.zeros((*NETWORK_SHAPE, 2), np.float32)
    for shrunk, search in _BEND:
        moves, _ = find_moves(now.pictures[shrunk], _laid_on(then, affine, bent, shrunk), search)
        step = shrunk * _dense(moves)
        bent = _composed(bent, affine, _unfolded(step))
    return bent


def _dense(moves: Floats) -> Floats:
    return np.asarray(cv2.resize(moves, NETWORK_SHAPE[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _unfolded(step: Floats) -> Floats:
    """Return the moves, evened out further until none folds the picture."""
    sigma = 8.0
    while _least_area(step) < 0.3:
        step = cv2.GaussianBlur(step, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        sigma *= 1.4
    return step


def _least_area(step: Floats) -> float:
    """Return the smallest area that a pixel is given."""
    down, across = (np.asarray(one) for one in np.gradient(step, axis=(0, 1)))
    area = (1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]
    return float(area.min())


def _grid() -> tuple[Floats, Floats]:
    rows, columns = NETWORK_SHAPE
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    return x, y


def _composed(bent: Floats, affine: Affine, step: Floats) -> Floats:
    """Return what is bent after a further step u: d'(x) = A u(x) + d(x + u(x))."""
    x, y = _grid()
    further = cv2.remap(
        bent, x + step[..., 0], y + step[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(further + step @ affine[:, :2].T.astype(np.float32), np.float32)


def _laid_on(then: Layout, affine: Affine, bent: Floats, shrunk: int) -> Picture:
    """Return the prior as it lies on the current layout by now, in one size."""
    x, y = _grid()
    maps = np.stack(
        [affine[n, 0] * (x + 0.5) + affine[n, 1] * (y + 0.5) + affine[n, 2] + bent[..., n] for n in (0, 1)],
        axis=2,
    )
    size = NETWORK_SHAPE[1] // shrunk, NETWORK_SHAPE[0] // shrunk
    maps = cv2.resize(maps.astype(np.float32), size, interpolation=cv2.INTER_AREA) / shrunk - 0.5
    picture = then.pictures[shrunk]
    features, inside = (
        cv2.remap(one, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for one in (picture.features, picture.inside)
    )
    known = cv2.remap(
        picture.known, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return Picture(features, inside, known)


def _at(affine: Affine, bent: Floats, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return where points of the current layout lie in the prior's; beyond the layout the bend goes on as at its edge."""
    moved = cv2.remap(
        bent,
        (x - 0.5).astype(np.float32),
        (y - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(-1, 2)
    return (
        affine[0, 0] * x + affine[0, 1] * y + affine[0, 2] + moved[:, 0],
        affine[1, 0] * x + affine[1, 1] * y + affine[1, 2] + moved[:, 1],
    )
