"""What calls answer, as OpenAPI describes it. Probabilities are 0..1, lengths millimetres, moments UTC; null is not known.

Names are those of the command line's ``--json``.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Next = Annotated[str | None, Field(description="Cursor of the next page; null on the last one.")]


class Shape(BaseModel):
    """A JSON object of this API."""

    model_config = ConfigDict(from_attributes=True)


class Me(Shape):
    """For whom a token acts."""

    username: str
    name: str
    role: str
    token: str
    scopes: list[str]


class Patient(Shape):
    """A woman who is followed; `simulated` marks one that a simulator made."""

    key: str
    mrn: str
    name: str | None
    birth_date: date | None
    sex: Literal["F", "M", "O"] | None
    simulated: bool
    studies: int
    last_study: date | None


class Patients(Shape):
    """A page of women."""

    items: list[Patient]
    next: Next = None


class Image(Shape):
    """One view. `flags` are what was remarked of it."""

    sop_uid: str
    study_uid: str
    laterality: Literal["L", "R"]
    view: str
    rows: int
    columns: int
    bits_stored: int
    spacing_mm: float | None
    media_type: str
    manufacturer: str | None
    sha256: str
    flags: list[str]


class Refusal(Shape):
    """Why a study was not scored."""

    reason: str
    detail: str


class Study(Shape):
    """One visit."""

    study_uid: str
    patient: str
    patient_key: str
    simulated: bool
    study_date: date
    modality: str
    description: str | None
    status: Literal["pending", "scored", "refused"]
    refusal: Refusal | None
    images: list[Image]


class Studies(Shape):
    """A page of studies."""

    items: list[Study]
    next: Next = None


class Trust(Shape):
    """How far a score may be believed; where it is not trusted its numbers are null."""

    level: Literal["trusted", "uncalibrated", "withheld"]
    reason: str | None
    distance: float | None
    limit: float | None


class Probability(Shape):
    """A probability with its 90 % interval."""

    value: Share | None
    low: Share | None
    high: Share | None


class Score(Shape):
    """What the model that speaks said of a study, as ``core score --json`` shows it.

    `covered` says why nothing is told before the study is read; null where it is not covered. Numbers that may not be said are
    null; what the model would have said stands under `untrusted`, for research.
    """

    patient: str
    study_uid: str
    study_date: date
    malignancy: dict[str, Share | None]
    progression: Share | None
    intervals: dict[str, Any] | None
    risk: dict[str, Probability]
    density: dict[str, Share | None]
    density_by: str | None = None
    trust: Trust | None
    moved: dict[str, Any] | None
    rank: dict[str, Any] | None
    untrusted: dict[str, Any] | None = None
    covered: str | None
    model: str
    weights_sha256: str
    calibration: str
    computed_at: datetime


class Course(Shape):
    """A woman's scores, oldest visit first; those by other weights or calibrations are not one course."""

    patient_key: str
    visits: list[Score]


class Event(Shape):
    """What happened beside the studies."""

    id: int
    kind: str
    on: date
    end: date | None
    laterality: Literal["L", "R"] | None
    detail: str | None
    result: str | None


class Events(Shape):
    """A woman's events, oldest first."""

    items: list[Event]


class Alert(Shape):
    """Why a woman needs a look; without a message where the score that raised it may not be told."""

    id: int
    patient: str
    rule: str
    message: str | None
    standing: str
    study_date: date
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledgement: str | None


class Alerts(Shape):
    """A page of alerts; those of studies that are covered until read are left out, so that a page may be short."""

    items: list[Alert]
    next: Next = None


class Assessment(Shape):
    """What a reader recorded of a study; `version` 0 and nulls where nobody has."""

    study_uid: str
    version: int
    bi_rads: str | None
    right: str | None
    left: str | None
    density: str | None
    edition: str | None
    findings: str | None
    comparison: str | None
    management: str | None
    note: str | None
    reason: str | None
    by: str | None
    at: datetime | None


class Finding(Shape):
    """A place that a reader kept on an image; `box` is x0, y0, x1, y1 in its pixels, `reading` what a model said of it."""

    id: int
    label: str
    study_uid: str
    study_date: date
    sop_uid: str
    laterality: str
    view: str
    box: tuple[float, float, float, float]
    diameter_mm: float | None
    short_mm: float | None
    reading: dict[str, Any]
    reading_by: str | None
    by: str
    at: datetime


class Findings(Shape):
    """Findings of a study or a woman."""

    items: list[Finding]


class LesionSize(Shape):
    """How large a lesion was on one day."""

    on: date
    long_mm: float | None
    short_mm: float | None
    views: list[str]


class Lesion(Shape):
    """A lesion that is followed over the years."""

    id: int
    version: int
    label: str
    laterality: str
    kind: str | None
    node: bool
    organ: str | None
    status: str
    note: str | None
    sizes: list[LesionSize]


class Lesions(Shape):
    """A woman's lesions."""

    items: list[Lesion]


class Correction(Shape):
    """What was put right of a woman's record, by whom and why."""

    id: int
    kind: str
    patient: str
    other: str | None
    says: str
    reason: str
    by: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None
    undo_reason: str | None


class Corrections(Shape):
    """Corrections of a woman, newest first."""

    items: list[Correction]


class Model(Shape):
    """A model's card: what it learned from, what it is for, how well it did."""

    name: str
    title: str
    speaks: bool
    of_single_images: bool
    simulated_training: bool
    learned_from: str
    intended_use: str
    limits: str
    licence: str
    weights_sha256: str
    calibration: str
    created: str
    knows: str


class ModelCard(Model):
    """A model's card with its measures and domain."""

    metrics: dict[str, Any]
    domain: dict[str, Any]


class Models(Shape):
    """The models that are installed, the one that speaks first."""

    items: list[Model]


class Classified(Shape):
    """What is seen in one image, as ``core classify --json`` shows it."""

    path: str
    refused: str | None
    detail: str | None
    tumour: dict[str, Share] | None
    density: dict[str, Share] | None
    other: dict[str, dict[str, Share] | None] | None = None
    trust: Trust | None
    density_trust: Trust | None = None
    untrusted: dict[str, Any] | None = None
    roi: list[float] | None
    beside: str | None = None
    model: str | None
    modality: str | None
    spoke: list[dict[str, Any]]


class ImportItem(Shape):
    """How one file ended."""

    path: str
    outcome: Literal["accepted", "duplicate", "quarantined"]
    reason: str | None
    detail: str | None
    patient: str | None
    study_uid: str | None
    study_date: date | None
    modality: str | None
    laterality: str | None
    view: str | None
    flags: list[str]


class Import(Shape):
    """How the files of a request ended, as ``core import --json`` shows it."""

    items: list[ImportItem]
    accepted: int
    duplicate: int
    quarantined: int
    cut_short: str | None


class Job(Shape):
    """Long work that was asked for; `result` is what came of it, `cut_off` says that its process ended before it."""

    key: str
    kind: str
    state: Literal["running", "done", "failed", "cut_off"]
    begun_at: datetime
    ended_at: datetime | None
    result: dict[str, Any] | None


class Table(Shape):
    """A table of numbers about groups of women: rounded, and nothing of few of them."""

    columns: list[str]
    rows: list[list[Any]]


class CohortSummary(Shape):
    """Who the women of a definition are when they enter; `withheld` says why nothing is told."""

    sentence: str
    withheld: str | None
    women: str
    tables: dict[str, Table]


class SavedCohort(Shape):
    """A cohort that somebody named."""

    key: str
    name: str
    shared: bool
    by: str
    definition: dict[str, Any] | None
    problem: str


class SavedCohorts(Shape):
    """One's own named cohorts, and those that others share."""

    items: list[SavedCohort]


class ProblemShape(Shape):
    """What went wrong (RFC 9457): `reason` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
    errors: list[dict[str, Any]] | None = None
