"""A mammogram laid out to be judged: chest wall at the left, at reading size, with the breast's outline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.mammogram import Outline
from core.images.percentiles import percentiles

__all__ = ["READING_SIDE", "Laid", "lay"]

READING_SIDE = 1024
"""Pixels of the longest side at which a picture is judged: some 0.2 to 0.3 mm a pixel."""


@dataclass(frozen=True)
class Laid:
    """A picture at reading size, (rows, columns), chest wall at the left; `scale` are pixels of the image to one here.

    `shades` are 0 at the 2nd and 1 at the 98th percentile of the breast, whose outline `breast` holds as 1. `inside` is the grey
    of it, in no order, and `levels` are the 5th and the 95th percentile of that.
    """

    grey: NDArray[np.float32]
    shades: NDArray[np.float32]
    breast: NDArray[np.uint8]
    scale: float
    inside: NDArray[np.float32]
    levels: tuple[float, float]

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of the breast."""
        rows, columns = (np.flatnonzero(self.breast.max(axis=axis)) for axis in (1, 0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    @cached_property
    def edge(self) -> NDArray[np.float64]:
        """Return the places (n, 2), x and y from the box's corner, along the breast's outline."""
        left, top, _, _ = self.box
        outlines, _ = cv2.findContours(self.breast, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        points: NDArray[np.float64] = max(outlines, key=cv2.contourArea)[:, 0, :].astype(np.float64)
        return points - (left, top)


def lay(pixels: NDArray[np.uint16], outline: Outline) -> Laid:
    """Lay a picture (rows, columns), larger = brighter, out by its outline."""
    share = min(1.0, READING_SIDE / max(pixels.shape))
    size = max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share))
    grey = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    breast = cv2.resize(outline.mask, size, interpolation=cv2.INTER_NEAREST)
    if outline.wall_is_right:
        grey, breast = np.ascontiguousarray(grey[:, ::-1]), np.ascontiguousarray(breast[:, ::-1])
    inside = grey[breast > 0]
    low, dark, bright, high = percentiles(inside, 2, 5, 95, 98)
    shades = (grey - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return Laid(grey, shades, breast, 1 / share, inside, (dark, bright))
