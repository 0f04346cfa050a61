"""One woman's record as the pages show it: her visits with pictures, scores and assessments, her events and alerts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from core.images import hanging
from core.records.assessments import Assessment
from core.records.events import EventEntry
from core.records.standing import Interval, Standing
from core.records.trusted import AlertStanding
from core.rules import (
    TREATMENTS,
    Rank,
    RiskEnds,
    Trust,
    ViewName,
    said_alike,
    vocabulary,
)
from core.rules.hanging_protocols import Edge
from db.tables import StudyStatus

__all__ = [
    "AlertEntry",
    "Contribution",
    "Moved",
    "PatientRecord",
    "StudyStatus",
    "ViewImage",
    "Visit",
    "VisitScore",
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
