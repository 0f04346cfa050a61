"""What the intake asks the database of every file: statements that are built once, since building them takes longer than their answer.

Each says itself whether it finds what a correction put away, and is asked with `AS_WRITTEN`, so that nothing is added to it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, or_, select

from db.sessions import WITH_PUT_AWAY
from db.tables import Correction, Image, Patient, Study

__all__ = [
    "AS_WRITTEN",
    "CORRECTIONS",
    "IMAGES_OF_STUDY",
    "IMAGE_OF_BYTES",
    "PATIENT",
    "PATIENT_EVEN_PUT_AWAY",
    "SAME_IMAGE",
    "STUDY",
    "STUDY_OF_DAY",
]

AS_WRITTEN: dict[str, Any] = WITH_PUT_AWAY

IMAGE_OF_BYTES = select(Image.id).where(Image.sha256 == bindparam("sha256"))
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
PATIENT = PATIENT_EVEN_PUT_AWAY.where(Patient.put_away_by_id.is_(None))
STUDY = select(Study).where(Study.uid == bindparam("uid"), Study.put_away_by_id.is_(None))
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
_OF_THEM = bindparam("mrns", expanding=True)
CORRECTIONS = (
    select(Correction.mrn, Correction.other_mrn, Correction.changes)
    .where(
        or_(Correction.mrn.in_(_OF_THEM), Correction.other_mrn.in_(_OF_THEM)), Correction.undone_at.is_(None)
    )
    .order_by(Correction.id)
)
"""Those that stand."""
