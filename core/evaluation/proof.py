"""What is known of one set of simulated women beside what a longitudinal model says of them.

Takes the table of predictions (`models.longitudinal.evaluation.prediction_table`), the truth of the same women
(`core.sets.truth`) and the oracles (`core.evaluation.oracles`); `core.evaluation.targets` judges what comes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.oracles import HISTORY, LAST_VISIT, oracle_scores, reader_table
from core.rules.vocabulary import DENSITIES, SIDES
from core.sets import TrueBreast, by_woman

__all__ = ["against_truth", "index_groups"]

HORIZONS = (1, 2, 5)
SMALLEST_LESION_MM = 3.0
"""From this size on a finding may be visible (`seed_data.women.appearance`)."""


def against_truth(
    table: pd.DataFrame,
    truth: Sequence[TrueBreast],
    fitted_on: Sequence[TrueBreast] = (),
    *,
    times: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure the model beside the oracles on the same women.

    Parameters
    ----------
    table
        What `models.longitudinal.evaluation.prediction_table` gave, `last_…` included.
    truth
        Of the same women. Women who are not in it are left out here.
    fitted_on
        Truth of other women for the two readers to learn from; none: they learn by folds within the women evaluated.
    times, seed
        Bootstrap.

    Returns
    -------
    dict
        ``readers``: ``fitted_on`` (words), and by horizon the AUCs of both readers, ``gain``, ``model_gain``, ``share``
        of the one in the other, each with its interval, and ``model_above_last``, ``last_share`` of the distance from
        0.5; ``malignancy``: the truth oracle's AUC by breast and the model's share of the distance from 0.5 to it,
        and as ``visible_only`` the AUC of one who knows the size of the visible cancers only;
        ``progression``: AUC among women with a lesion. What cannot be measured is left out. ``scores``: the history
        reader's by horizon, (n index women), for groups; not for JSON.
    """
    from models.longitudinal import index_visits

    index = index_visits(table).set_index("patient_id", drop=False)
    seen = reader_table(truth)
    index = index.loc[index.index.intersection(seen.index, sort=False)]
    seen = seen.loc[index.index]
    others = reader_table(fitted_on) if fitted_on else None
    readers: dict[str, Any] = {
        "fitted_on": f"{len(others)} other simulated women"
        if others is not None
        else f"the {len(seen)} women themselves, by folds: so few make the readers weaker than they could be"
    }
    scores: dict[int, pd.Series] = {}
    for horizon in range(1, 6):
        try:
            last, history = (
                oracle_scores(seen, columns, horizon, others) for columns in (LAST_VISIT, HISTORY)
            )
        except ValueError:
            continue
        scores[horizon] = history
        measured = _beside_readers(index, horizon, last.to_numpy(), history.to_numpy(), times, seed)
        if measured is not None:
            readers[str(horizon)] = measured
    found: dict[str, Any] = {"readers": readers, "scores": scores}
    for key, value in (
        ("malignancy", _malignancy(index, truth, times, seed)),
        ("progression", _progression(table, truth)),
    ):
        if value is not None:
            found[key] = value
    return found


def _beside_readers(
    index: pd.DataFrame,
    horizon: int,
    last: NDArray[np.float64],
    history: NDArray[np.float64],
    times: int,
    seed: int,
) -> dict[str, Any] | None:
    from models.measures import auc, auc_delong, horizon_labels, paired_bootstrap, share_of

    label, known = horizon_labels(
        index["years_to_cancer"].to_numpy(float), index["years_followed"].to_numpy(float), horizon
    )
    if min(label[known].sum(), (1 - label[known]).sum()) < 2:
        return None
    y = label[known]
    model = index[f"risk_{horizon}"].to_numpy(float)[known]
    alone = index[f"last_{horizon}"].to_numpy(float)[known]
    reader_last, reader = last[known], history[known]
    options: dict[str, Any] = {"times": times, "seed": seed}
    gain = paired_bootstrap(auc, y, reader, reader_last, **options)
    own = paired_bootstrap(auc, y, model, alone, **options)
    share, ends = share_of(
        lambda t, a, b, _c, _d: auc(t, a) - auc(t, b),
        lambda t, _a, _b, c, d: auc(t, c) - auc(t, d),
        y, model, alone, reader, reader_last, **options,
    )  # fmt: skip
    of_all, of_all_ends = share_of(
        lambda t, a, _c: auc(t, a) - 0.5, lambda t, _a, c: auc(t, c) - 0.5, y, model, reader, **options
    )
    value, low, high = auc_delong(y, reader)
    first, least, most = auc_delong(y, reader_last)
    return {
        "n": len(y),
        "events": int(y.sum()),
        "last": first,
        "last_ci": [least, most],
        "history": value,
        "history_ci": [low, high],
        "gain": gain[0],
        "gain_ci": list(gain[1:]),
        "model_gain": own[0],
        "model_gain_ci": list(own[1:]),
        "share": share,
        "share_ci": ends,
        "share_of_distance": of_all,
        "share_of_distance_ci": of_all_ends,
    }


def _malignancy(
    index: pd.DataFrame, truth: Sequence[TrueBreast], times: int, seed: int
) -> dict[str, Any] | None:
    """Set malignancy by breast at the index visit beside the true size of the largest cancer in it."""
    from models.measures import auc, auc_delong, share_of

    size = {
        (patient, breast.laterality): (
            breast.largest_malignant_mm,
            max((one.diameter_mm for one in breast.lesions if one.malignant and one.visible), default=0.0),
        )
        for patient, breasts in by_woman(truth).items()
        for breast in breasts
        if breast.visit == breasts[-1].visit
    }
    rows = [
        (row[f"malignancy_true_{side}"], row[f"malignancy_{side}"], *size[patient, side], patient)
        for patient, row in zip(index.index, index.to_dict("records"), strict=True)
        for side in SIDES
        if row[f"seen_{side}"] and np.isfinite(row[f"malignancy_true_{side}"]) and (patient, side) in size
    ]
    if not rows:
        return None
    *numbers, women = zip(*rows, strict=True)
    label, said, true, visible = (np.array(column, float) for column in numbers)
    whose = np.array(women)
    if min(label.sum(), (1 - label).sum()) < 2:
        return None
    share, ends = share_of(
        lambda y, a, _b: auc(y, a) - 0.5,
        lambda y, _a, b: auc(y, b) - 0.5,
        label, said, true, cluster=whose, times=times, seed=seed,
    )  # fmt: skip
    of_visible, of_visible_ends = share_of(
        lambda y, a, _b: auc(y, a) - 0.5,
        lambda y, _a, b: auc(y, b) - 0.5,
        label, said, visible, cluster=whose, times=times, seed=seed,
    )  # fmt: skip
    oracle, low, high = auc_delong(label, true, whose)
    own, least, most = auc_delong(label, said, whose)
    shown, at_least, at_most = auc_delong(label, visible, whose)
    return {
        "n": len(label),
        "events": int(label.sum()),
        "oracle": oracle,
        "oracle_ci": [low, high],
        "visible_only": shown,
        "visible_only_ci": [at_least, at_most],
        "share_of_visible": of_visible,
        "share_of_visible_ci": of_visible_ends,
        "model": own,
        "model_ci": [least, most],
        "share": share,
        "share_ci": ends,
    }


def _progression(table: pd.DataFrame, truth: Sequence[TrueBreast]) -> dict[str, Any] | None:
    """Judge progression, by breast, at the visits of women who have a lesion.

    A woman has a lesion at a visit if a finding of 3 mm or more, of any kind, visible or not, is in either breast then
    or at the visit before (benign ones too: they are what growth must be told from).
    """
    from models.measures import auc_delong

    with_lesion: set[tuple[str, int]] = set()
    for patient, breasts in by_woman(truth).items():
        days = sorted({breast.on.toordinal() for breast in breasts})
        following = dict(zip(days, [*days[1:], days[-1]], strict=True))
        for breast in breasts:
            if any(lesion.diameter_mm >= SMALLEST_LESION_MM for lesion in breast.lesions):
                day = breast.on.toordinal()
                with_lesion |= {(patient, day), (patient, following[day])}
    here = [key in with_lesion for key in zip(table["patient_id"], table["day"].astype(int), strict=True)]
    rows = table[np.array(here, bool)]
    label, said, whose = [], [], []
    for side in SIDES:
        known = rows[rows[f"seen_{side}"] & rows[f"progression_true_{side}"].notna()]
        label.append(known[f"progression_true_{side}"].to_numpy(float))
        said.append(known[f"progression_{side}"].to_numpy(float))
        whose.append(known["patient_id"].to_numpy())
    y, p = np.concatenate(label), np.concatenate(said)
    if len(y) == 0 or min(y.sum(), (1 - y).sum()) < 2:
        return None
    value, low, high = auc_delong(y, p, np.concatenate(whose))
    return {"n": len(y), "events": int(y.sum()), "auc": value, "auc_ci": [low, high]}


def index_groups(index: pd.DataFrame, truth: Sequence[TrueBreast] = ()) -> dict[str, NDArray[Any]]:
    """Return by what index visits are grouped: density, number of priors, missing views and, where known, vendor.

    Parameters
    ----------
    index
        (n,) rows of the prediction table.
    truth
        Of these women; the vendor stands only there.
    """
    true = index[["density_true_L", "density_true_R"]].max(axis=1).to_numpy(int)
    priors = index["visits"].to_numpy(int) - 1
    groups: dict[str, NDArray[Any]] = {
        "density": np.array(["unknown" if one < 0 else DENSITIES[one] for one in true]),
        "priors": np.array(["none" if n == 0 else "1 or 2" if n < 3 else "3 or 4" if n < 5 else "5 or more" for n in priors]),
        "views": np.where(index["standard_views"].to_numpy(int) >= 4, "all four", "some missing"),
    }  # fmt: skip
    vendor = {patient: breasts[-1].vendor for patient, breasts in by_woman(truth).items()}
    if vendor:
        groups["vendor"] = np.array([vendor.get(patient, "unknown") for patient in index["patient_id"]])
    return groups
