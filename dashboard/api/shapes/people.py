"""For whom a token acts, and women who are followed."""

from __future__ import annotations

from datetime import date
from typing import Literal

from dashboard.api.shapes.base import Next, Shape

__all__ = ["Me", "Patient", "Patients"]


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
