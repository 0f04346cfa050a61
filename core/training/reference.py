"""What risks a longitudinal model gives to women of each age: what a first visit is set beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

    from models.longitudinal import Calibration
    from models.sequence import History

__all__ = ["reference_by_age"]

AGES = range(30, 91, 5)
YEARS_AROUND = 5.0
FEWEST_WOMEN = 20
"""Of fewer a median says little, and might tell of one."""
QUANTILES = np.linspace(0, 1, 21)


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
