"""What the figures of a cohort show and hand out: tables of groups of women, small ones joined or left out.

Pure: from a `core.records.cohort.Cohort` to a table. Nothing in them is of fewer than five women.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from core.records.cohort import Cohort
from core.records.small_groups import SMALLEST_GROUP, is_small, joined
from core.rules.vocabulary import DENSITIES

AGE_WIDTH = 5
"""Years of an age group."""
STEPS_A_DECADE = 8
LEAST_RISK = 1e-4
"""Risks run from some tenths of a percent to nearly all: they are counted by their logarithm, none below this."""


def ages(chosen: Cohort) -> tuple[pd.DataFrame, str]:
    """Return how many women are of which age at their last scored visit, and who is counted.

    Returns
    -------
    table
        age_group (as 40–44, wider where few women are of that age), women.
    sentence
        Women without a birth date are left out and said; where they are few they stand in the last group.
    """
    known = chosen.women["age_years"].dropna()
    unknown = chosen.n - len(known)
    lower = (known // AGE_WIDTH * AGE_WIDTH).astype(int)
    steps = list(range(lower.min(), lower.max() + 1, AGE_WIDTH)) if len(lower) else []
    counts = [int((lower == step).sum()) for step in steps]
    if is_small(unknown):
        counts.append(unknown)
    table = _told_joined(counts, lambda run: _age_group(steps, run))
    table = table.rename(columns={"cell": "age_group"})
    sentence = chosen.sentence
    if unknown and not is_small(unknown):
        sentence = (
            f"{chosen.definition.sentence(len(known))}; {unknown} more without a birth date are left out"
        )
    return table[table["women"] > 0].reset_index(drop=True), sentence


def _age_group(steps: Sequence[int], run: range) -> str:
    """Say some neighbouring age groups as one; the place after the last is of women whose age is not known."""
    lower = [steps[place] for place in run if place < len(steps)]
    words = f"{lower[0]}–{lower[-1] + AGE_WIDTH - 1}" if lower else ""
    unknown = "not known" if len(steps) in run else ""
    return " or ".join(filter(None, (words, unknown)))


def densities(chosen: Cohort) -> pd.DataFrame:
    """Return how many women are of which density at their last scored visit: density (as A, or A–B joined), women."""
    table = _told_joined(_by_density(chosen), _from_to)
    return table.rename(columns={"cell": "density"})


def _by_density(chosen: Cohort) -> list[int]:
    return [int((chosen.women["density"] == letter).sum()) for letter in DENSITIES]


def _from_to(run: range) -> str:
    first, last = DENSITIES[run[0]], DENSITIES[run[-1]]
    return first if first == last else f"{first}–{last}"


def _told_joined(counts: Sequence[int], words: Callable[[range], str]) -> pd.DataFrame:
    """Return a table of cell and women, small groups joined."""
    rows = [(words(run), sum(counts[place] for place in run)) for run in joined(counts)]
    return pd.DataFrame(rows, columns=["cell", "women"])


def risks(chosen: Cohort) -> pd.DataFrame:
    """Return how the latest 5-year risks are distributed.

    Returns
    -------
    DataFrame
        risk_from, risk_to (0..1), women, steps. Steps go by the logarithm of the risk, `STEPS_A_DECADE` for a tenfold
        risk; `steps` says how many were joined to one row because few women were in them. What lies below
        `LEAST_RISK` counts in the first.
    """
    logs = np.log10(chosen.women["risk_5y"].clip(lower=LEAST_RISK).to_numpy(dtype=float))
    first = math.floor(min([*logs, -2.5]) * STEPS_A_DECADE)
    last = math.floor(max([*logs, -1.25]) * STEPS_A_DECADE) + 1
    edges = np.arange(first, last + 1) / STEPS_A_DECADE
    counts = np.histogram(logs, edges)[0].tolist()
    runs = joined(counts)
    return pd.DataFrame(
        {
            "risk_from": [10 ** edges[run[0]] for run in runs],
            "risk_to": [min(1.0, 10 ** edges[run[-1] + 1]) for run in runs],
            "women": [sum(counts[place] for place in run) for run in runs],
            "steps": [len(run) for run in runs],
        }
    )


def risks_by_density(chosen: Cohort) -> pd.DataFrame:
    """Return median and quartiles of the latest 5-year risk by density, joined as `densities` has it.

    Columns are density, lower_quartile, median, upper_quartile, women.
    """
    rows = []
    for run in joined(_by_density(chosen)):
        letters = [DENSITIES[place] for place in run]
        hers = chosen.women.loc[chosen.women["density"].isin(letters), "risk_5y"]
        if len(hers):
            rows.append((_from_to(run), *hers.quantile([0.25, 0.5, 0.75]), len(hers)))
    return pd.DataFrame(rows, columns=["density", "lower_quartile", "median", "upper_quartile", "women"])


def medians_by(visits: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return median and quartiles of 5-year risk by a column, one value a woman and group.

    A woman with several visits in a group counts once, with her mean there. Small groups are left out: their median
    would be one woman's score.
    """
    per_woman = visits.dropna(subset=[column]).groupby([column, "woman"])["risk_5y"].mean().reset_index()
    grouped = per_woman.groupby(column)["risk_5y"]
    table = pd.DataFrame(
        {
            "lower_quartile": grouped.quantile(0.25),
            "median": grouped.median(),
            "upper_quartile": grouped.quantile(0.75),
            "women": grouped.size(),
        }
    )
    return table[table["women"] >= SMALLEST_GROUP].reset_index()


def calendar(chosen: Cohort) -> pd.DataFrame:
    """Return `medians_by` the year of the visit."""
    return medians_by(chosen.visits, "year")


def course_to_last(chosen: Cohort) -> pd.DataFrame:
    """Return `medians_by` whole years before the last visit."""
    return _course(chosen.visits, "years_to_last")


def course_to_diagnosis(chosen: Cohort) -> pd.DataFrame:
    """Return `medians_by` whole years before the diagnosis, of the women with one; later visits do not count."""
    return _course(chosen.visits[chosen.visits["diagnosed"]], "years_to_diagnosis")


def _course(visits: pd.DataFrame, anchor: str) -> pd.DataFrame:
    before = visits[visits[anchor] <= 0]
    return medians_by(before.assign(years=before[anchor].round().astype("Int64")), "years")
