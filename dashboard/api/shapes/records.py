"""What people recorded beside the studies, and alerts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from dashboard.api.shapes.base import Next, Shape

__all__ = ["Alert", "Alerts", "Event", "Events", "Finding", "Findings", "Lesion", "LesionSize", "Lesions"]


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
