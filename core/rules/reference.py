"""Where a risk stands among those of reference women of the same age, as a model's card tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PlaceAtAge", "place_at_age"]


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
