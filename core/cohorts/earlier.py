"""Cancers that another plan would have found earlier: of simulated women alone.

Only of them it is known from which day on a cancer could be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.courses import Courses
from core.cohorts.disclosure import is_small, rounded, smallest_group
from core.cohorts.sums import Sums
from core.cohorts.truth import VISIBLE_MM
from core.cohorts.what_if import AS_THEY_CAME, CannotAsk, Plan
from core.rules.ages import DAYS_PER_MONTH

__all__ = ["ASSUMPTION", "found_earlier", "with_truth"]

ASSUMPTION = (
    f"A cancer is found at the first visit after her first one from the day on that it measures {VISIBLE_MM} mm, at which "
    "screening sees half of them; where none comes before the day of its diagnosis, it is found as it was. Visits as they came "
    "are held to the same: what they would have found then, a reader may have missed. Found earlier does not mean cured: some "
    "would never have mattered, of others only the day is another."
)

Days = NDArray[np.int64]


def with_truth(women: pl.DataFrame, visible_from: Mapping[int, date]) -> pl.DataFrame:
    """Return the table of women with what is known of the truth of simulated ones, by their patients' ids."""
    known = pl.DataFrame(
        {"patient_id": list(visible_from), "known": list(visible_from.values())},
        schema={"patient_id": pl.Int64, "known": pl.Date},
    )
    return (
        women.join(known, on="patient_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("simulated")).then(pl.coalesce("truth_onset", "known")).alias("truth_onset")
        )
        .drop("known")
    )


def found_earlier(
    courses: Courses, women: pl.DataFrame, plans: Sequence[Plan], *, seed: int = 0
) -> pl.DataFrame:
    """Return what plans, and visits as they came, would have found earlier than it was, among the simulated women with a cancer in their course.

    A row a plan: plan, cancers (rounded), earlier, earlier_low, earlier_high (of 100 cancers), months, months_low, months_high
    (earlier, on average over all of them); 95 % intervals by woman. Null is what few women would tell of.

    Raises
    ------
    CannotAsk
        If of no woman's cancer it is known from when it could be seen, or of few.
    """
    known = _cancers(courses, women)
    if not len(known):
        raise CannotAsk(
            "Whether a cancer would have been found earlier can be said where it is known from when it could be seen. That is known "
            "of simulated women alone, and here of none with a diagnosis in her course: what a diagnosis a year sooner would "
            "have needed, no record of a real woman tells."
        )
    if is_small(len(known)):
        raise CannotAsk(
            f"Of fewer than {smallest_group()} simulated women with a cancer the truth is known. Nothing is told of so few."
        )
    visible, diagnosed = (known[name].to_physical().cast(pl.Int64).to_numpy() for name in ("truth_onset", "diagnosed_on"))  # fmt: skip
    place = known["place"].to_numpy()
    rows = []
    for plan in (AS_THEY_CAME, *plans):
        found = np.minimum(_planned(courses, place, plan, visible, diagnosed), diagnosed)
        is_earlier = found < diagnosed
        few = is_small(int(is_earlier.sum())) or is_small(int((~is_earlier).sum()))
        months = (diagnosed - found) / DAYS_PER_MONTH
        sums = Sums.of([is_earlier.astype(float), months], np.ones(len(found)), seed)
        told = (None,) * 6 if few else (*sums.rate(0, of=100), *sums.rate(1, of=1))
        rows.append((plan.label, rounded(len(found)), *told))
    numbers = ("earlier", "earlier_low", "earlier_high", "months", "months_low", "months_high")
    schema = {"plan": pl.String, "cancers": pl.Int64, **dict.fromkeys(numbers, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cancers(courses: Courses, women: pl.DataFrame) -> pl.DataFrame:
    """Return the women with a course that ends with a diagnosis whose truth is known, with their place among the courses."""
    ends = np.full(courses.women, -1, np.int64)
    np.maximum.at(ends, courses.woman, courses.end)
    with_course = pl.DataFrame(
        {"woman": courses.numbers, "place": np.arange(courses.women), "ends": ends}, schema_overrides={"woman": women.schema["woman"]}
    )  # fmt: skip
    diagnosed = pl.col("diagnosed_on").to_physical().cast(pl.Int64)
    return women.join(with_course, on="woman", how="inner").filter(
        pl.col("truth_onset").is_not_null() & (pl.col("ends") == diagnosed)
    )


def _planned(courses: Courses, place: NDArray[np.int64], plan: Plan, visible: Days, until: Days) -> Days:
    """Return the day of the first planned visit of each woman from the day on that her cancer can be seen."""
    starts = np.searchsorted(courses.woman, np.arange(courses.women + 1))
    stretch, last = starts[place], starts[place + 1] - 1
    day = courses.begin[stretch].astype(np.float64)
    if not plan.months:
        return _came(courses, place, visible)
    days = np.array(plan.months, float) * DAYS_PER_MONTH
    going = np.arange(len(place))
    while len(going):
        # Her latest score on that day decides when she is seen next.
        day[going] += days[courses.band[stretch[going]]]
        while len(on := going[(stretch[going] < last[going]) & (courses.end[stretch[going]] <= day[going])]):
            stretch[on] += 1
        going = going[(day[going] < visible[going]) & (day[going] < until[going])]
    return np.ceil(day).astype(np.int64)


def _came(courses: Courses, place: NDArray[np.int64], visible: Days) -> Days:
    """Return the day of the first visit that came after her first one and from the day on that her cancer can be seen."""
    from_day = np.full(courses.women, np.iinfo(np.int64).max)
    from_day[place] = visible
    in_time = courses.came & (courses.begin >= from_day[courses.woman])
    first = np.full(courses.women, np.iinfo(np.int64).max)
    np.minimum.at(first, courses.woman[in_time], courses.begin[in_time])
    return first[place]
