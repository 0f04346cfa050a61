"""Calendar months as they may be told: months in which few women came are told together with their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.disclosure import is_small, joined_cells

__all__ = ["Months", "months_of", "share_cells"]


@dataclass(frozen=True)
class Months:
    """Periods of whole months, each with nobody or not few women, in order of time.

    Parameters
    ----------
    begins, last
        First day of the first and of the last month of each.
    of_visit
        (n,) which period each visit lies in.
    women
        Different women in each.
    """

    begins: tuple[date, ...]
    last: tuple[date, ...]
    of_visit: NDArray[np.intp]
    women: NDArray[np.int64]

    def label(self, cells: range) -> str:
        """Say some neighbouring periods as one: 2025-03, or 2025-03 to 2025-05."""
        begin, end = self.begins[cells.start], self.last[cells.stop - 1]
        return f"{begin:%Y-%m}" if begin == end else f"{begin:%Y-%m} to {end:%Y-%m}"


def months_of(visits: pl.DataFrame) -> Months | None:
    """Divide the days of visits (woman, on) into periods that may be told; None where there are few women in all."""
    month = (visits["on"].dt.year().cast(pl.Int64) * 12 + visits["on"].dt.month() - 1).to_numpy()
    if not len(month):
        return None
    first = int(month.min())
    pairs = pl.DataFrame({"month": month - first, "woman": visits["woman"]})
    in_month = np.zeros(int(month.max()) - first + 1, np.int64)
    counted = pairs.unique().group_by("month").len()
    in_month[counted["month"].to_numpy()] = counted["len"].to_numpy()
    runs = [run for run in joined_cells(in_month.tolist()) if in_month[run.start : run.stop].any()]
    if not runs:
        return None
    begins, stops = [run.start for run in runs], [run.stop for run in runs]
    cell, women = _counted(begins, month - first, visits["woman"])
    while (few := [place for place, many in enumerate(women) if is_small(int(many))]) and len(begins) > 1:
        # Somebody came twice in these months: they are told with those before, the first with those after.
        gone = max(few[0], 1)
        del begins[gone], stops[gone - 1]
        cell, women = _counted(begins, month - first, visits["woman"])
    if is_small(int(women[0])):
        return None
    return Months(
        tuple(_day(first + one) for one in begins),
        tuple(_day(first + one - 1) for one in stops),
        cell,
        women,
    )


def _counted(
    begins: Sequence[int], month: NDArray[np.int64], woman: pl.Series
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return which period each visit lies in, and how many different women came in each."""
    cell = np.searchsorted(begins, month, side="right") - 1
    different = pl.DataFrame({"cell": cell, "woman": woman}).unique()["cell"].to_numpy()
    return cell, np.bincount(different, minlength=len(begins))


def _day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def share_cells(yes: Sequence[int], no: Sequence[int]) -> list[range]:
    """Return which neighbouring periods are told as one, so that in each nobody or not few are meant, and likewise left out.

    No period at all where few are meant in all of them together, or all but few.
    """
    if is_small(sum(yes)) or is_small(sum(no)):
        return []
    runs: list[range] = []
    begin = 0
    for place in range(len(yes)):
        held = slice(begin, place + 1)
        if not is_small(sum(yes[held])) and not is_small(sum(no[held])):
            runs.append(range(begin, place + 1))
            begin = place + 1
    while begin < len(yes):
        before = runs.pop()
        begin = before.start
        held = slice(begin, len(yes))
        if not is_small(sum(yes[held])) and not is_small(sum(no[held])):
            runs.append(range(begin, len(yes)))
            break
    return runs
