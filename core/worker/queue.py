"""The queue: a study's status. Claiming, leases, putting off, counting failures, and putting studies back.

A worker claims a study for a minute and renews the lease while it is at it. What the world fails in puts the study off
and counts for nothing; what the study fails in counts if others were scored meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from core.incoming import rescoring
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import SIGNED_IN, Permission, Person, audit, needs
from core.refusals import Refusal
from core.rules import Doubt
from core.worker import identity
from db.tables import (
    Image,
    ImportBatch,
    ImportItem,
    Patient,
    Score,
    Study,
    StudyStatus,
    utc_now,
)

if TYPE_CHECKING:
    from models.store import ModelCard

log = log_of(__name__)

LEASE = timedelta(seconds=60)
RENEW_SECONDS = 15.0
# A file may still be on its way to a study whose batch has not ended; after this long without one it is scored.
SETTLED_AFTER = timedelta(seconds=3)
MOST_FAILURES = 5
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=60)
_MOST_WORDS = 300


@dataclass(frozen=True)
class Claimed:
    """A study in work, the state of its inputs when it was claimed, and why it is not to be tried any more, if so."""

    study_id: int
    inputs_changed_at: datetime
    given_up: Refusal | None = None


class Pauses:
    """Pauses that grow from one to the next, until something has gone well."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def longer(self) -> float:
        """Return how many seconds to wait now: 1, 2, 4 … 60."""
        least, most = FIRST_PAUSE.total_seconds(), LONGEST_PAUSE.total_seconds()
        self._seconds = min(most, max(least, 2 * self._seconds))
        return self._seconds

    def over(self) -> None:
        """Begin with the shortest again."""
        self._seconds = 0.0


class Queue:
    """The studies that wait, as one worker takes them and gives them back.

    Parameters
    ----------
    worker
        The name under which this worker claims studies; its process's (`core.worker.identity`), if None.
    """

    def __init__(self, here: Installation, worker: str | None = None) -> None:
        self.here = here
        self.worker = worker or identity.own_name()
        # What could not be given back because the database was away; it is as soon as it is there.
        self._owed: dict[Claimed, str] = {}

    def take(self, *, settled: bool = True) -> Claimed | None:
        """Claim the next study; None if nothing waits.

        The woman who came last is first, so that a person who waits is not behind a bulk import; of her studies the
        oldest, so that a score finds that of the visit before. A woman of whom one study is in work or put off waits:
        the next one's score follows from that one's. With `settled`, a study to which files may still be coming is
        left for later.
        """
        self._give_back_what_is_owed()
        with self.here.database.read() as session:
            if session.scalar(select(Study.id).where(_free(_now(session), settled)).limit(1)) is None:
                return None
        with self.here.database.write() as session:
            now = _now(session)
            free = _free(now, settled)
            woman = session.scalar(
                select(Study.patient_id).where(free).order_by(Study.inputs_changed_at.desc()).limit(1)
            )
            study = session.scalar(
                select(Study)
                .where(free, Study.patient_id == woman)
                .order_by(Study.study_date, Study.id)
                .limit(1)
            )
            if study is None:
                return None
            if study.claimed_by is not None:
                _died(session, study, now)
            study.claimed_by, study.claimed_until = self.worker, now + LEASE
            given_up = None
            if study.attempts >= MOST_FAILURES:
                given_up = Refusal("scoring_failed", study.put_off_because or "")
            return Claimed(study.id, study.inputs_changed_at, given_up)

    @contextlib.contextmanager
    def holding(self, claimed: Claimed) -> Iterator[threading.Event]:
        """Renew the lease of a claimed study as long as the block runs; the event is set if the study was lost."""
        ended, lost = threading.Event(), threading.Event()

        def renew() -> None:
            while not ended.wait(RENEW_SECONDS):
                try:
                    if not self._renewed(claimed):
                        lost.set()
                        return
                except (SQLAlchemyError, OSError) as error:
                    # The lease may outlast it; if not, another worker takes the study and `still_ours` says so.
                    log.warning("a lease could not be renewed", why=outage(error) or type(error).__name__)

        renewing = threading.Thread(target=renew, name="lease", daemon=True)
        renewing.start()
        try:
            yield lost
        finally:
            ended.set()
            renewing.join()

    def still_ours(self, session: Session, claimed: Claimed) -> Study | None:
        """Return the study if it is still this worker's and nothing came in between: what was computed is of what is stored."""
        study = session.get(Study, claimed.study_id)
        if study is None:
            return None
        ours = study.claimed_by == self.worker and study.inputs_changed_at == claimed.inputs_changed_at
        return study if ours and study.status is StudyStatus.PENDING else None

    def put_off(self, claimed: Claimed, why: str) -> None:
        """Give a study back because the world failed: it counts for nothing, and is tried again after a pause.

        The pause grows while the study stays put off. Where even the database is away, the study is given back when
        it has come back.
        """
        self._owed[claimed] = why
        try:
            self._give_back_what_is_owed()
        except Exception as error:
            if outage(error) is None:
                raise
            log.warning("a study cannot be given back yet", study=claimed.study_id, why=outage(error))

    def fail(self, claimed: Claimed, error: Exception) -> Refusal | None:
        """Give a study back that failed by itself; return why it is refused if that was once too often.

        A failure counts if another study was scored since the one before: what hits every study alike is nobody's.
        A study that is to be refused stays claimed.
        """
        with self.here.database.write() as session:
            study = self.still_ours(session, claimed)
            if study is None:
                return None
            why = _words(error, session.get_one(Patient, study.patient_id))
            _count_failure(session, study)
            if study.attempts >= MOST_FAILURES:
                return Refusal("scoring_failed", why)
            _put_off(study, f"Scoring failed: {why.rstrip('.')}.", _now(session))
        return None

    def free_dead(self) -> int:
        """Free the studies that dead workers of this machine held; return how many."""
        with self.here.database.write() as session:
            now = _now(session)
            held = session.scalars(
                select(Study).where(Study.claimed_by.startswith(f"{identity.machine()}:", autoescape=True))
            ).all()
            dead = [study for study in held if self._is_dead(str(study.claimed_by))]
            for study in dead:
                _died(session, study, now)
        return len(dead)

    def seconds_to_next(self) -> float | None:
        """Return how long it is until a study that was put off may be tried again; None if none was."""
        put_off = and_(
            Study.status == StudyStatus.PENDING, Study.claimed_by.is_(None), Study.claimed_until.is_not(None)
        )
        with self.here.database.read() as session:
            now = _now(session)
            due = session.scalars(select(Study.claimed_until).where(put_off)).all()
        # An end that no pause reaches was written by a clock that was ahead.
        left = [(at - now).total_seconds() for at in due if at is not None and at <= now + 2 * LEASE]
        return max(0.0, min(left, default=0.0)) if due else None

    def _is_dead(self, worker: str) -> bool:
        """Tell whether the process of a claim on this machine has ended (or is this one, come back)."""
        return worker == identity.own_name() or not identity.runs(worker)

    def _renewed(self, claimed: Claimed) -> bool:
        with self.here.database.write() as session:
            study = self.still_ours(session, claimed)
            if study is None:
                return False
            study.claimed_until = _now(session) + LEASE
            return True

    def _give_back_what_is_owed(self) -> None:
        if not self._owed:
            return
        with self.here.database.write() as session:
            for claimed, why in self._owed.items():
                study = self.still_ours(session, claimed)
                if study is not None:
                    _put_off(study, why, _now(session))
        self._owed.clear()


def _free(now: datetime, settled: bool) -> ColumnElement[bool]:
    """Return which studies may be claimed."""
    held = aliased(Study)
    free = and_(
        Study.status == StudyStatus.PENDING,
        # A lease that ends later than any that is given was given by a clock that was ahead: it is none.
        or_(Study.claimed_until.is_(None), Study.claimed_until < now, Study.claimed_until > now + 2 * LEASE),
        Study.patient_id.not_in(
            select(held.patient_id).where(
                held.status == StudyStatus.PENDING, held.claimed_until.between(now, now + 2 * LEASE)
            )
        ),
    )
    if not settled:
        return free
    arriving = (
        select(Image.study_id)
        .join(ImportItem, ImportItem.image_id == Image.id)
        .join(ImportBatch, ImportBatch.id == ImportItem.batch_id)
        .where(ImportBatch.finished_at.is_(None))
    )
    lately = Study.inputs_changed_at.between(now - SETTLED_AFTER, now + SETTLED_AFTER)
    return and_(free, or_(~lately, Study.id.not_in(arriving)))


def _now(session: Session) -> datetime:
    """Return the moment by the clock that all workers share: the server's, or this machine's where SQLite is used."""
    if session.get_bind().dialect.name == "postgresql":
        told = session.scalar(select(func.clock_timestamp()))
        if told is not None:
            return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    return utc_now()


def _put_off(study: Study, why: str, now: datetime, *, least: timedelta = FIRST_PAUSE) -> None:
    """Free a study for later. It waits as long again as it has waited already: so pauses double."""
    if study.put_off_since is None or study.put_off_since > now:
        study.put_off_since = now
    study.put_off_because = why
    study.claimed_by = None
    study.claimed_until = now + min(LONGEST_PAUSE, max(least, now - study.put_off_since))


def _died(session: Session, study: Study, now: datetime) -> None:
    """Free a study whose worker ended without a word: it may have been the study, or somebody who pulled the plug."""
    _count_failure(session, study)
    _put_off(study, "The worker ended while it scored it.", now, least=timedelta(0))


def _count_failure(session: Session, study: Study) -> None:
    if _others_go_well(session, study):
        study.attempts += 1
    study.failed_after_score = session.scalar(select(func.max(Score.id))) or 0


def _others_go_well(session: Session, study: Study) -> bool:
    """Tell whether another study was scored since this one failed before; the first time nobody can say otherwise."""
    if study.failed_after_score is None:
        return True
    others = select(Score.id).where(Score.id > study.failed_after_score, Score.study_id != study.id)
    return session.scalar(others.limit(1)) is not None


def _words(error: BaseException, patient: Patient) -> str:
    """Return type and words of an error, without what says whose study it was."""
    said = " ".join(str(error).split())
    for whose in (patient.mrn, patient.name, *(patient.name or "").replace("^", " ").split()):
        if whose and len(whose) > 1:
            said = said.replace(whose, "…")
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 1] + "…"


def settle(study: Study, status: StudyStatus, refusal: Refusal | None = None) -> None:
    """Write how a study ended, inside the caller's transaction, and take it from the queue."""
    study.status = status
    study.refusal_reason = refusal.reason if refusal else None
    study.refusal_detail = (refusal.detail or None) if refusal else None
    study.refused_at = utc_now() if refusal else None
    study.claimed_by = study.claimed_until = None
    study.put_off_since = study.put_off_because = study.failed_after_score = None
    study.attempts = 0


@needs(SIGNED_IN)
def count_pending(here: Installation, *, everything: bool = False) -> int:
    """Return how many studies wait to be scored; with `everything`, how many mammogram studies there are."""
    which = Study.modality == "MG" if everything else Study.status == StudyStatus.PENDING
    with here.database.read() as session:
        return session.scalar(select(func.count(Study.id)).where(which)) or 0


def queue_everything(here: Installation) -> int:
    """Put every mammogram study in the queue, refused ones too; return how many."""
    with here.database.write() as session:
        return rescoring.queue_again(session, Study.modality == "MG")


def queue_unscored(here: Installation, card: ModelCard) -> int:
    """Put the scored studies in the queue that these weights have not scored: another model speaks now.

    Also those of which it is not known how far their scores may be believed, and those that were held against no domain
    though the model has one by now.
    """
    from models.measures import DOMAIN

    unknown = [Doubt.NOT_KNOWN.value, *([Doubt.NO_DOMAIN.value] if DOMAIN in card.files else [])]
    by_these = select(Score.study_id).where(
        Score.model == card.name,
        Score.weights_sha256 == card.weights_sha256,
        Score.calibration == card.calibration,
        or_(Score.trust_doubt.is_(None), Score.trust_doubt.not_in(unknown)),
    )
    with here.database.write() as session:
        return rescoring.queue_again(
            session, and_(Study.status == StudyStatus.SCORED, Study.id.not_in(by_these))
        )


@needs(
    lambda _here, *, study=None, patient=None, **_: (
        Permission.ADMINISTER if study is None and patient is None else Permission.ADD_STUDY
    )
)
def retry_refused(
    here: Installation, *, study: str | None = None, patient: str | None = None, by: Person | None = None
) -> int:
    """Put refused studies back in the queue, and that it was done in the audit trail; return how many.

    Parameters
    ----------
    study
        The UID of the one study that is meant.
    patient
        The MRN of the woman whose studies are meant. Without either, all refused studies are.
    by
        Who asks; None on the command line.

    Raises
    ------
    LookupError
        If there is no such study or patient.
    core.people.roles.AccessDenied
        If who asks may not add studies, or may not administer where all are meant.
    """
    which = Study.status == StudyStatus.REFUSED
    with here.database.write() as session:
        if study is not None:
            found = session.scalar(select(Study.id).where(Study.uid == study))
            if found is None:
                raise LookupError(f"There is no study {study}.")
            which, subject = and_(which, Study.id == found), f"study:{study}"
        elif patient is not None:
            found = session.scalar(select(Patient.id).where(Patient.mrn == patient))
            if found is None:
                raise LookupError(f"There is no patient {patient}.")
            which, subject = and_(which, Study.patient_id == found), f"patient:{patient}"
        else:
            subject = "studies"
        number = rescoring.queue_again(session, which)
        if number:
            audit.record(session, by, "scoring_retried", subject, {"studies": number})
        return number
