"""What the intake asks the database of every file: statements that are built once, since building them takes longer than their answer.

Each says itself whether it finds what a correction put away, and is asked with `AS_WRITTEN`, so that nothing is added to it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import BindParameter, Select, bindparam, or_, select
from sqlalchemy.orm import Session

from db.sessions import WITH_PUT_AWAY
from db.tables import Correction, Image, Patient, Study

__all__ = [
    "AS_WRITTEN",
    "CORRECTIONS",
    "IMAGES_OF_STUDY",
    "IMAGE_OF_BYTES",
    "PATIENT_EVEN_PUT_AWAY",
    "SAME_IMAGE",
    "STUDY",
    "STUDY_EVEN_PUT_AWAY",
    "STUDY_OF_DAY",
    "at_one_moment",
    "first",
    "have_at_hand",
]

AS_WRITTEN: dict[str, Any] = WITH_PUT_AWAY

_IMAGES = Image.__table__.c
IMAGE_OF_BYTES = select(_IMAGES.id).where(_IMAGES.sha256 == bindparam("sha256"))
"""Asked of a bare connection."""
SAME_IMAGE = select(Image).where(
    or_(Image.sha256 == bindparam("sha256"), Image.sop_uid == bindparam("sop_uid"))
)
"""Both with those that were put away."""
IMAGES_OF_STUDY = (
    select(Image)
    .where(Image.study_id == bindparam("study_id"), Image.put_away_by_id.is_(None))
    .order_by(Image.id)
)
PATIENT_EVEN_PUT_AWAY = select(Patient).where(Patient.mrn == bindparam("mrn"))
STUDY = select(Study).where(Study.uid == bindparam("uid"), Study.put_away_by_id.is_(None))
STUDY_EVEN_PUT_AWAY = select(Study.id).where(Study.uid == bindparam("uid"))
STUDY_OF_DAY = (
    select(Study)
    .join(Patient)
    .where(
        Patient.mrn == bindparam("mrn"),
        Study.study_date == bindparam("study_date"),
        Study.modality == bindparam("modality"),
        Study.put_away_by_id.is_(None),
        Patient.put_away_by_id.is_(None),
    )
    .order_by(Study.id)
)
_OF_THEM: BindParameter[Any] = bindparam("mrns", expanding=True)
CORRECTIONS = (
    select(Correction.mrn, Correction.other_mrn, Correction.changes)
    .where(
        or_(Correction.mrn.in_(_OF_THEM), Correction.other_mrn.in_(_OF_THEM)), Correction.undone_at.is_(None)
    )
    .order_by(Correction.id)
)
"""Those that stand."""

_Row = TypeVar("_Row")
_ANSWERS = "answers of this moment"
_AT_HAND = "answers at hand"


def at_one_moment(session: Session) -> Session:
    """Let a session that only reads ask nothing twice: it sees the state of one moment."""
    session.info[_ANSWERS] = dict(session.info.get(_AT_HAND, {}))
    return session


def have_at_hand(session: Session, statement: Select[_Row], row: _Row | None, **named: Any) -> None:
    """Let `first` find this row, or that there is none, from the next moment of this session on."""
    session.info.setdefault(_AT_HAND, {})[id(statement), *named.values()] = row


def first(session: Session, statement: Select[_Row], **named: Any) -> _Row | None:
    """Return the first row that one of these statements finds; None if it finds none."""
    answers: dict[Any, _Row | None] | None = session.info.get(_ANSWERS)
    question = id(statement), *named.values()
    if answers is not None and question in answers:
        return answers[question]
    row = session.scalar(statement, named, execution_options=AS_WRITTEN)
    if answers is not None:
        answers[question] = row
    return row
