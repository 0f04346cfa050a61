"""How fast a lesion grows: the time in which its volume doubles, with what the error of measuring leaves open.

Volume goes with the cube of the diameter, and growth is taken to be exponential between the first and the last
measurement (Fournier et al. 1980, Peer et al. 1993): the logarithm of the diameter is a straight line in time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated

import numpy as np
from pydantic import Field

from core.rules import documents
from core.rules.ages import DAYS_PER_YEAR
from core.rules.documents import Document, Table, Words
from core.rules.trends import Z_95

__all__ = ["Growth", "GrowthRules", "growth_rules", "has_grown", "measurement_sd_mm", "volume_growth"]

Z_90 = 1.6449
"""Half width of a two-sided 90 % interval of the normal distribution."""


class DiameterError(Table):
    """Standard deviation of one reader's measurement of one diameter: `sd_mm`, or `sd_share` of it where that is more."""

    sd_mm: Annotated[float, Field(gt=0)]
    source: Words
    sd_share: Annotated[float, Field(ge=0, lt=1)]
    share_source: Words


class GrowthRules(Document):
    """The file of rules on growth."""

    diameter: DiameterError


@cache
def growth_rules() -> GrowthRules:
    """Return how exactly a diameter is measured, with the source; raises `documents.RulesError` on a damaged file."""
    return documents.read("growth.toml", GrowthRules)


def measurement_sd_mm(diameter_mm: float) -> float:
    """Return the standard deviation in mm with which a reader measures a diameter."""
    error = growth_rules().diameter
    return max(error.sd_mm, error.sd_share * diameter_mm)


def has_grown(before_mm: float, now_mm: float) -> bool:
    """Say whether a lesion is larger by more than two measurements of one and the same length differ.

    That is 1.96 · √2 standard deviations: in 95 of 100 pairs they differ by less (Beckerman et al. 2001,
    10.1023/A:1013138911638).
    """
    spread = math.hypot(measurement_sd_mm(before_mm), measurement_sd_mm(now_mm))
    return now_mm - before_mm > Z_95 * spread


@dataclass(frozen=True)
class Growth:
    """How fast a volume grows: `rate` in natural logarithms a year with its 90 % interval, from `visits` days.

    The doubling times are in days. None is no finite time: `doubling_days` where the volume does not grow, `slowest_days`
    where the interval holds that it does not, `fastest_days` where even its fast end does not.
    """

    rate: float
    low: float
    high: float
    visits: int

    @property
    def doubling_days(self) -> float | None:
        """Return the time in which the volume doubles, by the line itself."""
        return _doubling_days(self.rate)

    @property
    def fastest_days(self) -> float | None:
        """Return the shortest doubling time of the interval."""
        return _doubling_days(self.high)

    @property
    def slowest_days(self) -> float | None:
        """Return the longest doubling time of the interval."""
        return _doubling_days(self.low)

    @property
    def is_shown(self) -> bool:
        """Say whether the interval leaves no doubt that it grows."""
        return self.low > 0

    @property
    def shrinks(self) -> bool:
        """Say whether the interval leaves no doubt that it shrinks."""
        return self.high < 0


def _doubling_days(rate: float) -> float | None:
    return math.log(2) / rate * DAYS_PER_YEAR if rate > 0 else None


def volume_growth(sizes: Sequence[tuple[date, float]]) -> Growth | None:
    """Return how fast a lesion grows by its diameters in mm, on days in any order; None where nothing can be said.

    A straight line through the logarithms by weighted least squares, each with the variance that measuring alone gives it
    (`measurement_sd_mm`, delta method). The interval is that of these errors, or of the scatter about the line where three
    days or more show that it is larger. Sizes of one day are one, their geometric mean. Where a lesion is gone (0 mm)
    there is no logarithm: such days are left out. Two different days at least are needed.
    """
    by_day: dict[date, list[float]] = {}
    for on, diameter_mm in sizes:
        if diameter_mm > 0:
            by_day.setdefault(on, []).append(math.log(diameter_mm))
    if len(by_day) < 2:
        return None
    start = min(by_day)
    years = np.array([(on - start).days / DAYS_PER_YEAR for on in by_day])
    log_mm = np.array([float(np.mean(logs)) for logs in by_day.values()])
    diameters = np.exp(log_mm)
    sd = np.array([measurement_sd_mm(float(one)) for one in diameters]) / diameters
    weight = 1 / (sd**2 / np.array([len(logs) for logs in by_day.values()]))
    middle = float(np.average(years, weights=weight))
    spread = float((weight * (years - middle) ** 2).sum())
    slope = float((weight * (years - middle) * log_mm).sum()) / spread
    residual = log_mm - np.average(log_mm, weights=weight) - slope * (years - middle)
    freedom = len(years) - 2
    scatter = float((weight * residual**2).sum()) / freedom if freedom else 1.0
    half = Z_90 * math.sqrt(max(1.0, scatter) / spread)
    return Growth(3 * slope, 3 * (slope - half), 3 * (slope + half), len(years))
