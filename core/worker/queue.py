"""The queue: a study's status. Claiming, settling, and putting studies back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.refusals import Refusal
from db.tables import (
    Score,
    Study,
    StudyStatus,
)

if TYPE_CHECKING:
    from models.store import ModelCard

LEASE = timedelta(seconds=60)
# A file may still be on its way to a study whose batch has not ended; after this long without one it is scored.
SETTLED_AFTER = timedelta(seconds=3)
MOST_ATTEMPTS = 8


@dataclass(frozen=True)
class Claimed:
    """A study in work, and the state of its inputs when it was claimed."""

    study_id: int
    inputs_changed_at: datetime
    attempts: int


def queue_everything(here: Installation) -> int:
    """Put every mammogram study in the queue, refused ones too; return how many."""
    with here.database.write() as session:
        return _queue(session, Study.modality == "MG")


def queue_unscored(here: Installation, card: ModelCard) -> int:
    """Put the scored studies in the queue that these weights have not scored: another model speaks now."""
    by_these = select(Score.study_id).where(
        Score.model == card.name,
        Score.weights_sha256 == card.weights_sha256,
        Score.calibration == card.calibration,
    )
    with here.database.write() as session:
        return _queue(session, and_(Study.status == StudyStatus.SCORED, Study.id.not_in(by_these)))


def count_pending(here: Installation, *, everything: bool = False) -> int:
    """Return how many studies wait to be scored; with `everything`, how many mammogram studies there are."""
    which = Study.modality == "MG" if everything else Study.status == StudyStatus.PENDING
    with here.database.read() as session:
        return session.scalar(select(func.count(Study.id)).where(which)) or 0


def _queue(session: Session, which: Any) -> int:
    changed = session.execute(
        update(Study)
        .where(which)
        .values(
            status=StudyStatus.PENDING,
            refusal_reason=None,
            refusal_detail=None,
            claimed_by=None,
            claimed_until=None,
            attempts=0,
        )
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def settle(study: Study, status: StudyStatus, refusal: Refusal | None = None) -> None:
    """Write how a study ended, inside the caller's transaction, and take it from the queue."""
    study.status = status
    study.refusal_reason = refusal.reason if refusal else None
    study.refusal_detail = (refusal.detail or None) if refusal else None
    study.claimed_by = study.claimed_until = None
    study.attempts = 0
