"""Which studies are scored anew when something is learned, written in the transaction that writes what was learned.

A study's status is the queue (`core.worker.queue`): to ask for a score is to make it pending. All who change an input
of scores ask here, so that no score stands that was made of something else than what is stored.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.orm import Session

from db.tables import Patient, Study, StudyStatus, utc_now


def queue_again(session: Session, which: ColumnElement[bool], *, inputs_changed: bool = False) -> int:
    """Put the studies that `which` names in the queue, whatever they stood at; return how many.

    With `inputs_changed`, what a worker is computing of one of them at this moment is of other inputs and is not
    written.
    """
    values: dict[str, Any] = {
        "status": StudyStatus.PENDING,
        "refusal_reason": None,
        "refusal_detail": None,
        "refused_at": None,
        "claimed_by": None,
        "claimed_until": None,
        "attempts": 0,
        "failed_after_score": None,
        "put_off_since": None,
        "put_off_because": None,
    }
    if inputs_changed:
        values["inputs_changed_at"] = utc_now()
    changed = session.execute(
        update(Study)
        # What holds no mammogram never waits: no model reads it.
        .where(which, Study.modality == "MG", Study.put_away_by_id.is_(None))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def image_added(session: Session, study: Study) -> int:
    """Ask for the scores of this study and of all later ones of the woman: they read the image that has come."""
    since = or_(
        Study.study_date > study.study_date,
        (Study.study_date == study.study_date) & (Study.id >= study.id),
    )
    return queue_again(session, (Study.patient_id == study.patient_id) & since, inputs_changed=True)


def set_birth_date(session: Session, patient: Patient, born: date | None) -> int:
    """Write a birth date and ask for the scores of every mammogram of hers, earlier ones too; return how many.

    A visit's score depends on that visit and earlier ones, and her birth date is neither: it is a fact of the woman,
    as true at her first visit as at the one whose file told it. Her age at each visit is an input of that visit's
    score and of those after it, so all are made anew with the age she had then; new rows stand beside the earlier
    ones, which say what was known when they were made. Nothing of a later visit's images comes into an earlier score.

    Where the date is the same as before, nothing is asked for.
    """
    if patient.birth_date == born:
        return 0
    patient.birth_date = born
    session.flush()
    return queue_again(
        session, (Study.patient_id == patient.id) & (Study.modality == "MG"), inputs_changed=True
    )
