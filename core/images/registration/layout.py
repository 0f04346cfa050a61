"""One view laid out to be compared: chest wall at the left, shades made even, at three sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.view import NETWORK_SHAPE, ViewTransform, standardise

__all__ = ["SIZES", "Layout", "Picture", "laid_out"]

SIZES = (1, 2, 4)
"""By how much a standard view (512 by 416) is shrunk."""
_FINE, _COARSE = 2.5, 7.0
"""Sigmas, in pixels of a picture, of the two neighbourhoods by whose mean and spread shades are made even."""
_OUTLINE = 0.8
"""What the outline of the breast counts, where a spread of shades counts one."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """A view in one size.

    `features` (rows, columns, 2): the shades made even within a narrow neighbourhood, and the breast's outline. `coarse`
    (rows, columns): the shades made even within a wide one. `inside` and `known`, 0..1: how far a pixel is breast, and how
    far the original shows it.
    """

    features: Floats
    coarse: Floats
    inside: Floats
    known: Floats


@dataclass(frozen=True)
class Layout:
    """A view laid out: its picture by how much it is shrunk, and the way back to the original's pixels."""

    pictures: dict[int, Picture]
    transform: ViewTransform


def laid_out(pixels: NDArray[Any]) -> Layout:
    """Lay out a view (rows, columns), larger = brighter; raises `ValueError` if no breast is found."""
    view = standardise(pixels)
    shades = view.pixels[:, :, 0]
    inside = (shades > 0).astype(np.float32)
    known = _known(view.transform, pixels.shape[0])
    return Layout({shrunk: _picture(shades, inside, known, shrunk) for shrunk in SIZES}, view.transform)


def _known(transform: ViewTransform, rows: int) -> Floats:
    """Return 1 where the layout shows something, or air beside the breast; 0 beyond the original's edges."""
    known = np.ones(NETWORK_SHAPE, np.float32)
    if transform.y1 >= rows:
        known[round((transform.y1 - transform.y0) * transform.scale) :] = 0
    return known


def _picture(shades: Floats, inside: Floats, known: Floats, shrunk: int) -> Picture:
    size = (NETWORK_SHAPE[1] // shrunk, NETWORK_SHAPE[0] // shrunk)
    small, mask, seen = (
        np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.float32)
        for one in (shades, inside, known)
    )
    smooth = cv2.GaussianBlur(small, (0, 0), 0.8)
    outline = _OUTLINE * cv2.GaussianBlur(mask, (0, 0), 1.0)
    fine, coarse = (_even(smooth, mask, sigma) for sigma in (_FINE, _COARSE))
    return Picture(np.ascontiguousarray(np.stack([fine, outline], axis=2)), coarse, mask, seen)


def _even(shades: Floats, mask: Floats, sigma: float) -> Floats:
    """Return shades less the mean around them, in units of the spread around them, within the breast only."""
    near = 1e-3 + cv2.GaussianBlur(mask, (0, 0), sigma)
    mean = cv2.GaussianBlur(shades * mask, (0, 0), sigma) / near
    over = (shades - mean) * mask
    spread = np.sqrt(cv2.GaussianBlur(over * over, (0, 0), 2 * sigma) / near)
    floor = 0.3 * float(np.sqrt((over * over).sum() / max(1.0, float(mask.sum()))))
    return np.asarray(np.clip(over / (spread + floor + 1e-6), -3, 3), np.float32)
