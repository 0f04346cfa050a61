"""Scoring: what is pending is read, encoded once, and scored as of its date.

A study's status is the queue. A worker claims a study for a minute, computes without holding the database, and
writes score, alerts and status in one transaction, unless the study has changed meanwhile: then it is done again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.images import GuardedReader, shows_the_breast
from core.installation import Installation
from core.logs import log_of
from core.refusals import Refusal
from core.worker.alerts import raise_alerts, raise_alerts_before
from core.worker.queue import (
    LEASE,
    MOST_ATTEMPTS,
    SETTLED_AFTER,
    Claimed,
    count_pending,
    queue_everything,
    settle,
)
from core.worker.reading_ahead import ReadingAhead, WaitingImage
from core.worker.rows import (
    Day,
    ScoreItem,
    ScoringReport,
    embedding_of,
    history_of,
    item_of,
    previous_score,
    reading_of,
    score_row,
)
from db.tables import (
    Embedding,
    Image,
    ImportBatch,
    ImportItem,
    Patient,
    Study,
    StudyStatus,
    utc_now,
)

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel, ViewReading, Visit, VisitScore
    from models.view import StandardView

log = log_of(__name__)
MOST_FAILURES = 3


class Scorer:
    """Scores one pending study after another with the model that the settings name.

    >>> scorer = Scorer(here)
    >>> while (item := scorer.score_next()) is not None:
    ...     print(item.study_uid)

    Raises `LookupError` or `ValueError` if the model is not there or is not the one its card vouches for.
    """

    def __init__(self, here: Installation, model: LongitudinalModel | None = None) -> None:
        self.here = here
        self.model = model or load_model(here.settings.model)
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._reader = GuardedReader(here.settings)
        self.ahead: ReadingAhead | None = None

    def close(self) -> None:
        """End the reading process."""
        self._reader.close()

    def warm_up(self) -> None:
        """Run the networks once, so that the first study does not wait for them to be built."""
        from models.longitudinal import SeenView, Visit
        from models.view import StandardView, ViewTransform

        rows, columns = self.model.shape
        whole = ViewTransform(False, 0, 0, columns, rows, 1.0, columns)
        empty = StandardView(np.zeros((rows, columns, 1), np.float32), whole)
        reading = self.model.encode([empty])[0]
        self.model.score([Visit(date(2020, 1, 1), None, (SeenView("L", "CC", reading),))])
        self._reader.__enter__()

    def release_own_claims(self) -> int:
        """Free the studies that dead workers of this machine held; return how many."""
        host = socket.gethostname()
        with self.here.database.write() as session:
            held = session.scalars(select(Study).where(Study.claimed_by.startswith(f"{host}:"))).all()
            dead = [study for study in held if not _is_alive(str(study.claimed_by))]
            for study in dead:
                study.claimed_by = study.claimed_until = None
        return len(dead)

    def score_next(self, *, settled: bool = True) -> ScoreItem | None:
        """Claim and score one study; None if nothing waits. A refused study is an item with its refusal.

        With `settled`, a study to which files may still be coming is left for later.
        """
        while (claimed := self._claim(settled)) is not None:
            item = self._score_claimed(claimed)
            if item is not None:
                return item
        return None

    def seconds_to_retry(self) -> float | None:
        """Return how long it is until a study that failed may be tried again; None if none was put off."""
        put_off = select(func.min(Study.claimed_until)).where(
            Study.status == StudyStatus.PENDING, Study.claimed_by.is_(None), Study.claimed_until.is_not(None)
        )
        with self.here.database.read() as session:
            due = session.scalar(put_off)
        return None if due is None else max(0.0, (due - utc_now()).total_seconds())

    def _claim(self, settled: bool) -> Claimed | None:
        now = utc_now()
        # A woman of whom one study is in work or put off waits: the next one's score follows from that one's.
        held = aliased(Study)
        free = and_(
            Study.status == StudyStatus.PENDING,
            or_(Study.claimed_until.is_(None), Study.claimed_until < now),
            Study.patient_id.not_in(
                select(held.patient_id).where(held.status == StudyStatus.PENDING, held.claimed_until >= now)
            ),
        )
        if settled:
            arriving = (
                select(Image.study_id)
                .join(ImportItem, ImportItem.image_id == Image.id)
                .join(ImportBatch, ImportBatch.id == ImportItem.batch_id)
                .where(ImportBatch.finished_at.is_(None))
            )
            free = and_(free, or_(Study.inputs_changed_at < now - SETTLED_AFTER, Study.id.not_in(arriving)))
        with self.here.database.read() as session:
            if session.scalar(select(Study.id).where(free).limit(1)) is None:
                return None
        with self.here.database.write() as session:
            # The woman who came last is first, so that a person who waits is not behind a bulk import; of her
            # studies the oldest, so that a score finds that of the visit before.
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
            study.claimed_by = self.name
            study.claimed_until = now + LEASE
            study.attempts += 1
            return Claimed(study.id, study.inputs_changed_at, study.attempts)

    def _score_claimed(self, claimed: Claimed) -> ScoreItem | None:
        """Score a claimed study; None if it changed meanwhile or is to be tried again."""
        try:
            if claimed.attempts > MOST_ATTEMPTS:
                raise Refusal("scoring_failed", f"It was tried {MOST_ATTEMPTS} times.")
            history = history_of(self.here, claimed.study_id)
            visits = self._visits(history)
            score = self.model.score(visits)
        except Refusal as refusal:
            return self._refuse(claimed, refusal)
        except Exception as error:
            log.exception("scoring failed", study=claimed.study_id, attempt=claimed.attempts)
            if claimed.attempts >= MOST_FAILURES:
                return self._refuse(claimed, Refusal("scoring_failed", f"{type(error).__name__}."))
            self._put_off(claimed)
            return None
        return self._write(claimed, history, visits, score)

    def _visits(self, history: list[Day]) -> list[Visit]:
        """Return the visits up to the study; raises `Refusal` if the last has no view that the model can read."""
        from models.longitudinal import SeenView, Visit

        readings = self._readings([image for day in history for image in day.images])
        for day in history:
            day.images = [image for image in day.images if image.id in readings]
        if not history or not history[-1].images:
            raise Refusal("no_usable_view")
        history[:] = [day for day in history if day.images]
        return [
            Visit(
                day.on,
                day.age_years,
                tuple(
                    SeenView(image.laterality.value, image.view, readings[image.id]) for image in day.images
                ),
            )
            for day in history
        ]

    def _readings(self, images: list[Image]) -> dict[int, ViewReading]:
        """Return by image what the encoder sees in it: from the database, or by reading it for the first time.

        Images in which no breast can be found are left out; raises `Refusal` if one's bytes are gone or damaged.
        """
        encoder = self.model.card.encoder_sha256
        with self.here.database.read() as session:
            stored = session.scalars(
                select(Embedding).where(
                    Embedding.image_id.in_([image.id for image in images]),
                    Embedding.encoder_sha256 == encoder,
                )
            ).all()
        readings = {row.image_id: reading_of(row) for row in stored}
        views = {}
        for image in images:
            if image.id in readings:
                continue
            with contextlib.suppress(ValueError):
                views[image.id] = self._standardised(image)
        if not views:
            return readings
        # All new images in one call: the encoder takes them four at a time.
        fresh = dict(zip(views, self.model.encode(list(views.values())), strict=True))
        with self.here.database.write() as session:
            known = set(
                session.scalars(
                    select(Embedding.image_id).where(
                        Embedding.image_id.in_(list(fresh)), Embedding.encoder_sha256 == encoder
                    )
                )
            )
            for image_id, reading in fresh.items():
                if image_id not in known:
                    transform = views[image_id].transform.to_json()
                    session.add(embedding_of(image_id, encoder, reading, transform))
        return readings | fresh

    def _standardised(self, image: Image) -> StandardView:
        """Return an image's standard view, read ahead or now; raises ValueError if no breast is found in it."""
        from models.view import standardise

        try:
            ready = self.ahead.take(image.id) if self.ahead is not None else None
            if ready is not None:
                return ready
            pixels = self._reader.read(self.here.images.get(image.sha256), image.source_name).pixels
        except (FileNotFoundError, Refusal) as error:
            if isinstance(error, Refusal) and error.reason == "timeout":
                # It was read when it came: the machine is busy now, and the study is tried again.
                raise TimeoutError(error.text) from error
            what = error.text if isinstance(error, Refusal) else "Its file is gone."
            raise Refusal("image_unreadable", f"{image.laterality.value}-{image.view}: {what}") from error
        return standardise(pixels)

    def _write(
        self, claimed: Claimed, history: list[Day], visits: list[Visit], said: VisitScore
    ) -> ScoreItem | None:
        with self.here.database.write() as session:
            study = self._still_ours(session, claimed)
            if study is None:
                return None
            row = score_row(study, self.model.card, history, said)
            session.add(row)
            session.flush()
            raise_alerts(session, row, previous_score(session, history, self.model.card.name))
            settle(study, StudyStatus.SCORED)
            patient = session.get_one(Patient, study.patient_id)
            return item_of(row, study, patient.mrn)

    def _refuse(self, claimed: Claimed, refusal: Refusal) -> ScoreItem | None:
        with self.here.database.write() as session:
            study = self._still_ours(session, claimed)
            if study is None:
                return None
            settle(study, StudyStatus.REFUSED, refusal)
            raise_alerts_before(session, study, self.model.card.name)
            patient = session.get_one(Patient, study.patient_id)
            return ScoreItem(patient.mrn, study.uid, study.study_date, self.model.card.name, refusal=refusal)

    def _put_off(self, claimed: Claimed) -> None:
        with self.here.database.write() as session:
            study = self._still_ours(session, claimed)
            if study is not None:
                study.claimed_by = None
                study.claimed_until = utc_now() + timedelta(seconds=2 * claimed.attempts)

    def _still_ours(self, session: Session, claimed: Claimed) -> Study | None:
        """Return the study if nothing came in between: then what was computed is of what is stored."""
        study = session.get_one(Study, claimed.study_id)
        ours = study.claimed_by == self.name and study.inputs_changed_at == claimed.inputs_changed_at
        return study if ours and study.status is StudyStatus.PENDING else None


def load_model(name: str) -> LongitudinalModel:
    """Load a model by name or folder; imports the networks' libraries, which takes seconds and a gigabyte."""
    from models.store import backend

    backend.load()
    from models.longitudinal import LongitudinalModel

    return LongitudinalModel.load(name)


def score_pending(
    here: Installation,
    *,
    everything: bool = False,
    on_item: Callable[[ScoreItem], None] | None = None,
    model: LongitudinalModel | None = None,
    readers: int | None = None,
) -> ScoringReport:
    """Score all studies that wait; with `everything`, all mammograms anew. Scores are added, never edited.

    While the networks are at one study, `readers` processes (one a core, if None) read the images of the next.
    """
    report = ScoringReport()
    if not everything and count_pending(here) == 0:
        return report
    scorer = Scorer(here, model)
    try:
        scorer.release_own_claims()
        if everything:
            queue_everything(here)
        waiting = _images_waiting(here, scorer.model.card.encoder_sha256)
        with ReadingAhead(here, waiting, readers or os.cpu_count() or 1) as scorer.ahead:
            while True:
                item = scorer.score_next(settled=False)
                if item is not None:
                    report.items.append(item)
                    if on_item is not None:
                        on_item(item)
                elif (seconds := scorer.seconds_to_retry()) is not None:
                    time.sleep(max(seconds, 0.2))  # one that failed is tried again before this ends
                else:
                    break
    finally:
        scorer.ahead = None
        scorer.close()
    return report


def _images_waiting(here: Installation, encoder_sha256: str) -> list[WaitingImage]:
    """Return the images of pending studies that the encoder has not seen, about in the order of scoring.

    That is women by their latest change, of each the oldest study first (`Scorer._claim`); where scoring takes another
    order after all, an image is read when its turn comes.
    """
    known = select(Embedding.image_id).where(Embedding.encoder_sha256 == encoder_sha256)
    latest = func.max(Study.inputs_changed_at).over(partition_by=Study.patient_id)
    with here.database.read() as session:
        order = session.execute(
            select(Study.id, Study.patient_id, latest.label("latest"))
            .where(Study.status == StudyStatus.PENDING)
            .order_by(latest.desc(), Study.patient_id, Study.study_date, Study.id)
        ).all()
        images: dict[int, list[Image]] = {}
        for image in session.scalars(
            select(Image)
            .join(Study, Study.id == Image.study_id)
            .where(Study.status == StudyStatus.PENDING, Image.id.not_in(known))
            .order_by(Image.id)
        ):
            if shows_the_breast(image):
                images.setdefault(image.study_id, []).append(image)
        return [
            WaitingImage(image.id, image.sha256, image.source_name)
            for study, *_ in order
            for image in images.get(study, [])
        ]


def _is_alive(worker: str) -> bool:
    """Tell whether the process of a claim on this machine still runs (and is not this one, come back)."""
    pid = int(worker.rpartition(":")[2])
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
