"""The answer of a registration: a grid over the current picture that says where its nodes lie in the prior."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["NODES", "Moved", "Registration", "even_nodes"]

NODES = 65
"""Nodes of a grid in either direction; every second one is enough to draw by."""
GOOD, FAIR = 0.75, 0.5
"""Qualities from which a registration is called good, or fair; below, it is not to be relied on."""
_STEPS = 30

Points = NDArray[np.float64]
"""(n, 2): x and y in pixels. 0 is the left, or upper, edge of the first pixel."""


@dataclass(frozen=True)
class Moved:
    """How a prior as a whole is laid on the current picture: mirrored or not, turned clockwise, enlarged, then moved.

    The move is that of its middle from the current picture's middle, in pixels of the current picture.
    """

    mirrored: bool
    turned_degrees: float
    enlarged: float
    right_px: float
    down_px: float

    @property
    def words(self) -> str:
        """Say it in a sentence."""
        done = [
            *(["mirrored"] if self.mirrored else []),
            f"turned {abs(self.turned_degrees):.1f}° {'clockwise' if self.turned_degrees >= 0 else 'anticlockwise'}",
            f"enlarged {self.enlarged:.2f} times",
            f"moved {abs(self.right_px):.0f} pixels {'right' if self.right_px >= 0 else 'left'} and "
            f"{abs(self.down_px):.0f} {'down' if self.down_px >= 0 else 'up'}",
        ]
        return f"The prior is {', '.join(done)}, and bent."


@dataclass(frozen=True)
class Registration:
    """Where every point of the current picture lies in the prior, and back.

    `x` and `y` (`NODES`, `NODES`) hold the prior's coordinates of an even grid from corner to corner of the current
    picture, in whole pixels of the original pictures; `current_shape` and `prior_shape` are their rows and columns.
    Between the nodes the map is bilinear, beyond the picture it goes on as at its edge. It never folds.

    `quality` runs from 0 (no relation found) to 1. `doubt` is a sentence on why the two cannot be registered; "" if
    nothing speaks against it.
    """

    current_shape: tuple[int, int]
    prior_shape: tuple[int, int]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    quality: float
    doubt: str = ""

    def to_prior(self, points: Points) -> Points:
        """Return where points of the current picture lie in the prior."""
        return self._at(np.asarray(points, np.float64).reshape(-1, 2) / self._step)

    def to_current(self, points: Points) -> Points:
        """Return where points of the prior lie in the current picture: what `to_prior` maps onto them."""
        wanted = np.asarray(points, np.float64).reshape(-1, 2)
        nearest = cKDTree(np.stack([self.x.ravel(), self.y.ravel()], axis=1)).query(wanted)[1]
        place = np.stack([nearest % NODES, nearest // NODES], axis=1).astype(np.float64)
        for _ in range(_STEPS):  # Newton's method: the map is bilinear by cells, so it ends in a few steps
            missing = wanted - self._at(place)
            if not missing.size or np.abs(missing).max() < 1e-6:
                break
            place += np.clip(np.linalg.solve(self._slopes(place), missing[..., None])[..., 0], -4, 4)
        return place * self._step

    def scaled(self, prior_shape: tuple[int, int], current_shape: tuple[int, int]) -> Registration:
        """Return the same map between the two pictures in other sizes (rows, columns)."""
        down, across = (new / old for new, old in zip(prior_shape, self.prior_shape, strict=True))
        return replace(
            self, current_shape=current_shape, prior_shape=prior_shape, x=self.x * across, y=self.y * down
        )

    def grid(self, nodes: int = 33) -> dict[str, object]:
        """Return a coarser grid as plain values: columns, rows, and x and y by rows; `nodes` - 1 divides 64."""
        every = (NODES - 1) // (nodes - 1)
        return {
            "columns": nodes,
            "rows": nodes,
            "x": self.x[::every, ::every].round(2).ravel().tolist(),
            "y": self.y[::every, ::every].round(2).ravel().tolist(),
        }

    @property
    def moved(self) -> Moved:
        """What was done to the prior, as a whole, so that it lies on the current picture."""
        here, there = even_nodes(self.current_shape), np.stack([self.x.ravel(), self.y.ravel()], axis=1)
        from_prior = np.linalg.lstsq(np.c_[there, np.ones(len(there))], here, rcond=None)[0]
        linear = from_prior[:2].T
        mirrored = bool(np.linalg.det(linear) < 0)
        linear = linear @ np.diag([-1.0 if mirrored else 1.0, 1.0])
        middle = np.array(self.prior_shape[::-1]) / 2
        shift = np.append(middle, 1.0) @ from_prior - np.array(self.current_shape[::-1]) / 2
        return Moved(
            mirrored=mirrored,
            turned_degrees=float(np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], np.trace(linear)))),
            enlarged=float(np.sqrt(np.linalg.det(linear))),
            right_px=float(shift[0]),
            down_px=float(shift[1]),
        )

    @property
    def is_usable(self) -> bool:
        """Whether what it says of a place may be shown as registered."""
        return self.quality >= FAIR and not self.doubt

    @property
    def said(self) -> str:
        """The quality in words."""
        if self.doubt:
            return f"Not registered: {self.doubt}"
        if self.quality >= GOOD:
            return "Registered."
        if self.quality >= FAIR:
            return "Registered roughly: places may be off by a centimetre."
        return "Poorly registered: the two pictures differ too much. Compare them side by side."

    @property
    def _step(self) -> NDArray[np.float64]:
        rows, columns = self.current_shape
        return np.array([columns, rows], np.float64) / (NODES - 1)

    def _cell(self, place: Points) -> tuple[NDArray[np.intp], NDArray[np.intp], Points]:
        """Return column and row of the cells that places (in nodes) lie in, and how far within them."""
        corner = np.clip(np.floor(place), 0, NODES - 2).astype(np.intp)
        return corner[:, 0], corner[:, 1], place - corner

    def _at(self, place: Points) -> Points:
        column, row, part = self._cell(place)
        right, down = part[:, 0], part[:, 1]
        return np.stack(
            [
                (1 - down) * ((1 - right) * grid[row, column] + right * grid[row, column + 1])
                + down * ((1 - right) * grid[row + 1, column] + right * grid[row + 1, column + 1])
                for grid in (self.x, self.y)
            ],
            axis=1,
        )

    def _slopes(self, place: Points) -> NDArray[np.float64]:
        """Return the derivatives (n, 2, 2) of the map in pixels of the prior by node."""
        column, row, part = self._cell(place)
        right, down = part[:, 0], part[:, 1]
        slopes = [
            (
                (1 - down) * (grid[row, column + 1] - grid[row, column])
                + down * (grid[row + 1, column + 1] - grid[row + 1, column]),
                (1 - right) * (grid[row + 1, column] - grid[row, column])
                + right * (grid[row + 1, column + 1] - grid[row, column + 1]),
            )
            for grid in (self.x, self.y)
        ]
        return np.stack([np.stack(pair, axis=1) for pair in slopes], axis=1)


def even_nodes(shape: tuple[int, int]) -> Points:
    """Return the nodes (n, 2) of an even grid from corner to corner of a picture of so many rows and columns."""
    rows, columns = shape
    x, y = np.meshgrid(np.linspace(0, columns, NODES), np.linspace(0, rows, NODES))
    return np.stack([x.ravel(), y.ravel()], axis=1)
