"""What maps over a film say of it as a whole: nets joined, smoothed, its highest cells, its peaks, and the other breast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = [
    "APART",
    "HIGHEST",
    "OTHER",
    "Peak",
    "beside_other",
    "extent_of",
    "film_score",
    "joined_map",
    "peaks_of",
]

HIGHEST = 5
"""Of how many cells the log mean is a film's score."""
OTHER = 0.5
"""How much of what is said of the other breast is taken from what is said of one."""
APART = 3
"""Cells within which two peaks are one."""
REACH = 6
"""Cells to which the extent of a peak goes at most."""
NOWHERE = -30.0
"""Log-odds outside the breast."""


@dataclass(frozen=True)
class Peak:
    """A place where the map is highest among its neighbours: row and column of the cell, log-odds there."""

    row: int
    column: int
    value: float


def joined_map(maps: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the mean of maps (nets, h, w), smoothed over a cell within the breast (h, w), `NOWHERE` outside."""
    mean = np.asarray(maps, np.float32).mean(axis=0)
    shown = inside.astype(np.float32)
    smooth = cv2.GaussianBlur(np.where(inside, mean, 0), (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    weight = cv2.GaussianBlur(shown, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    return np.where(inside, smooth / np.maximum(weight, 1e-3), NOWHERE).astype(np.float32)


def film_score(joined: NDArray[Any], highest: int = HIGHEST) -> float:
    """Return the log of the mean odds of the highest cells of a map (h, w)."""
    cells = np.sort(np.asarray(joined, np.float64).ravel())[-highest:]
    return float(logsumexp(cells) - np.log(len(cells)))


def peaks_of(joined: NDArray[Any], count: int = 3) -> list[Peak]:
    """Return the highest peaks of a map (h, w), the highest first, none within `APART` cells of a higher one."""
    left = np.array(joined, np.float32)
    rows, columns = np.mgrid[: left.shape[0], : left.shape[1]]
    peaks = []
    for _ in range(count):
        row, column = (int(place) for place in np.unravel_index(int(left.argmax()), left.shape))
        if left[row, column] <= NOWHERE:
            break
        peaks.append(Peak(row, column, float(left[row, column])))
        left[np.hypot(rows - row, columns - column) <= APART] = NOWHERE
    return peaks


def extent_of(joined: NDArray[Any], peak: Peak) -> tuple[int, int, int, int]:
    """Return the first row, first column and, half open, the last ones of the cells around a peak with half its odds."""
    near = np.asarray(joined, np.float32) >= peak.value - np.log(2)
    rows, columns = np.mgrid[: near.shape[0], : near.shape[1]]
    near &= np.hypot(rows - peak.row, columns - peak.column) <= REACH
    _, parts = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)
    down, across = np.nonzero(parts == parts[peak.row, peak.column])
    return int(down.min()), int(across.min()), int(down.max()) + 1, int(across.max()) + 1


def beside_other(own: NDArray[Any], other: NDArray[Any], share: float = OTHER) -> NDArray[np.float64]:
    """Return scores of breasts beside those of the other breast, NaN where there is none: own - share * other.

    What both breasts show is how she is built. Where there is no other the mean of the others stands for it.
    """
    known = np.asarray(other, np.float64)
    typical = float(np.nanmean(known)) if np.isfinite(known).any() else 0.0
    return np.asarray(own, np.float64) - share * np.where(np.isfinite(known), known, typical)
