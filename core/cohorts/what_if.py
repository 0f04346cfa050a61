"""What would be, were a threshold or the interval between screens another: from the courses of the cohort's own women.

Nothing is modelled but what is written in `ASSUMPTIONS`: a woman stays as her latest score says until the next one, and a plan
changes how often she is seen, not what is found. Intervals are from a bootstrap by woman with continuous weights (Rubin, Annals
of Statistics 1981, 10.1214/aos/1176345338).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.courses import Courses, courses_of
from core.cohorts.disclosure import is_small, smallest_group
from core.cohorts.sums import Sums
from core.rules import alert_rules, thresholds

__all__ = [
    "ASSUMPTIONS",
    "AS_THEY_CAME",
    "MONTHS_OFFERED",
    "RECALL_THRESHOLDS",
    "REGULAR",
    "RISK_THRESHOLDS",
    "CannotAsk",
    "Courses",
    "Plan",
    "Thresholds",
    "by_risk",
    "by_threshold",
    "courses_of",
    "rates",
    "recall_threshold_now",
    "thresholds_told",
]

ASSUMPTIONS = (
    "Every woman comes on the day she is planned for.",
    "Between two visits her risk, and what a reader would be shown, are as the earlier one said.",
    "A visit is a recall where the higher of the breasts' 12-month probabilities reaches the threshold: no reader takes part.",
    "An MRI is offered with every visit at which the 5-year risk reaches its threshold, and is always taken.",
    "A course ends when she was last known of, with a diagnosis, her death, the removal of both breasts, or beyond the screening "
    "ages.",
    "Another plan changes neither her risk nor what scores say of it.",
)
"""What every figure of this part takes for granted."""
RECALL_THRESHOLDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.10)
"""12-month probabilities that a recall may begin at; fixed, so that no two lie as near as a few women."""
RISK_THRESHOLDS = (0.01, 0.017, 0.02, 0.03, 0.04, 0.05, 0.08)
"""5-year risks that an MRI may be offered from."""
MONTHS_OFFERED = (6, 12, 18, 24, 36, 48)

Numbers = NDArray[np.float64]


class CannotAsk(ValueError):
    """The question has no answer here; the message says why."""


@dataclass(frozen=True)
class Plan:
    """How many months lie between visits, by the band of her latest 5-year risk; empty: as the women came in fact."""

    label: str
    months: tuple[int, ...] = ()

    def visits(self, courses: Courses) -> Numbers:
        """Return (S,) how many visits fall into each stretch, on average over when in it they would."""
        if not self.months:
            return courses.came.astype(float)
        return courses.years * 12 / np.array(self.months, float)[courses.band]


AS_THEY_CAME = Plan("as they came")


def _regular(label: str, months: int) -> Plan:
    return Plan(label, (months,) * len(thresholds.risk_bands()))


REGULAR = (_regular("every year", 12), _regular("every 2 years", 24), _regular("every 3 years", 36))
"""Plans that are the same for all."""


def by_risk(months: Mapping[str, int]) -> Plan:
    """Return a plan by the bands of 5-year risk (`thresholds.risk_bands`), months by a band's key."""
    return Plan("by risk", tuple(months[band.key] for band in thresholds.risk_bands()))


@dataclass(frozen=True)
class Thresholds:
    """Where a recall and an MRI begin: 12-month probability and 5-year risk, 0..1."""

    recall: float
    mri: float


def recall_threshold_now() -> float:
    """Return the 12-month probability at which the alert “suspicious breast” is raised today."""
    return next(rule.above for rule in alert_rules() if rule.rule == "malignancy" and rule.above is not None)


def rates(courses: Courses, plans: Sequence[Plan], at: Thresholds, *, seed: int = 0) -> pl.DataFrame:
    """Return what each plan asks of 1,000 women a year.

    A row a plan and count: plan, what (visits, recalls, MRIs), a_year, low, high, more, more_low, more_high (than as they
    came); 95 % intervals by woman. Null is what few women would tell of.

    Raises
    ------
    CannotAsk
        If few women have a course.
    """
    _check(courses)
    recalled, offered = courses.malignancy >= at.recall, courses.risk_5y >= at.mri
    every = [AS_THEY_CAME, *plans]
    counts = [plan.visits(courses) * shown for plan in every for shown in (1.0, recalled, offered)]
    sums = Sums.of([courses.by_woman(one) for one in counts], courses.by_woman(courses.years), seed)
    of_few = _of_few(courses, [recalled, offered])
    rows: list[tuple[str | float | None, ...]] = []
    for place, plan in enumerate(every):
        bands_few = _bands_few(courses, plan)
        for number, what in enumerate(("visits", "recalls", "MRIs")):
            if bands_few or (number and of_few[number - 1]):
                rows.append((plan.label, what, *(None,) * 6))
            else:
                column = 3 * place + number
                rows.append((plan.label, what, *sums.rate(column), *sums.rate(column, beside=number)))
    numbers = ("a_year", "low", "high", "more", "more_low", "more_high")
    return pl.DataFrame(
        rows,
        schema={"plan": pl.String, "what": pl.String, **dict.fromkeys(numbers, pl.Float64)},
        orient="row",
    )


def by_threshold(
    courses: Courses, shown: Numbers, offered: Sequence[float], *, seed: int = 0
) -> pl.DataFrame:
    """Return how many of 1,000 visits that came reach each threshold: threshold, per_1000, low, high.

    `shown` is what the visit at the beginning of each stretch said (S,). The first visit counts too. Thresholds are left out
    between which few women lie.

    Raises
    ------
    CannotAsk
        If few women have a course, or no threshold may be told.
    """
    _check(courses)
    told = thresholds_told(courses, shown, offered)
    if not told:
        raise CannotAsk("Between all of these thresholds few women lie. Nothing is told of so few.")
    counts = [courses.by_woman((shown >= one).astype(float)) for one in told]
    sums = Sums.of(counts, courses.by_woman(np.ones(len(shown))), seed)
    rows = [(one, *sums.rate(column)) for column, one in enumerate(told)]
    names = ("threshold", "per_1000", "low", "high")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64), orient="row")


def thresholds_told(courses: Courses, shown: Numbers, offered: Sequence[float]) -> list[float]:
    """Return those thresholds, ascending, that may be told beside each other.

    Between one and the next, above the highest and below the lowest, the visits are of nobody or not of few women.
    """
    told: list[float] = []
    above = np.inf
    for threshold in sorted(offered, reverse=True):
        between = (shown >= threshold) & (shown < above)
        if not is_small(_women(courses, between)):
            told.append(threshold)
            above = threshold
    while told and is_small(_women(courses, shown < told[-1])):
        told.pop()
    return told[::-1]


def _check(courses: Courses) -> None:
    if not courses.women:
        raise CannotAsk(
            "Of no woman of this cohort is any time known after a score that may be told: nothing can be asked of courses."
        )
    if is_small(courses.women):
        raise CannotAsk(
            f"Of fewer than {smallest_group()} women some time is known after a score that may be told. Nothing is told of so "
            "few."
        )


def _women(courses: Courses, which: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(np.bincount(courses.woman[which], minlength=courses.women)))


def _of_few(courses: Courses, marks: Sequence[NDArray[np.bool_]]) -> list[bool]:
    """Say of each mark on stretches whether it is of few women, or leaves out few."""
    many = [_women(courses, mark) for mark in marks]
    return [is_small(one) or is_small(courses.women - one) for one in many]


def _bands_few(courses: Courses, plan: Plan) -> bool:
    """Say whether a plan tells bands apart of which one has ever held few women."""
    if len(set(plan.months)) < 2:
        return False
    band = courses.band
    return any(is_small(_women(courses, band == place)) for place in range(len(plan.months)))
