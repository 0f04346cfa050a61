"""Lesions of a woman over time: their sizes at each study, how fast they grow, and the response to treatment by rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records.events import EventEntry
from core.rules import (
    Growth,
    LesionSize,
    TimepointResponse,
    ViewName,
    has_grown,
    responses,
    target_lesions,
    volume_growth,
)
from db.tables import EventKind, Image, Lesion, LesionStatus, Measurement, Patient, Study, User

__all__ = [
    "FollowedLesion",
    "LesionCourse",
    "LesionStatus",
    "MeasuredPlace",
    "StudySize",
    "course_of",
    "lesions_of_patient",
]

Box = tuple[float, float, float, float]
Axis = tuple[float, float, float, float]
"""The ends of a measured axis: x0, y0, x1, y1 in pixels of the image as received."""


@dataclass(frozen=True)
class MeasuredPlace:
    """One measurement of a lesion on one image.

    `view` is the one that it was made on; `corrected` says in a sentence that its image is no longer that view of hers, and
    is empty where it is. Lengths are in mm, None where the image does not say how large a pixel is, or nobody measured;
    0 mm says that the lesion was looked for there and is gone.
    """

    measurement_id: int
    sop_uid: str
    study_uid: str
    on: date
    view: ViewName
    box: Box
    long_mm: float | None
    short_mm: float | None
    long_axis: Axis | None
    short_axis: Axis | None
    proposed_by: str | None
    by: str
    at: datetime
    corrected: str


@dataclass(frozen=True)
class StudySize:
    """How large a lesion was on one day: the longest of its measurements on all views of that day, in mm."""

    on: date
    long_mm: float | None
    short_mm: float | None
    views: tuple[ViewName, ...]

    def counted_mm(self, *, node: bool) -> float | None:
        """Return the diameter that counts: of a node its short axis."""
        return self.short_mm if node else self.long_mm


@dataclass(frozen=True)
class FollowedLesion:
    """A lesion of a woman with its measurements, oldest study first."""

    lesion_id: int
    label: str
    laterality: str
    kind: str | None
    node: bool
    organ: str | None
    status: LesionStatus
    status_at: datetime | None
    status_by: str | None
    note: str | None
    version: int
    places: tuple[MeasuredPlace, ...]

    @cached_property
    def sizes(self) -> tuple[StudySize, ...]:
        """Return its size on each day; what was measured on a view that was corrected since does not count."""
        by_day: dict[date, list[MeasuredPlace]] = {}
        for place in self.places:
            if not place.corrected:
                by_day.setdefault(place.on, []).append(place)
        return tuple(
            StudySize(
                on,
                max((one.long_mm for one in places if one.long_mm is not None), default=None),
                max((one.short_mm for one in places if one.short_mm is not None), default=None),
                tuple(dict.fromkeys(one.view for one in places)),
            )
            for on, places in sorted(by_day.items())
        )

    @cached_property
    def diameters(self) -> tuple[tuple[date, float], ...]:
        """Return the days on which the diameter that counts was measured, with it in mm."""
        counted = ((size.on, size.counted_mm(node=self.node)) for size in self.sizes)
        return tuple((on, length) for on, length in counted if length is not None)

    @cached_property
    def growth(self) -> Growth | None:
        """Return how fast it grows; None before it was measured on two days."""
        return volume_growth(self.diameters)

    @property
    def has_outgrown(self) -> bool:
        """Say whether a known benign lesion has grown by more than measuring errs since it was called so."""
        if self.status is not LesionStatus.KNOWN_BENIGN or self.status_at is None:
            return False
        called_on = self.status_at.date()
        before = [mm for on, mm in self.diameters if on <= called_on]
        after = [mm for on, mm in self.diameters if on > called_on]
        if not before and after:
            before, after = after[:1], after[1:]
        return any(has_grown(before[-1], mm) for mm in after) if before else False


@dataclass(frozen=True)
class LesionCourse:
    """Response by rule over the days on which her lesions were measured.

    `baseline` is the day that the others are compared with, and `because` says in a sentence why. `days` are those from the
    baseline on, `said` what is said of each; `targets` the lesions whose diameters are summed.
    """

    baseline: date
    because: str
    days: tuple[date, ...]
    said: tuple[TimepointResponse, ...]
    targets: tuple[str, ...]


def course_of(lesions: Sequence[FollowedLesion], events: Iterable[EventEntry]) -> LesionCourse | None:
    """Return the response to treatment; None where fewer than two days were measured.

    Lesions that are known to be benign do not count. The baseline is the last measured day before the last therapy that any
    measurement followed, or her first measured day.
    """
    counted = [one for one in lesions if one.status is not LesionStatus.KNOWN_BENIGN]
    days = sorted({on for one in counted for on, _ in one.diameters})
    if len(days) < 2:
        return None
    baseline, because = _baseline(days, events)
    days = [on for on in days if on >= baseline]
    visits = [
        [
            LesionSize(one.label, dict(one.diameters).get(on), one.node, one.organ or "")
            for one in counted
            if any(size.on == on for size in one.sizes)
        ]
        for on in days
    ]
    return LesionCourse(baseline, because, tuple(days), tuple(responses(visits)), target_lesions(visits[0]))


def _baseline(days: Sequence[date], events: Iterable[EventEntry]) -> tuple[date, str]:
    therapies = sorted(
        (event for event in events if event.kind is EventKind.THERAPY and event.on < days[-1]),
        key=lambda event: event.on,
    )
    if not therapies:
        return days[
            0
        ], "Baseline is the first study that was measured: no therapy is recorded before another one."
    therapy = therapies[-1]
    what = therapy.detail or "therapy"
    before = [on for on in days if on <= therapy.on]
    if before:
        return before[-1], f"Baseline is the last measured study before {what} began on {therapy.on}."
    return (
        days[0],
        f"Baseline is the first measured study: none was measured before {what} began on {therapy.on}.",
    )


@needs(Permission.SEE_PATIENTS)
def lesions_of_patient(here: Installation, mrn: str) -> list[FollowedLesion]:
    """Return a woman's lesions in the order in which they were first kept; what was taken back is left out."""
    with here.database.read() as session:
        return read_lesions(session, Patient.mrn == mrn)


def read_lesions(session: Session, condition: Any) -> list[FollowedLesion]:
    """Return the lesions that a condition on their rows chooses, with what was measured of them."""
    status_by = aliased(User)
    rows = session.execute(
        select(Lesion, Measurement, Image, Study, User.display_name, status_by.display_name)
        .join(Measurement, Measurement.lesion_id == Lesion.id)
        .join(Image, Image.id == Measurement.image_id)
        .join(Study, Study.id == Image.study_id)
        .join(Patient, Patient.id == Lesion.patient_id)
        .outerjoin(User, User.id == Measurement.measured_by_id)
        .outerjoin(status_by, status_by.id == Lesion.status_by_id)
        .where(condition, Measurement.removed_at.is_(None))
        .order_by(Lesion.id, Study.study_date, Measurement.id)
    ).all()
    places: dict[int, list[MeasuredPlace]] = {}
    found: dict[int, tuple[Lesion, str | None]] = {}
    for lesion, measurement, image, study, by, called_by in rows:
        found[lesion.id] = lesion, called_by
        places.setdefault(lesion.id, []).append(_place(lesion, measurement, image, study, by or ""))
    return [
        FollowedLesion(
            lesion_id=lesion.id,
            label=lesion.label,
            laterality=lesion.laterality.value,
            kind=lesion.kind,
            node=lesion.node,
            organ=lesion.organ,
            status=lesion.status,
            status_at=lesion.status_at,
            status_by=called_by,
            note=lesion.note,
            version=lesion.version,
            places=tuple(places[lesion.id]),
        )
        for lesion, called_by in found.values()
    ]


def _place(lesion: Lesion, measurement: Measurement, image: Image, study: Study, by: str) -> MeasuredPlace:
    now = ViewName(image.laterality.value, image.view)
    then = ViewName.of_code(measurement.view_code) if measurement.view_code else now
    axes: Mapping[str, Any] = measurement.axes or {}
    return MeasuredPlace(
        measurement_id=measurement.id,
        sop_uid=image.sop_uid,
        study_uid=study.uid,
        on=study.study_date,
        view=then,
        box=(measurement.x0, measurement.y0, measurement.x1, measurement.y1),
        long_mm=measurement.diameter_mm,
        short_mm=measurement.short_mm,
        long_axis=axis_of(axes.get("long")),
        short_axis=axis_of(axes.get("short")),
        proposed_by=measurement.proposed_by,
        by=by,
        at=measurement.measured_at,
        corrected=_corrected(lesion, then, now, study),
    )


def axis_of(ends: Sequence[float] | None) -> Axis | None:
    """Return the ends of an axis (x0, y0, x1, y1) in pixels; None where it was not drawn."""
    if not ends:
        return None
    x0, y0, x1, y1 = map(float, ends)
    return x0, y0, x1, y1


def _corrected(lesion: Lesion, then: ViewName, now: ViewName, study: Study) -> str:
    """Say that a measurement's image is no longer what it was measured on; nothing where it is."""
    if study.patient_id != lesion.patient_id:
        return f"Measured on {then.words}; the image belongs to another patient since it was corrected."
    if then != now or lesion.laterality.value != now.laterality:
        return f"Measured on {then.words}; the image was corrected and is {now.words} now."
    return ""
