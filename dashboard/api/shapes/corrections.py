"""What was put right."""

from __future__ import annotations

from datetime import datetime

from dashboard.api.shapes.base import Shape

__all__ = ["Correction", "Corrections"]


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
