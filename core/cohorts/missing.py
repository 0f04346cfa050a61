"""What is not known of the studies of each month: views, ages, densities, assessments, detectors, scores, what came after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from dateutil.relativedelta import relativedelta
from numpy.typing import NDArray

from core.cohorts.disclosure import is_small, joined_cells, rounded
from core.cohorts.months import Months, months_of, share_cells
from core.rules import ENDED

__all__ = ["COLUMNS", "MONTHS", "missing_by_month"]

COLUMNS = ("woman", "on", "age", "trust", "doubt", "density_by", "bi_rads", "vendor", "missing_views")
"""What is needed of the visits."""
MONTHS = 36
"""As many months are told, up to the last visit."""
FOLLOWED_DAYS = 365

Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class _Studies:
    """Visits, and of each when the woman was last known of, when follow-up of her ended for a reason, and today."""

    visits: pl.DataFrame
    last_contact: pl.Series
    ended: pl.Series
    today: date

    def word(self, column: str) -> pl.Series:
        return self.visits[column].cast(pl.String)


def _score(of: _Studies) -> tuple[Marks, Marks]:
    after = of.word("doubt").fill_null("").is_in(ENDED).to_numpy()
    return (of.word("trust") != "trusted").fill_null(True).to_numpy(), ~after


def _followed(of: _Studies) -> tuple[Marks, Marks]:
    """Ask only where a year has passed, within which she has neither died nor been diagnosed."""
    end = of.visits["on"] + timedelta(days=FOLLOWED_DAYS)
    passed = end <= of.today
    ended = (of.ended < end).fill_null(False)
    return (of.last_contact < end).fill_null(True).to_numpy(), (passed & ~ended).to_numpy()


def _is_null(column: str) -> Callable[[_Studies], tuple[Marks, Marks]]:
    def of(studies: _Studies) -> tuple[Marks, Marks]:
        missing = studies.visits[column].is_null().to_numpy()
        return missing, np.ones(len(missing), bool)

    return of


def _views(of: _Studies) -> tuple[Marks, Marks]:
    missing = of.visits["missing_views"].fill_null(True).to_numpy()
    return missing, np.ones(len(missing), bool)


def _reader_density(of: _Studies) -> tuple[Marks, Marks]:
    missing = (of.word("density_by").fill_null("") != "reader").to_numpy()
    return missing, np.ones(len(missing), bool)


_KINDS: Mapping[str, Callable[[_Studies], tuple[Marks, Marks]]] = {
    "one of the four views": _views,
    "her age": _is_null("age"),
    "the detector's maker": _is_null("vendor"),
    "a density by a reader": _reader_density,
    "an assessment": _is_null("bi_rads"),
    "a score that may be told": _score,
    "word of her a year later": _followed,
}
"""What may be missing: which visits lack it, and of which it is asked."""


def missing_by_month(visits: pl.DataFrame, women: pl.DataFrame, *, read_at: datetime) -> pl.DataFrame:
    """Return which share of the studies of each month lacks what, over the last 36 months.

    A row a kind and period: missing, begin, end (first days of its first and last month), months, women (rounded), share (0..1,
    of rounded counts). A period in which few women lack it, or all but few, is told together with its neighbours; what few
    lack in all months together, or all but few, has no row with a share. Empty where few women came at all.
    """
    schema = {"missing": pl.String, "begin": pl.Date, "end": pl.Date, "months": pl.String, "women": pl.Int64, "share": pl.Float64}  # fmt: skip
    told = _of_late(visits)
    months = months_of(told)
    if months is None:
        return pl.DataFrame(schema=schema)
    studies = _studies(told, women, read_at.date())
    rows = [
        (name, *row) for name, kind in _KINDS.items() for row in _rows(months, told["woman"], *kind(studies))
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _of_late(visits: pl.DataFrame) -> pl.DataFrame:
    visits = visits.select(COLUMNS).drop_nulls("on")
    if not len(visits):
        return visits
    last: date = visits["on"].max()  # type: ignore[assignment]
    return visits.filter(pl.col("on") >= last.replace(day=1) - relativedelta(months=MONTHS - 1)).sort(
        "on", "woman"
    )


def _studies(visits: pl.DataFrame, women: pl.DataFrame, today: date) -> _Studies:
    hers = visits.select("woman").join(
        women.select("woman", "last_contact", "diagnosed_on", "died_on"), on="woman", how="left", maintain_order="left"
    )  # fmt: skip
    return _Studies(visits, hers["last_contact"], hers.select(pl.min_horizontal("diagnosed_on", "died_on")).to_series(), today)  # fmt: skip


def _rows(
    months: Months, woman: pl.Series, missing: Marks, asked: Marks
) -> list[tuple[date, date, str, int, float | None]]:
    """Return begin, end, months, women and share of each period; of each woman one study a period counts: one that lacks it."""
    number = woman.to_numpy()
    many = len(months.begins)
    yes = _women(months, number, missing & asked)
    all_asked = _women(months, number, asked)
    no = [of - lack for of, lack in zip(all_asked, yes, strict=True)]
    if is_small(sum(yes)) or is_small(sum(no)):
        return [(months.begins[0], months.last[-1], months.label(range(many)), rounded(sum(all_asked)), None)]
    cells = share_cells(yes, no) if any(yes) and any(no) else joined_cells(all_asked)
    rows = []
    for run in cells:
        lack, of = (sum(counts[run.start : run.stop]) for counts in (yes, all_asked))
        held = slice(
            *np.searchsorted(months.of_visit, (run.start, run.stop))
        )  # visits stand in order of time
        hers, lacks, counts_here = number[held], missing[held], asked[held]
        few = is_small(_different(hers[counts_here & lacks])) or is_small(
            _different(hers[counts_here & ~lacks])
        )
        share = min(1.0, rounded(lack) / rounded(of)) if of and not few else None
        rows.append(
            (months.begins[run.start], months.last[run.stop - 1], months.label(run), rounded(of), share)
        )
    return rows


def _different(number: NDArray[np.uint32]) -> int:
    return len(np.unique(number))


def _women(months: Months, number: NDArray[np.uint32], which: Marks) -> list[int]:
    pairs = pl.DataFrame({"period": months.of_visit[which], "woman": number[which]}).unique()
    counts: list[int] = np.bincount(pairs["period"].to_numpy(), minlength=len(months.begins)).tolist()
    return counts
