"""What the worker is at, for people to see: heartbeat, queue, studies that were not scored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from core.installation import Installation
from core.people.needing import SIGNED_IN, needs
from core.people.roles import Permission
from core.refusals import refusal_text
from core.worker import identity
from core.worker.queue import LEASE
from db.tables import (
    Alert,
    Correction,
    KeptChange,
    Patient,
    Score,
    Standing,
    Study,
    StudyStatus,
    utc_now,
)

HEARTBEAT = "worker.json"
SILENT_AFTER = timedelta(seconds=15)
"""A worker whose last sign of life is older than this is taken for stopped, and one from further in the future too."""
UNSEEN_AFTER = timedelta(minutes=5)
"""A worker on another machine shows only in what it scores: after this long without, nobody knows whether one runs."""


@dataclass(frozen=True)
class Worker:
    """The scoring worker as its heartbeat file tells: running, and since when its model is loaded.

    `elsewhere` where no file tells of one that runs, and workers on other machines may be at the same database: then
    `running` says whether a study has been claimed or scored lately.
    """

    running: bool
    warm: bool
    model: str
    seen_at: datetime | None
    elsewhere: bool = False

    @property
    def sentence(self) -> str:
        """Say how the worker is, and what to do if it is not."""
        if self.elsewhere and self.running:
            return "A worker on another machine is at work."
        seen = f" (last seen {self.seen_at.astimezone():%Y-%m-%d %H:%M})" if self.seen_at else ""
        if self.elsewhere:
            return (
                f"No worker has been seen lately{seen}. If studies wait, see that one runs on one of the machines: "
                "python -m core worker"
            )
        if not self.running:
            return f"The worker is not running{seen}: studies wait. Start it with: python -m core worker"
        return "The worker is running." if self.warm else "The worker is starting: it loads its model."


@needs(SIGNED_IN)
def worker_seen(here: Installation, *, now: datetime | None = None) -> Worker:
    """Say whether a worker runs: by its heartbeat file, or by what workers on other machines leave in the database."""
    now = now or utc_now()
    local = local_worker(here, now=now)
    # SQLite is no database for several machines.
    if local.running or here.database.is_sqlite:
        return local
    at_work = last_work(here, now=now)
    if at_work and local.seen_at and at_work <= local.seen_at + SILENT_AFTER:
        at_work = None  # That was the worker of this machine.
    lately = at_work is not None and now - at_work < UNSEEN_AFTER
    # That this machine's worker stopped does not say that no other runs.
    seen_at = max((at for at in (local.seen_at, at_work) if at), default=None)
    return Worker(lately, lately, "", seen_at, elsewhere=True)


@needs(SIGNED_IN)
def local_worker(here: Installation, *, now: datetime | None = None) -> Worker:
    """Read the heartbeat of this machine's worker; a missing or damaged file is a worker that does not run."""
    try:
        beat: dict[str, Any] = json.loads((here.home / HEARTBEAT).read_text(encoding="utf-8"))
        seen_at = _moment(beat["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return Worker(False, False, "", None)
    running = abs(_age(beat, seen_at, now or utc_now())) < SILENT_AFTER and _process_runs(beat)
    return Worker(running, running and bool(beat.get("warm")), str(beat.get("model", "")), seen_at)


def _age(beat: Mapping[str, Any], seen_at: datetime, now: datetime) -> timedelta:
    """Return how old a sign of life is: by the clock that nobody sets, where both are of one run of the machine."""
    here, there = identity.uptime(), beat.get("uptime")
    if here is not None and isinstance(there, list) and len(there) == 2 and there[0] == here[0]:
        return timedelta(seconds=here[1] - float(there[1]))
    return now - seen_at


def _process_runs(beat: Mapping[str, Any]) -> bool:
    """Tell whether the process that beat still runs; of one on another machine, or unnamed, its sign has to do."""
    name = beat.get("process")
    return not isinstance(name, str) or not identity.is_of_this_machine(name) or identity.runs(name)


@needs(SIGNED_IN)
def last_work(here: Installation, *, now: datetime) -> datetime | None:
    """Return when a worker was last at work: now where one elsewhere holds a study, else at the newest score."""
    with here.database.read() as session:
        # A study that was put off is claimed by nobody, and a lease that ran out may be a dead worker's.
        held = select(Study.id).where(
            Study.status == StudyStatus.PENDING,
            ~Study.claimed_by.startswith(f"{identity.machine()}:", autoescape=True),
            Study.claimed_until.between(now, now + 2 * LEASE),
        )
        if session.scalar(held.limit(1)) is not None:
            return now
        return session.scalar(select(Score.computed_at).order_by(Score.id.desc()).limit(1))


def _moment(value: object) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@needs(SIGNED_IN)
def state(here: Installation) -> tuple[int, ...]:
    """Return numbers that change when patients, studies, scores or alerts do: cheap to ask every few seconds."""
    with here.database.read() as session:
        row = session.execute(
            select(
                # Not the number of patients, who would all be counted: whoever comes, goes or changes has her standing written.
                select(KeptChange.number)
                .where(KeptChange.kept_in == Standing.__tablename__)
                .scalar_subquery(),
                select(func.max(Study.id)).scalar_subquery(),
                select(func.max(Score.id)).scalar_subquery(),
                select(func.max(Alert.id)).scalar_subquery(),
                select(func.count()).select_from(Correction).scalar_subquery(),
                select(func.count(Correction.undone_at)).scalar_subquery(),
                select(func.count()).where(Study.status == StudyStatus.PENDING).scalar_subquery(),
            )
        ).one()
    return tuple(int(number or 0) for number in row)


@needs(SIGNED_IN)
def queue(here: Installation) -> Mapping[StudyStatus, int]:
    """Count the studies with mammograms in each status; pending ones are the queue."""
    with here.database.read() as session:
        found = dict(
            session.execute(
                select(Study.status, func.count()).where(Study.modality == "MG").group_by(Study.status)
            ).all()
        )
    return {status: found.get(status, 0) for status in StudyStatus}


@dataclass(frozen=True)
class Waiting:
    """A study that was not scored: which and why. `at` is when; None if that is not known."""

    at: datetime | None
    what: str
    whose: str
    reason: str


@dataclass(frozen=True)
class PutOff:
    """Why studies that wait are not scored now: since when, and how many; what is behind them waits too."""

    why: str
    since: datetime
    studies: int

    @property
    def sentence(self) -> str:
        """Say it for people."""
        many = "1 study" if self.studies == 1 else f"{self.studies} studies"
        return f"Put off since {self.since.astimezone():%Y-%m-%d %H:%M}, {many}: {self.why}"


@needs(SIGNED_IN)
def put_off(here: Installation) -> list[PutOff]:
    """Return why pending studies are put off, what has lasted longest first; they come back by themselves."""
    query = (
        select(Study.put_off_because, func.min(Study.put_off_since), func.count())
        .where(Study.status == StudyStatus.PENDING, Study.put_off_because.is_not(None))
        .group_by(Study.put_off_because)
        .order_by(func.min(Study.put_off_since))
    )
    with here.database.read() as session:
        return [PutOff(why, since, number) for why, since, number in session.execute(query) if why and since]


@needs(Permission.SEE_PATIENTS)
def refused_studies(here: Installation, *, limit: int = 200) -> list[Waiting]:
    """Return the studies that could not be scored, the last refused first, at most `limit` (`queue` counts all)."""
    query = (
        select(Study, Patient.mrn)
        .join(Patient, Patient.id == Study.patient_id)
        .where(Study.status == StudyStatus.REFUSED, Study.modality == "MG")
        .order_by(Study.refused_at.desc().nulls_last(), Study.id.desc())
        .limit(limit)
    )
    with here.database.read() as session:
        return [
            Waiting(
                at=study.refused_at,
                what=f"study of {study.study_date}",
                whose=f"MRN {mrn}",
                reason=refusal_text(study.refusal_reason, study.refusal_detail),
            )
            for study, mrn in session.execute(query)
        ]
