"""How a picture lies beside an earlier copy of itself: turned or mirrored as a whole, and where its points went."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Turn", "turn_between"]

_ALIKE = 0.9
"""Correlation from which on two are one picture; windows, padding and curves that are read otherwise leave more."""
_MOST_SAMPLED = 256

_Pixels = NDArray[np.uint16]
_Point = tuple[float, float]


class Turn(Enum):
    """What was done to the earlier copy as a whole, as `core.images.orientation` does."""

    HALF = "half"
    OVER = "over"
    LEFT = "left"
    RIGHT = "right"

    def of_pixels(self, pixels: _Pixels) -> _Pixels:
        """Return a picture (rows, columns) so turned."""
        return _PIXELS[self](pixels)

    def of_point(self, x: float, y: float, rows: int, columns: int) -> _Point:
        """Return where a point of a picture of so many rows and columns comes to lie; points are at pixels' edges."""
        return _POINTS[self](x, y, rows, columns)


_PIXELS: dict[Turn, Callable[[_Pixels], _Pixels]] = {
    Turn.HALF: lambda pixels: pixels[::-1, ::-1],
    Turn.OVER: lambda pixels: pixels[::-1],
    Turn.LEFT: lambda pixels: np.rot90(pixels, 1),
    Turn.RIGHT: lambda pixels: np.rot90(pixels, -1),
}
_POINTS: dict[Turn, Callable[[float, float, int, int], _Point]] = {
    Turn.HALF: lambda x, y, rows, columns: (columns - x, rows - y),
    Turn.OVER: lambda x, y, rows, _columns: (x, rows - y),
    Turn.LEFT: lambda x, y, _rows, columns: (y, columns - x),
    Turn.RIGHT: lambda x, y, rows, _columns: (rows - y, x),
}


def turn_between(earlier: _Pixels, later: _Pixels) -> Turn | None:
    """Return how the later copy of a picture is turned against the earlier one; None if it is not, or that is not clear."""
    found = {turn: _likeness(turn.of_pixels(earlier), later) for turn in Turn}
    best = max(found, key=lambda turn: found[turn])
    return best if found[best] >= max(_ALIKE, _likeness(earlier, later) + 0.01) else None


def _likeness(one: _Pixels, other: _Pixels) -> float:
    if one.shape != other.shape:
        return -1.0
    step = max(1, max(one.shape) // _MOST_SAMPLED)
    a, b = (pixels[::step, ::step].astype(np.float64).ravel() for pixels in (one, other))
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-9))
