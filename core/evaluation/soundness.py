"""Whether what is shown may be shown: trust by level, intervals that hold, and numbers that agree with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.rules import Trust, trust_by
from core.sets import EncodedViews, Exams

if TYPE_CHECKING:
    from models.longitudinal import Calibration, LongitudinalModel
    from models.sequence import History

__all__ = ["agreement", "by_trust", "intervals"]


def by_trust(
    model: LongitudinalModel,
    exams: Exams,
    encoded: EncodedViews,
    index: pd.DataFrame,
    *,
    simulated: bool,
) -> list[dict[str, Any]]:
    """Return how many index studies would be shown at which level, and why no further, with AUC within 1 and 5 years.

    Parameters
    ----------
    model
        What is evaluated.
    exams, encoded
        The set, and what the encoder said of its images.
    index
        Index visits of the prediction table (`models.longitudinal.prediction_table`).
    simulated
        Whether the women are.

    Returns
    -------
    list of dict
        ``level, reason, n`` and, where there are cancers enough, ``auc_1, auc_1_ci, auc_5, auc_5_ci``.
    """
    from models.longitudinal import by_group

    trusts = _trusts(model, exams, encoded, index, simulated=simulated)
    names = np.array([f"{trust.level.value}\n{trust.sentence}" for trust in trusts])
    found = {name: {"level": name.split("\n")[0], "reason": name.split("\n")[1] or None} for name in names}
    for horizon in (1, 5):
        for group in by_group(index, names, horizon):
            one = found[group["group"]]
            one["n"] = int((names == group["group"]).sum())
            one |= {f"{key}_{horizon}": group[key] for key in ("events",) if key in group}
            if "auc" in group:
                one |= {f"auc_{horizon}": group["auc"], f"auc_{horizon}_ci": group["auc_ci"]}
    return list(found.values())


def _trusts(
    model: LongitudinalModel,
    exams: Exams,
    encoded: EncodedViews,
    index: pd.DataFrame,
    *,
    simulated: bool,
) -> list[Trust]:
    """Settle the trust of each index visit by its least familiar view."""
    domain = model.domain
    far: dict[tuple[str, int], float] = {}
    if domain is not None and len(encoded.rows):
        for i, distance in zip(encoded.rows, domain.distances(encoded.said["vector"]), strict=True):
            image = exams.images[i]
            key = exams.women[image.woman].patient_id, image.visit
            far[key] = max(far.get(key, 0.0), float(distance))
    ages = {woman.patient_id: woman.ages for woman in exams.women}
    return [
        trust_by(
            model, distance=far.get((patient, visit)), age_years=ages[patient][visit], simulated=simulated
        )
        for patient, visit in zip(index["patient_id"], index["visit"], strict=True)
    ]


def intervals(
    model: LongitudinalModel, calibration: Calibration, women: Sequence[History], again: Sequence[History]
) -> dict[str, Any]:
    """Return whether intervals hold what they are to hold (`models.longitudinal.coverage`), and the smallest changes.

    `again` are women whose last study was taken once more on the same day (`core.sets.taken_again`).
    """
    from models.longitudinal import coverage

    before = [woman for woman in women if not woman.years_to_cancer[-1] < 0]
    return {
        "taken_twice": len(again),
        "by_lack": coverage(model.sequence, calibration, before, again) if before else {},
        "smallest_change": {key: list(each) for key, each in calibration.spread.smallest_change.items()},
        "fitted_on": calibration.spread.fitted_on,
        "repeated_on": calibration.spread.repeated_on,
    }


def agreement(table: pd.DataFrame) -> dict[str, Any]:
    """Count the visits at which probabilities of one woman contradict each other; none may.

    Returns
    -------
    dict
        ``visits``; ``breast_above_woman`` (a breast's 12-month malignancy above the risk within 1 year),
        ``woman_above_both`` (that above the sum of both), ``falls`` (risk falls with the horizon).
    """
    left, right = (table[f"malignancy_{side}"].to_numpy(float) for side in ("L", "R"))
    risk = table[[f"risk_{k}" for k in range(1, 6)]].to_numpy(float)
    return {
        "visits": len(table),
        "breast_above_woman": int((np.maximum(left, right) > risk[:, 0]).sum()),
        "woman_above_both": int((risk[:, 0] > left + right).sum()),
        "falls": int((np.diff(risk, axis=1) < 0).any(axis=1).sum()),
    }
