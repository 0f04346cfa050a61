"""By what women can be chosen: each filter has fixed bands, so that no two cohorts differ by a hair's breadth.

Bands are of the visit that a woman enters with (age, density, level, maker of the detector), or of her whole course. What
is not known is a band of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.rules import thresholds
from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import DENSE, DENSITIES_SAID, density_name

__all__ = ["EVENTS", "FILTERS", "NOT_KNOWN", "Filter", "band_words", "codes_of", "keys_of"]

NOT_KNOWN = "?"
"""The band of the women of whom it is not known."""
AGE_STARTS = (40, 45, 50, 55, 60, 65, 70, 75)
"""First whole years of the bands of age, as published tables of screening have them (Sprague 2014)."""
SLOPE_STARTS = (-0.001, 0.005, 0.01)
"""Of the bands of slope, 0..1 a year: published are 0.0009 a year in women without cancer and 0.0113 before it (Lehman 2026)."""
VISIT_STARTS = (2, 3, 5)
FOLLOWED_STARTS = (1, 2, 3, 5)
"""Whole years."""

Codes = NDArray[np.int16]


@dataclass(frozen=True)
class Filter:
    """One filter: what it is called, its bands by key with their words, and what of a woman it asks.

    `bands` is empty where they are what the data hold (makers). `ahead` says that it tells of what came after she entered,
    `ordered` that its bands follow each other, `known` that it is known of every woman.
    """

    key: str
    label: str
    bands: Mapping[str, str]
    said: str
    ahead: bool
    code: Callable[[pl.DataFrame], Codes] | None = None
    ordered: bool = True
    known: bool = False


def _numbers(series: pl.Series) -> NDArray[np.float64]:
    # What was 0.03 before it was kept in 32 bits is in the band that begins there.
    return np.round(series.cast(pl.Float64).to_numpy(), 7)


def _placed(values: NDArray[np.float64], starts: Sequence[float]) -> Codes:
    """Return the place of each value among bands that begin below the first start; after the last where it is not known."""
    codes = np.digitize(values, starts).astype(np.int16)
    codes[np.isnan(values)] = len(starts) + 1
    return codes


def _between(starts: Sequence[int], unit: str = "") -> dict[str, str]:
    """Name whole-numbered bands that begin at `starts`, what lies below the first among them."""
    inner = {
        (f"{low}-{high - 1}" if high - low > 1 else f"{low}"): (f"{low}–{high - 1}" if high - low > 1 else f"{low}") + unit
        for low, high in itertools.pairwise(starts)
    }  # fmt: skip
    return {**inner, f"{starts[-1]}-up": f"{starts[-1]} and more{unit}"}


_AGES = {"under-40": "under 40", **_between(AGE_STARTS), "75-up": "75 and older"}
_SLOPES = {
    "falling": "falling (below −0.1)",
    "steady": "steady (−0.1 to 0.5)",
    "rising": "rising (0.5 to 1.0)",
    "steep": "steep (1.0 and more)",
}
_OUTCOMES = {"later": "diagnosed after", "none": "no diagnosis known", "before": "diagnosed before"}
_TREATMENTS = {"none": "none recorded", "surgery": "surgery", "therapy": "therapy", "both": "both"}


def _density(facts: pl.DataFrame) -> Codes:
    places = {said: place for place, said in enumerate(DENSITIES_SAID)}
    return _mapped(facts["density"], places, len(DENSITIES_SAID))


def _mapped(series: pl.Series, places: Mapping[str, int], otherwise: int) -> Codes:
    said = series.cast(pl.String)
    return (
        said.replace_strict(places, default=otherwise, return_dtype=pl.Int16).fill_null(otherwise).to_numpy()
    )


def _level(facts: pl.DataFrame) -> Codes:
    return _placed(_numbers(facts["risk_5"]), [band.lower for band in thresholds.risk_bands()[1:]])


def _outcome(facts: pl.DataFrame) -> Codes:
    known = facts.select(
        pl.when(pl.col("diagnosed_on").is_null())
        .then(1)
        .when(pl.col("diagnosed_on") > pl.col("on"))
        .then(0)
        .otherwise(2)
    )
    return known.to_series().cast(pl.Int16).to_numpy()


def _treatment(facts: pl.DataFrame) -> Codes:
    kinds = facts["treatments"].cast(pl.String).fill_null("")
    surgery, therapy = (kinds.str.contains(one, literal=True).to_numpy() for one in ("surgery", "therapy"))
    return (surgery.astype(np.int16) + 2 * therapy.astype(np.int16)).astype(np.int16)


def _events(facts: pl.DataFrame) -> Codes:
    return (facts["events"].fill_null(0) == 0).cast(pl.Int16).to_numpy()


def _followed(facts: pl.DataFrame) -> Codes:
    days = (facts["last_contact"] - facts["on"]).dt.total_days()
    return _placed(np.maximum(_numbers(days), 0) / DAYS_PER_YEAR, FOLLOWED_STARTS)


def _levels() -> dict[str, str]:
    return {band.key: band.label for band in thresholds.risk_bands()}


_DENSITIES = {said: density_name(said) for said in DENSITIES_SAID} | {
    DENSE: f"{density_name(DENSE)}, not told apart"
}

FILTERS: tuple[Filter, ...] = (
    Filter("age", "Age at entry", _AGES, "aged", False, lambda f: _placed(_numbers(f["age_years"]), AGE_STARTS)),
    Filter("density", "Density at entry", _DENSITIES, "density", False, _density),
    Filter("level", "5-year risk at entry", _levels(), "5-year risk", False, _level),
    Filter("vendor", "Maker of the detector", {}, "detector by", False, ordered=False),
    Filter("outcome", "Diagnosis", _OUTCOMES, "diagnosis:", True, _outcome, ordered=False, known=True),
    Filter(
        "visits", "Visits", {"1": "1", **_between(VISIT_STARTS)}, "visits:", True,
        lambda f: _placed(_numbers(f["eligible"]), VISIT_STARTS), known=True,
    ),
    Filter(
        "slope", "Slope, points a year", _SLOPES, "slope", True,
        lambda f: _placed(_numbers(f["slope"]), SLOPE_STARTS),
    ),
    Filter(
        "followed", "Years followed", {"0": "under 1", **_between(FOLLOWED_STARTS)}, "years followed:", True, _followed
    ),
    Filter("treatment", "Treatment", _TREATMENTS, "treatment:", True, _treatment, ordered=False, known=True),
    Filter("events", "Events on record", {"some": "some", "none": "none"}, "events:", True, _events, ordered=False, known=True),
)  # fmt: skip
"""All filters, in the order in which they are asked and said."""
EVENTS = FILTERS[-1]
"""That by events: a definition may say which kinds and years of them are meant (`core.cohorts.happenings`)."""


def keys_of(one: Filter, found: Sequence[str] = ()) -> list[str]:
    """Return the keys of a filter's bands in the order of their codes; last that of the women of whom it is not known."""
    return [*(one.bands or found), *(() if one.known else (NOT_KNOWN,))]


def band_words(one: Filter, key: str) -> str:
    """Return the words of a band."""
    return "not known" if key == NOT_KNOWN else one.bands.get(key, key)


def codes_of(one: Filter, facts: pl.DataFrame) -> tuple[list[str], Codes]:
    """Return the keys of a filter's bands, and of each woman the place of hers among them.

    Parameters
    ----------
    facts
        A row a woman: the visit that she enters with, what is known of her, and `eligible`, how many such visits she has.
    """
    if one.code is not None:
        return keys_of(one), one.code(facts)
    values = facts[one.key].cast(pl.String)
    found = sorted(value for value in values.unique().to_list() if value)
    return keys_of(one, found), _mapped(
        values, {value: place for place, value in enumerate(found)}, len(found)
    )
