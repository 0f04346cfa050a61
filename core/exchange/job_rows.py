"""Rows of jobs: of which kind, and how long they are kept."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from db.tables import ApiJob, utc_now

__all__ = ["LESION_ACT", "SCORE", "forget_old_jobs"]

SCORE = "score"
"""The kind that follows a study through the queue (`core.exchange.scoring`); the others are done in a web process."""
LESION_ACT = "lesion_act"
"""No work that is asked after: what takes a change of lesions back (`core.exchange.lesion_acts`)."""
_KEPT_FOR = timedelta(days=7)


def forget_old_jobs(session: Session) -> None:
    """Forget jobs of long ago, inside the caller's transaction."""
    session.execute(delete(ApiJob).where(ApiJob.begun_at < utc_now() - _KEPT_FOR))
