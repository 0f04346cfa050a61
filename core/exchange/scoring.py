"""A score that a program asks for: a job that stands as its study stands in the queue, which the workers work off."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.exchange.job_rows import SCORE, forget_old_jobs
from core.exchange.listed import NotHere
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.refusals import refusal_text
from core.worker import retry_refused
from db.tables import ApiJob, Score, Study, StudyStatus

__all__ = ["NeverScored", "ask_for_score", "how_scored"]


class NeverScored(ValueError):
    """No model scores studies of this kind."""


@needs(Permission.ADD_STUDY)
def ask_for_score(here: Installation, person: Person, study_uid: str) -> str:
    """Return the key of the job that follows a study until it is scored; a refused one is put back in the queue first.

    Who asks again while it waits is told the same key. Raises `NotHere` and `NeverScored`.
    """
    with here.database.read() as session:
        study = session.scalar(select(Study).where(Study.uid == study_uid))
        if study is None:
            raise NotHere("There is no study with this UID.")
        if study.modality != "MG":
            raise NeverScored("Only mammograms are scored: this study holds none.")
    if study.status is StudyStatus.REFUSED:
        retry_refused(here, study=study_uid, by=person)
    with here.database.write() as session:
        forget_old_jobs(session)
        mine = select(ApiJob).where(ApiJob.user_id == person.user_id, ApiJob.kind == SCORE)
        for row in session.scalars(mine.order_by(ApiJob.begun_at.desc())):
            if row.result.get("study_uid") == study_uid and how_scored(session, row)["state"] == "running":
                return row.key
        key = secrets.token_urlsafe(12)
        session.add(
            ApiJob(
                key=key, user_id=person.user_id, kind=SCORE, state="running", result={"study_uid": study_uid}
            )
        )
    return key


def how_scored(session: Session, row: ApiJob) -> dict[str, Any]:
    """Return how a job that follows a study stands: its state, when it ended, and what came of it."""
    uid = str(row.result.get("study_uid"))
    study = session.scalar(select(Study).where(Study.uid == uid))
    if study is None:
        return _stands("failed", row, None, {"study_uid": uid, "detail": "This study is not shown any more."})
    if study.status is StudyStatus.PENDING:
        return _stands("running", row, None, None)
    if study.status is StudyStatus.REFUSED:
        reason = study.refusal_reason or ""
        told = {"study_uid": uid, "reason": reason, "detail": refusal_text(reason, study.refusal_detail)}
        return _stands("failed", row, study.refused_at, told)
    made = session.scalar(select(func.max(Score.computed_at)).where(Score.study_id == study.id))
    return _stands("done", row, made, {"study_uid": uid, "score": f"/api/v1/studies/{uid}/score"})


def _stands(state: str, row: ApiJob, ended: Any, result: dict[str, Any] | None) -> dict[str, Any]:
    # What was scored before it was asked for ended when it was asked for.
    return {"state": state, "ended_at": ended and max(ended, row.begun_at), "result": result}
