"""One woman's record as the pages show it, and what people write into it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.images import hanging
from core.incoming import called, taken_of
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records import cards
from core.records.assessments import Assessment, assessments_of
from core.records.covered import covered_study_ids
from core.records.events import EventEntry, event_entry
from core.records.standing import Interval, Standing
from core.records.trusted import AlertStanding, alert_standing, has_something_to_tell, trust_and_rank
from core.refusals import refusal_text
from core.rules import (
    MEASURED_FLAGS,
    TREATMENTS,
    Rank,
    RiskEnds,
    Trust,
    ViewName,
    growth_of,
    latest_score_ids,
    likeliest_density,
    remarks_on_study,
    said_alike,
    trust_of,
    vocabulary,
)
from core.rules.hanging_protocols import Edge
from db.sessions import WITH_PUT_AWAY
from db.tables import (
    Alert,
    Embedding,
    Event,
    EventKind,
    Image,
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
    "Moved",
    "PatientRecord",
    "StudyStatus",
    "ViewImage",
    "Visit",
    "VisitScore",
    "record_of",
    "statuses",
]


@dataclass(frozen=True)
class Contribution:
    """How much one visit moved a score, and when that visit was."""

    study_uid: str
    study_date: date
    value: float


@dataclass(frozen=True)
class Moved:
    """Why a 5-year risk is another than the prior's: from the one to the other, in log-odds by what is new since then."""

    from_study: str
    before: float
    now: float
    parts: Mapping[str, float]


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
    missing_views: tuple[ViewName, ...]
    contributions: tuple[Contribution, ...]
    moved: Moved | None
    malignancy_interval: Mapping[str, Interval | None]
    progression_interval: Interval | None
    smallest_change: float | None

    @property
    def risk_5y(self) -> Interval:
        """Return the probability of cancer within 5 years."""
        return self.risk[5]

    @property
    def likeliest_density(self) -> str:
        """Return the density category, A to D, that the model finds likeliest."""
        return vocabulary.likeliest(self.density)


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
    chest_wall: Edge | None
    remarks: tuple[str, ...] = ()
    """What was measured amiss of how it was taken, and what to do: a sentence each."""

    @property
    def view_name(self) -> ViewName:
        """Return which view of which breast it is."""
        return ViewName(self.laterality, self.view)

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
    progression: float | None
    """Whether disease has grown since the prior (0..1): told after a diagnosis too, when `score` is not."""
    progression_interval: Interval | None
    """Its 90 % interval; None where there is none, as of older scores."""
    model_density: str | None
    density_by: str | None
    """The model of single views that says it where the score may not be told; None where the score says it."""
    covered: bool
    """Whether what the model says of it is covered until it is read (`core.records.covered`): then all of it is None here."""
    doubt: Trust | None
    """How far its score may be believed where it may not be shown as a number; None where it may, or there is none."""
    rank: Rank | None
    """What is shown in the place of a number that was never calibrated on such women."""
    untrusted: VisitScore | None
    """What the model would have said then: for research, never in an order, an alert, a report or a group."""
    assessment: Assessment
    """What a reader recorded of it, as it stands; `Assessment.versions` holds what came before."""

    @property
    def other_kind(self) -> str | None:
        """Return what a study without mammograms is, in words: it is shown and measured on, and no model reads it."""
        return vocabulary.OTHER_KIND_WORDS.get(self.modality)

    @property
    def missing_views(self) -> tuple[ViewName, ...]:
        """Return which of the four standard views this study has no image of; a study without mammograms misses none.

        A spot or a magnification is no view of the breast: the score too counts the view as not seen.
        """
        if self.other_kind is not None:
            return ()
        taken = {image.view_name for image in self.images if hanging.shows_the_breast(image)}
        return tuple(view for view in vocabulary.FOUR_VIEWS if view not in taken)

    def hung(self, view: ViewName) -> ViewImage | None:
        """Return the image that is hung as this view; None where there is none."""
        return hanging.to_hang(image for image in self.images if image.view_name == view)

    @property
    def density(self) -> str | None:
        """Return the density category: the reader's where recorded, else the model's likeliest."""
        return self.reader_density or self.model_density

    @property
    def bi_rads(self) -> str | None:
        """Return the reader's category of the breast of highest concern."""
        return self.assessment.bi_rads

    @property
    def reader_density(self) -> str | None:
        """Return the density that a reader recorded."""
        return self.assessment.density

    @property
    def assessment_note(self) -> str | None:
        """Return the reader's note."""
        return self.assessment.note

    @property
    def assessed_by(self) -> str | None:
        """Return who signed the assessment."""
        return self.assessment.by

    @property
    def assessed_at(self) -> datetime | None:
        """Return when the assessment was signed."""
        return self.assessment.at


@dataclass(frozen=True)
class AlertEntry:
    """Why the patient needs a look; `message` is empty where the score that raised it may not be told, or counts no more."""

    alert_id: int
    rule: str
    message: str
    standing: AlertStanding
    study_date: date
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledgement: str | None


@dataclass(frozen=True)
class PatientRecord:
    """A woman with all her visits (oldest first), events and alerts; of a covered visit no alert is told."""

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

    @cached_property
    def standing(self) -> Standing[Visit]:
        """Where she stands by her visits: newest and prior score, change, density, when the next study is due."""
        visits = tuple(visit for visit in self.visits if visit.other_kind is None)
        return Standing(
            visits,
            self.birth_date,
            self.diagnosed_on is not None,
            self.treated_on,
            self.risk_ends.ended_on,
        )

    @cached_property
    def risk_ends(self) -> RiskEnds:
        """From which days on risk is not told of her."""
        return RiskEnds.of(self.events)

    @property
    def diagnosed_on(self) -> date | None:
        """Return the day of her first diagnosis; from then on risk and malignancy are not told."""
        return self.risk_ends.diagnosed_on

    @property
    def treated_on(self) -> tuple[date, ...]:
        """Return the days on which treatments began: what was said before one and after it is not one course."""
        return tuple(event.on for event in self.events if event.kind in TREATMENTS)

    @property
    def scored(self) -> tuple[Visit, ...]:
        """Return the visits that have a score, oldest first; of the studies of one day the last scored one."""
        return self.standing.scored

    @property
    def open_alerts(self) -> tuple[AlertEntry, ...]:
        """Return the alerts that nobody has acknowledged and that still stand."""
        return tuple(
            alert
            for alert in self.alerts
            if alert.acknowledged_at is None and alert.standing is AlertStanding.STANDS
        )

    def missing_views(self, visit: Visit) -> tuple[ViewName, ...]:
        """Return which of the four standard views no study of that visit's day has: they are one visit."""
        of_the_day = [
            other.missing_views for other in self.visits if other.on == visit.on and other.other_kind is None
        ]
        return tuple(view for view in visit.missing_views if all(view in missing for missing in of_the_day))

    def moved_from(self, visit: Visit) -> Visit | None:
        """Return the prior whose score a visit's score says it moved from; None where the two are not set beside each other.

        Both must be shown as numbers today, by the same weights and calibration, and the prior's must still be the same.
        """
        score = visit.score
        if score is None or score.moved is None:
            return None
        prior = self.visit(score.moved.from_study)
        if prior is None or prior.score is None or not said_alike((prior.score, score)):
            return None
        return prior if math.isclose(prior.score.risk_5y.value, score.moved.before, rel_tol=1e-3) else None

    def scored_before(self, visit: Visit) -> Visit | None:
        """Return the scored visit of the day before a scored one; None where there is none, or it is not one of `scored`."""
        place = next((n for n, one in enumerate(self.scored) if one.study_uid == visit.study_uid), 0)
        return self.scored[place - 1] if place else None

    def images_of_day(self, visit: Visit) -> tuple[ViewImage, ...]:
        """Return the images of all studies of a visit's day: they are one visit."""
        return tuple(image for other in self.visits if other.on == visit.on for image in other.images)

    def visit(self, study_uid: str) -> Visit | None:
        """Return one visit by its study UID."""
        return next((visit for visit in self.visits if visit.study_uid == study_uid), None)


@needs(Permission.SEE_PATIENTS)
def record_of(here: Installation, mrn: str) -> PatientRecord | None:
    """Read a woman's whole record in a fixed number of queries; None if there is no such MRN.

    An MRN that was merged into another one leads to that woman, under the MRN that she has.
    """
    with here.database.read() as session:
        patient = called(session, mrn)
        if patient is None:
            return None
        studies = session.scalars(
            select(Study).where(Study.patient_id == patient.id).order_by(Study.study_date, Study.id)
        ).all()
        images = _images(here, session, patient.id)
        names = dict(session.execute(select(User.id, User.display_name)).all())
        events = session.scalars(
            select(Event).where(Event.patient_id == patient.id).order_by(Event.event_date, Event.id)
        ).all()
        ends = RiskEnds.of(event_entry(event) for event in events)
        said = _said(here, session, patient.id, ends)
        covered = covered_study_ids(here, session, Study.patient_id == patient.id)
        assessments = assessments_of(session, studies, names)
        alerts = session.execute(
            select(Alert, Study.study_date, Score)
            .join(Study, Study.id == Alert.study_id)
            .join(Score, Score.id == Alert.score_id)
            .where(
                Alert.patient_id == patient.id,
                Study.put_away_by_id.is_(None),
                # What a person has seen to stays told; what a correction took from under an open alert does not.
                or_(Score.put_away_by_id.is_(None), Alert.acknowledged_by_id.is_not(None)),
            )
            .order_by(Alert.raised_at.desc(), Alert.id),
            execution_options=WITH_PUT_AWAY,
        )
        return PatientRecord(
            mrn=patient.mrn,
            name=patient.name,
            birth_date=patient.birth_date,
            sex=patient.sex.value if patient.sex else None,
            simulated=patient.simulated,
            visits=tuple(
                _visit(
                    study, images[study.id], said.get(study.id), study.id in covered, assessments[study.id]
                )
                for study in studies
            ),
            events=tuple(event_entry(event) for event in events),
            alerts=tuple(
                _alert(alert, on, score, said.get(alert.study_id), ends, names)
                for alert, on, score in alerts
                if alert.study_id not in covered
            ),
        )


def _alert(
    alert: Alert,
    on: date,
    score: Score,
    newest: _Said | None,
    ends: RiskEnds,
    names: Mapping[int, str],
) -> AlertEntry:
    own = trust_of(score, on=on, ends=ends)
    if score.put_away_by_id is not None:
        standing = AlertStanding.CORRECTED
    else:
        standing = alert_standing(alert.rule, ends, own, newest.trust if newest else None)
    return AlertEntry(
        alert_id=alert.id,
        rule=alert.rule,
        message="" if standing in (AlertStanding.WITHHELD, AlertStanding.CORRECTED) else alert.message,
        standing=standing,
        study_date=on,
        raised_at=alert.raised_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=names.get(alert.acknowledged_by_id or 0),
        acknowledgement=alert.acknowledgement,
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
    remarks = _remarks(rows)
    found: defaultdict[int, list[ViewImage]] = defaultdict(list)
    for image in rows:
        chest_wall: Edge | None
        if image.view in vocabulary.OTHER_KIND_WORDS:
            chest_wall = None  # what lies at which edge of it says nothing, and nobody mirrors it
        elif "flipped" in seen_flipped.get(image.id, {}):
            # The model turned the chest wall to the left: what it had to turn ended at the right.
            chest_wall = Edge.RIGHT if seen_flipped[image.id]["flipped"] else Edge.LEFT
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
                remarks=remarks.get(image.id, ()),
            )
        )
    return found


def _remarks(rows: Sequence[Image]) -> dict[int, tuple[str, ...]]:
    """Return what is to be said of how images were taken, by their ids: of those only that were flagged at intake."""
    studies: defaultdict[int, list[Image]] = defaultdict(list)
    for image in rows:
        studies[image.study_id].append(image)
    said: dict[int, tuple[str, ...]] = {}
    for images in studies.values():
        if all(MEASURED_FLAGS.isdisjoint(image.quality_flags) for image in images):
            continue
        for image, remarks in zip(images, remarks_on_study([taken_of(one) for one in images]), strict=True):
            said[image.id] = tuple(one.text for one in remarks if one.flag.value in image.quality_flags)
    return said


@dataclass(frozen=True)
class _Said:
    """What the model said of one study, and how far that may be believed."""

    score: VisitScore
    trust: Trust
    rank: Rank | None
    density: str | None
    density_by: str | None


def _said(here: Installation, session: Session, patient_id: int, ends: RiskEnds) -> dict[int, _Said]:
    rows = session.execute(
        select(Score, Study.study_date)
        .join(Study, Study.id == Score.study_id)
        .where(Score.id.in_(latest_score_ids(cards.speaking(here), patient_id=patient_id)))
    ).all()
    found = {}
    for score, on in rows:
        trust, rank = trust_and_rank(here, score, on=on, ends=ends)
        other = score.density_of_views if not trust.tells_growth else None
        found[score.study_id] = _Said(
            score=_visit_score(score, trust),
            trust=trust,
            rank=rank,
            density=likeliest_density(score, trust),
            density_by=str(other["model"]) if other else None,
        )
    return found


def _visit_score(score: Score, trust: Trust) -> VisitScore:
    growth = growth_of(score, trust)
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
        progression=growth[0],
        density={"A": score.density_a, "B": score.density_b, "C": score.density_c, "D": score.density_d},
        priors=score.priors,
        missing_views=tuple(ViewName.of_code(str(view)) for view in score.missing_views),
        contributions=tuple(
            Contribution(str(c["study_uid"]), date.fromisoformat(str(c["study_date"])), float(c["value"]))
            for c in score.contributions
        ),
        moved=_moved(score),
        malignancy_interval={
            "L": _interval(score.malignancy_left, score.malignancy_left_low, score.malignancy_left_high),
            "R": _interval(score.malignancy_right, score.malignancy_right_low, score.malignancy_right_high),
        },
        progression_interval=_interval(*growth),
        smallest_change=score.smallest_change,
    )


def _interval(value: float | None, low: float | None, high: float | None) -> Interval | None:
    """Return a value with its interval; None where either is not known."""
    return None if value is None or low is None or high is None else Interval(value, low, high)


def _moved(score: Score) -> Moved | None:
    if score.moved is None:
        return None
    return Moved(
        from_study=str(score.moved["from_study"]),
        before=float(score.moved["from"]),
        now=float(score.moved["to"]),
        parts={str(part["what"]): float(part["log_odds"]) for part in score.moved["parts"]},
    )


def _visit(
    study: Study,
    images: Sequence[ViewImage],
    said: _Said | None,
    is_covered: bool,
    assessment: Assessment,
) -> Visit:
    covers = is_covered and said is not None and has_something_to_tell(said.trust, said.rank)
    said = None if covers else said
    trusted = said is not None and said.trust.is_trusted
    tells_growth = said is not None and said.trust.tells_growth
    return Visit(
        study_uid=study.uid,
        on=study.study_date,
        modality=study.modality,
        description=study.description,
        status=study.status,
        refusal=refusal_text(study.refusal_reason, study.refusal_detail),
        images=tuple(images),
        score=said.score if said and trusted else None,
        progression=said.score.progression if said and tells_growth else None,
        progression_interval=said.score.progression_interval if said and tells_growth else None,
        # Density is recorded before it is shown, also where nothing else may be told.
        model_density=said.density if said and not is_covered else None,
        density_by=said.density_by if said and not is_covered else None,
        covered=covers,
        doubt=said.trust if said and not trusted else None,
        rank=said.rank if said else None,
        untrusted=said.score if said and not trusted else None,
        assessment=assessment,
    )


@needs(Permission.SEE_PATIENTS)
def statuses(here: Installation, study_uids: Sequence[str]) -> dict[str, StudyStatus]:
    """Return where each of these studies stands on its way to a score."""
    with here.database.read() as session:
        rows = session.execute(select(Study.uid, Study.status).where(Study.uid.in_(list(study_uids))))
        return dict(rows.all())
