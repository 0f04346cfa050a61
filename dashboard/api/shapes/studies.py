"""Studies, their images, scores and assessments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from dashboard.api.shapes.base import Next, Shape, Share

__all__ = ["Assessment", "Course", "Image", "Probability", "Refusal", "Score", "Studies", "Study", "Trust"]


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
