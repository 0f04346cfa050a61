"""Groups of few women: no figure, table, count or file tells of fewer than five, nor lets so few be worked out.

A figure of one woman is her record without a name. So cells of a table are joined with their neighbours until each
holds nobody or five women and more: since all that is shown adds up to the whole, nothing is left to subtract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

SMALLEST_GROUP = 5
"""Women that a group must have to be told of (a usual limit for health statistics, as of NHS England)."""

FEW = f"fewer than {SMALLEST_GROUP}"

What = TypeVar("What")


def is_small(women: int) -> bool:
    """Say whether somebody is in a group, but so few that nothing is told of them."""
    return 0 < women < SMALLEST_GROUP


def may_be_told(women: int, of: int) -> bool:
    """Say whether a group may be told of beside the `of` women it is part of: neither it nor the rest is small.

    A group of nobody has nothing to tell.
    """
    return women >= SMALLEST_GROUP and not is_small(of - women)


def joined(counts: Sequence[int]) -> list[range]:
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

    >>> joined([6, 2, 0, 4, 9, 1])
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


def told(parts: Mapping[What, int]) -> dict[What, str]:
    """Say how many women each of some groups has that together are a whole, whose number `parts` does not hold.

    >>> told({"real": 3, "simulated": 28})
    {'real': 'fewer than 5', 'simulated': '28'}
    """
    return {what: FEW if is_small(women) else str(women) for what, women in parts.items()}


def any_small(counts: Iterable[int]) -> bool:
    """Say whether one of several groups is small: then their sum is not told, or it would tell that group."""
    return any(map(is_small, counts))
