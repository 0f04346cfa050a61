"""What a report says, whatever its format, in the order of BI-RADS: put together by `core.reports.reading`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from core.records import (
    AlertEntry,
    EventEntry,
    Interval,
    ViewImage,
    Visit,
)
from core.reports.followed import Lesion, Measured
from core.rules.vocabulary import (
    BI_RADS,
    BI_RADS_EDITION,
    SIDE_WORDS,
    density_name,
    density_words,
)

__all__ = [
    "Breast",
    "CoursePoint",
    "Lesion",
    "Measured",
    "ModelSaid",
    "Probability",
    "Report",
    "ReportError",
    "Said",
]

RESEARCH = "Research software. Not for diagnosis."
SIMULATED = "Simulated: made by the simulator, no real woman."
WITHHELD_ALERT = "Raised by a score that is withheld: read that study as usual."
NOT_ASSESSED = "Not assessed: no reader has recorded an assessment of this study."


class ReportError(ValueError):
    """No report was made; the message says why and what to do."""


@dataclass(frozen=True)
class Probability:
    """One probability (0..1) that may be told: of what, by when, with its 90 % interval where that is known."""

    key: str
    """``risk_1`` … ``risk_5``, ``malignancy_L``, ``malignancy_R``, ``progression``."""
    what: str
    value: float
    low: float | None
    high: float | None
    years: int | None = None
    laterality: str | None = None


@dataclass(frozen=True)
class ModelSaid:
    """What the model said of the study, as far as it may be told; who it is, and why there is no more.

    `why_not` and `needed` are empty where all may be told. `rank` stands in the place of a number that was never calibrated.
    """

    probabilities: tuple[Probability, ...]
    density: Mapping[str, float]
    trusted: bool
    rank: str
    why_not: str
    needed: str
    unseen_views: str
    model: str
    weights_sha256: str
    calibration: str
    computed_at: datetime | None
    statement: str


@dataclass(frozen=True)
class Breast:
    """The reader's assessment of one breast; `laterality` is None for one that does not tell the breasts apart."""

    laterality: str | None
    category: str

    @property
    def side(self) -> str:
        """Return which breast it is of, in words."""
        return SIDE_WORDS[self.laterality] if self.laterality else "both breasts, not told apart"

    @property
    def words(self) -> str:
        """Say the category."""
        return f"BI-RADS {BI_RADS.get(self.category, self.category)}"


@dataclass(frozen=True)
class ReadersAssessment:
    """What a reader recorded of the study; `breasts` is empty where nobody has."""

    breasts: tuple[Breast, ...] = ()
    overall: str | None = None
    edition: str = BI_RADS_EDITION
    findings: str = ""
    note: str = ""
    management: str = ""
    compared_with: date | None = None
    """The day of the prior that the reader compared it with."""
    by: str = ""
    at: datetime | None = None

    @property
    def in_short(self) -> str:
        """Say the categories in one line."""
        if not self.breasts:
            return "not assessed"
        if [breast.laterality for breast in self.breasts] == [None]:
            return f"BI-RADS {self.overall}"
        return "BI-RADS " + ", ".join(f"{breast.category} {breast.side}" for breast in self.breasts)


@dataclass(frozen=True)
class CoursePoint:
    """One visit of her course. `risk_5y` is None where it may not be told: `instead` then says what stands there."""

    study_uid: str
    on: date
    risk_5y: Interval | None
    malignancy: Mapping[str, float | None]
    instead: str
    bi_rads: str | None
    density: str | None
    views_missing: bool
    scored_by: tuple[str, str] | None
    """Weights and calibration: points by others are not joined."""


@dataclass(frozen=True)
class Said:
    """Who said what and when: readers and the model alike."""

    at: datetime
    by: str
    what: str


@dataclass(frozen=True)
class Report:
    """All that a report of one study says."""

    mrn: str
    name: str | None
    birth_date: date | None
    sex: str | None
    simulated: bool
    age: int | None
    study_uid: str
    on: date
    modality: str
    made_at: datetime
    made_by: str
    link: str
    indication: str
    density: str | None
    density_by: str
    assessment: ReadersAssessment
    prior: Visit | None
    views: str
    images: tuple[ViewImage, ...]
    prior_images: tuple[ViewImage, ...]
    said: ModelSaid
    course: tuple[CoursePoint, ...]
    course_words: tuple[str, ...]
    later_studies: int
    diagnosed_on: date | None
    lesions: tuple[Lesion, ...]
    response: tuple[str, ...]
    """What the sizes of her lesions say by rule, a sentence each; empty where they are not followed."""
    alerts: tuple[tuple[AlertEntry, str, str], ...]
    """Each with what it says and how it stands, in words."""
    events: tuple[EventEntry, ...]
    log: tuple[Said, ...]

    @property
    def label(self) -> str:
        """Return her name, or the MRN where no name is known."""
        return self.name or f"MRN {self.mrn}"

    @property
    def comparison(self) -> str:
        """Say with which dated prior the study is compared."""
        if self.assessment.compared_with is not None:
            return f"Compared by the reader with the mammogram of {self.assessment.compared_with}."
        return (
            f"Prior mammogram of {self.prior.on}." if self.prior else "No prior mammogram is available here."
        )

    @property
    def composition(self) -> str:
        """Say the density and who says it."""
        if self.density is None:
            return "Not recorded."
        return f"{density_words(self.density)} ({self.density_by})"

    @property
    def in_short(self) -> str:
        """Say assessment, management and density in one line."""
        density = f"density {density_name(self.density)} ({self.density_by})" if self.density else ""
        parts = (self.assessment.in_short, self.assessment.management, density)
        return " · ".join(part for part in parts if part)

    @property
    def findings(self) -> str:
        """Say what the reader found; the lesions stand in their own table."""
        told = self.assessment.findings
        lesions = (
            f"{len(self.lesions)} lesion{'s' if len(self.lesions) != 1 else ''} measured: see the table."
        )
        return told or (lesions if self.lesions else "None recorded.")
