"""Which studies are scored anew when something is learned, written in the transaction that writes what was learned.

A study's status is the queue (`core.worker.queue`): to ask for a score is to make it pending. All who change an input
of scores ask here, so that no score stands that was made of something else than what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Update, bindparam, or_, update
from sqlalchemy.orm import Session

from db.tables import Patient, Study, StudyStatus, utc_now

_AFRESH: dict[str, Any] = {
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


def queue_again(session: Session, which: ColumnElement[bool], *, inputs_changed: bool = False) -> int:
    """Put the studies that `which` names in the queue, whatever they stood at; return how many.

    With `inputs_changed`, what a worker is computing of one of them at this moment is of other inputs and is not
    written.
    """
    changed = session.execute(_queued(which, {"inputs_changed_at": utc_now()} if inputs_changed else {}))
    return int(changed.rowcount)  # type: ignore[attr-defined]


def _queued(which: ColumnElement[bool], more: Mapping[str, Any]) -> Update:
    return (
        update(Study)
        # What holds no mammogram never waits: no model reads it.
        .where(which, Study.modality == "MG", Study.put_away_by_id.is_(None))
        .values(**_AFRESH, **more)
        .execution_options(synchronize_session=False)
    )


_HER: BindParameter[int] = bindparam("her")
_DAY: BindParameter[date] = bindparam("that_day")
_THIS_ONE: BindParameter[int] = bindparam("this_one")
# Built once: it is asked with every image.
_FROM_HERE_ON = _queued(
    (Study.patient_id == _HER)
    & or_(Study.study_date > _DAY, (Study.study_date == _DAY) & (Study.id >= _THIS_ONE)),
    {"inputs_changed_at": bindparam("now")},
)


def image_added(session: Session, study: Study) -> int:
    """Ask for the scores of this study and of all later ones of the woman: they read the image that has come."""
    session.flush()
    from_here_on = {
        "her": study.patient_id,
        "that_day": study.study_date,
        "this_one": study.id,
        "now": utc_now(),
    }
    return int(session.execute(_FROM_HERE_ON, from_here_on).rowcount)  # type: ignore[attr-defined]


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
