"""One woman's record as the pages show it, and what people write into it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import Side, hanging
from core.installation import Installation
from core.records import cards
from core.records.assessments import Assessment
from core.records.events import EventEntry, event_entry
from core.refusals import refusal_text
from core.rules import last_of_each_day, last_said, latest_score_ids, said_alike, thresholds, trends
from db.tables import (
    Alert,
    Embedding,
    Event,
    EventKind,
    Image,
    Patient,
    Score,
    Study,
    StudyStatus,
    User,
)

__all__ = [
    "AlertEntry",
    "Contribution",
    "EventKind",
    "Interval",
    "PatientRecord",
    "StudyStatus",
    "ViewImage",
    "Visit",
    "VisitScore",
    "record_of",
    "statuses",
]


@dataclass(frozen=True)
class Interval:
    """A probability (0..1) with the interval that the model's members span."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Contribution:
    """How much one visit moved a score, and when that visit was."""

    study_uid: str
    study_date: date
    value: float


@dataclass(frozen=True)
class VisitScore:
    """What the model said of one visit, as of its date. Probabilities are 0..1; see `db.tables.Score`."""

    model: str
    weights_sha256: str
    calibration: str
    computed_at: datetime
    risk: Mapping[int, Interval]
    malignancy: Mapping[str, float | None]
    progression: float | None
    density: Mapping[str, float]
    priors: int
    missing_views: tuple[str, ...]
    contributions: tuple[Contribution, ...]

    @property
    def risk_5y(self) -> Interval:
        """Return the probability of cancer within 5 years."""
        return self.risk[5]

    @property
    def likeliest_density(self) -> str:
        """Return the density category, A to D, that the model finds likeliest."""
        return max(self.density, key=lambda letter: self.density[letter])


@dataclass(frozen=True)
class ViewImage:
    """One view of a visit. `chest_wall` is the edge of the stored picture where the breast ends, if known."""

    sop_uid: str
    laterality: str
    view: str
    rows: int
    columns: int
    spacing_mm: float | None
    quality_flags: tuple[str, ...]
    chest_wall: Side | None

    @property
    def flipped(self) -> bool:
        """Say whether this view is mirrored on screen so that the chest walls meet in the middle."""
        return hanging.is_flipped(self.laterality, self.chest_wall)


@dataclass(frozen=True)
class Visit:
    """One study with its views, its score if it has one, and the reader's assessment."""

    study_uid: str
    on: date
    modality: str
    description: str | None
    status: StudyStatus
    refusal: str
    images: tuple[ViewImage, ...]
    score: VisitScore | None
    bi_rads: str | None
    reader_density: str | None
    assessment_note: str | None
    assessed_by: str | None
    assessed_at: datetime | None

    @property
    def missing_views(self) -> tuple[str, ...]:
        """Return which of the four standard views this study has no image of, as R CC, L MLO.

        A spot or a magnification is no view of the breast: the score too counts the view as not seen.
        """
        taken = {(image.laterality, image.view) for image in self.images if hanging.shows_the_breast(image)}
        return tuple(f"{s} {v}" for row in hanging.HANGING for s, v in row if (s, v) not in taken)

    def hung(self, laterality: str, view: str) -> ViewImage | None:
        """Return the image that is hung as this side and view; None where there is none."""
        return hanging.to_hang(i for i in self.images if (i.laterality, i.view) == (laterality, view))

    @property
    def density(self) -> str | None:
        """Return the density category: the reader's where recorded, else the model's likeliest."""
        return self.reader_density or (self.score.likeliest_density if self.score else None)

    @property
    def assessment(self) -> Assessment:
        """Return what a reader recorded of this visit."""
        return Assessment(
            self.bi_rads, self.reader_density, self.assessment_note, self.assessed_by, self.assessed_at
        )


@dataclass(frozen=True)
class AlertEntry:
    """Why the patient needs a look."""

    alert_id: int
    rule: str
    message: str
    study_date: date
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


@dataclass(frozen=True)
class PatientRecord:
    """A woman with all her visits (oldest first), events and alerts."""

    mrn: str
    name: str | None
    birth_date: date | None
    sex: str | None
    simulated: bool
    visits: tuple[Visit, ...]
    events: tuple[EventEntry, ...]
    alerts: tuple[AlertEntry, ...]

    @property
    def label(self) -> str:
        """Return the name, or the MRN where no name is known."""
        return self.name or f"MRN {self.mrn}"

    @property
    def scored(self) -> tuple[Visit, ...]:
        """Return the visits that have a score, oldest first; of the studies of one day the last scored one."""
        return tuple(last_of_each_day((v for v in self.visits if v.score is not None), lambda v: v.on))

    @property
    def reader_density(self) -> str | None:
        """Return the density that a reader recorded on the day of the last scored visit, in whichever of its studies."""
        if not self.scored:
            return None
        return last_said(v.reader_density for v in self.visits if v.on == self.scored[-1].on)

    @property
    def prior(self) -> Visit | None:
        """Return the scored visit before the last one: that of an earlier day."""
        return self.scored[-2] if len(self.scored) > 1 else None

    @property
    def open_alerts(self) -> tuple[AlertEntry, ...]:
        """Return the alerts that nobody has acknowledged."""
        return tuple(alert for alert in self.alerts if alert.acknowledged_at is None)

    @property
    def change_since_prior(self) -> float | None:
        """Return the change of 5-year risk from the visit before to the last one, where both were scored alike."""
        scores = [visit.score for visit in self.scored[-2:] if visit.score]
        if len(scores) < 2 or not said_alike(scores):
            return None
        prior, last = scores
        return last.risk_5y.value - prior.risk_5y.value

    @property
    def slope(self) -> trends.Slope | None:
        """Return the slope of 5-year risk over her visits (see `trends.SLOPE_METHOD`), where all were scored alike."""
        scores = [(visit.on, visit.score) for visit in self.scored if visit.score]
        if not said_alike(score for _, score in scores):
            return None
        return trends.slope([on for on, _ in scores], [score.risk_5y.value for _, score in scores])

    @property
    def diagnosed(self) -> bool:
        """Whether a diagnosis is on record: from then on the clinic plans the follow-up, no screening interval does."""
        return any(event.kind is EventKind.DIAGNOSIS for event in self.events)

    @property
    def next_due(self) -> date | None:
        """Return when the next study is due by the screening interval in force.

        None after a diagnosis, without any study, and outside the screening ages.
        """
        if not self.visits or self.diagnosed:
            return None
        interval = thresholds.screening_interval()
        return interval.due(self.visits[-1].on, self.birth_date, date.today())

    @property
    def overdue(self) -> bool:
        """Whether the next study should have come by now."""
        if not self.visits or self.diagnosed:
            return False
        interval = thresholds.screening_interval()
        return interval.is_overdue(self.visits[-1].on, self.birth_date, date.today())

    def missing_views(self, visit: Visit) -> tuple[str, ...]:
        """Return which of the four standard views no study of that visit's day has: they are one visit."""
        of_the_day = [other.missing_views for other in self.visits if other.on == visit.on]
        return tuple(view for view in visit.missing_views if all(view in missing for missing in of_the_day))

    def visit(self, study_uid: str) -> Visit | None:
        """Return one visit by its study UID."""
        return next((visit for visit in self.visits if visit.study_uid == study_uid), None)


def record_of(here: Installation, mrn: str) -> PatientRecord | None:
    """Read a woman's whole record in a fixed number of queries; None if there is no such MRN."""
    with here.database.read() as session:
        patient = session.scalar(select(Patient).where(Patient.mrn == mrn))
        if patient is None:
            return None
        studies = session.scalars(
            select(Study).where(Study.patient_id == patient.id).order_by(Study.study_date, Study.id)
        ).all()
        images = _images(here, session, patient.id)
        scores = _scores(here, session, patient.id)
        names = dict(session.execute(select(User.id, User.display_name)).all())
        events = session.scalars(
            select(Event).where(Event.patient_id == patient.id).order_by(Event.event_date, Event.id)
        ).all()
        alerts = session.execute(
            select(Alert, Study.study_date)
            .join(Study, Study.id == Alert.study_id)
            .where(Alert.patient_id == patient.id)
            .order_by(Alert.raised_at.desc(), Alert.id)
        )
        return PatientRecord(
            mrn=patient.mrn,
            name=patient.name,
            birth_date=patient.birth_date,
            sex=patient.sex.value if patient.sex else None,
            simulated=patient.simulated,
            visits=tuple(_visit(study, images[study.id], scores.get(study.id), names) for study in studies),
            events=tuple(event_entry(event) for event in events),
            alerts=tuple(
                AlertEntry(
                    alert_id=alert.id,
                    rule=alert.rule,
                    message=alert.message,
                    study_date=on,
                    raised_at=alert.raised_at,
                    acknowledged_at=alert.acknowledged_at,
                    acknowledged_by=names.get(alert.acknowledged_by_id or 0),
                )
                for alert, on in alerts
            ),
        )


def _images(here: Installation, session: Session, patient_id: int) -> defaultdict[int, list[ViewImage]]:
    rows = session.scalars(
        select(Image)
        .join(Study, Study.id == Image.study_id)
        .where(Study.patient_id == patient_id)
        .order_by(Image.id)
    ).all()
    seen_flipped: dict[int, dict[str, Any]] = dict(
        session.execute(
            select(Embedding.image_id, Embedding.transform)
            .join(Image, Image.id == Embedding.image_id)
            .join(Study, Study.id == Image.study_id)
            .where(Study.patient_id == patient_id)
        ).all()
    )
    found: defaultdict[int, list[ViewImage]] = defaultdict(list)
    for image in rows:
        chest_wall: Side | None
        if "flipped" in seen_flipped.get(image.id, {}):
            # The model turned the chest wall to the left: what it had to turn ended at the right.
            chest_wall = "right" if seen_flipped[image.id]["flipped"] else "left"
        else:
            chest_wall = hanging.chest_wall_side_of_object(here.images, image.thumbnail_sha256)
        found[image.study_id].append(
            ViewImage(
                sop_uid=image.sop_uid,
                laterality=image.laterality.value,
                view=image.view,
                rows=image.rows,
                columns=image.columns,
                spacing_mm=image.pixel_spacing_mm,
                quality_flags=tuple(str(flag) for flag in image.quality_flags),
                chest_wall=chest_wall,
            )
        )
    return found


def _scores(here: Installation, session: Session, patient_id: int) -> dict[int, VisitScore]:
    rows = session.scalars(
        select(Score)
        .join(Study, Study.id == Score.study_id)
        .where(Study.patient_id == patient_id, Score.id.in_(latest_score_ids(cards.speaking(here))))
    ).all()
    return {score.study_id: _visit_score(score) for score in rows}


def _visit_score(score: Score) -> VisitScore:
    return VisitScore(
        model=score.model,
        weights_sha256=score.weights_sha256,
        calibration=score.calibration,
        computed_at=score.computed_at,
        risk={
            years: Interval(
                getattr(score, f"risk_{years}y"),
                getattr(score, f"risk_{years}y_low"),
                getattr(score, f"risk_{years}y_high"),
            )
            for years in range(1, 6)
        },
        malignancy={"L": score.malignancy_left, "R": score.malignancy_right},
        progression=score.progression,
        density={"A": score.density_a, "B": score.density_b, "C": score.density_c, "D": score.density_d},
        priors=score.priors,
        missing_views=tuple(str(view).replace("-", " ") for view in score.missing_views),
        contributions=tuple(
            Contribution(str(c["study_uid"]), date.fromisoformat(str(c["study_date"])), float(c["value"]))
            for c in score.contributions
        ),
    )


def _visit(
    study: Study, images: Sequence[ViewImage], score: VisitScore | None, names: Mapping[int, str]
) -> Visit:
    return Visit(
        study_uid=study.uid,
        on=study.study_date,
        modality=study.modality,
        description=study.description,
        status=study.status,
        refusal=refusal_text(study.refusal_reason, study.refusal_detail),
        images=tuple(images),
        score=score,
        bi_rads=study.bi_rads,
        reader_density=study.reader_density,
        assessment_note=study.assessment_note,
        assessed_by=names.get(study.assessed_by_id or 0),
        assessed_at=study.assessed_at,
    )


def statuses(here: Installation, study_uids: Sequence[str]) -> dict[str, StudyStatus]:
    """Return where each of these studies stands on its way to a score."""
    with here.database.read() as session:
        rows = session.execute(select(Study.uid, Study.status).where(Study.uid.in_(list(study_uids))))
        return dict(rows.all())
