"""Small moves that make one picture like another, found by trying them all and agreed upon by neighbours.

After Heinrich, Papież, Schnabel and Handels, Non-parametric discrete registration with convex optimisation (WBIR 2014):
every node of a grid weighs all moves of a small square, and in turns the moves are chosen and evened out, first loosely,
then tightly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.registration.layout import Floats, Picture

__all__ = ["Search", "find_moves"]

_TIGHTER = (0.002, 0.006, 0.02, 0.06, 0.2, 0.6)
"""How strongly a node's choice is held to its neighbours', step by step."""
_LIMIT = 4.0
"""Squared differences count up to so much: what is only in one of the two pictures matches nowhere."""


@dataclass(frozen=True)
class Search:
    """How to search: nodes every so many pixels, moves of `reach` steps of `step` pixels to each side.

    `window` is the sigma in pixels within which a node compares, `evened` that within which nodes agree, in nodes.
    """

    spacing: int
    step: int
    reach: int
    window: float
    evened: float


def find_moves(current: Picture, moved: Picture, search: Search) -> tuple[Floats, Floats]:
    """Return for each node of a grid the move (rows, columns, 2: x, y in pixels) to its match, and how sure it is.

    `moved` is the prior, laid on the current picture as far as is known by now. Node (0, 0) is at half a spacing.
    """
    costs = _costs(current, moved, search)
    steps = np.arange(-search.reach, search.reach + 1, dtype=np.float32) * search.step
    moves = np.stack([one.ravel() for one in np.meshgrid(steps, steps)], axis=1)
    counts = _resized(np.maximum(current.inside, moved.inside), search)
    # A node with one clear match counts, one that could lie anywhere follows the others.
    sure = (counts * (np.mean(costs, axis=0) - costs.min(axis=0)) + 1e-4).astype(np.float32)
    length = (moves**2).sum(axis=1)
    agreed = np.zeros((*costs.shape[1:], 2), np.float32)
    for tight in _TIGHTER:
        away = length[:, None, None] - 2 * np.tensordot(moves, agreed, axes=(1, 2))
        chosen = moves[(costs + tight / search.step**2 * away).argmin(axis=0)]
        agreed = _evened(chosen, sure, search.evened)
    return agreed, sure


def _costs(current: Picture, moved: Picture, search: Search) -> Floats:
    """Return (moves, rows, columns) by how much the two differ around each node under each move."""
    room = search.step * search.reach
    edges = (room, room, room, room)
    around = cv2.copyMakeBorder(moved.features, *edges, cv2.BORDER_REPLICATE)
    seen = cv2.copyMakeBorder(moved.known, *edges, cv2.BORDER_CONSTANT, value=0)
    high, wide = current.inside.shape
    size = wide // search.spacing, high // search.spacing
    sigma = search.window / search.spacing
    near = max(3, 2 * round((1.7 * search.window) / search.spacing) + 1)
    summed = np.ones((1, current.features.shape[2]), np.float32)
    most = np.full_like(current.features, _LIMIT**0.5)
    costs = []
    for down in range(0, 2 * room + 1, search.step):
        for across in range(0, 2 * room + 1, search.step):
            other = around[down : down + high, across : across + wide]
            known = seen[down : down + high, across : across + wide] * current.known
            square = cv2.min(cv2.absdiff(current.features, other), most)
            square = cv2.multiply(cv2.transform(cv2.multiply(square, square), summed), known)
            # Means over the cells first: the windows are wider than a cell.
            square = cv2.resize(square, size, interpolation=cv2.INTER_AREA)
            known = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
            square = cv2.GaussianBlur(square, (near, near), sigma)
            known = cv2.GaussianBlur(known, (near, near), sigma)
            costs.append((square + 0.02) / (known + 0.02))
    return np.asarray(costs, np.float32)


def _resized(picture: Floats, search: Search) -> Floats:
    high, wide = picture.shape
    size = wide // search.spacing, high // search.spacing
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _evened(chosen: NDArray[np.float32], sure: Floats, sigma: float) -> Floats:
    weight = cv2.GaussianBlur(sure, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    moved = cv2.GaussianBlur(chosen * sure[:, :, None], (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(moved / (weight[:, :, None] + 1e-6), np.float32)
