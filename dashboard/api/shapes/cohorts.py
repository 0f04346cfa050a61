"""Groups of women."""

from __future__ import annotations

from typing import Any

from dashboard.api.shapes.base import Shape

__all__ = ["CohortSummary", "SavedCohort", "SavedCohorts", "Table"]


class Table(Shape):
    """A table of numbers about groups of women: rounded, and nothing of few of them."""

    columns: list[str]
    rows: list[list[Any]]


class CohortSummary(Shape):
    """Who the women of a definition are when they enter; `withheld` says why nothing is told."""

    sentence: str
    withheld: str | None
    women: str
    tables: dict[str, Table]


class SavedCohort(Shape):
    """A cohort that somebody named."""

    key: str
    name: str
    shared: bool
    by: str
    definition: dict[str, Any] | None
    problem: str


class SavedCohorts(Shape):
    """One's own named cohorts, and those that others share."""

    items: list[SavedCohort]
