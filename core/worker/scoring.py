"""Scoring: what is pending is read, encoded once, and scored as of its date.

A worker claims a study (`core.worker.queue`), computes without holding the database, and writes score, alerts and
status in one transaction, unless the study has changed meanwhile: then it is done again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from core.images import ChildDied, lend_reader
from core.installation import Installation
from core.logs import log_of
from core.outages import MachineFailed, outage
from core.people.needing import SYSTEM_ONLY, needs
from core.refusals import Refusal
from core.rules import Trust, risk_ends_of, trust_by
from core.rules.vocabulary import Side
from core.worker import progress
from core.worker.alerts import raise_alerts, raise_alerts_before
from core.worker.density import ViewDensity
from core.worker.queue import Claimed, Pauses, Queue, count_pending, queue_everything, settle
from core.worker.reading_ahead import ReadingAhead
from core.worker.rows import (
    Day,
    ScoreItem,
    ScoringReport,
    history_of,
    images_waiting,
    item_of,
    keep_readings,
    moved_json,
    previous_score,
    score_row,
    stored_readings,
)
from db.tables import Image, Patient, StudyStatus

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel, ViewReading, VisitAnswer, VisitInput
    from models.view import StandardView

log = log_of(__name__)
PATIENCE_SECONDS = 60.0
"""How long `score_pending` waits for what is away, or for studies that keep failing, while nothing is finished."""
SAME_RISK = 1e-4
"""Two machines may round a score differently by so much of itself; more means that the prior read something else."""
_KILLED = -9
"""The exit status of a process that the system ended, as a rule because memory was short."""


@dataclass(frozen=True)
class _Read:
    """A history as the model reads it, how far out the study's own views lie, and which earlier ones were left out."""

    visits: list[VisitInput]
    distance: float | None
    left_out: list[dict[str, str]]


@dataclass(frozen=True)
class _Said:
    """What was said of a study: the answer, how far it may be believed, why it moved, and its density by another model."""

    answer: VisitAnswer
    trust: Trust
    moved: dict[str, Any] | None
    density: dict[str, Any] | None


class Scorer:
    """Scores one pending study after another with the model that the settings name.

    >>> scorer = Scorer(here)
    >>> while (item := scorer.score_next()) is not None:
    ...     print(item.study_uid)

    Raises `LookupError` or `ValueError` if the model is not there or is not the one its card vouches for.
    """

    @needs(SYSTEM_ONLY)
    def __init__(
        self, here: Installation, model: LongitudinalModel | None = None, *, name: str | None = None
    ) -> None:
        self.here = here
        self.model = model or load_model(here.settings.model)
        self.queue = Queue(here, name)
        self._lent = contextlib.ExitStack()
        self._reader = self._lent.enter_context(lend_reader(here.settings))
        self._density = ViewDensity(here, self._pixels)
        self.ahead: ReadingAhead | None = None

    def close(self) -> None:
        """Give the reading process back to whoever reads next."""
        self._lent.close()

    def warm_up(self) -> None:
        """Run the networks once, so that the first study does not wait for them to be built."""
        from models.longitudinal import SeenView, VisitInput
        from models.view import StandardView, ViewTransform

        rows, columns = self.model.shape
        whole = ViewTransform(False, 0, 0, columns, rows, 1.0, columns)
        empty = StandardView(np.zeros((rows, columns, 1), np.float32), whole)
        reading = self.model.encode([empty])[0]
        visits = [
            VisitInput(date(year, 1, 1), None, (SeenView("L", "CC", reading),)) for year in (2018, 2020)
        ]
        self.model.score(visits)
        self.model.movement(visits)
        self._reader.start()

    def score_next(self, *, settled: bool = True) -> ScoreItem | None:
        """Claim and score one study; None if nothing waits. A refused study is an item with its refusal.

        With `settled`, a study to which files may still be coming is left for later. A study that failed by itself is
        put off and the next one taken. Raises `core.outages.MachineFailed` if the world failed: the study is put off and will
        be tried again, and the caller does well to wait before it goes on.
        """
        while (claimed := self.queue.take(settled=settled)) is not None:
            item = self._score_claimed(claimed)
            if item is not None:
                return item
        return None

    def _score_claimed(self, claimed: Claimed) -> ScoreItem | None:
        """Score a claimed study; None if it changed meanwhile or is to be tried again."""
        try:
            with self.queue.holding(claimed):
                return self._score_held(claimed)
        except Exception as error:
            said = outage(error)
            if said is None:
                log.exception("scoring failed", study=claimed.study_id)
                refusal = self.queue.fail(claimed, error)
                return self._refuse(claimed, refusal) if refusal is not None else None
            self.queue.put_off(claimed, said)
            raise MachineFailed(said) from error

    def _score_held(self, claimed: Claimed) -> ScoreItem | None:
        try:
            if claimed.given_up is not None:
                raise claimed.given_up
            history = history_of(self.here, claimed.study_id)
            read = self._read(history)
            said = self.model.score(read.visits)
            trust = self._trust(history, read)
            moved = self._moved(history, read) if trust.is_trusted else None
            density = None if trust.is_trusted else self._density.of(claimed.study_id, history[-1].images)
        except Refusal as refusal:
            return self._refuse(claimed, refusal)
        return self._write(claimed, history, read, _Said(said, trust, moved, density))

    def _read(self, history: list[Day]) -> _Read:
        """Return the visits up to the study; raises `Refusal` if the last has no view that the model can read.

        Earlier views that are unlike what the model learned from are left out as if they were missing; of the study's
        own the least familiar decides how far its score may be believed.
        """
        from models.longitudinal import SeenView, VisitInput

        readings = self._readings([image for day in history for image in day.images])
        for day in history:
            day.images = [image for image in day.images if image.id in readings]
        if not history or not history[-1].images:
            raise Refusal("no_usable_view")
        distance, left_out = self._leave_out_unlike(history, readings)
        history[:] = [day for day in history if day.images]
        visits = [
            VisitInput(
                day.on,
                day.age_years,
                tuple(
                    # No mammogram is of both breasts.
                    SeenView(cast(Side, image.laterality.value), image.view, readings[image.id])
                    for image in day.images
                ),
            )
            for day in history
        ]
        return _Read(visits, distance, left_out)

    def _leave_out_unlike(
        self, history: list[Day], readings: Mapping[int, ViewReading]
    ) -> tuple[float | None, list[dict[str, str]]]:
        """Take earlier views beyond the model's limit out of the history; return how far out the study's own lie."""
        domain = self.model.domain
        far = self.model.distances(list(readings.values()))
        if domain is None or far is None:
            return None, []
        distances = dict(zip(readings, far, strict=True))
        left_out = []
        for day in history[:-1]:
            for image in list(day.images):
                if distances[image.id] > domain.limit:
                    day.images.remove(image)
                    left_out.append(
                        {"study_date": day.on.isoformat(), "view": f"{image.laterality.value}-{image.view}"}
                    )
        return max(distances[image.id] for image in history[-1].images), left_out

    def _trust(self, history: list[Day], read: _Read) -> Trust:
        with self.here.database.read() as session:
            simulated = session.get_one(Patient, history[-1].study.patient_id).simulated
        return trust_by(
            self.model, distance=read.distance, age_years=history[-1].age_years, simulated=simulated
        )

    def _moved(self, history: list[Day], read: _Read) -> dict[str, Any] | None:
        """Return why the score is another than the prior's; None where the two may not be set beside each other.

        That is: the prior's is trusted as this one is, both are said by the same weights and calibration, and the prior's score is what the model says
        again of what is known of her up to then.
        """
        if len(read.visits) < 2:
            return None
        card = self.model.card
        with self.here.database.read() as session:
            prior = previous_score(session, history, card.name)
        if prior is None or (prior.weights_sha256, prior.calibration) != (
            card.weights_sha256,
            card.calibration,
        ):
            return None
        movement = self.model.movement(read.visits)
        if movement is None or abs(movement.before - prior.risk_5y) > SAME_RISK * prior.risk_5y:
            return None
        return moved_json(movement, history[-2].study.uid)

    def _readings(self, images: list[Image]) -> dict[int, ViewReading]:
        """Return by image what the encoder sees in it: from the database, or by reading it for the first time.

        Images in which no breast can be found are left out; raises `Refusal` if one's bytes are gone or damaged.
        """
        encoder = self.model.card.encoder_sha256
        readings = stored_readings(self.here, [image.id for image in images], encoder)
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
        keep_readings(self.here, fresh, views, encoder)
        return readings | fresh

    def _standardised(self, image: Image) -> StandardView:
        """Return an image's standard view, read ahead or now; raises ValueError if no breast is found in it."""
        from models.view import standardise

        try:
            ready = self.ahead.take(image.id) if self.ahead is not None else None
            if ready is not None:
                return ready
        except (FileNotFoundError, Refusal) as error:
            raise _unreadable(image, error) from error
        return standardise(self._pixels(image), self.model.shape)

    def _pixels(self, image: Image) -> NDArray[Any]:
        """Return an image's pixels (rows, columns); raises `Refusal` if its bytes are gone or damaged."""
        try:
            return self._reader.read(self.here.images.get(image.sha256), image.source_name).pixels
        except (FileNotFoundError, Refusal) as error:
            raise _unreadable(image, error) from error

    def _write(self, claimed: Claimed, history: list[Day], read: _Read, said: _Said) -> ScoreItem | None:
        with self.here.database.write() as session:
            study = self.queue.still_ours(session, claimed)
            if study is None:
                return None
            patient = session.get_one(Patient, study.patient_id)
            row = score_row(
                study, self.model.card, history, said.answer, said.trust, read.left_out, said.moved
            )
            row.density_of_views = said.density
            session.add(row)
            session.flush()
            ends = risk_ends_of(session, patient.id)
            if said.trust.is_trusted:  # a score that is not raises no alert and closes none
                previous = previous_score(session, history, self.model.card.name)
                raise_alerts(session, row, previous, ends)
            settle(study, StudyStatus.SCORED)
            return item_of(row, study, patient.mrn, self.model.card.settings, ends)

    def _refuse(self, claimed: Claimed, refusal: Refusal) -> ScoreItem | None:
        with self.here.database.write() as session:
            study = self.queue.still_ours(session, claimed)
            if study is None:
                return None
            settle(study, StudyStatus.REFUSED, refusal)
            ends = risk_ends_of(session, study.patient_id)
            raise_alerts_before(session, study, self.model.card.name, ends)
            patient = session.get_one(Patient, study.patient_id)
            return ScoreItem(patient.mrn, study.uid, study.study_date, self.model.card.name, refusal=refusal)


def _unreadable(image: Image, error: Exception) -> Exception:
    """Return what a study fails by when one of its images cannot be read: the machine's lack, or a refusal that names it."""
    if isinstance(error, Refusal) and (lack := _lack(error)):
        return MachineFailed(lack)
    what = error.text if isinstance(error, Refusal) else "Its file is gone."
    return Refusal("image_unreadable", f"{image.laterality.value}-{image.view}: {what}")


def _lack(refusal: Refusal) -> str | None:
    """Say what the machine lacks if an image, which was read when it came, is refused for that today."""
    if refusal.reason == "timeout":
        return "The machine is too busy to read an image in time. It is tried again."
    killed = isinstance(refusal.__cause__, ChildDied) and refusal.__cause__.code == _KILLED
    if killed or isinstance(refusal.__cause__, MemoryError):
        return "The machine has no memory left for reading an image. End other programs."
    return None


def load_model(name: str) -> LongitudinalModel:
    """Load a model by name or folder; imports the networks' libraries, which takes seconds and a gigabyte."""
    from models.store import backend

    backend.load()
    from models.longitudinal import LongitudinalModel

    return LongitudinalModel.load(name)


@needs(SYSTEM_ONLY)
def score_pending(
    here: Installation,
    *,
    everything: bool = False,
    on_item: Callable[[ScoreItem], None] | None = None,
    model: LongitudinalModel | None = None,
    readers: int | None = None,
    patience_seconds: float | None = None,
) -> ScoringReport:
    """Score all studies that wait; with `everything`, all mammograms anew. Scores are added, never edited.

    While the networks are at one study, `readers` processes (one a core, if None) read the images of the next. What
    is put off is tried again until nothing has been finished for `patience_seconds` (a minute, if None); then the report says why it
    stopped, and the rest stays in the queue.
    """
    report = ScoringReport()
    if not everything and count_pending(here) == 0:
        return report
    scorer = Scorer(here, model)
    try:
        scorer.queue.free_dead()
        if everything:
            queue_everything(here)
        waiting = images_waiting(here, scorer.model.card.encoder_sha256)
        readers, shape = readers or os.cpu_count() or 1, scorer.model.shape
        with ReadingAhead(here, waiting, readers, shape) as scorer.ahead:
            patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
            _score_all(scorer, report, on_item, patience)
    finally:
        scorer.ahead = None
        scorer.close()
    return report


def _score_all(
    scorer: Scorer,
    report: ScoringReport,
    on_item: Callable[[ScoreItem], None] | None,
    patience_seconds: float,
) -> None:
    pauses, last = Pauses(), time.monotonic()
    while True:
        why: str | None = None
        try:
            item = scorer.score_next(settled=False)
            seconds = scorer.queue.seconds_to_next() if item is None else None
        except Exception as error:
            why = outage(error)
            if why is None:
                raise
            item, seconds = None, pauses.longer()
            log.warning("put off", why=why, again_in_seconds=seconds)
        if item is not None:
            pauses.over()
            last = time.monotonic()
            report.items.append(item)
            if on_item is not None:
                on_item(item)
            continue
        if seconds is None:
            return
        left = last + patience_seconds - time.monotonic()
        if left <= 0:
            report.stopped = why or _why_put_off(scorer.here)
            return
        time.sleep(min(max(seconds, 0.2), left))


def _why_put_off(here: Installation) -> str:
    found = progress.put_off(here)
    return found[0].why if found else "Another worker is at the studies that are left."
