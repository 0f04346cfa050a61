"""How 5-year risk runs, by what became of the women, counted from entry or back from a diagnosis.

Who comes to a visit is not who came to the one before: either the same women stand behind every point, or each point says
how many join and how many have left since the one before.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import polars as pl

from core.cohorts.disclosure import count_said, is_small, smallest_group, table_told
from core.cohorts.quantiles import quantiles_by
from core.cohorts.seeing.one_each import one_each
from core.cohorts.selection import Selection
from core.rules.ages import DAYS_PER_YEAR

__all__ = ["Anchor", "Courses", "Group", "apart", "courses", "single_courses"]

YEARS = 8
"""So far courses are followed, in years."""
SAME_STEP = 2
"""Where the same women stand behind every point, years are taken two by two: many come every other year."""
QUANTILES = {
    "lowest_tenth": 0.1,
    "lower_quartile": 0.25,
    "median": 0.5,
    "upper_quartile": 0.75,
    "highest_tenth": 0.9,
}


class Anchor(enum.StrEnum):
    """From where the years of a course are counted."""

    ENTRY = "from entry"
    DIAGNOSIS = "to the diagnosis"


class Group(enum.StrEnum):
    """What became of a woman, as far as is known."""

    CANCER = "diagnosed after"
    NONE = "no diagnosis known"
    ALL = "all of them"


@dataclass(frozen=True)
class Courses:
    """Quantiles of 5-year risk by year and group: years, group, the quantiles, women, joined, left; `women` a group (told)."""

    table: pl.DataFrame
    same_women: bool
    step: int


def courses(selection: Selection, anchor: Anchor, *, same_women: bool) -> Courses:
    """Return how risk runs in the women who were diagnosed after they entered, and in the others.

    Counted to the diagnosis, the others are counted to the last visit whose risk is told. With `same_women` those count
    who have a visit in every step of `SAME_STEP` years, over as many steps as most women times steps stand behind.
    """
    step = SAME_STEP if same_women else 1
    visits = _placed(selection, anchor, step)
    parts = [
        _of_group(hers, anchor, same_women=same_women).with_columns(group=pl.lit(group.value))
        for group, hers in apart(visits)
    ]
    table = pl.concat(parts) if parts else pl.DataFrame(schema=_SCHEMA)
    return Courses(table.sort("group", "years"), same_women, step)


def apart(visits: pl.DataFrame) -> list[tuple[Group, pl.DataFrame]]:
    """Return the rows of each group that has any; all together where one of the groups is of few women."""
    of = {group: visits.filter(pl.col("group") == group.value) for group in (Group.CANCER, Group.NONE)}
    if any(is_small(hers["woman"].n_unique()) for hers in of.values()):
        return [(Group.ALL, visits)]
    return [(group, hers) for group, hers in of.items() if len(hers)]


_SCHEMA = {
    "years": pl.Int32, **dict.fromkeys(QUANTILES, pl.Float64), "women": pl.Int64, "joined": pl.String,
    "left": pl.String, "group": pl.String,
}  # fmt: skip


def _placed(selection: Selection, anchor: Anchor, step: int) -> pl.DataFrame:
    """Return woman, group, years (the step that a visit is in), risk_5, one value a woman and step (the mean of hers)."""
    entry = selection.entry.select("woman", pl.col("on").alias("entered"))
    hers = (
        selection.told_visits("woman", "on", "risk_5")
        .join(entry, on="woman", how="inner", maintain_order="left")
        .join(selection.women.select("woman", "diagnosed_on"), on="woman", how="left", maintain_order="left")
        .filter(pl.col("on") >= pl.col("entered"))
        # Who was diagnosed before she entered is neither the one nor the other.
        .filter(pl.col("diagnosed_on").is_null() | (pl.col("diagnosed_on") > pl.col("entered")))
    )
    if anchor is Anchor.ENTRY:
        since = pl.col("on") - pl.col("entered")
    else:
        since = pl.col("on") - pl.coalesce("diagnosed_on", pl.col("on").max().over("woman"))
    group = pl.when(pl.col("diagnosed_on").is_null()).then(pl.lit(Group.NONE.value))
    placed = hers.with_columns(
        group=group.otherwise(pl.lit(Group.CANCER.value)),
        years=((since.dt.total_days() / DAYS_PER_YEAR / step).round() * step).cast(pl.Int32),
    ).filter((pl.col("years").abs() <= YEARS) & pl.col("risk_5").is_not_null())
    return one_each(placed, "years", "risk_5").select("woman", "group", "years", "risk_5")


def _of_group(visits: pl.DataFrame, anchor: Anchor, *, same_women: bool) -> pl.DataFrame:
    if same_women:
        visits = _throughout(visits, anchor)
    points = quantiles_by(visits, "years", "risk_5", tuple(QUANTILES.values()), names=tuple(QUANTILES))
    moves = _moves(visits)
    told = table_told(points.join(moves, on="years", how="left", maintain_order="left"))
    return told.select(list(_SCHEMA)[:-1]).cast({"years": pl.Int32})


def _throughout(visits: pl.DataFrame, anchor: Anchor) -> pl.DataFrame:
    """Keep the women who have a value in every step, of the run of steps from the anchor on that keeps most values."""
    steps = sorted(visits["years"].unique().to_list(), reverse=anchor is Anchor.DIAGNOSIS)
    best, kept = 0, visits.head(0)
    for many in range(2, len(steps) + 1):
        run = steps[:many]
        within = visits.filter(pl.col("years").is_in(run))
        throughout = within.filter(pl.len().over("woman") == many)
        women = throughout["woman"].n_unique()
        if women >= smallest_group() and women * many > best:
            best, kept = women * many, throughout
    return kept


def _moves(visits: pl.DataFrame) -> pl.DataFrame:
    """Return how many women are at a point who were not at the one before, and how many have left since, in words."""
    rows: list[tuple[int, str, str]] = []
    women = visits["woman"].to_numpy()
    before = np.zeros(int(women.max()) + 1 if len(women) else 0, dtype=bool)
    for (years,), hers in visits.sort("years").group_by(["years"], maintain_order=True):
        now = np.zeros_like(before)
        now[hers["woman"].to_numpy()] = True
        joined, left = (count_said(int(np.count_nonzero(moved))) for moved in (now & ~before, before & ~now))
        rows.append((years, joined, left) if rows else (years, "", ""))
        before = now
    return pl.DataFrame(
        rows, schema={"years": pl.Int32, "joined": pl.String, "left": pl.String}, orient="row"
    )


def single_courses(selection: Selection, anchor: Anchor, *, most: int = 40, seed: int = 0) -> pl.DataFrame:
    """Return a sample of single women's courses: course (a number by chance), group, years, risk_5.

    Whoever shows it has asked for the permission `SEE_SINGLE_COURSES`. Nothing in it says who they are, and years are
    rounded to a quarter.
    """
    visits = _placed_exactly(selection, anchor)
    women = np.sort(visits["woman"].unique().to_numpy())
    draw = np.random.default_rng(seed)
    sample = draw.choice(women, size=min(most, len(women)), replace=False)
    numbers = pl.DataFrame({"woman": sample, "course": np.arange(1, len(sample) + 1)}).cast(
        {"woman": pl.UInt32}
    )
    return (
        visits.join(numbers, on="woman", how="inner")
        .sort("course", "years")
        .select("course", "group", "years", "risk_5")
    )


def _placed_exactly(selection: Selection, anchor: Anchor) -> pl.DataFrame:
    entry = selection.entry.select("woman", pl.col("on").alias("entered"))
    hers = (
        selection.told_visits("woman", "on", "risk_5")
        .join(entry, on="woman", how="inner")
        .join(selection.women.select("woman", "diagnosed_on"), on="woman", how="left")
        .filter(pl.col("diagnosed_on").is_null() | (pl.col("diagnosed_on") > pl.col("entered")))
    )
    begin = (
        pl.col("entered")
        if anchor is Anchor.ENTRY
        else pl.coalesce("diagnosed_on", pl.col("on").max().over("woman"))
    )
    return hers.with_columns(
        group=pl.when(pl.col("diagnosed_on").is_null())
        .then(pl.lit(Group.NONE.value))
        .otherwise(pl.lit(Group.CANCER.value)),
        years=((pl.col("on") - begin).dt.total_days() / DAYS_PER_YEAR * 4).round() / 4,
    ).filter(pl.col("years").abs() <= YEARS)
