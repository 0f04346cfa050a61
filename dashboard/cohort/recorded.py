"""What the parts of the cohort page show, recorded instead of drawn: for a report, and for tests that walk all figures.

A part calls `figure`, `empty` and `note` (`dashboard.cohort.figure`) as on the page; its questions have the answers that
they begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from dashboard.cohort.downloads import Taken

__all__ = ["Record", "each", "is_recording", "note", "recording", "take", "today"]

Choice = TypeVar("Choice")


@dataclass
class Record:
    """The figures of a part and what it says in their place, in order; `on` is the day that counts as today."""

    on: date
    figures: list[Taken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


_open: ContextVar[Record | None] = ContextVar("cohort_record", default=None)


@contextmanager
def recording(on: date) -> Iterator[Record]:
    """Record what is shown inside, as of a day."""
    record = Record(on)
    token = _open.set(record)
    try:
        yield record
    finally:
        _open.reset(token)


def is_recording() -> bool:
    """Say whether what is shown is recorded: then nothing is left to be computed in the background."""
    return _open.get() is not None


def today() -> date:
    """Return the day that figures are as of: today, in a report the day that it is of."""
    record = _open.get()
    return record.on if record else date.today()


def each(options: Iterable[Choice], ask: Callable[[], Choice | None]) -> Sequence[Choice]:
    """Return those kinds of figures that a part shows: the one that is asked for (the first unasked), in a record all."""
    every = list(options)
    return every if is_recording() else [ask() or every[0]]


def take(taken: Taken) -> bool:
    """Record a figure; say whether it was, and is not to be drawn."""
    record = _open.get()
    if record is not None and not any(_same(taken, one) for one in record.figures):
        record.figures.append(taken)
    return record is not None


def _same(one: Taken, other: Taken) -> bool:
    """Say whether a figure stands in two kinds of a part: a record has it once."""
    return one.name == other.name and one.table.equals(other.table)


def note(sentence: str) -> bool:
    """Record what is said in the place of a figure, or beside; say whether it was."""
    record = _open.get()
    if record is not None:
        record.notes.append(sentence)
    return record is not None
