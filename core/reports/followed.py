"""The lesions of a report: what was measured of each up to the study, how fast it grows, and the response by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from core.records import EventEntry, FollowedLesion, LesionCourse, LesionStatus, course_of
from core.wording import millimetres

__all__ = ["Lesion", "Measured", "lesions_until", "response_until"]

STATUS = {
    LesionStatus.KNOWN_BENIGN: "known benign",
    LesionStatus.RESOLVED: "resolved",
}
NOT_FOR_MAMMOGRAMS = "RECIST 1.1 was not made for mammograms: the response is RECIST-like."


@dataclass(frozen=True)
class Measured:
    """One measurement of a lesion: lengths in mm, None where not known, 0 where it is gone; box in pixels of the image."""

    study_uid: str
    on: date
    sop_uid: str
    view: str
    long_mm: float | None
    short_mm: float | None
    box: tuple[float, float, float, float]
    by: str
    at: datetime


@dataclass(frozen=True)
class Lesion:
    """A finding that readers follow, with its measurements, oldest first; `remark` says what else is known of it."""

    label: str
    laterality: str
    measured: tuple[Measured, ...]
    remark: str = ""


def _as_of(lesions: list[FollowedLesion], until: date) -> Iterator[FollowedLesion]:
    for lesion in lesions:
        known = tuple(place for place in lesion.places if place.on <= until)
        if known:
            yield replace(lesion, places=known)


def lesions_until(lesions: list[FollowedLesion], until: date) -> tuple[Lesion, ...]:
    """Return a woman's lesions with what was measured up to a day.

    What was measured on an image that was corrected since is said, and stands in no table; what a model read in a box is no
    part of a report.
    """
    return tuple(
        Lesion(
            lesion.label,
            lesion.laterality,
            tuple(
                Measured(
                    place.study_uid, place.on, place.sop_uid, place.view.words,
                    place.long_mm, place.short_mm, place.box, place.by, place.at,
                )
                for place in lesion.places
                if not place.corrected
            ),
            ". ".join(_remarks(lesion)),
        )
        for lesion in _as_of(lesions, until)
    )  # fmt: skip


def _remarks(lesion: FollowedLesion) -> Iterator[str]:
    kind = "lymph node" if lesion.node else lesion.kind
    if kind:
        yield kind.capitalize()
    if lesion.has_outgrown:
        yield "Was called known benign, and has grown since"
    elif lesion.status in STATUS:
        yield f"{STATUS[lesion.status].capitalize()}{f': {lesion.note}' if lesion.note else ''}".rstrip(".")
    growth = lesion.growth
    if growth is not None and growth.is_shown and growth.doubling_days is not None:
        ends = (growth.fastest_days, growth.slowest_days)
        between = "–".join("?" if end is None else f"{end:.0f}" for end in ends)
        yield f"Volume doubles in {growth.doubling_days:.0f} days (90 % interval {between})"
    for place in lesion.places:
        if place.corrected:
            yield f"{place.on}: {place.corrected} It is not counted"


def response_until(
    lesions: list[FollowedLesion], events: tuple[EventEntry, ...], until: date
) -> tuple[str, ...]:
    """Say the response by rule on each day from the baseline on; nothing where fewer than two days were measured."""
    course = course_of(list(_as_of(lesions, until)), [event for event in events if event.on <= until])
    return tuple(_said(course)) if course is not None else ()


def _said(course: LesionCourse) -> Iterator[str]:
    targets = ", ".join(course.targets) or "none is large enough"
    yield f"{course.because} Target lesions: {targets}."
    for on, said in zip(course.days, course.said, strict=True):
        sums = f"sum of targets {_sum(said.sum_mm)}, nadir {_sum(said.nadir_mm)}"
        new = f"; new: {', '.join(said.new)}" if said.new else ""
        unmeasured = f"; not measured: {', '.join(said.unmeasured)}" if said.unmeasured else ""
        yield f"{on}: {said.response.value} ({sums}{new}{unmeasured})."
    yield from (f"{remark.rstrip('.')}." for remark in course.said[-1].remarks)
    yield NOT_FOR_MAMMOGRAMS


def _sum(mm: float | None) -> str:
    return "0 mm" if mm == 0 else millimetres(mm)
