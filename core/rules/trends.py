"""Trends of a score over a woman's visits: slope, change, gaps. Values in, values out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from dateutil.relativedelta import relativedelta

from core.rules.ages import years_between

LONG_GAP_YEARS = 3.0
"""Between visits further apart than this a course is drawn dotted: nobody looked for that long (SCREENS.md)."""

SLOPE_METHOD = (
    "Slope: straight line through her visits by ordinary least squares, in percentage points of 5-year risk a year, "
    "with the 95 % confidence interval of that line's slope (Student's t, visits − 2 degrees of freedom). "
    "It needs three scored visits; with two there is a slope without interval, and there is none where visits were "
    "scored by different weights or calibrations."
)


@dataclass(frozen=True)
class Slope:
    """Change a year of a probability (0..1 a year), with its 95 % interval where there are three visits or more."""

    per_year: float
    low: float | None
    high: float | None
    visits: int


def add_months(day: date, months: int) -> date:
    """Return the day so many months later; the 31st becomes the month's last day."""
    return day + relativedelta(months=months)


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
    # numpy's line, not scipy's linregress: where visits lie on a line that one gives its error to half the digits only.
    if n < 3:
        return Slope(float(np.polyfit(years, values, 1)[0]), None, None, n)
    line, covariance = np.polyfit(years, values, 1, cov=True)
    per_year = float(line[0])
    # What `scipy.stats.t.ppf` computes with; `scipy.stats` itself takes a second to import.
    from scipy.special import stdtrit

    half_width = float(stdtrit(n - 2, 0.975) * np.sqrt(covariance[0, 0]))
    return Slope(per_year, per_year - half_width, per_year + half_width, n)


def long_gaps(dates: Sequence[date], years: float = LONG_GAP_YEARS) -> list[bool]:
    """Say for each step from one visit to the next (dates in order) whether it is longer than `years`."""
    return [years_between(a, b) > years for a, b in itertools.pairwise(dates)]
