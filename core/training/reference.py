"""Reference women of a longitudinal model: among whom a score is ranked, and beside whom a first visit is set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from models.longitudinal import Calibration
    from models.sequence import History

__all__ = [
    "FEWEST_REFERENCE_WOMEN",
    "reference_by_age",
    "reference_courses",
    "reference_women",
    "references",
]

AGES = range(30, 91, 5)
YEARS_AROUND = 5.0
FEWEST_WOMEN = 20
"""Of fewer a median says little, and might tell of one."""
QUANTILES = np.linspace(0, 1, 21)
YEARS_BEFORE = range(9)
"""Of a course: years before a diagnosis, or before the last visit of a woman without one."""

FEWEST_REFERENCE_WOMEN = 100
"""A rank among a hundred needs as many."""


def reference_women(risk_5: NDArray[np.float64], who: str) -> dict[str, Any] | None:
    """Return what a card keeps of its reference women under ``reference``; None of too few.

    Parameters
    ----------
    risk_5
        (n,) 5-year risks (0..1) as the model tells them, one a woman.
    who
        Who the women are, in words that follow "of 100 reference women:".

    Returns
    -------
    dict or None
        ``women``, in words with their number, and ``risk_5``, the quantiles 0, 1 … 100 % (`core.rules.rank_among_reference`).
    """
    known = risk_5[np.isfinite(risk_5)]
    if len(known) < FEWEST_REFERENCE_WOMEN:
        return None
    quantiles = np.quantile(known, np.linspace(0, 1, 101))
    return {"women": f"{len(known):,} {who}", "risk_5": [float(value) for value in quantiles]}


def reference_by_age(
    ensemble: keras.Model, calibration: Calibration, women: Sequence[History], whose: str
) -> dict[str, Any]:
    """Return what stands as ``reference_by_age`` among the settings of a model's card.

    Each woman counts once at an age: with the visit nearest to it. Visits followed by a cancer within 5 years, or after
    one, are left out, so that it does not matter how many cancers a set holds.

    Parameters
    ----------
    ensemble, calibration
        As they serve.
    women
        Who did not teach the ensemble.
    whose
        Who they are, in words.

    Returns
    -------
    dict
        ``women`` in words; ``bins``, one for each age of which there are 20 women at least: ``age`` with ``around``, the years
        to both sides of it, ``n`` women, their ``median_5y`` and 21 ``quantiles_5y`` of 5-year risk, from the lowest to the
        highest.
    """
    from models.longitudinal import prediction_table

    table = prediction_table(ensemble, calibration, {}, women)
    table["age"] = np.concatenate([woman.ages for woman in women])
    table = table[~(table["years_to_cancer"] <= 5) & table["age"].notna()]
    bins = []
    for age in AGES:
        off = (table["age"] - age).abs()
        near = table[off <= YEARS_AROUND].assign(off=off).sort_values("off").drop_duplicates("patient_id")
        if len(near) < FEWEST_WOMEN:
            continue
        risks = near["risk_5"].to_numpy(float)
        bins.append(
            {
                "age": age,
                "around": YEARS_AROUND,
                "n": len(near),
                "median_5y": float(np.median(risks)),
                "quantiles_5y": [float(risk) for risk in np.quantile(risks, QUANTILES)],
            }
        )
    return {"women": whose, "bins": bins}


def reference_courses(
    ensemble: keras.Model, calibration: Calibration, women: Sequence[History], whose: str
) -> dict[str, Any]:
    """Return what stands as ``reference_courses`` among the settings of a model's card; arguments as `reference_by_age`.

    Each woman counts once at a year before the end: with the visit nearest to it, half a year off at most. The end is the
    diagnosis of those in whom a cancer was found, and the last visit of the others. Later visits than a diagnosis are left
    out. The women of one year are not all those of the next: a course is of medians, not of a woman.

    Returns
    -------
    dict
        ``women`` in words; ``cancer`` and ``none``, each a list of ``years`` before the end, ``n`` women and their
        ``median_5y`` risk, from early to late, of the years of which there are 20 women at least.
    """
    from models.longitudinal import prediction_table

    table = prediction_table(ensemble, calibration, {}, women)
    table["ill"] = table.groupby("patient_id")["years_to_cancer"].transform(lambda years: years.notna().any())
    last = table.groupby("patient_id")["day"].transform("max")
    table["before"] = table["years_to_cancer"].where(table["ill"], (last - table["day"]) / 365.25)
    table = table[table["before"] >= 0]
    return {
        "women": whose,
        "cancer": _course(table[table["ill"]]),
        "none": _course(table[~table["ill"]]),
    }


def _course(visits: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the median risks of one group of `reference_courses`."""
    found = []
    for years in reversed(YEARS_BEFORE):
        off = (visits["before"] - years).abs()
        near = visits[off <= 0.5].assign(off=off).sort_values("off").drop_duplicates("patient_id")
        if len(near) >= FEWEST_WOMEN:
            risk = float(np.median(near["risk_5"].to_numpy(float)))
            found.append({"years": years, "n": len(near), "median_5y": risk})
    return found


def references(
    ensemble: keras.Model, calibration: Calibration, women: Sequence[History], whose: str
) -> dict[str, Any]:
    """Return what a model's card keeps of reference women: `reference_women`, `reference_by_age`, `reference_courses`.

    A rank is among the last visits of those in whom no cancer was seen: how many cancers a set holds must not matter.
    """
    from models.longitudinal import prediction_table

    well = [woman for woman in women if np.isnan(woman.years_to_cancer).all()]
    last = prediction_table(ensemble, calibration, {}, well) if well else None
    risks = last.loc[last["index"], "risk_5"].to_numpy(float) if last is not None else np.zeros(0)
    return {
        "reference": reference_women(risks, f"of {whose}, without cancer"),
        "reference_by_age": reference_by_age(ensemble, calibration, women, whose),
        "reference_courses": reference_courses(ensemble, calibration, women, whose),
    }
