"""The courses of a cohort's women as stretches of time between one scored visit and the next, for asking what would have been.

A woman's course begins with her first visit whose score may be told, within the screening ages, and ends when she was last
known of, with a diagnosis, her death, the removal of both breasts, or beyond the screening ages. From one visit to the next
she is as the earlier one said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.rules import thresholds
from core.rules.ages import DAYS_PER_YEAR

__all__ = ["Courses", "courses_of"]

Numbers = NDArray[np.float64]
Days = NDArray[np.int64]


@dataclass(frozen=True)
class Courses:
    """Stretches of all women, in order of woman and time.

    Parameters
    ----------
    woman
        (S,) number of the woman among those with a course, 0 first.
    begin, end
        (S,) first day and the day after the last, counted from 1970.
    risk_5y, malignancy
        (S,) what the visit at its beginning said; NaN where it did not.
    came
        (S,) whether that visit is one after her first.
    numbers
        (W,) numbers of the women in the cohort's tables.
    """

    woman: NDArray[np.intp]
    begin: Days
    end: Days
    risk_5y: Numbers
    malignancy: Numbers
    came: NDArray[np.bool_]
    numbers: NDArray[np.uint32]

    @property
    def women(self) -> int:
        """Return how many women have a course."""
        return len(self.numbers)

    @cached_property
    def years(self) -> Numbers:
        """Return (S,) how long each stretch is."""
        return (self.end - self.begin) / DAYS_PER_YEAR

    @cached_property
    def band(self) -> NDArray[np.intp]:
        """Return (S,) the place of each stretch's band of 5-year risk, 0 the lowest."""
        lower = [band.lower for band in thresholds.risk_bands()]
        return np.searchsorted(lower, self.risk_5y, side="right") - 1

    def by_woman(self, values: Numbers) -> Numbers:
        """Return (W,) the sums of values (S,) by woman."""
        return np.bincount(self.woman, values, self.women).astype(np.float64)


def courses_of(told: pl.DataFrame, women: pl.DataFrame, today: date) -> Courses:
    """Return the courses of the women of whom some time is known after a told visit.

    Parameters
    ----------
    told
        Visits whose scores may be told and joined (woman, on, risk_5, malignancy, age).
    women
        The cohort's table of women.
    today
        Nothing is known beyond it.
    """
    told = told.sort("woman", "on")
    woman, day = told["woman"].to_numpy(), _days(told["on"])
    until = _until(women, today)[np.searchsorted(women["woman"].to_numpy(), woman)]
    last = np.append(woman[1:] != woman[:-1], True) if len(woman) else np.zeros(0, bool)
    later = np.where(last, until, np.append(day[1:], 0)[: len(day)])
    from_day, to_day = _screened(day, told["age"].cast(pl.Float64).fill_null(float("nan")).to_numpy())
    begin = np.maximum(day, from_day)
    end = np.maximum(begin, np.minimum.reduce([later, until, to_day]))
    within = (day >= from_day) & (day < to_day) & (day <= until)
    lasts = np.bincount(woman, end - begin, int(woman.max()) + 1)[woman] > 0 if len(woman) else within
    # The last visit may begin no stretch; that she came counts all the same.
    kept = lasts & ((end > begin) | within)
    numbers, place = np.unique(woman[kept], return_inverse=True)
    first = np.append(True, place[1:] != place[:-1])[: len(place)]
    return Courses(
        place,
        begin[kept],
        end[kept],
        _floats(told["risk_5"])[kept],
        _floats(told["malignancy"])[kept],
        within[kept] & ~first,
        numbers,
    )


def _days(on: pl.Series) -> Days:
    return on.to_physical().cast(pl.Int64).to_numpy()


def _floats(values: pl.Series) -> Numbers:
    # In single precision 0.02 lies below 0.02: seven places bring it back to where thresholds are.
    return np.round(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), 7)


def _until(women: pl.DataFrame, today: date) -> Days:
    ends = pl.min_horizontal("last_contact", "diagnosed_on", "died_on", "mastectomy_on", pl.lit(today))
    return _days(women.select(ends.alias("until"))["until"])


def _screened(day: Days, age: Numbers) -> tuple[Days, Days]:
    """Return the first day of the screening ages and the first after them, of who was of some age on a day.

    Whose age is not known counts as of screening age (`thresholds.ScreeningInterval`).
    """
    ages = thresholds.screening_interval()
    born = day - age * DAYS_PER_YEAR
    from_day, to_day = born + ages.from_age * DAYS_PER_YEAR, born + (ages.to_age + 1) * DAYS_PER_YEAR
    unknown = np.isnan(age)
    return (
        np.where(unknown, day, np.ceil(from_day)).astype(np.int64),
        np.where(unknown, np.iinfo(np.int64).max, np.ceil(to_day)).astype(np.int64),
    )
