"""By which events women are chosen: their kinds, and the whole years that they lie in.

Of each woman and kind the years are kept as the bits of one number, so that of very many women it is asked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from db.tables import EventKind

__all__ = ["EVENT_KINDS", "FIRST_YEAR", "LAST_YEAR", "MEANS", "column_of", "has_any", "said", "year_bits", "years_on_record"]  # fmt: skip

EVENT_KINDS = tuple(kind.value for kind in EventKind)
FIRST_YEAR, LAST_YEAR = 1980, 2043
"""What lies before the first year counts as of it, what lies after the last as of that: bits 0 and 63."""


def column_of(kind: str) -> str:
    """Return the column of the table of women that holds the years of a kind of event."""
    return f"years_of_{kind}"


MEANS: Mapping[str, str] = {
    column_of(
        kind
    ): f"years with {kind} on record, as bits: bit n is {FIRST_YEAR} + n; of bits 0 and 63 also before and after"
    for kind in EVENT_KINDS
}
"""The columns, and what they mean."""


def year_bits(events: Iterable[tuple[str, date]]) -> tuple[int, ...]:
    """Return by kind, in the order of `EVENT_KINDS`, the years of a woman's events as bits: bit n is the year 1980 + n."""
    bits = dict.fromkeys(EVENT_KINDS, 0)
    for kind, day in events:
        bits[kind] |= 1 << (min(max(day.year, FIRST_YEAR), LAST_YEAR) - FIRST_YEAR)
    return tuple(bits.values())


def has_any(
    women: pl.DataFrame, kinds: Sequence[str], begin: int | None, end: int | None
) -> NDArray[np.bool_]:
    """Say of which women (n,) an event of these kinds, or of any where none is named, lies between two years, both included.

    Without a year there is no bound; both lie between `FIRST_YEAR` and `LAST_YEAR`, without the outermost of their side.
    """
    first = 0 if begin is None else begin - FIRST_YEAR
    last = LAST_YEAR - FIRST_YEAR if end is None else end - FIRST_YEAR
    asked = np.uint64(sum(1 << bit for bit in range(first, last + 1)))
    merged = np.zeros(len(women), np.uint64)
    for kind in kinds or EVENT_KINDS:
        merged |= women[column_of(kind)].fill_null(0).to_numpy()
    return (merged & asked) != 0


def years_on_record(women: pl.DataFrame) -> list[int]:
    """Return the years from the first to the last event of all women; none where there are no events."""
    each = women.select(pl.col(column_of(kind)).bitwise_or() for kind in EVENT_KINDS).row(0)
    merged = 0
    for years in each:
        merged |= years or 0
    if not merged:
        return []
    first, last = (merged & -merged).bit_length() - 1, merged.bit_length() - 1
    return list(range(FIRST_YEAR + first, FIRST_YEAR + last + 1))


def said(kinds: Sequence[str], begin: int | None, end: int | None) -> str:
    """Say which events are meant: "surgery or therapy 2015-2019".

    >>> said(("surgery",), 2015, None), said((), None, 2019)
    ('surgery from 2015 on', 'an event up to 2019')
    """
    what = " or ".join(kind for kind in EVENT_KINDS if kind in kinds) or "an event"
    if begin is not None and end is not None:
        return f"{what} {begin}" if begin == end else f"{what} {begin}–{end}"
    if begin is not None:
        return f"{what} from {begin} on"
    return what if end is None else f"{what} up to {end}"
