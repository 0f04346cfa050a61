"""Trends of a score over a woman's visits: slope, change, gaps. Values in, values out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.rules.ages import years_between

LONG_GAP_YEARS = 3.0
"""Between visits further apart than this a course is drawn dotted: nobody looked for that long (SCREENS.md)."""

SLOPE_METHOD = (
    "Slope: straight line through her visits by ordinary least squares, in percentage points of 5-year risk a year, "
    "with the 95 % confidence interval of that line's slope (Student's t, visits − 2 degrees of freedom). "
    "It needs three scored visits; with two there is a slope without interval, and there is none where visits were "
    "scored by different weights or calibrations."
)

# Student's t, two-sided 95 %, for 1 to 30 degrees of freedom (any statistics table, e.g. NIST handbook 1.3.6.7.2).
_T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_Z_975 = 1.959964


@dataclass(frozen=True)
class Slope:
    """Change a year of a probability (0..1 a year), with its 95 % interval where there are three visits or more."""

    per_year: float
    low: float | None
    high: float | None
    visits: int


def add_months(day: date, months: int) -> date:
    """Return the day so many months later; the 31st becomes the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first_of_next = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), first_of_next - timedelta(days=1))


def slope(dates: Sequence[date], values: Sequence[float]) -> Slope | None:
    """Fit a straight line to values over time and return its slope a year.

    Parameters
    ----------
    dates, values
        One pair a visit, in any order; values are probabilities (0..1).

    Returns
    -------
    Slope or None
        None where fewer than two visits on different days are given. See `SLOPE_METHOD`.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if len(dates) != len(values):
        raise ValueError(f"{len(dates)} dates but {len(values)} values.")
    if len(set(dates)) < 2:
        return None
    years = [years_between(min(dates), day) for day in dates]
    n = len(years)
    mean_x, mean_y = math.fsum(years) / n, math.fsum(values) / n
    spread = math.fsum((x - mean_x) ** 2 for x in years)
    per_year = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(years, values, strict=True)) / spread
    if n < 3:
        return Slope(per_year, None, None, n)
    residual = math.fsum(
        (y - mean_y - per_year * (x - mean_x)) ** 2 for x, y in zip(years, values, strict=True)
    )
    half_width = _t_975(n - 2) * math.sqrt(residual / (n - 2) / spread)
    return Slope(per_year, per_year - half_width, per_year + half_width, n)


def _t_975(degrees: int) -> float:
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    # Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5); better than 1e-4 from here on.
    z = _Z_975
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def long_gaps(dates: Sequence[date], years: float = LONG_GAP_YEARS) -> list[bool]:
    """Say for each step from one visit to the next (dates in order) whether it is longer than `years`."""
    return [years_between(a, b) > years for a, b in itertools.pairwise(dates)]
