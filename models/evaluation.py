"""Evaluation of a longitudinal model on women it never saw, beside the simpler models on the same women."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import metrics
from models.calibration import Calibration, censoring_weights, horizon_labels
from models.sequence import HORIZONS, risk_from_hazards
from models.sequence_training import MODES, History, Mode, as_mode, predict_histories
from models.study import SIDES

__all__ = ["measure", "prediction_table"]

CONTROLS: tuple[Mode, ...] = MODES[1:]


def prediction_table(
    ensemble: keras.Model,
    calibration: Calibration,
    controls: dict[Mode, keras.Model],
    histories: Sequence[History],
) -> pd.DataFrame:
    """Return one row a visit: what is said by the model and by its controls, and what came true.

    Columns: ``patient_id, visit, visits, index`` (true at the last visit), ``day, years_to_cancer,
    years_followed``; ``risk_1..5``, ``low_1..5``, ``high_1..5``; ``last_1..5, no_pixels_1..5, dates_1..5`` (raw);
    for each side ``malignancy_L, malignancy_true_L, progression_L, progression_true_L, density_L,
    density_true_L`` (density 0..3, -1 unknown), ``seen_L``.
    """
    parts: list[pd.DataFrame] = []
    answers = predict_histories(ensemble, histories)
    for history, said in zip(histories, answers, strict=True):
        n = len(history)
        value, low, high = calibration.risks(risk_from_hazards(said["hazard"]))
        columns: dict[str, Any] = {
            "patient_id": [history.patient_id] * n,
            "visit": np.arange(n),
            "visits": n,
            "index": np.arange(n) == n - 1,
            "day": history.days,
            "years_to_cancer": history.years_to_cancer,
            "years_followed": history.years_followed,
        }
        for k in range(HORIZONS):
            columns |= {f"risk_{k + 1}": value[:, k], f"low_{k + 1}": low[:, k], f"high_{k + 1}": high[:, k]}
        malignancy = calibration.malignancies(said["malignancy"].mean(axis=0))
        progression = calibration.progressions(said["progression"].mean(axis=0))
        for i, side in enumerate(SIDES):
            columns |= {
                f"malignancy_{side}": malignancy[:, i],
                f"malignancy_true_{side}": history.malignancy[:, i],
                f"progression_{side}": progression[:, i],
                f"progression_true_{side}": history.progression[:, i],
                f"density_{side}": said["density"][:, i].argmax(axis=-1),
                f"density_true_{side}": history.density[:, i],
                f"seen_{side}": history.present[:, i].any(axis=-1),
            }
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts, ignore_index=True)
    for mode, control in controls.items():
        shown = [one for history in histories for one in as_mode(history, mode)]
        raw = [risk_from_hazards(said["hazard"]).mean(axis=0) for said in predict_histories(control, shown)]
        risks = np.concatenate(raw)
        for k in range(HORIZONS):
            table[f"{mode}_{k + 1}"] = risks[:, k]
    return table


def measure(table: pd.DataFrame, *, times: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Measure everything that the table allows, at each woman's index visit.

    Returns
    -------
    dict
        ``women``, ``visits``; ``risk`` by horizon (n, events, auc, auc_ci, average_precision, brier, o_e,
        calibration_intercept, calibration_slope); ``controls`` by mode and horizon (auc, auc_ci, gain, gain_ci:
        AUC of the model minus AUC of the control, paired bootstrap over women); ``c_index`` with interval;
        ``malignancy``, ``progression``, ``density``. What cannot be measured (too few cases) is left out.
    """
    modes = [mode for mode in CONTROLS if f"{mode}_1" in table]
    index = table[table["index"] & ~(table["years_to_cancer"] < 0)]
    said: dict[str, Any] = {
        "women": int(table["patient_id"].nunique()),
        "visits": len(table),
        "risk": {},
        "controls": {mode: {} for mode in modes},
    }
    for k in range(1, HORIZONS + 1):
        label, known = horizon_labels(
            index["years_to_cancer"].to_numpy(float), index["years_followed"].to_numpy(float), k
        )
        if label[known].sum() < 2 or (1 - label[known]).sum() < 2:
            continue
        y, p = label[known], index[f"risk_{k}"].to_numpy(float)[known]
        said["risk"][str(k)] = _binary(y, p) | _calibrated(index, k)
        for mode in modes:
            other = index[f"{mode}_{k}"].to_numpy(float)[known]
            value, low, high = metrics.auc_delong(y, other)
            gain = metrics.paired_bootstrap(metrics.auc, y, p, other, times=times, seed=seed)
            said["controls"][mode][str(k)] = {
                "auc": value,
                "auc_ci": [low, high],
                "gain": gain[0],
                "gain_ci": list(gain[1:]),
            }
    event = index["years_to_cancer"].notna().to_numpy()
    time = np.where(event, index["years_to_cancer"], index["years_followed"]).astype(float)
    usable = time > 0
    if event[usable].sum() >= 2:
        score = index["risk_5"].to_numpy(float)
        value, low, high = metrics.bootstrap(
            metrics.c_index,
            time[usable],
            event[usable].astype(int),
            score[usable],
            times=min(times, 200),
            seed=seed,
        )
        said["c_index"], said["c_index_ci"] = value, [low, high]
    said |= _by_breast(table, index)
    return said


def _binary(y: NDArray[np.float64], p: NDArray[np.float64], cluster: Any = None) -> dict[str, Any]:
    value, low, high = metrics.auc_delong(y, p, cluster)
    return {
        "n": len(y),
        "events": int(y.sum()),
        "auc": value,
        "auc_ci": [low, high],
        "average_precision": metrics.average_precision(y, p),
        "brier": metrics.brier(y, p),
    }


def _calibrated(index: pd.DataFrame, horizon: int) -> dict[str, float]:
    """Return O/E, intercept and slope, weighted so that the women censored before the horizon are stood in for."""
    to_cancer, followed = (index[name].to_numpy(float) for name in ("years_to_cancer", "years_followed"))
    label, _ = horizon_labels(to_cancer, followed, horizon)
    weight = censoring_weights(to_cancer, followed, horizon)
    risk = index[f"risk_{horizon}"].to_numpy(float)
    intercept, slope = metrics.calibration_line(label, risk, weight)
    return {
        "o_e": metrics.observed_over_expected(label, risk, weight),
        "calibration_intercept": intercept,
        "calibration_slope": slope,
    }


def _by_breast(table: pd.DataFrame, index: pd.DataFrame) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, rows in (("malignancy", index), ("progression", table)):
        truth, score, whose = _both_sides(rows, name)
        if truth.sum() >= 2 and (1 - truth).sum() >= 2:
            said[name] = _binary(truth, score, whose)
    true, answer, _ = _both_sides(table, "density")
    known = true >= 0
    if known.any():
        said["density"] = {
            "n": int(known.sum()),
            "accuracy": float((true[known] == answer[known]).mean()),
            "kappa": metrics.cohen_kappa(true[known], answer[known]),
            "kappa_linear": metrics.cohen_kappa(true[known], answer[known], linear=True),
        }
    return said


def _both_sides(table: pd.DataFrame, name: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return truth, answer and woman for every breast seen of which the truth is known."""
    truth, score, whose = [], [], []
    for side in SIDES:
        rows = table[table[f"seen_{side}"] & table[f"{name}_true_{side}"].notna()]
        truth.append(rows[f"{name}_true_{side}"].to_numpy(float))
        score.append(rows[f"{name}_{side}"].to_numpy(float))
        whose.append(rows["patient_id"].to_numpy())
    return np.concatenate(truth), np.concatenate(score), np.concatenate(whose)
