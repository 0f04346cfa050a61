"""Published figures of other women, each with its source: read once from `published.toml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from core.rules import documents
from core.rules.documents import Document, Probability, Table, Words

__all__ = ["Published", "published"]


class DenseAtAge(Table):
    """Of women of these whole years (both ends included) the share with density C or D."""

    from_age: Annotated[int, Field(ge=0, le=120)]
    to_age: Annotated[int, Field(ge=0, le=120)]
    dense: Probability


class PublishedDensity(Table):
    """Density by age, youngest first."""

    source: Words
    ages: tuple[DenseAtAge, ...]


class PublishedSlope(Table):
    """Change of 5-year risk a year (0..1 a year), with its 95 % interval where one was published."""

    per_year: float
    low: float | None = None
    high: float | None = None


class PublishedSlopes(Table):
    """Slopes of women in whom cancer was found and of others."""

    source: Words
    cancer: PublishedSlope
    none: PublishedSlope


class Published(Document):
    """The file of published figures."""

    density: PublishedDensity
    slopes: PublishedSlopes


@cache
def published() -> Published:
    """Return the published figures; raises `documents.RulesError` on a damaged file."""
    return documents.read("published.toml", Published, folder=files("core.cohorts.seeing"))
