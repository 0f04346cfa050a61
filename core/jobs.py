"""What the worker and the intake are at, for people to see: heartbeat, queue, quarantine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from core.installation import Installation
from core.refusals import SENTENCES
from db.tables import (
    Alert,
    ImportBatch,
    ImportItem,
    Outcome,
    Patient,
    Score,
    Study,
    StudyStatus,
    User,
    utc_now,
)

HEARTBEAT = "worker.json"
SILENT_AFTER = timedelta(seconds=15)
"""A worker whose last sign of life is older than this is taken for stopped."""


@dataclass(frozen=True)
class Worker:
    """The scoring worker as its heartbeat file tells: running, and since when its model is loaded."""

    running: bool
    warm: bool
    model: str
    seen_at: datetime | None

    @property
    def sentence(self) -> str:
        """Say how the worker is, and what to do if it is not."""
        if not self.running:
            seen = f" (last seen {self.seen_at.astimezone():%Y-%m-%d %H:%M})" if self.seen_at else ""
            return f"The worker is not running{seen}: studies wait. Start it with: python -m core worker"
        return "The worker is running." if self.warm else "The worker is starting: it loads its model."


def refusal_text(reason: str | None, detail: str | None) -> str:
    """Return what was found and what to do, from a reason code and its detail."""
    sentence = SENTENCES.get(reason or "", reason or "")
    return " ".join(part for part in (detail, sentence) if part and part != "None")


def worker(here: Installation, *, now: datetime | None = None) -> Worker:
    """Read the worker's heartbeat; a missing or damaged file is a worker that does not run."""
    try:
        beat: dict[str, Any] = json.loads((here.home / HEARTBEAT).read_text(encoding="utf-8"))
        seen_at = _moment(beat["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return Worker(False, False, "", None)
    running = (now or utc_now()) - seen_at < SILENT_AFTER
    return Worker(running, running and bool(beat.get("warm")), str(beat.get("model", "")), seen_at)


def _moment(value: object) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def state(here: Installation) -> tuple[int, ...]:
    """Return numbers that change when patients, studies, scores or alerts do: cheap to ask every few seconds."""
    with here.database.read() as session:
        row = session.execute(
            select(
                select(func.count()).select_from(Patient).scalar_subquery(),
                select(func.max(Study.id)).scalar_subquery(),
                select(func.max(Score.id)).scalar_subquery(),
                select(func.max(Alert.id)).scalar_subquery(),
                select(func.count()).where(Study.status == StudyStatus.PENDING).scalar_subquery(),
            )
        ).one()
    return tuple(int(number or 0) for number in row)


def queue(here: Installation) -> Mapping[StudyStatus, int]:
    """Count the studies in each status; pending ones are the queue."""
    with here.database.read() as session:
        found = dict(session.execute(select(Study.status, func.count()).group_by(Study.status)).all())
    return {status: found.get(status, 0) for status in StudyStatus}


@dataclass(frozen=True)
class Waiting:
    """A study that was not scored, or a file that was not taken: what and why."""

    at: datetime
    what: str
    whose: str
    reason: str
    by: str


def quarantine(here: Installation, *, limit: int = 200) -> list[Waiting]:
    """Return the files that were not taken, newest first."""
    query = (
        select(ImportItem, ImportBatch, User.display_name)
        .join(ImportBatch, ImportBatch.id == ImportItem.batch_id)
        .outerjoin(User, User.id == ImportBatch.user_id)
        .where(ImportItem.outcome == Outcome.QUARANTINED)
        .order_by(ImportItem.id.desc())
        .limit(limit)
    )
    with here.database.read() as session:
        return [
            Waiting(
                at=item.created_at,
                what=item.path,
                whose=f"MRN {batch.stated_mrn}" if batch.stated_mrn else "",
                reason=refusal_text(item.reason, item.detail),
                by=name or batch.source,
            )
            for item, batch, name in session.execute(query)
        ]


def refused_studies(here: Installation, *, limit: int = 200) -> list[Waiting]:
    """Return the studies that could not be scored, newest first."""
    query = (
        select(Study, Patient.mrn)
        .join(Patient, Patient.id == Study.patient_id)
        .where(Study.status == StudyStatus.REFUSED)
        .order_by(Study.id.desc())
        .limit(limit)
    )
    with here.database.read() as session:
        return [
            Waiting(
                at=study.created_at,
                what=f"study of {study.study_date}",
                whose=f"MRN {mrn}",
                reason=refusal_text(study.refusal_reason, study.refusal_detail),
                by="",
            )
            for study, mrn in session.execute(query)
        ]
