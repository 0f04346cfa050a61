"""The analyst's tables in memory: one copy for a process, read once and then brought up to date woman by woman.

Nothing is shared with the database: SQLite is read through the one library that has it open. What has changed since is told
by the number of the transaction that wrote it, and who is gone by how many there are.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.cohorts import kept
from core.cohorts.computed import compute_frame
from core.cohorts.frame import Frame, empty_frame
from core.cohorts.packed import Packed
from core.cohorts.tables import women_and_visits
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people.needing import SYSTEM_ONLY, needs
from core.people.roles import Permission
from core.records import ready
from db.tables import CohortRow

__all__ = ["forget", "frame_of", "read_ahead"]

_AT_ONCE = 10_000
"""Women whose bytes are in memory at once while all are read."""
MOST_REPLACED = 1_000
"""Where more women than these have changed, all are read anew."""
_MOST_PIECES = 24
"""Of so many pieces a table may consist before it is made one again: joining pieces costs nothing, using them a little."""


@dataclass(frozen=True)
class _Read:
    """The tables, and up to which change of the database they say what is kept."""

    frame: Frame
    change: int


class _Live:
    """The tables of one installation, and who may bring them up to date: one at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.read: _Read | None = None


_live: dict[str, _Live] = {}
_making = threading.Lock()


@needs(Permission.SEE_COHORT)
def frame_of(here: Installation) -> Frame:
    """Return the tables as they are now; every caller of a process gets the same ones, which nobody may change.

    What is stale is computed first. Where that cannot be written now, all women are computed without being kept.
    """
    with _making:
        live = _live.setdefault(str(here.database.url), _Live())
    with live.lock:
        try:
            kept.bring_up_to_date(here)
        except Exception as error:
            if outage(error) is None:
                raise
            return compute_frame(here)
        with here.database.read() as session:
            live.read = _newer(here, session, live.read)
        return live.read.frame


@needs(SYSTEM_ONLY)
def read_ahead(here: Installation) -> None:
    """Read the tables, so that the first page finds them; what goes wrong is met again, and said, by who asks for them."""
    try:
        frame_of(here)
    except Exception as error:  # noqa: BLE001 - a process is not to end for what nobody has asked for yet
        log_of(__name__).warning("The cohort could not be read ahead", error=type(error).__name__)


def forget() -> None:
    """Let go of all tables, as for a test."""
    with _making:
        _live.clear()


def _newer(here: Installation, session: Session, before: _Read | None) -> _Read:
    """Return the tables with what has changed since they were read; the same ones where nothing has."""
    basis = kept.basis_of(here)
    number = ready.last_change(session, CohortRow)
    women = session.scalar(select(func.count()).select_from(CohortRow)) or 0
    if before is None or before.frame.basis != basis or number < before.change:
        return _all(session, basis, number)
    if number == before.change and women == len(before.frame.women):
        return before
    changed = _packed(session, before.change)
    if changed is None:
        return _all(session, basis, number)
    frame = _replaced(before.frame, changed, kept.known_words(session))
    # Somebody is gone: that moves the numbers of all who come after.
    return _Read(frame, number) if len(frame.women) == women else _all(session, basis, number)


def _all(session: Session, basis: str, number: int) -> _Read:
    words = kept.known_words(session)
    query = select(CohortRow.patient_id, CohortRow.woman, CohortRow.visits).order_by(CohortRow.patient_id)
    women, visits, first = [], [], 0
    for some in session.execute(query.execution_options(yield_per=_AT_ONCE)).partitions():
        packed = [Packed(*row) for row in some]
        of_women, of_visits = women_and_visits(packed, words, first)
        women.append(of_women)
        visits.append(of_visits)
        first += len(packed)
    read_at = datetime.now(UTC)
    if not women:
        return _Read(empty_frame(basis, read_at), number)
    return _Read(
        Frame(pl.concat(women, rechunk=True), pl.concat(visits, rechunk=True), basis, read_at), number
    )


def _packed(session: Session, after: int) -> list[Packed] | None:
    """Return the rows of the women who were written after a change; None where they are very many."""
    query = (
        select(CohortRow.patient_id, CohortRow.woman, CohortRow.visits)
        .where(CohortRow.written_in > after)
        # Not in the order of the women: for that all of them would be looked at.
        .limit(MOST_REPLACED + 1)
    )
    found = sorted((Packed(*row) for row in session.execute(query)), key=lambda one: one.patient_id)
    return found if len(found) <= MOST_REPLACED else None


def _replaced(frame: Frame, changed: Sequence[Packed], words: dict[str, int]) -> Frame:
    """Return the tables with the rows of some women in the place of those they had, and new women at the end."""
    if not changed:
        return frame
    ids = frame.women["patient_id"].to_numpy()
    order = np.argsort(ids, kind="stable")
    wanted = np.array([one.patient_id for one in changed])
    at = np.searchsorted(ids, wanted, sorter=order)
    places = order[np.minimum(at, max(len(ids) - 1, 0))] if len(ids) else np.zeros(len(wanted), np.int64)
    known = ids[places] == wanted if len(ids) else np.zeros(len(wanted), bool)
    numbers = np.where(known, places, len(ids) + np.cumsum(~known) - 1)
    women, visits = women_and_visits(changed, words)
    of_visits = numbers[visits["woman"].to_numpy()]
    women = women.with_columns(pl.Series("woman", numbers.astype(np.uint32))).sort("woman")
    visits = visits.with_columns(pl.Series("woman", of_visits.astype(np.uint32))).sort("woman", "visit")
    return replace(
        frame,
        women=_spliced(frame.women, women, numbers[known]),
        visits=_spliced(frame.visits, visits, numbers[known]),
        read_at=datetime.now(UTC),
    )


def _spliced(table: pl.DataFrame, new: pl.DataFrame, gone: np.ndarray) -> pl.DataFrame:
    """Return a table in the order of woman with new rows, without the old ones of some; both are in that order already."""
    woman, of_new = table["woman"].to_numpy(), new["woman"].to_numpy()
    pieces, done = [], 0
    for number in np.sort(gone):
        begin, end = np.searchsorted(woman, [number, number + 1])
        pieces += [table[done:begin], new[slice(*np.searchsorted(of_new, [number, number + 1]))]]
        done = end
    first_new = int(woman[-1]) + 1 if len(woman) else 0
    pieces += [table[done:], new[int(np.searchsorted(of_new, first_new)) :]]
    joined = pl.concat([piece for piece in pieces if len(piece)] or [table], rechunk=False)
    return joined.rechunk() if joined.n_chunks() > _MOST_PIECES else joined
