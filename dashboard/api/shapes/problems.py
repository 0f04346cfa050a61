"""What went wrong."""

from __future__ import annotations

from typing import Any

from dashboard.api.shapes.base import Shape

__all__ = ["ProblemShape"]


class ProblemShape(Shape):
    """What went wrong (RFC 9457): `reason` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
    errors: list[dict[str, Any]] | None = None
