"""One woman's record as the pages show it, and what people write into it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core import audit, cards, hanging, thresholds, trends
from core.access import Permission, Person, require
from core.hanging import Side
from core.installation import Installation
from core.jobs import refusal_text
from core.latest_scores import latest_score_ids
from db.tables import (
    Alert,
    Embedding,
    Event,
    EventKind,
    Image,
    Laterality,
    Patient,
    Score,
    Study,
    StudyStatus,
    User,
    utc_now,
)

__all__ = [
    "BI_RADS",
    "BI_RADS_EDITION",
    "DENSITIES",
    "AlertEntry",
    "Contribution",
    "EventEntry",
    "EventKind",
    "Found",
    "Interval",
    "PatientRecord",
    "StudyStatus",
    "ViewImage",
    "Visit",
    "VisitScore",
    "acknowledge",
    "add_event",
    "find",
    "record_assessment",
    "record_of",
    "statuses",
]

BI_RADS: Mapping[str, str] = {
    "0": "0 · needs additional imaging",
    "1": "1 · negative",
    "2": "2 · benign",
    "3": "3 · probably benign",
    "4A": "4A · low suspicion",
    "4B": "4B · moderate suspicion",
    "4C": "4C · high suspicion",
    "5": "5 · highly suggestive of malignancy",
    "6": "6 · known malignancy",
}
BI_RADS_EDITION = "v2025"
DENSITIES: Mapping[str, str] = {
    "A": "A · almost entirely fatty",
    "B": "B · scattered fibroglandular",
    "C": "C · heterogeneously dense",
    "D": "D · extremely dense",
}


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
        """Return which of the four standard views were not taken, as R CC, L MLO."""
        taken = {(image.laterality, image.view) for image in self.images}
        return tuple(f"{s} {v}" for row in hanging.HANGING for s, v in row if (s, v) not in taken)

    @property
    def density(self) -> str | None:
        """Return the density category: the reader's where recorded, else the model's likeliest."""
        return self.reader_density or (self.score.likeliest_density if self.score else None)


@dataclass(frozen=True)
class EventEntry:
    """Something that happened beside the studies."""

    kind: EventKind
    on: date
    end: date | None
    laterality: str | None
    detail: str | None


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
    sex: str
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
        """Return the visits that have a score, oldest first."""
        return tuple(visit for visit in self.visits if visit.score is not None)

    @property
    def open_alerts(self) -> tuple[AlertEntry, ...]:
        """Return the alerts that nobody has acknowledged."""
        return tuple(alert for alert in self.alerts if alert.acknowledged_at is None)

    @property
    def change_since_prior(self) -> float | None:
        """Return the change of 5-year risk from the visit before to the last one, where one model scored both."""
        if len(self.scored) < 2:
            return None
        prior, last = (visit.score for visit in self.scored[-2:])
        assert prior is not None
        assert last is not None
        if prior.weights_sha256 != last.weights_sha256:
            return None
        return last.risk_5y.value - prior.risk_5y.value

    @property
    def slope(self) -> trends.Slope | None:
        """Return the slope of 5-year risk over her visits (see `trends.SLOPE_METHOD`)."""
        scores = [(visit.on, visit.score.risk_5y.value) for visit in self.visits if visit.score]
        return trends.slope([on for on, _ in scores], [value for _, value in scores])

    @property
    def diagnosed(self) -> bool:
        """Whether a diagnosis is on record: from then on the clinic plans the follow-up, no screening interval does."""
        return any(event.kind is EventKind.DIAGNOSIS for event in self.events)

    @property
    def next_due(self) -> date | None:
        """Return when the next study is due by the screening interval in force; None after a diagnosis."""
        if not self.visits or self.diagnosed:
            return None
        return thresholds.screening_interval().due(self.visits[-1].on)

    @property
    def overdue(self) -> bool:
        """Whether the next study should have come by now."""
        interval = thresholds.screening_interval()
        return self.next_due is not None and interval.is_overdue(self.visits[-1].on, date.today())

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
            sex=patient.sex.value,
            simulated=patient.simulated,
            visits=tuple(_visit(study, images[study.id], scores.get(study.id), names) for study in studies),
            events=tuple(
                EventEntry(
                    e.kind, e.event_date, e.end_date, e.laterality.value if e.laterality else None, e.detail
                )
                for e in events
            ),
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


@dataclass(frozen=True)
class Found:
    """A patient as a search shows her, enough to be sure that she is the right one."""

    mrn: str
    name: str | None
    birth_date: date | None
    simulated: bool
    last_study: date | None


def find(here: Installation, text: str, *, limit: int = 8) -> list[Found]:
    """Search patients by part of the MRN or of the name, exact MRN first; an empty text finds nobody."""
    text = text.strip()[:128]
    if not text:
        return []
    with here.database.read() as session:
        patients = session.scalars(
            select(Patient)
            .where(
                or_(
                    Patient.mrn.icontains(text, autoescape=True),
                    Patient.name.icontains(text, autoescape=True),
                )
            )
            .order_by(Patient.mrn != text, Patient.mrn)
            .limit(limit)
        ).all()
        last: dict[int, date] = {}
        for patient_id, on in session.execute(
            select(Study.patient_id, Study.study_date).where(Study.patient_id.in_([p.id for p in patients]))
        ):
            last[patient_id] = max(on, last.get(patient_id, on))
    return [Found(p.mrn, p.name, p.birth_date, p.simulated, last.get(p.id)) for p in patients]


def statuses(here: Installation, study_uids: Sequence[str]) -> dict[str, StudyStatus]:
    """Return where each of these studies stands on its way to a score."""
    with here.database.read() as session:
        rows = session.execute(select(Study.uid, Study.status).where(Study.uid.in_(list(study_uids))))
        return dict(rows.all())


def record_assessment(
    here: Installation,
    person: Person,
    study_uid: str,
    *,
    bi_rads: str,
    density: str | None,
    note: str = "",
) -> None:
    """Keep the reader's assessment with a study; an earlier one stays in the audit trail.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    ValueError
        If the category, the density or the study does not exist.
    """
    require(person, Permission.ASSESS)
    if bi_rads not in BI_RADS:
        raise ValueError(f"There is no BI-RADS assessment “{bi_rads}”.")
    if density is not None and density not in DENSITIES:
        raise ValueError(f"There is no density category “{density}”.")
    with here.database.write() as session:
        study = session.scalar(select(Study).where(Study.uid == study_uid))
        if study is None:
            raise ValueError("This study is not here any more. Open the patient again.")
        before = {"bi_rads": study.bi_rads, "density": study.reader_density, "note": study.assessment_note}
        study.bi_rads, study.bi_rads_edition, study.reader_density = bi_rads, BI_RADS_EDITION, density
        study.assessment_note = note.strip()[:10_000] or None
        study.assessed_by_id, study.assessed_at = person.user_id, utc_now()
        now = {"bi_rads": bi_rads, "density": density, "note": study.assessment_note}
        audit.record(
            session, person, "assessment_recorded", f"study:{study_uid}", {"before": before, "now": now}
        )


def add_event(
    here: Installation,
    person: Person,
    mrn: str,
    *,
    kind: EventKind,
    on: date,
    end: date | None = None,
    laterality: str | None = None,
    detail: str = "",
) -> None:
    """Add an event to a woman's record; raises `AccessDenied`, or `ValueError` for impossible dates."""
    require(person, Permission.RECORD_EVENT)
    if end is not None and end < on:
        raise ValueError("The event ends before it begins: check the dates.")
    with here.database.write() as session:
        patient = session.scalar(select(Patient).where(Patient.mrn == mrn))
        if patient is None:
            raise ValueError("This patient is not here any more. Open the worklist again.")
        if patient.birth_date is not None and on < patient.birth_date:
            raise ValueError("The event lies before her birth: check the date.")
        session.add(
            Event(
                patient_id=patient.id,
                kind=kind,
                event_date=on,
                end_date=end,
                laterality=Laterality(laterality) if laterality else None,
                detail=detail.strip()[:10_000] or None,
                recorded_by_id=person.user_id,
            )
        )
        audit.record(
            session, person, "event_added", f"patient:{mrn}", {"kind": kind.value, "on": on.isoformat()}
        )


def acknowledge(here: Installation, person: Person, alert_id: int) -> None:
    """Say that an alert was seen; the first acknowledgement stays. Raises `AccessDenied`."""
    require(person, Permission.ASSESS)
    with here.database.write() as session:
        alert = session.get(Alert, alert_id)
        if alert is None or alert.acknowledged_at is not None:
            return
        alert.acknowledged_at, alert.acknowledged_by_id = utc_now(), person.user_id
        audit.record(session, person, "alert_acknowledged", f"alert:{alert_id}", {"rule": alert.rule})
