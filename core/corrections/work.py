"""A correction at work: where it writes and what it says it did; and finding what it is about."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.corrections.asked import CorrectionRefused
from core.corrections.ledger import Ledger
from core.incoming import called
from core.rules import ViewName
from db.tables import Image, ImageSide, Patient, Study

__all__ = [
    "Work",
    "and_",
    "check_born",
    "film_by_uid",
    "new_study",
    "owner_of",
    "study_by_uid",
    "study_of",
    "study_of_day",
    "view_of",
    "who",
    "woman_called",
]


@dataclass
class Work:
    """A correction at work: where it writes, what it says it did, what follows besides, and what speaks against it."""

    session: Session
    ledger: Ledger
    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def study_of_day(session: Session, woman: Patient, on: date) -> Study | None:
    """Return her first study with mammograms of a day; None where there is none."""
    return session.scalar(
        select(Study)
        .where(Study.patient_id == woman.id, Study.study_date == on, Study.modality == "MG")
        .order_by(Study.id)
        .limit(1)
    )


def new_study(work: Work, woman: Patient, on: date, like: Study) -> Study:
    """Make a study like another one, of a woman and a day."""
    # A UID of our own under the UUID root (PS3.5 B.2): no file knows this study.
    study = Study(
        uid=f"2.25.{uuid.uuid4().int}",
        patient_id=woman.id,
        study_date=on,
        modality=like.modality,
        description=like.description,
    )
    work.ledger.add(study)
    return study


def woman_called(session: Session, mrn: str) -> Patient:
    """Return the woman whom an MRN leads to; raises `CorrectionRefused` where nobody has it."""
    woman = called(session, mrn)
    if woman is None:
        raise CorrectionRefused(f"There is no patient {mrn}.")
    return woman


def study_by_uid(session: Session, uid: str) -> Study:
    """Return the study with this UID; raises `CorrectionRefused` where there is none."""
    study = session.scalar(select(Study).where(Study.uid == uid))
    if study is None:
        raise CorrectionRefused(f"There is no study {uid}.")
    return study


def film_by_uid(session: Session, sop_uid: str) -> Image:
    """Return the film with this SOP UID; raises `CorrectionRefused` where there is none that counts."""
    film = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
    if film is None:
        raise CorrectionRefused(f"There is no film {sop_uid}, or it is set aside.")
    return film


def study_of(session: Session, film: Image) -> Study:
    """Return the study of a film."""
    return session.get_one(Study, film.study_id)


def owner_of(session: Session, study: Study) -> Patient:
    """Return whose a study is."""
    return session.get_one(Patient, study.patient_id)


def check_born(woman: Patient, on: date) -> None:
    """Raise `CorrectionRefused` where a woman was not born on that day yet."""
    if woman.birth_date is not None and woman.birth_date > on:
        raise CorrectionRefused(
            f"{who(woman)} is born {woman.birth_date}: no study of hers is of {on}. Check both."
        )


def view_of(film: Image) -> ViewName:
    """Return side and view of a film."""
    return ViewName(ImageSide(film.laterality).value, film.view)


def who(woman: Patient) -> str:
    """Name a woman."""
    return f"{woman.name}, MRN {woman.mrn}" if woman.name else f"MRN {woman.mrn}"


def and_(words: Iterable[str]) -> str:
    """Join words as a sentence does."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} and {last}" if first else last
