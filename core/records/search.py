"""Finding a woman by part of her MRN or of her name."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.incoming import called, former_mrns
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from db.tables import (
    Patient,
    Study,
)

__all__ = ["Found", "find", "is_called", "known"]


@dataclass(frozen=True)
class Found:
    """A patient as a search shows her, enough to be sure that she is the right one."""

    mrn: str
    name: str | None
    birth_date: date | None
    simulated: bool
    last_study: date | None


def is_called(text: str, mrn: str, name: str | None) -> bool:
    """Say whether a text is part of an MRN or of a name, whatever the case of the letters; an empty text always is."""
    part = text.strip().casefold()
    return part in mrn.casefold() or part in (name or "").casefold()


@needs(Permission.SEE_PATIENTS)
def find(here: Installation, text: str, *, limit: int = 8) -> list[Found]:
    """Search patients by part of the MRN or of the name, exact MRN first; an empty text finds nobody.

    Whoever shows `n` of them asks for one more, to know whether these are all.
    """
    text = text.strip()[:128]
    if not text:
        return []
    with here.database.read() as session:
        # Compared here and not in SQL: SQLite knows the case of ASCII letters only, and which PostgreSQL knows hangs
        # on the locale that the database was made with. The worklist reads as many rows at each of its runs.
        everyone = session.execute(select(Patient.id, Patient.mrn, Patient.name, Patient.other_names))
        hits = [
            (mrn != text, mrn, patient_id)
            for patient_id, mrn, name, other_names in everyone
            if is_called(text, mrn, name) or is_called(text, mrn, other_names)
        ]
        # By an MRN that was merged into hers she is found too.
        former = former_mrns(session).items()
        hits += [(mrn != text, mrn, into) for mrn, into in former if is_called(text, mrn, None)]
        ids = [patient_id for _, _, patient_id in heapq.nsmallest(2 * limit, hits)]
        return _found(session, list(dict.fromkeys(ids))[:limit])


@needs(Permission.SEE_PATIENTS)
def known(here: Installation, mrn: str) -> Found | None:
    """Return the patient whom this MRN leads to, None if nobody has it."""
    with here.database.read() as session:
        woman = called(session, mrn)
        return None if woman is None else _found(session, [woman.id])[0]


def _found(session: Session, ids: Sequence[int]) -> list[Found]:
    """Return patients as a search shows them, in the order of `ids`."""
    patients = {p.id: p for p in session.scalars(select(Patient).where(Patient.id.in_(ids)))}
    last: dict[int, date] = {}
    for patient_id, on in session.execute(
        select(Study.patient_id, Study.study_date).where(Study.patient_id.in_(ids))
    ):
        last[patient_id] = max(on, last.get(patient_id, on))
    return [
        Found(p.mrn, p.name, p.birth_date, p.simulated, last.get(p.id))
        for p in map(patients.__getitem__, ids)
    ]
