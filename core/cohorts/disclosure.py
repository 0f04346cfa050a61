"""The only way in which numbers of groups of women leave: nothing tells of a few, nor lets a few be worked out.

A figure of one woman is her record without a name. So a count is rounded to `ROUNDED_TO`, of fewer than
`smallest_group` women nothing is told at all, and neither is it of all but a few: the few would be the difference to a
figure of all. Neighbouring cells of a table that hold few are joined, others stand under one name together. Quantiles
are weighted means of all women's values (`core.cohorts.quantiles`): the median of five is nobody's score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from core.settings import Settings

__all__ = [
    "OTHERS",
    "ROUNDED_TO",
    "cells_told",
    "complement_ok",
    "count_said",
    "differs_by_few",
    "few",
    "few_in_any",
    "is_small",
    "joined_cells",
    "may_be_told",
    "pooled_cells",
    "rounded",
    "smallest_group",
    "table_told",
]

ROUNDED_TO = 5
"""Counts are told as multiples of this (as NHS England and the BCSC's data use agreements ask)."""
OTHERS = "others"
"""What groups that are told together only because each is small are called."""


@cache
def smallest_group() -> int:
    """Return how many women a group must have to be told of: the setting `cohort_smallest_group`."""
    return Settings().cohort_smallest_group


def few() -> str:
    """Say how many women are too few to be told of."""
    return f"fewer than {smallest_group()}"


def is_small(women: int) -> bool:
    """Say whether somebody is in a group, but so few that nothing is told of them."""
    return 0 < women < smallest_group()


def complement_ok(women: int, of: int) -> bool:
    """Say whether those of `of` women that a group leaves out are nobody, or not few."""
    return not is_small(of - women)


def may_be_told(women: int, of: int | None = None) -> bool:
    """Say whether a group holds nobody or not few women, and leaves out nobody or not few of the `of` it is part of."""
    return not is_small(women) and (of is None or complement_ok(women, of))


def rounded(women: int) -> int:
    """Return a count as it may be told: to the nearest multiple of `ROUNDED_TO`, never to nobody where there is somebody.

    Raises
    ------
    ValueError
        If so few are told of at all.
    """
    if is_small(women):
        raise ValueError(f"A group of {few()} women is not told of.")
    return max(ROUNDED_TO, ROUNDED_TO * ((2 * women + ROUNDED_TO) // (2 * ROUNDED_TO))) if women else 0


def count_said(women: int) -> str:
    """Say how many women there are, as far as that may be told.

    >>> [count_said(women) for women in (0, 3, 12, 13, 1234)]
    ['0', 'fewer than 5', '10', '15', '1,235']
    """
    return few() if is_small(women) else f"{rounded(women):,}"


def joined_cells(counts: Sequence[int]) -> list[range]:
    """Return which neighbouring cells of a table are told as one, so that each holds nobody or no small group.

    Parameters
    ----------
    counts
        Women in each cell, in the cells' natural order; each woman in one cell.

    Returns
    -------
    list of range
        The places of the cells, in order, all of them once. Empty cells stay by themselves where they can; no cell
        at all where all of them together are a small group.

    >>> joined_cells([6, 2, 0, 4, 9, 1])
    [range(0, 1), range(1, 4), range(4, 6)]
    """
    if is_small(sum(counts)):
        return []
    runs: list[range] = []
    begin = 0
    for place in range(len(counts)):
        held = sum(counts[begin : place + 1])
        if not is_small(held):
            runs.append(range(begin, place + 1))
            begin = place + 1
    if begin == len(counts):
        return runs
    # What is left at the end joins the last group that holds somebody, with the empty cells between.
    last = max(place for place, women in enumerate(counts) if women) + 1
    while not any(counts[place] for place in runs[-1]):
        runs.pop()
    runs[-1] = range(runs[-1].start, last)
    return [*runs, *(range(place, place + 1) for place in range(last, len(counts)))]


def pooled_cells(counts: Sequence[int]) -> list[list[int]]:
    """Return which cells without an order (makers, reasons) are told as one, so that each holds nobody or no small group.

    The small ones are put together, the smallest of the others with them where they are still few; the places of those
    come last. No cell at all where all of them together are a small group.

    >>> pooled_cells([9, 2, 6, 1])
    [[0], [2, 1, 3]]
    """
    if is_small(sum(counts)):
        return []
    small = [place for place, women in enumerate(counts) if is_small(women)]
    rest = [place for place in range(len(counts)) if place not in small]
    if small and is_small(sum(counts[place] for place in small)):
        least = min((place for place in rest if counts[place]), key=lambda place: counts[place])
        rest.remove(least)
        small.insert(0, least)
    return [*([place] for place in rest), *([small] if small else [])]


def table_told(table: pl.DataFrame, count_column: str = "women") -> pl.DataFrame:
    """Return a table as it may be shown and handed out: its counts rounded, rows of few women left out.

    A row a group of women, `count_column` the number of different women in it. To be used where groups overlap or do not
    add up to a whole that is told (a point a year); cells of a partition go through `joined_cells` or `pooled_cells` first.
    """
    count = pl.col(count_column)
    kept = table.filter(count.is_null() | (count == 0) | (count >= smallest_group()))
    told = (
        pl.when(count == 0)
        .then(0)
        .otherwise(
            ((2 * count.cast(pl.Int64) + ROUNDED_TO) // (2 * ROUNDED_TO) * ROUNDED_TO).clip(ROUNDED_TO)
        )
    )
    return kept.with_columns(told.alias(count_column))


def cells_told(
    cells: Sequence[str],
    counts: Sequence[int],
    *,
    name: str,
    words: Callable[[Sequence[str]], str] | None = None,
) -> pl.DataFrame:
    """Return a partition of women as it may be shown: columns `name` and women, the counts rounded.

    With `words`, which says some neighbouring cells as one, small cells are joined with their
    neighbours; without it they stand together as `OTHERS`.
    """
    if words is None:
        runs: Iterable[Sequence[int]] = pooled_cells(counts)

        def said(run: Sequence[int]) -> str:
            return cells[run[0]] if len(run) == 1 else OTHERS
    else:
        runs = joined_cells(counts)

        def said(run: Sequence[int]) -> str:
            return words([cells[place] for place in run])

    rows = [(said(run), rounded(sum(counts[place] for place in run))) for run in runs]
    return pl.DataFrame(rows, schema={name: pl.String, "women": pl.Int64}, orient="row")


def differs_by_few(ones: NDArray[np.bool_], others: NDArray[np.bool_]) -> bool:
    """Say whether two groups of the same women (a mark a woman) differ by somebody, but by few."""
    return is_small(int(np.count_nonzero(ones != others)))


def few_in_any(counts: ArrayLike) -> bool:
    """Say whether any of several groups is small."""
    many = np.asarray(counts)
    return bool(((many > 0) & (many < smallest_group())).any())
