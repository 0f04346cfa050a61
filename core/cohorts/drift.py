"""Whether pictures and scores still are what they were: each measure month by month, beside a period before, with an alarm rule.

The rule is that of `core.cohorts.cusum`, over single studies in the order of their days; what is told are whole months.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from dateutil.relativedelta import relativedelta
from numpy.typing import NDArray

from core.cohorts.cusum import ALLOWANCE, Alarm, Limit, Scale, first_alarm, fit_limit, running
from core.cohorts.disclosure import count_said, is_small, rounded, smallest_group
from core.cohorts.months import Months, months_of, share_cells
from core.cohorts.watched import COLUMNS, Measure, floats, measured

__all__ = [
    "ALLOWANCE",
    "COLUMNS",
    "FEWEST_REFERENCE",
    "CannotWatch",
    "Course",
    "Measure",
    "Noticed",
    "Watch",
    "clustered_interval",
    "starts_offered",
    "watch",
]

FEWEST_REFERENCE = 100
"""Studies that a reference must hold; of fewer no limit can be set."""
REFERENCE_MONTHS = 24
MOST_STARTS = 12
DAYS_PER_YEAR = 365.25
Z_95 = 1.96

Numbers = NDArray[np.float64]


class CannotWatch(ValueError):
    """Nothing can be watched; the message says why and what to do."""


@dataclass(frozen=True)
class Noticed:
    """An alarm as it may be told: in which months, which way, since which months, and after about how many studies.

    `after` is the number of studies since the watch began, to be reckoned with and not told.
    """

    measure: Measure
    direction: str
    months: str
    since: str
    studies: str
    after: int


@dataclass(frozen=True)
class Course:
    """A measure over the months.

    `table` has a row a period: begin, months, women (rounded), value (null where few are known), low and high (its 95 %
    interval by woman; null of a share), of_limit (how near the alarm
    rule's sum comes to its limit by the end of the period, 1 the limit; null in the reference and after an alarm). `usual` is the value in the
    reference, `now` since the watch began; null where few are known.
    """

    measure: Measure
    table: pl.DataFrame
    usual: float | None
    now: float | None
    noticed: Noticed | None


@dataclass(frozen=True)
class Watch:
    """What became of each measure since the day `begins`, beside the studies from `reference_from` on to the day before."""

    reference_from: date
    begins: date
    last: date
    studies_a_year: int
    limit: Limit
    courses: tuple[Course, ...]

    @property
    def noticed(self) -> tuple[Noticed, ...]:
        """All alarms, the first one first."""
        found = [course.noticed for course in self.courses if course.noticed is not None]
        return tuple(sorted(found, key=lambda one: one.after))


def starts_offered(visits: pl.DataFrame) -> list[date]:
    """Return the days (1 January, 1 July) that a watch may begin on, the latest first: before each lies reference enough."""
    on = visits["on"].drop_nulls().sort()
    if not len(on):
        return []
    days = on.to_numpy()
    last = on[-1]
    begin = date(last.year, 7 if last.month > 6 else 1, 1)
    found: list[date] = []
    while len(found) < MOST_STARTS and np.searchsorted(days, np.datetime64(begin)) >= FEWEST_REFERENCE:
        if np.searchsorted(days, np.datetime64(begin)) < len(days):
            found.append(begin)
        begin -= relativedelta(months=6)
    return found


def watch(visits: pl.DataFrame, begins: date, *, seed: int = 0) -> Watch:
    """Watch all measures of these visits from a day on.

    The reference is the 24 months before it, or all that is before where these hold fewer than 100 studies.

    Raises
    ------
    CannotWatch
        If there are too few studies before or after that day.
    """
    visits = visits.select(COLUMNS)
    before = visits.filter(pl.col("on") < begins)
    recent = before.filter(pl.col("on") >= begins - relativedelta(months=REFERENCE_MONTHS))
    reference = recent if len(recent) >= FEWEST_REFERENCE else before
    if len(reference) < FEWEST_REFERENCE:
        raise CannotWatch(
            f"Before {begins} there are {_count(reference)} studies. An alarm rule needs {FEWEST_REFERENCE} to know what is "
            "usual: widen the definition, or let the watch begin later."
        )
    if is_small(visits.filter(pl.col("on") >= begins)["woman"].n_unique()) or visits["on"].max() < begins:  # type: ignore[operator]
        raise CannotWatch(
            f"Since {begins} there are {_count(visits.filter(pl.col('on') >= begins))} studies."
        )
    counted = visits.filter(pl.col("on") >= reference["on"].min()).sort("on", "woman")
    months = months_of(counted)
    if months is None:
        raise CannotWatch("Few women came in these months. Nothing is told of so few: widen the definition.")
    return _watched(counted, len(reference), months, begins, seed)


def _count(visits: pl.DataFrame) -> str:
    return (
        count_said(visits["woman"].n_unique()) if len(visits) < smallest_group() else count_said(len(visits))
    )


def _watched(visits: pl.DataFrame, reference: int, months: Months, begins: date, seed: int) -> Watch:
    measures, values = measured(visits, reference, at_least=FEWEST_REFERENCE)
    if not measures:
        raise CannotWatch(
            "Nothing is known of the pictures or scores before the watch begins that could be watched."
        )
    first, last = visits["on"][0], visits["on"][-1]
    usual_days = max((visits["on"][reference - 1] - first).days, 30)
    studies_a_year = max(1, round(reference * DAYS_PER_YEAR / usual_days))
    limit = fit_limit(
        values[:reference],
        np.array([one.is_share for one in measures]),
        studies_a_year=studies_a_year,
        in_a_row=max(1, round(studies_a_year / 52)),
        seed=seed,
    )
    followed = _Followed(visits, reference, months, limit)
    courses = tuple(followed.course(one, column) for one, column in zip(measures, values.T, strict=True))
    return Watch(first, begins, last, studies_a_year, limit, courses)


@dataclass(frozen=True)
class _Followed:
    """The visits in order of time, of which the first `reference` are the reference."""

    visits: pl.DataFrame
    reference: int
    months: Months
    limit: Limit

    @cached_property
    def woman(self) -> NDArray[np.int64]:
        return self.visits["woman"].to_numpy().astype(np.int64)

    def course(self, measure: Measure, values: Numbers) -> Course:
        judged = self._left_by_age(values) if measure.key == "score" else values
        scores = Scale.of(judged[: self.reference], is_share=measure.is_share)(judged[self.reference :])
        alarm = first_alarm(scores, self.limit.value)
        sums = running(scores)[: None if alarm is None else alarm.at + 1]
        before, since = slice(0, self.reference), slice(self.reference, len(values))
        return Course(
            measure,
            self._table(measure, values, sums / self.limit.value),
            self._told(measure, values, before),
            self._told(measure, values, since),
            None if alarm is None else self._noticed(measure, alarm),
        )

    def _left_by_age(self, values: Numbers) -> Numbers:
        """Return what age and whether it is her first study leave unexplained in the reference (least squares)."""
        age = floats(self.visits["age"])
        middle = float(np.nanmedian(age)) if (~np.isnan(age)).any() else 0.0
        age = np.where(np.isnan(age), middle, age) - middle
        first = (self.visits["visit"] == 0).to_numpy().astype(float)
        plan = np.column_stack([np.ones(len(age)), age, first])
        known = np.flatnonzero(~np.isnan(values[: self.reference]))
        line, *_ = np.linalg.lstsq(plan[known], values[known], rcond=None)
        return values - plan @ line

    def _told(self, measure: Measure, values: Numbers, held: slice) -> float | None:
        """Return the figure of some visits; None where few women are meant, or of a share where few are left out."""
        woman, of = self.woman[held], values[held]
        known = ~np.isnan(of)
        if not known.any() or is_small(self._many(woman[known])):
            return None
        if not measure.is_share:
            return _as_told(measure, float(of[known].mean()))
        if is_small(self._many(woman[of == 1])) or is_small(self._many(woman[of == 0])):
            return None
        return min(1.0, rounded(int((of == 1).sum())) / rounded(int(known.sum())))

    def _interval(self, measure: Measure, values: Numbers, held: slice) -> tuple[float | None, float | None]:
        """Return the 95 % interval of the mean of some visits, by woman, whose visits may be alike."""
        known = ~np.isnan(values[held])
        of, woman = values[held][known], self.woman[held][known]
        if measure.is_share or is_small(self._many(woman)) or not len(of):
            return None, None
        low, high = clustered_interval(of, woman)
        return _as_told(measure, low), _as_told(measure, high)

    def _table(self, measure: Measure, values: Numbers, of_limit: Numbers) -> pl.DataFrame:
        months, rows = self.months, []
        for cells in self._cells(measure, values):
            held = slice(self._bounds[cells.start], self._bounds[cells.stop])
            last = min(held.stop - self.reference, len(of_limit)) - 1
            begun = held.stop > self.reference and held.start - self.reference < len(of_limit)
            rows.append(
                (
                    months.begins[cells.start],
                    months.label(cells),
                    rounded(
                        int(months.women[cells.start])
                        if len(cells) == 1
                        else len(np.unique(self.woman[held]))
                    ),
                    self._told(measure, values, held),
                    *self._interval(measure, values, held),
                    min(1.0, float(of_limit[last])) if begun and last >= 0 else None,
                )
            )
        schema = {"begin": pl.Date, "months": pl.String, "women": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "of_limit": pl.Float64}  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")

    @cached_property
    def _bounds(self) -> list[int]:
        """Where each period begins among the visits, which stand in order of time, and where the last ends."""
        bounds: list[int] = np.searchsorted(
            self.months.of_visit, np.arange(len(self.months.begins) + 1)
        ).tolist()
        return bounds

    def _cells(self, measure: Measure, values: Numbers) -> Sequence[range]:
        """Return the periods of a measure: of a share such that neither those meant nor the others are few in any."""
        many = len(self.months.begins)
        each = [range(place, place + 1) for place in range(many)]
        if not measure.is_share:
            return each
        yes, no = (self._women(values == meant) for meant in (1, 0))
        return (share_cells(yes, no) or [range(many)]) if any(yes) else each

    def _women(self, which: NDArray[np.bool_]) -> list[int]:
        return [
            self._many(self.woman[begin:end][which[begin:end]])
            for begin, end in zip(self._bounds[:-1], self._bounds[1:], strict=True)
        ]

    @cached_property
    def _most(self) -> int:
        """The most visits of one woman."""
        return int(np.bincount(self.woman).max())

    def _many(self, woman: NDArray[np.int64]) -> int:
        """Return how many different women these visits are of, or a lower bound where it is not small anyhow."""
        at_least = len(woman) // self._most
        return at_least if at_least >= smallest_group() else len(np.unique(woman))

    def _noticed(self, measure: Measure, alarm: Alarm) -> Noticed:
        at, since = self.reference + alarm.at, self.reference + alarm.since
        cell, cell_since = int(self.months.of_visit[at]), int(self.months.of_visit[since])
        return Noticed(
            measure,
            measure.up if alarm.direction > 0 else measure.down,
            self.months.label(range(cell, cell + 1)),
            self.months.label(range(cell_since, cell_since + 1)),
            count_said(alarm.at - alarm.since + 1),
            alarm.at + 1,
        )


def _as_told(measure: Measure, mean: float) -> float:
    """Return a mean as its figure is told: that of log-odds of risk as a risk."""
    return float(1 / (1 + np.exp(-mean))) if measure.unit == "risk" else mean


def clustered_interval(values: Numbers, woman: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (n,) values of women, each with as many as she likes, which may be alike.

    By the sandwich estimate of clusters, corrected for few of them (Liang and Zeger 1986, 10.1093/biomet/73.1.13).
    """
    mean = float(values.mean())
    _, place = np.unique(woman, return_inverse=True)
    women = int(place.max()) + 1
    spread = float((np.bincount(place, values - mean) ** 2).sum()) * women / max(women - 1, 1)
    half = Z_95 * math.sqrt(spread) / len(values)
    return mean - half, mean + half
