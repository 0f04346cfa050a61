"""How 5-year risks are distributed, when women enter and at their last visit, and how they run over the calendar."""

from __future__ import annotations

import enum
import math

import numpy as np
import polars as pl

from core.cohorts.disclosure import is_small, joined_cells, rounded, table_told
from core.cohorts.quantiles import quantiles_by
from core.cohorts.seeing.one_each import one_each
from core.cohorts.selection import Selection
from core.rules.vocabulary import DENSITIES_SAID, density_name

__all__ = ["When", "by_density", "by_year", "distribution"]

STEPS_A_DECADE = 8
LEAST_RISK = 1e-4
"""Risks run from some tenths of a percent to nearly all: they are counted by their logarithm, none below this."""


class When(enum.StrEnum):
    """Which of her visits tells of a woman."""

    ENTRY = "when they enter"
    LAST = "at the last visit"


def risks_of(selection: Selection, when: When) -> pl.DataFrame:
    """Return woman, on, risk_5, density of one visit a woman whose risk may be told and joined with the others'."""
    told = selection.told_visits("woman", "on", "risk_5", "density").drop_nulls("risk_5")
    if when is When.LAST:
        return told.unique("woman", keep="last", maintain_order=True)
    entered = selection.entry.select("woman", "on")
    return told.join(entered, on=["woman", "on"], how="semi", maintain_order="left")


def distribution(selection: Selection, when: When) -> tuple[pl.DataFrame, int]:
    """Return how 5-year risks are distributed, and of how many women (not to be told as it is).

    Returns
    -------
    table
        risk_from, risk_to (0..1), women, steps. Steps go by the logarithm of the risk, `STEPS_A_DECADE` for a tenfold
        risk; `steps` says how many were joined to one row because few women were in them. What lies below
        `LEAST_RISK` counts in the first. Nothing at all where few women have a risk.
    """
    schema = {"risk_from": pl.Float64, "risk_to": pl.Float64, "women": pl.Int64, "steps": pl.Int64}
    risks = risks_of(selection, when)["risk_5"].cast(pl.Float64).to_numpy()
    if not len(risks) or is_small(len(risks)) or is_small(selection.n - len(risks)):
        return pl.DataFrame(schema=schema), len(risks)
    logs = np.log10(np.clip(risks, LEAST_RISK, 1.0))
    first = math.floor(min(float(logs.min()), -2.5) * STEPS_A_DECADE)
    last = math.floor(max(float(logs.max()), -1.25) * STEPS_A_DECADE) + 1
    edges = np.arange(first, last + 1) / STEPS_A_DECADE
    counts = np.histogram(logs, edges)[0].tolist()
    rows = [
        (
            float(10 ** edges[run[0]]),
            min(1.0, float(10 ** edges[run[-1] + 1])),
            rounded(sum(counts[place] for place in run)),
            len(run),
        )
        for run in joined_cells(counts)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row"), len(risks)


def by_density(selection: Selection, when: When) -> pl.DataFrame:
    """Return quartiles of 5-year risk by density: density (joined where few), lower_quartile, median, upper_quartile, women."""
    risks = risks_of(selection, when).with_columns(pl.col("density").cast(pl.String)).drop_nulls("density")
    counts = [int((risks["density"] == said).sum()) for said in DENSITIES_SAID]
    named: dict[str, str] = {}
    for run in joined_cells(counts):
        joined = [DENSITIES_SAID[place] for place in run]
        letters = sorted("".join(joined).replace("+", ""))
        name = density_name(joined[0]) if len(joined) == 1 else f"{letters[0]}–{letters[-1]}"
        named |= dict.fromkeys(joined, name)
    kept = risks.filter(pl.col("density").is_in(list(named))).with_columns(
        pl.col("density").replace_strict(named, default=None, return_dtype=pl.String)
    )
    return _quartiles(kept, "density")


def by_year(selection: Selection) -> pl.DataFrame:
    """Return quartiles of 5-year risk by the calendar year of the visit, one value a woman and year (the mean of hers)."""
    visits = selection.told_visits("woman", "on", "risk_5").with_columns(year=pl.col("on").dt.year())
    return _quartiles(one_each(visits.drop_nulls("risk_5"), "year", "risk_5"), "year")


def _quartiles(table: pl.DataFrame, group: str) -> pl.DataFrame:
    names = ("lower_quartile", "median", "upper_quartile")
    return table_told(quantiles_by(table, group, "risk_5", (0.25, 0.5, 0.75), names=names))
