"""Screens of a cohort that came as a table, by what was said of each and whether cancer was found within a year.

Measures are those of screening audits (Sickles 2013, ACR BI-RADS Atlas, follow-up and outcome monitoring): a positive
assessment is 0, 4 or 5; a cancer within 12 months of it was found by the screen, one after a negative assessment was missed.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from core.cohorts.disclosure import is_small, rounded
from core.cohorts.selection import Selection

__all__ = ["AGES", "by_age", "by_density", "measures"]

AGES = (40, 45, 50, 55, 60, 65, 70, 75, 80)
_Z = 1.959963984540054
_CANCER, _POSITIVE = pl.col("cancer_within_year"), pl.col("recall")


def _screens(selection: Selection) -> pl.DataFrame:
    return selection.visits_of("woman", "age", "density", "recall", "cancer_within_year")


def measures(selection: Selection) -> pl.DataFrame:
    """Return the screening audit: measure, screens (of which it is a part, rounded), value and 95 % interval per 1,000.

    A measure of which few women are the part, or the rest, is left out.
    """
    screens = _screens(selection).drop_nulls(["recall", "cancer_within_year"])
    asked: Sequence[tuple[str, pl.Expr, pl.Expr]] = (
        ("recalled", pl.lit(value=True), _POSITIVE),
        ("cancer within a year", pl.lit(value=True), _CANCER),
        ("cancer found by the screen", pl.lit(value=True), _POSITIVE & _CANCER),
        ("cancer missed by the screen", pl.lit(value=True), ~_POSITIVE & _CANCER),
        ("of the cancers, found (sensitivity)", _CANCER, _POSITIVE),
        ("of the others, not recalled (specificity)", ~_CANCER, ~_POSITIVE),
        ("of the recalled, with cancer (PPV1)", _POSITIVE, _CANCER),
    )
    rows = [
        row
        for what, of, part in asked
        # Of all but a few, figures beside those of all would tell of the few.
        if not is_small(screens.filter(~of)["woman"].n_unique())
        and (row := _share(screens.filter(of), part, what)) is not None
    ]
    return _table("measure", rows)


def by_density(selection: Selection) -> pl.DataFrame:
    """Return cancers within a year per 1,000 screens by density, with 95 % intervals."""
    screens = _screens(selection).with_columns(pl.col("density").cast(pl.String))
    letters = sorted(screens["density"].drop_nulls().unique())
    return _by("density", [(letter, screens.filter(pl.col("density") == letter)) for letter in letters])


def by_age(selection: Selection) -> pl.DataFrame:
    """Return cancers within a year per 1,000 screens by age in whole years, with 95 % intervals."""
    screens = _screens(selection).drop_nulls("age")
    ends = [*AGES[1:], 200]
    groups = [(f"under {AGES[0]}", screens.filter(pl.col("age") < AGES[0]))]
    for low, high in zip(AGES, ends, strict=True):
        name = f"{low}–{high - 1}" if high < 200 else f"{low} and older"
        groups.append((name, screens.filter(pl.col("age").is_between(low, high, closed="left"))))
    return _by("age_group", groups)


def _by(name: str, groups: Sequence[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    rows = [row for what, some in groups if len(some) and (row := _share(some, _CANCER, what)) is not None]
    return _table(name, rows)


def _share(of: pl.DataFrame, part: pl.Expr, what: str) -> tuple[str, int, float, float, float] | None:
    """Return a share per 1,000 screens with its interval (Wilson 1927); None where it would tell of few women."""
    inside, outside = of.filter(part), of.filter(~part)
    if not len(of) or any(is_small(some["woman"].n_unique()) for some in (of, inside, outside)):
        return None
    n, share = len(of), len(inside) / len(of)
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * ((share * (1 - share) + _Z**2 / (4 * n)) / n) ** 0.5 / (1 + _Z**2 / n)
    value, low, high = (round(1000 * max(one, 0.0), 2) for one in (share, middle - half, middle + half))
    return what, rounded(n), value, low, high


def _table(name: str, rows: Sequence[tuple[str, int, float, float, float]]) -> pl.DataFrame:
    schema = {
        name: pl.String,
        "screens": pl.Int64,
        "per_1000": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
