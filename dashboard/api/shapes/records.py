"""What people recorded beside the studies, and alerts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from dashboard.api.shapes.base import Next, Shape

__all__ = [
    "Alert",
    "Alerts",
    "Ends",
    "Event",
    "Events",
    "Finding",
    "Findings",
    "Lesion",
    "LesionActUndone",
    "LesionSize",
    "Lesions",
    "Measurement",
]

Ends = tuple[float, float, float, float]
"""Two corners of a box, or the two ends of an axis: x0, y0, x1, y1 in pixels of the image, origin top left."""


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
    """A place that a reader kept on an image; `box` is x0, y0, x1, y1 in its pixels, `reading` what a model said of it.

    It is a measurement of `lesion`, and changed or taken back as that: /measurements/{id}.
    """

    id: int
    lesion: int
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


class Measurement(Shape):
    """What was measured of a lesion on one image: the ends of its axes and its box in pixels, its lengths.

    `corrected` says that the image is no longer that view of hers, so that it does not count; null where it does.
    """

    id: int
    sop_uid: str
    study_uid: str
    on: date
    view: str
    box: Ends
    long_axis: Ends | None
    short_axis: Ends | None
    long_mm: float | None
    short_mm: float | None
    proposed_by: str | None
    by: str
    at: datetime
    corrected: str | None


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
    measurements: list[Measurement]


class LesionActUndone(Shape):
    """What was taken back, in words, and its lesions as they are now; one without a measurement is not shown."""

    undone: str
    lesions: list[Lesion]


class Lesions(Shape):
    """A woman's lesions."""

    items: list[Lesion]
