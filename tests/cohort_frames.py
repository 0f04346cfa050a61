"""Cohorts made up for tests, as the analyst's tables have them: without a database, of any number of women, by a seed.

Each woman has a constant hazard of cancer; her scores tell it with some noise, so that they are nearly calibrated. She
is seen every one or two years until a diagnosis, her death or the end.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from core.cohorts import HORIZONS, VISITS, WOMEN, Frame
from core.cohorts.happenings import FIRST_YEAR
from core.cohorts.looks import AXIS_NAMES

BEGIN, END = np.datetime64("2012-01-01", "D"), np.datetime64("2026-11-20", "D")
VENDORS = ("Aldermere", "Brightwater", "Corvane")
DAYS = 365.25


def synthetic(women: int = 2000, seed: int = 0) -> Frame:
    """Return a cohort of simulated women: about five visits each, one of thirty with a cancer, some deaths."""
    draw = np.random.default_rng(seed)
    her = _women(draw, women)
    visits = _visits(draw, her)
    return Frame(_women_table(her, visits), visits, "made up", datetime(2026, 11, 21, tzinfo=UTC))


def _women(draw: np.random.Generator, n: int) -> dict[str, Any]:
    first = BEGIN + draw.integers(0, 6 * 365, n)
    age = draw.uniform(40, 72, n)
    risk = 1 / (1 + np.exp(-draw.normal(-4.2, 0.8, n)))
    hazard = -np.log1p(-risk) / 5
    to_end = (END - first).astype(int)
    cancer = np.ceil(draw.exponential(1 / hazard) * DAYS).clip(max=1e6).astype(int)
    death = np.ceil(draw.exponential(1 / 0.004, n) * DAYS).clip(max=1e6).astype(int)
    surgery = np.ceil(draw.exponential(1 / 0.0008, n) * DAYS).clip(max=1e6).astype(int)
    left = np.where(draw.random(n) < 0.3, draw.integers(200, 4000, n), 10**6)
    seen_until = np.minimum.reduce([to_end, death, left])
    return {
        "first": first, "born": first - (age * DAYS).astype(int), "hazard": hazard, "seen_until": seen_until,
        "cancer": np.where(cancer <= np.minimum(seen_until, surgery), cancer, -1),
        "death": np.where(death <= to_end, death, -1),
        "surgery": np.where(surgery <= seen_until, surgery, -1),
        "vendor": draw.integers(0, len(VENDORS), n), "density": draw.choice(4, n, p=(0.1, 0.4, 0.4, 0.1)),
        "relatives": draw.binomial(2, 0.1, n), "simulated": np.ones(n, bool),
    }  # fmt: skip


def _visits(draw: np.random.Generator, her: dict[str, Any]) -> pl.DataFrame:
    n, most = len(her["first"]), 8
    gaps = np.where(draw.random((n, most - 1)) < 0.6, 730, 365) + draw.integers(-40, 90, (n, most - 1))
    day = np.concatenate([np.zeros((n, 1), int), np.cumsum(gaps, axis=1)], axis=1)
    until = np.where(
        her["cancer"] >= 0, np.minimum(her["cancer"] + 400, her["seen_until"]), her["seen_until"]
    )
    woman, number = np.nonzero(day <= until[:, None])
    since = day[woman, number]
    on = her["first"][woman] + since
    after = (her["cancer"][woman] >= 0) & (since >= her["cancer"][woman])
    unlike = draw.random(len(woman)) < 0.03
    trusted = ~after & ~unlike
    log_odds = np.log(np.expm1(5 * her["hazard"][woman])) + draw.normal(0, 0.2, len(woman))
    hazard = np.log1p(np.exp(log_odds)) / 5
    known = {
        "woman": woman, "visit": number, "on": on, "age": (on - her["born"][woman]).astype(int) / DAYS,
        "scored": np.ones(len(woman), bool),
        "trust": np.where(trusted, "trusted", "withheld"),
        "doubt": np.where(after & ~unlike, "after_diagnosis", np.where(unlike, "unlike_pictures", "")),
        **_risks(hazard, trusted),
        "malignancy": np.where(trusted, 0.7 * -np.expm1(-hazard), np.nan),
        "progression": np.where(trusted & (number > 0), draw.uniform(0, 0.1, len(woman)), np.nan),
        "smallest_change": np.where(trusted, 0.3, np.nan),
        "said_by": np.full(len(woman), "5e5e5e5e5e5e-00000000"), "model": np.full(len(woman), "longitudinal-sim"),
        "density": np.array(list("ABCD"))[her["density"][woman]], "density_by": np.full(len(woman), "model"),
        "vendor": np.array(VENDORS)[her["vendor"][woman]],
        "views": np.where(draw.random(len(woman)) < 0.02, 3, 4),
        "distance": np.where(unlike, 1.6, draw.uniform(0.6, 1.2, len(woman))), "limit": np.full(len(woman), 1.34),
        **{name: draw.normal(0, 1, len(woman)) for name in AXIS_NAMES},
        "brightness": draw.normal(0.35, 0.04, len(woman)).clip(0, 1),
        "alerts": (trusted & (draw.random(len(woman)) < 0.03)).astype(int),
        "risk_of_study_id": np.arange(1, len(woman) + 1),
    }  # fmt: skip
    return _table(VISITS, known | _read(draw, her, woman, since, on))


def _risks(hazard: np.ndarray, trusted: np.ndarray) -> dict[str, np.ndarray]:
    risks = {}
    for year in HORIZONS:
        for name, times in (("low", 0.7), ("risk", 1.0), ("high", 1.4)):
            risks[f"{name}_{year}"] = np.where(trusted, -np.expm1(-hazard * times * year), np.nan)
    return risks


def _read(
    draw: np.random.Generator, her: dict[str, Any], woman: np.ndarray, since: np.ndarray, on: np.ndarray
) -> dict[str, Any]:
    """Return what readers said: a cancer of the next year is mostly recalled, some of the others too."""
    soon = (her["cancer"][woman] >= since) & (her["cancer"][woman] - since <= 365)
    recalled = draw.random(len(woman)) < np.where(soon, 0.8, 0.07)
    read = draw.random(len(woman)) < 0.9
    category = np.where(
        recalled, np.where(soon, "4A", "0"), np.where(draw.random(len(woman)) < 0.7, "1", "2")
    )
    return {
        "bi_rads": np.where(read, category, ""),
        "bi_rads_first_at": np.where(read, (on + 1).astype("datetime64[us]"), np.datetime64("NaT")),
        "read_first": read & (draw.random(len(woman)) < 0.7),
        "recall": [bool(one) if done else None for one, done in zip(recalled, read, strict=True)],
        "missing_views": np.zeros(len(woman), bool),
    }


def _women_table(her: dict[str, Any], visits: pl.DataFrame) -> pl.DataFrame:
    n = len(her["first"])

    def day(name: str) -> np.ndarray:
        return np.where(her[name] >= 0, her["first"] + her[name], np.datetime64("NaT"))

    last_contact = np.maximum(her["first"], her["first"] + np.maximum(her["seen_until"], her["cancer"]))
    own = _table(
        WOMEN,
        {
            "woman": np.arange(n), "patient_id": np.arange(1, n + 1), "simulated": her["simulated"],
            "birth_date": her["born"], "diagnosed_on": day("cancer"),
            "diagnosis_side": np.where(her["cancer"] >= 0, np.where(np.arange(n) % 2, "L", "R"), ""),
            "died_on": day("death"), "mastectomy_on": day("surgery"), "last_contact": last_contact,
            "treated_on": np.where(her["cancer"] >= 0, her["first"] + her["cancer"] + 30, np.datetime64("NaT")),
            "treatments": np.where(her["cancer"] >= 0, "surgery", "-"),
            "events": np.where(her["cancer"] >= 0, 2, 0),
            "years_of_diagnosis": _year(her["first"] + her["cancer"], her["cancer"] >= 0),
            "years_of_surgery": _year(her["first"] + her["cancer"] + 30, her["cancer"] >= 0), "relatives": her["relatives"],
            "truth_onset": np.where(her["cancer"] >= 0, day("cancer") - 700, np.datetime64("NaT")),
        },
    )  # fmt: skip
    seen = visits.group_by("woman").agg(
        pl.col("on").min().alias("first_on"),
        pl.col("on").max().alias("last_on"),
        pl.len().cast(pl.UInt16).alias("visits"),
        (pl.col("trust") == "trusted").sum().cast(pl.UInt16).alias("scored_visits"),
        pl.when(pl.len() > 1)
        .then((pl.col("risk_5").last() - pl.col("risk_5").first()) / (pl.col("visit").last() + 1))
        .alias("slope"),
    )
    made = own.drop("first_on", "last_on", "visits", "scored_visits", "slope").join(seen, on="woman")
    due = pl.when(pl.col("diagnosed_on").is_null()).then(pl.col("last_on") + pl.duration(days=730))
    return (
        made.with_columns(
            pl.col("treatments").cast(pl.String).str.replace("-", "", literal=True).cast(pl.Categorical()),
            (pl.col("slope") - 0.001).alias("slope_low"),
            (pl.col("slope") + 0.001).alias("slope_high"),
            due.alias("due_on"),
            (due + pl.duration(days=92)).alias("overdue_from"),
        )
        .select(pl.col(name).cast(column.kind) for name, column in WOMEN.items())
        .sort("woman")
    )


def _year(day: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the year of each day as the bit of `core.cohorts.happenings`; 0 where it is not known."""
    year = day.astype("datetime64[Y]").astype(int) + 1970 - FIRST_YEAR
    return np.where(known, np.left_shift(np.uint64(1), year.clip(0, 63).astype(np.uint64)), np.uint64(0))


def _table(columns: Any, known: dict[str, Any]) -> pl.DataFrame:
    """Return a table with all columns: NaN, NaT and the empty word are null, but for `doubt`; what is not known is too."""
    n = len(known["woman"])
    series = []
    for name, column in columns.items():
        one = pl.Series(name, known[name]) if name in known else pl.Series(name, [None] * n)
        if one.dtype == pl.Float64:
            one = one.fill_nan(None)
        if one.dtype == pl.String and name != "doubt":
            one = (
                one.to_frame().select(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)).to_series()
            )
        series.append(one.cast(column.kind))
    table = pl.DataFrame(series)
    if "missing_views" in columns:
        table = table.with_columns((pl.col("views") < 4).alias("missing_views"))
    return table
