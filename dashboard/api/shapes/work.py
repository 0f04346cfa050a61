"""Files taken in, and long work."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from dashboard.api.shapes.base import Shape

__all__ = ["Import", "ImportItem", "Job"]


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
