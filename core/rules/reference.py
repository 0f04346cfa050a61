"""Where a risk stands among those of reference women of the same age, as a model's card tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "PlaceAtAge",
    "QuantilesAtAge",
    "ReferenceCourses",
    "ReferencePoint",
    "place_at_age",
    "quantiles_by_age",
    "reference_courses",
]


@dataclass(frozen=True)
class PlaceAtAge:
    """A 5-year risk among those of `n` women of `ages` (youngest, oldest; years).

    `higher_than` is how many of 100 of them have a lower one, `median` (0..1) theirs in the middle, `women` who they are.
    """

    higher_than: int
    median: float
    ages: tuple[int, int]
    n: int
    women: str


def place_at_age(settings: Mapping[str, Any], age_years: float | None, risk_5y: float) -> PlaceAtAge | None:
    """Return where a risk stands among reference women of that age.

    None where the age is not known or the card, whose settings these are (`core.training.reference`), tells of no women
    of that age.
    """
    reference = settings.get("reference_by_age")
    if reference is None or age_years is None:
        return None
    near = min(reference["bins"], key=lambda one: abs(one["age"] - age_years), default=None)
    if near is None or abs(near["age"] - age_years) > near["around"]:
        return None
    quantiles = np.asarray(near["quantiles_5y"], float)
    higher = 100 * np.interp(risk_5y, quantiles, np.linspace(0, 1, len(quantiles)))
    return PlaceAtAge(
        higher_than=round(float(higher)),
        median=float(near["median_5y"]),
        ages=(round(near["age"] - near["around"]), round(near["age"] + near["around"])),
        n=int(near["n"]),
        women=str(reference["women"]),
    )


@dataclass(frozen=True)
class QuantilesAtAge:
    """5-year risks (0..1) of reference women about an age (years): a quarter lie below `low`, a quarter above `high`."""

    age: float
    low: float
    median: float
    high: float


def quantiles_by_age(settings: Mapping[str, Any]) -> list[QuantilesAtAge]:
    """Return the reference women's risks by age, youngest first; none where the card tells of none."""
    reference = settings.get("reference_by_age") or {"bins": []}
    found = []
    for one in reference["bins"]:
        steps = np.linspace(0, 1, len(one["quantiles_5y"]))
        low, high = np.interp((0.25, 0.75), steps, one["quantiles_5y"])
        found.append(QuantilesAtAge(float(one["age"]), float(low), float(one["median_5y"]), float(high)))
    return found


@dataclass(frozen=True)
class ReferencePoint:
    """The median 5-year risk (0..1) of `n` women so many years before a diagnosis, or before the last visit."""

    years: float
    n: int
    median: float


@dataclass(frozen=True)
class ReferenceCourses:
    """How risk ran, by the same model, in women in whom cancer was found later and in others; from early to late.

    `women` says in words who they are.
    """

    women: str
    cancer: tuple[ReferencePoint, ...]
    none: tuple[ReferencePoint, ...]


def reference_courses(settings: Mapping[str, Any]) -> ReferenceCourses | None:
    """Return the courses that a card's settings tell of (`core.training.reference`); None where they tell of none."""
    kept = settings.get("reference_courses")
    if kept is None:
        return None

    def points(which: str) -> tuple[ReferencePoint, ...]:
        return tuple(
            ReferencePoint(float(one["years"]), int(one["n"]), float(one["median_5y"])) for one in kept[which]
        )

    return ReferenceCourses(str(kept["women"]), points("cancer"), points("none"))
