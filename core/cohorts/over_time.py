"""What came of the women of each band of risk over the years, as it may be told: cumulative incidence and survival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.disclosure import is_small, rounded, smallest_group
from core.cohorts.judge import Judged, NothingToTell, bands_of
from core.cohorts.judging.entry import Entered
from core.cohorts.judging.outcomes import CANCER, LEFT
from core.cohorts.judging.survival import (
    Tested,
    aalen_johansen,
    gray_test,
    kaplan_meier,
    log_rank,
    still_followed,
)
from core.cohorts.once import once

__all__ = ["OverTime", "at_risk_table", "incidence", "survival"]

GRID = tuple(step / 2 for step in range(21))
"""Half years, at which the curves are told: steps at single days would tell of single women."""


@dataclass(frozen=True)
class OverTime:
    """Curves by band of 5-year risk at entry: band, years, value, low, high; and a test of no difference between bands."""

    table: pl.DataFrame
    tested: Tested | None
    left_out: tuple[str, ...] = ()
    """Bands with too few women."""


def _by_band(judged: Judged) -> Iterator[tuple[str, Entered]]:
    judged.followed()  # says why nobody can be followed, where that is so
    labels, place = bands_of(judged.entered.risk_of(5))
    for number, label in enumerate(labels):
        yield label, judged.entered.among(place == number)


def _told_years(of: Entered, event: NDArray[np.bool_], grid: Sequence[float]) -> list[float]:
    """Return at which times a curve may be told: some women are followed still, and each step is of nobody or not of few."""
    kept = [0.0]
    before = 0
    followed = still_followed(of.time, grid)
    for years, many in zip(grid[1:], followed[1:], strict=True):
        if many < smallest_group():
            break
        events = int((event & (of.time <= years)).sum())
        if not is_small(events - before):
            kept.append(years)
            before = events
    return kept


def _over_time(judged: Judged, *, of_survival: bool) -> OverTime:
    rows: list[tuple[str, float, float, float, float]] = []
    told: list[Entered] = []
    left_out = []
    for label, of in _by_band(judged):
        if not len(of):
            continue
        event = of.cause != LEFT if of_survival else of.cause == CANCER
        if is_small(len(of)):
            left_out.append(label)
            continue
        told.append(of)
        curve = kaplan_meier(of.time, event) if of_survival else aalen_johansen(of.time, of.cause, CANCER)
        years = _told_years(of, event, GRID)
        rows += [
            (label, *point) for point in zip(years, *(one.tolist() for one in curve.at(years)), strict=True)
        ]
    if not rows:
        raise NothingToTell("No band of risk has women enough.")
    table = pl.DataFrame(rows, schema=["band", "years", "value", "low", "high"], orient="row")
    return OverTime(table, _tested(told, of_survival=of_survival), tuple(left_out))


def _tested(told: Sequence[Entered], *, of_survival: bool) -> Tested | None:
    if len(told) < 2:
        return None
    time, cause = (np.concatenate([getattr(of, name) for of in told]) for name in ("time", "cause"))
    group = np.repeat(np.arange(len(told)), [len(of) for of in told])
    try:
        if of_survival:
            return log_rank(time, cause != LEFT, group)
        return gray_test(time, cause, group, CANCER)
    except ValueError:
        return None


@once
def incidence(judged: Judged) -> OverTime:
    """Return the share with cancer over the years by band (Aalen and Johansen), with Gray's test.

    Raises
    ------
    NothingToTell
        If nobody can be followed, or no band has women enough.
    """
    return _over_time(judged, of_survival=False)


@once
def survival(judged: Judged) -> OverTime:
    """Return the share alive, with a breast at risk and without cancer, by band (Kaplan and Meier), with the log-rank test.

    Raises
    ------
    NothingToTell
        As `incidence`.
    """
    return _over_time(judged, of_survival=True)


@once
def at_risk_table(judged: Judged) -> pl.DataFrame:
    """Return how many women of each band are followed still after whole years: band, then a column a year; null for few."""
    rows = []
    years = range(11)
    for label, of in _by_band(judged):
        if is_small(len(of)) or not len(of):
            continue
        numbers = still_followed(of.time, [float(year) for year in years])
        rows.append((label, *(None if is_small(int(many)) else rounded(int(many)) for many in numbers)))
    names = ["band", *(f"{year} years" if year != 1 else "1 year" for year in years)]
    schema = {name: pl.String if name == "band" else pl.Int64 for name in names}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.select(name for name in names if name == "band" or (table[name].fill_null(0) > 0).any())
