"""The analyst's rows, kept ready: written with what changes them, computed anew where they are not.

How they are kept `core.records.kept_table` says, as of the standings of the worklist (`core.records.ready`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from sqlalchemy import exists, insert, select
from sqlalchemy.orm import Session

from core.cohorts.looks import known_by
from core.cohorts.packed import VISIT, WOMAN, Packed, Words
from core.cohorts.rows import packed_rows
from core.installation import Installation
from core.people.needing import SIGNED_IN, SYSTEM_ONLY, needs
from core.records import MOST_AT_ONCE, KeptTable, ready
from db.tables import CohortRow, CohortWord, Patient, StaleCohortRow, Study

__all__ = [
    "basis_of",
    "bring_up_to_date",
    "differing",
    "is_up_to_date",
    "keep_ready",
    "known_words",
    "rebuild",
]

_COMPUTED_BY = ("rows.py", "packed.py", "looks.py", "happenings.py")


@needs(SIGNED_IN)
def basis_of(here: Installation) -> str:
    """Return what the rows are computed by here: all that standings are computed by, the rows' own rules and form, and the encoder."""
    return hashlib.sha256(f"{ready.basis_of(here)}\n{_code()}\n{known_by(here)}".encode()).hexdigest()[:16]


@cache
def _code() -> str:
    digest = hashlib.sha256(repr((VISIT.descr, WOMAN.descr)).encode())
    for name in _COMPUTED_BY:
        digest.update((files("core.cohorts") / name).read_bytes())
    return digest.hexdigest()


def keep_ready(here: Installation, session: Session) -> None:
    """Compute the rows that the transaction of this session has made stale, unless they are very many."""
    _ROWS.write_stale(here, session)


def is_up_to_date(here: Installation, session: Session) -> bool:
    """Say whether every woman's rows are there, by what holds here, and not stale."""
    return _ROWS.is_up_to_date(here, session)


@needs(SYSTEM_ONLY)
def bring_up_to_date(here: Installation) -> int:
    """Compute the rows that are stale or by another basis; return of how many women. Safe beside others who do the same."""
    return _ROWS.bring_up_to_date(here)


@needs(SYSTEM_ONLY)
def rebuild(here: Installation) -> None:
    """Compute every woman's rows anew."""
    _ROWS.rebuild(here)


def known_words(session: Session) -> dict[str, int]:
    """Return the words that rows are kept with, and their numbers."""
    return {word: number for number, word in session.execute(select(CohortWord.id, CohortWord.word))}


@needs(SYSTEM_ONLY)
def differing(here: Installation) -> Iterator[str]:
    """Yield a sentence for each woman whose rows are not what the other tables say; none where all is well."""
    with here.database.read() as session:
        read = exists().where(Study.patient_id == Patient.id, Study.modality == "MG")
        if lacking := _ROWS.lacking(session, read):
            yield f"{lacking} patients lack their rows for cohorts. Run rebuild."
        words = Words(known_words(session))
        known = select(CohortRow.patient_id).where(_ROWS.holds(here))
        ids = session.scalars(known.order_by(CohortRow.patient_id)).all()
        for first in range(0, len(ids), MOST_AT_ONCE):
            yield from _differing(here, session, ids[first : first + MOST_AT_ONCE], words)


def _differing(here: Installation, session: Session, ids: Sequence[int], words: Words) -> Iterator[str]:
    now = {one.patient_id: one for one in packed_rows(here, session, ids, words)}
    kept = session.execute(
        select(CohortRow.patient_id, CohortRow.woman, CohortRow.visits, Patient.mrn)
        .outerjoin(Patient, Patient.id == CohortRow.patient_id)
        .where(CohortRow.patient_id.in_(ids))
    )
    for patient_id, woman, visits, mrn in kept:
        if now.get(patient_id) != Packed(patient_id, woman, visits):
            yield f"The rows for cohorts of patient {mrn} differ from her record. Run rebuild."


def _rows(here: Installation, session: Session, ids: Sequence[int]) -> Iterator[dict[str, object]]:
    """Yield the rows of those of some women who have a mammogram; words that they bring are kept."""
    words = Words(known_words(session))
    rows = list(packed_rows(here, session, ids, words))
    if words.new:
        session.execute(
            insert(CohortWord), [{"id": number, "word": word} for word, number in words.new.items()]
        )
    basis = basis_of(here)
    for one in rows:
        yield {"patient_id": one.patient_id, "basis": basis, "woman": one.woman, "visits": one.visits}


_ROWS = KeptTable(CohortRow, StaleCohortRow, basis_of, _rows)
