"""How the breast lies in the picture: what runs off its edges, how far the pectoral muscle reaches, how deep it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.quality.laid import Laid

__all__ = ["Muscle", "nipple_of", "pectoral_muscle", "runs_out"]

_ROWS = 256
# A line may lie so many degrees off the chest wall, and needs so much contrast, in shares of the breast's range a pixel.
_ANGLES = (8.0, 60.0)
_STEP_LIMITS = (-0.02, 0.03)
_NECK = 0.3
"""Share of the breast's height above which no nipple is looked for: there the arm begins."""


@dataclass(frozen=True)
class Muscle:
    """The edge of the pectoral muscle as a straight line, in pixels from the upper left corner of the breast's box.

    It runs from `top` on the box's upper edge to `foot` on the chest wall; `contrast` says how clearly it stands out.
    """

    top: float
    foot: float
    contrast: float

    def beyond(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return how far points (n, 2), x and y from the box's corner, lie from the line, away from the muscle."""
        length = float(np.hypot(self.top, self.foot))
        return np.asarray(
            (points[:, 0] * self.foot + points[:, 1] * self.top - self.top * self.foot) / length
        )


def pectoral_muscle(laid: Laid) -> Muscle:
    """Return the line along which the upper corner at the chest wall is brightest against what lies before it.

    All lines from the upper edge to the chest wall are tried; a line counts by the mean step across it, no part of it
    for more than a clear edge, so that the whole of it has to be one (after Karssemeijer, Phys. Med. Biol. 43 (1998) 365,
    who takes the pectoral line as straight).
    """
    left, top, right, bottom = laid.box
    share = _ROWS / (bottom - top)
    size = max(8, round((right - left) * share)), _ROWS
    shades = cv2.resize(laid.shades[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    breast = cv2.resize(laid.breast[top:bottom, left:right], size, interpolation=cv2.INTER_NEAREST)
    shades = cv2.GaussianBlur(np.clip(shades, -0.5, 1.5), (0, 0), 2.0)
    across, down = (cv2.Scharr(shades, cv2.CV_32F, *order) / 16 for order in ((1, 0), (0, 1)))
    lines = _lines(shades.shape[1])
    across, down = across.ravel()[lines.places], down.ravel()[lines.places]
    step = -(across * lines.across[:, None] + down * lines.down[:, None])
    step = np.clip(np.where(lines.seen & (breast.ravel()[lines.places] > 0), step, 0), *_STEP_LIMITS)
    contrast = step.sum(axis=1) / lines.long
    x, y = lines.top, lines.foot
    best = int(np.argmax(contrast * (np.minimum(y, _ROWS) / _ROWS) ** 0.25))
    return Muscle(float(x[best] / share), float(y[best] / share), float(contrast[best]))


@dataclass(frozen=True)
class _Lines:
    """All lines that are tried, n of them, and m places along each: alike for all breasts of one depth.

    `top` and `foot` as in `Muscle`; `across` and `down` are the normal of each. `places` (n, m) are indices into the
    flattened picture, `seen` tells which of them lie in it, and `long` how many of each line do.
    """

    top: NDArray[np.float64]
    foot: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]
    places: NDArray[np.intp]
    seen: NDArray[np.bool_]
    long: NDArray[np.intp]


@lru_cache(maxsize=32)
def _lines(columns: int) -> _Lines:
    x, y = (
        grid.ravel() for grid in np.meshgrid(np.arange(6, 0.85 * columns, 3), np.arange(24, 1.3 * _ROWS, 5))
    )
    angle = np.degrees(np.arctan2(x, y))
    x, y = (ends[(angle >= _ANGLES[0]) & (angle <= _ANGLES[1])] for ends in (x, y))
    along = np.linspace(0.08, 0.92, 40)
    at_x, at_y = np.rint(x[:, None] * (1 - along)).astype(int), np.rint(y[:, None] * along).astype(int)
    seen = at_y < _ROWS - 1
    places = np.clip(at_y, 0, _ROWS - 1) * columns + np.clip(at_x, 0, columns - 1)
    length = np.hypot(x, y)
    return _Lines(x, y, y / length, x / length, places, seen, seen.sum(axis=1))


def nipple_of(laid: Laid, muscle: Muscle | None) -> tuple[float, float]:
    """Return x and y of the breast's foremost point, from its box's corner: before the muscle, or before the chest wall."""
    _, top, _, bottom = laid.box
    points = laid.edge
    points = points[points[:, 1] >= (_NECK if muscle else 0) * (bottom - top)]
    before = points[:, 0] if muscle is None else muscle.beyond(points)
    x, y = points[int(np.argmax(before))]
    return float(x), float(y)


def runs_out(laid: Laid) -> tuple[float, float]:
    """Return how far forward the breast lies on the picture's upper and on its lower edge, as shares of its depth."""
    left, _, right, _ = laid.box
    depth = right - left
    edge = max(1, laid.breast.shape[0] // 200)
    shares = []
    for rows in (laid.breast[:edge], laid.breast[-edge:]):
        lit = np.flatnonzero(rows.max(axis=0))
        shares.append(float((lit[-1] + 1 - left) / depth) if lit.size else 0.0)
    return shares[0], shares[1]
