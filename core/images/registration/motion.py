"""How the prior is moved and bent so that it lies on the current view, in pixels of their layouts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.registration.layout import Floats, Layout, Picture
from core.images.registration.matching import Search, find_moves
from core.images.registration.pose import Affine, find_pose
from models.view import NETWORK_SHAPE

__all__ = ["Motion", "find_motion"]

_POSE = ((4, Search(4, 2, 6, 6.0, 3.0)), (2, Search(8, 2, 7, 12.0, 3.0)))
"""By how much the pictures are shrunk, and how is searched, while the prior is moved as a whole."""
_BEND = (
    (2, Search(8, 2, 6, 10.0, 1.4)),
    (2, Search(8, 1, 5, 8.0, 1.4)),
    (1, Search(8, 1, 5, 10.0, 1.8)),
)
"""The same while it is bent."""
_DISAGREES = 4.0
"""Pixels from which on a node that moves otherwise than the others counts less."""
_LEAST_AREA = 0.3
"""No step may squeeze a pixel to less of its area: none folds, so all together do not."""

_ROWS, _COLUMNS = NETWORK_SHAPE
_X, _Y = (
    one.astype(np.float32) + 0.5 for one in np.meshgrid(np.arange(float(_COLUMNS)), np.arange(float(_ROWS)))
)


@dataclass(frozen=True)
class Motion:
    """From points of the current layout to points of the prior's: an affine map, and by how much `bent` goes beyond it.

    `bent` is (512, 416, 2), for the middle of each pixel: x, y in pixels of the prior's layout.
    """

    affine: Affine
    bent: Floats

    def at(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where points (n each) lie in the prior's layout; beyond the layout it is bent as at its edge."""
        further = _looked_up(self.bent, (x - 0.5)[:, None], (y - 0.5)[:, None])[:, 0]
        here = np.stack([x, y, np.ones_like(x)])
        there = self.affine @ here + further.T
        return there[0], there[1]

    def laid(self, prior: Picture, shrunk: int) -> Picture:
        """Return a picture of the prior, shrunk by so much, as it lies on the current layout."""
        size = _COLUMNS // shrunk, _ROWS // shrunk
        maps = cv2.resize(self._maps, size, interpolation=cv2.INTER_AREA) / shrunk - 0.5
        features, coarse, inside = (
            _looked_up(one, maps[..., 0], maps[..., 1])
            for one in (prior.features, prior.coarse, prior.inside)
        )
        # What lies beyond the prior's layout is not known.
        known = cv2.remap(prior.known, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR)
        return Picture(features, coarse, inside, np.asarray(known))

    def then(self, step: Floats) -> Motion:
        """Return this motion after a step u (512, 416, 2) within the current layout: d'(x) = A u(x) + d(x + u(x))."""
        further = _looked_up(self.bent, _X - 0.5 + step[..., 0], _Y - 0.5 + step[..., 1])
        return replace(self, bent=further + step @ self.affine[:, :2].T.astype(np.float32))

    def bend_px(self, inside: Floats) -> float:
        """Return the root mean square, in pixels, of what is bent beyond an affine map within the current breast."""
        within = self.bent[inside > 0.5]
        return (
            float(np.sqrt(((within - within.mean(axis=0)) ** 2).sum(axis=1).mean())) if within.size else 0.0
        )

    @cached_property
    def _maps(self) -> Floats:
        a = self.affine.astype(np.float32)
        across = a[0, 0] * _X + a[0, 1] * _Y + a[0, 2] + self.bent[..., 0]
        down = a[1, 0] * _X + a[1, 1] * _Y + a[1, 2] + self.bent[..., 1]
        return np.stack([across, down], axis=2)


def find_motion(prior: Layout, current: Layout) -> Motion:
    """Search how the prior is to be moved and bent: as a whole first, then ever finer."""
    motion = Motion(find_pose(prior, current), np.zeros((*NETWORK_SHAPE, 2), np.float32))
    for shrunk, search in _POSE:
        moves, sure = find_moves(
            current.pictures[shrunk], motion.laid(prior.pictures[shrunk], shrunk), search
        )
        motion = Motion(_fitted(motion.affine, shrunk * moves, sure, shrunk * search.spacing), motion.bent)
    for shrunk, search in _BEND:
        moves, _ = find_moves(current.pictures[shrunk], motion.laid(prior.pictures[shrunk], shrunk), search)
        step = cv2.resize(shrunk * moves, (_COLUMNS, _ROWS), interpolation=cv2.INTER_CUBIC)
        motion = motion.then(_unfolded(np.asarray(step, np.float32)))
    return motion


def _fitted(affine: Affine, moves: Floats, sure: Floats, spacing: int) -> Affine:
    """Return the affine map that follows the moves of the nodes best; those that disagree weigh less (Huber)."""
    rows, columns = sure.shape
    x, y = np.meshgrid((np.arange(columns) + 0.5) * spacing, (np.arange(rows) + 0.5) * spacing)
    here = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    there = (here[:, :2] + moves.reshape(-1, 2)) @ affine[:, :2].T + affine[:, 2]
    fit = affine.T
    for _ in range(5):
        apart = np.linalg.norm(here @ fit - there, axis=1)
        root = np.sqrt(sure.ravel() * np.minimum(1.0, _DISAGREES / np.maximum(apart, 1e-6)))[:, None]
        fit = np.linalg.lstsq(here * root, there * root, rcond=None)[0]
    return np.asarray(fit.T)


def _unfolded(step: Floats) -> Floats:
    """Return a step, evened out further until it folds nothing."""
    sigma = 8.0
    while _least_area(step) < _LEAST_AREA:
        step = np.asarray(cv2.GaussianBlur(step, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
        sigma *= 1.4
    return step


def _least_area(step: Floats) -> float:
    """Return the smallest area that a pixel is given by a step."""
    down, across = (np.asarray(slope) for slope in np.gradient(step, axis=(0, 1)))
    return float(((1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]).min())


def _looked_up(picture: Floats, x: NDArray[np.floating], y: NDArray[np.floating]) -> Floats:
    """Return a picture at places (x, y in pixels from the middle of the first); beyond its edge, what is at the edge."""
    places = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(
        cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
