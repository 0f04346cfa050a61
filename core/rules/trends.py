"""Trends of a score over a woman's visits: slope, change, gaps. Values in, values out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from dateutil.relativedelta import relativedelta

from core.rules.ages import years_between

if TYPE_CHECKING:
    from core.rules.comparable import RiskSaid

LONG_GAP_YEARS = 3.0
"""Between visits further apart than this a course is drawn dotted: nobody looked for that long (SCREENS.md)."""

SLOPE_METHOD = (
    "Slope: straight line through her visits by ordinary least squares, in percentage points of 5-year risk a year, "
    "with its 95 % interval: that of the line (Student's t, visits − 2 degrees of freedom) or, where it is wider, that of "
    "what positioning and exposure make of a score. Grey where it holds 0. With two visits there is the latter alone, where "
    "it was measured; there is no slope where visits were scored by different weights or calibrations. Visits after the "
    "start of a therapy or a surgery are not joined with those before."
)
Z_95 = 1.96
"""Half width of a two-sided 95 % interval of the normal distribution, as `db.tables.Score.smallest_change` has it."""


@dataclass(frozen=True)
class Slope:
    """Change a year of a probability (0..1 a year), with its 95 % interval where that is known; see `slope`."""

    per_year: float
    low: float | None
    high: float | None
    visits: int

    @property
    def holds_nothing(self) -> bool:
        """Say whether the interval holds 0: then it is not shown that anything rises or falls."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


class OnADay(Protocol):
    """Anything of a day."""

    @property
    def on(self) -> date:
        """Return the day."""


Visited = TypeVar("Visited", bound=OnADay)


def since_treatment(visits: Sequence[Visited], treated_on: Iterable[date]) -> list[Visited]:
    """Return the visits (oldest first) since the last treatment that began before the newest of them.

    A treatment changes what a slope is of: no line is fitted through its start. A visit of that day was before it.
    """
    began = [day for day in treated_on if visits and day < visits[-1].on]
    return [visit for visit in visits if not began or visit.on > max(began)]


@lru_cache(maxsize=65_536)
def add_months(day: date, months: int) -> date:
    """Return the day so many months later; the 31st becomes the month's last day."""
    return day + relativedelta(months=months)


def measurement_error(value: float, smallest_change: float) -> float:
    """Return the standard error of measurement of a probability (0..1), on its own scale.

    Parameters
    ----------
    value
        The probability.
    smallest_change
        The smallest change in log-odds that is not what position and exposure alone do in 95 of 100 women. It is
        1.96 · √2 standard errors of measurement (Beckerman et al. 2001, 10.1023/A:1013138911638), and a small error of
        log-odds is p (1 − p) times as large on the scale of probabilities (delta method).
    """
    return smallest_change / (Z_95 * math.sqrt(2)) * value * (1 - value)


def slope(
    dates: Sequence[date], values: Sequence[float], errors: Sequence[float | None] = ()
) -> Slope | None:
    """Fit a straight line to values over time and return its slope a year.

    The slope is Σ (x − x̄) y / Sxx with Sxx = Σ (x − x̄)². What scatters about the line gives its standard error
    √(Σ residual² / (n − 2) / Sxx), of three visits or more. Errors of measurement alone give √(Σ (x − x̄)² error²) / Sxx
    (propagation of error through that sum). The scatter of many visits holds the errors already, that of three may miss
    them by chance: so the wider of the two intervals counts, not their sum.

    Parameters
    ----------
    dates, values
        One pair a visit, in any order; values are probabilities (0..1).
    errors
        Each value's standard error of measurement (`measurement_error`); none are used where one is not known.

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
    if errors and len(errors) != len(values):
        raise ValueError(f"{len(values)} values but {len(errors)} errors.")
    return _fitted(tuple(dates), tuple(values), tuple(errors))


@lru_cache(maxsize=4096)  # a worklist shows the same courses at every rerun
def _fitted(
    dates: tuple[date, ...], values: tuple[float, ...], errors: tuple[float | None, ...]
) -> Slope | None:
    if len(set(dates)) < 2:
        return None
    first = min(dates)
    years = [years_between(first, day) for day in dates]
    n = len(years)
    middle, mean = math.fsum(years) / n, math.fsum(values) / n
    apart = [year - middle for year in years]
    sxx = math.fsum(x * x for x in apart)
    per_year = math.fsum(x * (y - mean) for x, y in zip(apart, values, strict=True)) / sxx
    known = [error for error in errors if error is not None]
    measured = None
    if len(known) == n:
        measured = (
            Z_95 * math.sqrt(math.fsum((x * error) ** 2 for x, error in zip(apart, known, strict=True))) / sxx
        )
    if n < 3:
        if measured is None:
            return Slope(per_year, None, None, n)
        return Slope(per_year, per_year - measured, per_year + measured, n)
    scatter = math.fsum((y - mean - per_year * x) ** 2 for x, y in zip(apart, values, strict=True))
    half_width = max(_t_95(n - 2) * math.sqrt(scatter / (n - 2) / sxx), measured or 0.0)
    return Slope(per_year, per_year - half_width, per_year + half_width, n)


@lru_cache(maxsize=64)
def _t_95(freedom: int) -> float:
    # What `scipy.stats.t.ppf` computes with; `scipy.stats` itself takes a second to import.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def slope_of_risk(dates: Sequence[date], scores: Sequence[RiskSaid]) -> Slope | None:
    """Return the slope of 5-year risk over scores that may be compared, with their errors of measurement."""
    risks = [float(score.risk_5y) for score in scores]
    errors = [
        None if score.smallest_change is None else measurement_error(risk, score.smallest_change)
        for risk, score in zip(risks, scores, strict=True)
    ]
    return slope(dates, risks, errors)


def long_gaps(dates: Sequence[date], years: float = LONG_GAP_YEARS) -> list[bool]:
    """Say for each step from one visit to the next (dates in order) whether it is longer than `years`."""
    return [years_between(a, b) > years for a, b in itertools.pairwise(dates)]
