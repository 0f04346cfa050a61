"""Ratios of sums over women with their intervals, each woman being one draw (infinitesimal jackknife, Efron 1982).

By how much one woman moves a figure is its `moves`; the variance is the sum of their squares, that of the difference of two
figures of the same women the sum of the squares of their differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri

from models.measures import wilson

__all__ = ["Compared", "Estimate", "Scale", "estimate", "holm", "paired", "ratio", "unpaired"]

Numbers = NDArray[np.float64]


class Scale(StrEnum):
    """On which scale an interval is symmetric."""

    LOGIT = "logit"
    LOG = "log"
    PLAIN = "plain"


@dataclass(frozen=True)
class Estimate:
    """A figure, its 95 % interval (NaN where there is none), and by how much each woman moves it."""

    value: float
    low: float
    high: float
    moves: Numbers

    @property
    def error(self) -> float:
        """Return the standard error."""
        return float(np.sqrt((self.moves**2).sum()))


@dataclass(frozen=True)
class Compared:
    """By how much one figure exceeds another, its 95 % interval, and the two-sided p of no difference."""

    difference: float
    low: float
    high: float
    p: float


def estimate(value: float, moves: Numbers, scale: Scale, level: float = 0.95) -> Estimate:
    """Return a figure with its interval, symmetric on a scale (delta method)."""
    error = float(np.sqrt((moves**2).sum()))
    z = float(ndtri(0.5 + level / 2))
    if scale is Scale.PLAIN:
        return Estimate(value, value - z * error, value + z * error, moves)
    if scale is Scale.LOG:
        if value <= 0 or error == 0:
            return Estimate(value, np.nan, np.nan, moves)
        half = z * error / value
        return Estimate(value, value * float(np.exp(-half)), value * float(np.exp(half)), moves)
    if not 0 < value < 1 or error == 0:
        return Estimate(value, np.nan, np.nan, moves)
    half, middle = z * error / (value * (1 - value)), float(logit(value))
    return Estimate(value, float(expit(middle - half)), float(expit(middle + half)), moves)


def ratio(part: ArrayLike, whole: ArrayLike, scale: Scale = Scale.LOGIT, level: float = 0.95) -> Estimate:
    """Return ``sum(part) / sum(whole)`` with its interval.

    A share of none or of all has Wilson's interval, by the effective number of women (Kish 1965).

    Parameters
    ----------
    part, whole
        (n,) what each woman adds to either.

    Raises
    ------
    ValueError
        If the whole is nothing.
    """
    above, below = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    total = below.sum()
    if total <= 0:
        raise ValueError("There is nobody to count.")
    value = float(above.sum() / total)
    found = estimate(value, (above - value * below) / total, scale, level)
    if scale is Scale.LOGIT and np.isnan(found.low) and 0 <= round(value, 12) <= 1:
        effective = float(total**2 / (below**2).sum())
        return Estimate(value, *wilson(min(max(value, 0.0), 1.0), effective, level), found.moves)
    return found


def _difference(value: float, error: float, level: float) -> Compared:
    if error == 0:
        return Compared(value, value, value, 1.0 if value == 0 else 0.0)
    z = float(ndtri(0.5 + level / 2))
    return Compared(value, value - z * error, value + z * error, float(2 * ndtr(-abs(value) / error)))


def paired(one: Estimate, other: Estimate, level: float = 0.95) -> Compared:
    """Compare two figures of the same women, in the same order."""
    error = float(np.sqrt(((one.moves - other.moves) ** 2).sum()))
    return _difference(one.value - other.value, error, level)


def unpaired(one: Estimate, other: Estimate, level: float = 0.95) -> Compared:
    """Compare the same figure of different women."""
    return _difference(one.value - other.value, float(np.hypot(one.error, other.error)), level)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values that allow for how many were looked at (Holm 1979)."""
    order = np.argsort(p)
    steps = np.asarray(p, np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return [float(one) for one in adjusted]
