"""The analyst's rows, kept ready: written with what changes them, computed anew where they are not.

As the standings of the worklist (`core.records.ready`): triggers mark a woman as stale in the transaction that changes
anything that her rows are computed from, and before it ends they are written again. What is marked and left, or was computed
by other rules, another model or other options, is computed by whoever asks next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from sqlalchemy import ColumnElement, delete, exists, func, insert, or_, select
from sqlalchemy.orm import Session

from core.cohorts.packed import VISIT, WOMAN, Packed, Words
from core.cohorts.rows import packed_rows
from core.installation import Installation
from core.people.needing import SIGNED_IN, SYSTEM_ONLY, needs
from core.records import ready
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

MOST_AT_ONCE = 500
"""As many women are computed in one transaction; one that marks more leaves them to whoever asks next."""
_COMPUTED_BY = ("rows.py", "packed.py")


@needs(SIGNED_IN)
def basis_of(here: Installation) -> str:
    """Return what the rows are computed by here: all that standings are computed by, and the rows' own rules and form."""
    return hashlib.sha256(f"{ready.basis_of(here)}\n{_code()}".encode()).hexdigest()[:16]


@cache
def _code() -> str:
    digest = hashlib.sha256(repr((VISIT.descr, WOMAN.descr)).encode())
    for name in _COMPUTED_BY:
        digest.update((files("core.cohorts") / name).read_bytes())
    return digest.hexdigest()


def keep_ready(here: Installation, session: Session) -> None:
    """Compute the rows that the transaction of this session has made stale, unless they are very many."""
    ids = session.scalars(select(StaleCohortRow.patient_id).limit(MOST_AT_ONCE + 1)).all()
    if ids and len(ids) <= MOST_AT_ONCE:
        _compute(here, session, ids)


def is_up_to_date(here: Installation, session: Session) -> bool:
    """Say whether every woman's rows are there, by what holds here, and not stale."""
    stale = session.scalar(select(StaleCohortRow.patient_id).limit(1))
    others = session.scalar(select(CohortRow.patient_id).where(_by_another(here)).limit(1))
    return stale is None and others is None


@needs(SYSTEM_ONLY)
def bring_up_to_date(here: Installation) -> int:
    """Compute the rows that are stale or by another basis; return of how many women. Safe beside others who do the same."""
    number = 0
    while True:
        with here.database.read() as session:
            if is_up_to_date(here, session):
                return number
        with here.database.write() as session:
            ids = (
                session.scalars(select(StaleCohortRow.patient_id).limit(MOST_AT_ONCE)).all()
                or session.scalars(
                    select(CohortRow.patient_id).where(_by_another(here)).limit(MOST_AT_ONCE)
                ).all()
            )
            _compute(here, session, ids)
        number += len(ids)


def _by_another(here: Installation) -> ColumnElement[bool]:
    # Not "another than": that is looked for in every row, this at both ends of an index.
    basis = basis_of(here)
    return or_(CohortRow.basis < basis, CohortRow.basis > basis)


@needs(SYSTEM_ONLY)
def rebuild(here: Installation) -> None:
    """Compute every woman's rows anew."""
    with here.database.write() as session:
        session.execute(delete(CohortRow))
        session.execute(delete(StaleCohortRow))
        session.execute(insert(StaleCohortRow).from_select(["patient_id"], select(Patient.id)))
    bring_up_to_date(here)


def known_words(session: Session) -> dict[str, int]:
    """Return the words that rows are kept with, and their numbers."""
    return {word: number for number, word in session.execute(select(CohortWord.id, CohortWord.word))}


@needs(SYSTEM_ONLY)
def differing(here: Installation) -> Iterator[str]:
    """Yield a sentence for each woman whose rows are not what the other tables say; none where all is well."""
    with here.database.read() as session:
        read = exists().where(Study.patient_id == Patient.id, Study.modality == "MG")
        lacking = session.scalar(
            select(func.count())
            .select_from(Patient)
            .where(
                read,
                ~exists().where(CohortRow.patient_id == Patient.id),
                ~exists().where(StaleCohortRow.patient_id == Patient.id),
            )
        )
        if lacking:
            yield f"{lacking} patients lack their rows for cohorts. Run rebuild."
        stale = exists().where(StaleCohortRow.patient_id == CohortRow.patient_id)
        words = Words(known_words(session))
        known = select(CohortRow.patient_id).where(CohortRow.basis == basis_of(here), ~stale)
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


def _compute(here: Installation, session: Session, ids: Sequence[int]) -> None:
    """Write the rows of some women; of those who are gone, or have no mammogram, nothing is left."""
    for table in (CohortRow, StaleCohortRow):
        session.execute(
            delete(table).where(table.patient_id.in_(ids)), execution_options={"synchronize_session": False}
        )
    words = Words(known_words(session))
    rows = list(packed_rows(here, session, ids, words))
    if words.new:
        session.execute(
            insert(CohortWord), [{"id": number, "word": word} for word, number in words.new.items()]
        )
    number = ready.next_change(session, CohortRow)
    if rows:
        basis = basis_of(here)
        session.execute(
            insert(CohortRow),
            [
                {
                    "patient_id": one.patient_id,
                    "basis": basis,
                    "written_in": number,
                    "woman": one.woman,
                    "visits": one.visits,
                }
                for one in rows
            ],
        )
