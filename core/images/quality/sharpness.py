"""How sharp a picture is: how its detail falls off towards the finest, and whether it does so in one direction only.

The power spectrum of breast tissue falls as 1/f^β with β about 3, that is 0.9 decades an octave, alike in all women and
directions (Burgess, Med. Phys. 28 (2001) 419). What is blurred falls faster somewhere; what has moved does so along the
movement; where noise prevails it hardly falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.quality.laid import Laid

__all__ = ["Sharpness", "sharpness_of"]

_TILE = 64
_FEWEST_TILES = 6
_MOST_TILES = 250
_SECTORS = 8
_down, _across = np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None]
_FREQUENCY = np.hypot(_down, _across)
_DIRECTION = np.mod(np.arctan2(_down, _across), np.pi)
_WINDOW = np.outer(np.hanning(_TILE), np.hanning(_TILE)).astype(np.float32)
_RINGS = [(f / 1.19 <= _FREQUENCY) & (f * 1.19 > _FREQUENCY) for f in (0.05, 0.07, 0.10, 0.14, 0.20, 0.28)]
"""Half an octave wide each, by cycles a pixel of the laid picture."""
_COARSE = (_FREQUENCY >= 0.06) & (_FREQUENCY < 0.12)
_FINE = (_FREQUENCY >= 0.18) & (_FREQUENCY < 0.25)
_FAN = [
    (_FREQUENCY >= 0.12)
    & (_FREQUENCY < 0.30)
    & (np.minimum(abs(_DIRECTION - way), np.pi - abs(_DIRECTION - way)) < np.pi / _SECTORS)
    for way in np.arange(_SECTORS) * np.pi / _SECTORS
]


@dataclass(frozen=True)
class Sharpness:
    """Decades of power: most that are lost within an octave, lost from coarse to fine detail, and between two directions."""

    steepest: float
    fall: float
    one_way: float


def sharpness_of(laid: Laid) -> Sharpness | None:
    """Return how sharp the tissue within the outline is; None where too little of it is seen."""
    inner = cv2.erode(laid.breast, np.ones((33, 33), np.uint8))
    lit = cv2.integral(inner)
    rows, columns = inner.shape
    spots = [
        (y, x)
        for y in range(0, rows - _TILE + 1, _TILE // 2)
        for x in range(0, columns - _TILE + 1, _TILE // 2)
        if lit[y + _TILE, x + _TILE] - lit[y, x + _TILE] - lit[y + _TILE, x] + lit[y, x] > 0.98 * _TILE**2
    ]
    if len(spots) < _FEWEST_TILES:
        return None
    spots = spots[:: -(-len(spots) // _MOST_TILES)]
    tiles = np.stack([laid.shades[y : y + _TILE, x : x + _TILE] for y, x in spots])
    tiles = (tiles - tiles.mean(axis=(1, 2), keepdims=True)) * _WINDOW
    power = np.median(np.abs(np.fft.rfft2(tiles)) ** 2, axis=0)
    rings = [_decades(power[ring]) for ring in _RINGS]
    ways = [_decades(power[sector]) for sector in _FAN]
    return Sharpness(
        steepest=max(coarse - fine for coarse, fine in zip(rings, rings[2:], strict=False)),
        fall=_decades(power[_COARSE]) - _decades(power[_FINE]),
        one_way=max(ways) - min(ways),
    )


def _decades(power: NDArray[np.floating]) -> float:
    return float(np.log10(power.mean() + 1e-12))
