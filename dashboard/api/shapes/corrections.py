"""What was put right, and what would follow of it."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from dashboard.api.shapes.base import Next, Shape

__all__ = [
    "Correction",
    "CorrectionMade",
    "CorrectionPreview",
    "Corrections",
    "CorrectionsPage",
    "StudyNamed",
]


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


class CorrectionsPage(Corrections):
    """A page of corrections of all women, newest first."""

    next: Next = None


class StudyNamed(Shape):
    """A study by whose and when."""

    patient: str
    study_date: date
    study_uid: str


class CorrectionPreview(Shape):
    """What a correction does and what follows of it, as ``core correct --json`` shows it.

    `anew` are the studies that are scored anew, `ended` those whose scores end with them, `back` those whose scores of before
    count again. What stands under `conflicts` speaks against it and has to be confirmed.
    """

    mrn: str
    says: list[str]
    anew: list[StudyNamed]
    ended: list[StudyNamed]
    back: list[StudyNamed]
    follows: list[str]
    conflicts: list[str]
    stamp: str = Field(description="Of what it was made of: the ETag that the change is sent with.")


class CorrectionMade(CorrectionPreview):
    """A correction that was made or undone, by its number, and what it did."""

    correction: int
