"""Evaluation of a longitudinal model on women it never saw, beside the simpler models on the same women."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.longitudinal.calibration import Calibration
from models.longitudinal.lacks import STANDARD_PLACES, lacking
from models.measures import bootstrap, censoring_weights, horizon_labels, metrics, paired_bootstrap, wilson
from models.sequence import (
    HORIZONS,
    MODES,
    SIDES,
    History,
    Mode,
    as_mode,
    predict_histories,
    risk_from_hazards,
)
from models.vocabulary import DAYS_PER_YEAR

__all__ = ["by_group", "index_visits", "interval_coverage", "measure", "prediction_table", "risk_slopes"]

CONTROLS: tuple[Mode, ...] = MODES[1:]
CALIBRATION_DRAWS = 300
BEFORE_DIAGNOSIS_YEARS = 6.0
"""The published slopes span six years (Lehman et al. 2026, 10.1148/radiol.253023)."""
AGREEMENTS: dict[str, Callable[..., float]] = {
    "accuracy": lambda true, said: float((true == said).mean()),
    "kappa": metrics.cohen_kappa,
    "kappa_linear": partial(metrics.cohen_kappa, linear=True),
}
"""How densities said are set beside true ones."""


def prediction_table(
    ensemble: keras.Model,
    calibration: Calibration,
    controls: dict[Mode, keras.Model],
    histories: Sequence[History],
    served: Calibration | None = None,
) -> pd.DataFrame:
    """Return one row a visit: what is said by the model and by its controls, and what came true.

    `served` is the calibration with which users are told risks, where that is another one.

    Columns: ``patient_id, visit, visits, index`` (true at the last visit), ``day, years_to_cancer,
    years_followed``; ``risk_1..5``, ``low_1..5``, ``high_1..5``; ``served_5`` as users are told it; ``last_1..5, no_pixels_1..5, dates_1..5`` (raw);
    for each side ``malignancy_L, malignancy_true_L, progression_L, progression_true_L, density_L,
    density_true_L`` (density 0..3, -1 unknown), ``seen_L``; ``standard_views`` (0..4, CC and MLO of both breasts).
    """
    parts: list[pd.DataFrame] = []
    answers = predict_histories(ensemble, histories)
    for history, said in zip(histories, answers, strict=True):
        n = len(history)
        risks = calibration.risks(said["hazard"], lacking(history.days, history.present))
        told = risks.value if served is None else served.risks(said["hazard"]).value
        columns: dict[str, Any] = {
            "patient_id": [history.patient_id] * n,
            "visit": np.arange(n),
            "visits": n,
            "index": np.arange(n) == n - 1,
            "day": history.days,
            "years_to_cancer": history.years_to_cancer,
            "years_followed": history.years_followed,
            "standard_views": history.present[:, :, :STANDARD_PLACES].sum(axis=(1, 2)),
            "served_5": told[:, HORIZONS - 1],
        }
        for k in range(HORIZONS):
            columns |= {
                f"risk_{k + 1}": risks.value[:, k],
                f"low_{k + 1}": risks.low[:, k],
                f"high_{k + 1}": risks.high[:, k],
            }
        growth = said["progression"]
        after = (history.years_to_cancer < 0)[:, None]
        progression = np.where(
            after, calibration.progressions(growth, after=True)[0], calibration.progressions(growth)[0]
        )
        for i, side in enumerate(SIDES):
            columns |= {
                f"malignancy_{side}": risks.breast[:, i, 0],
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
        raw = np.concatenate(
            [risk_from_hazards(said["hazard"]).mean(axis=0) for said in predict_histories(control, shown)]
        )
        for k in range(HORIZONS):
            table[f"{mode}_{k + 1}"] = raw[:, k]
    return table


def index_visits(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a `prediction_table` at which women are measured: each one's last, unless after a diagnosis."""
    return table[table["index"] & ~(table["years_to_cancer"] < 0)]


def measure(table: pd.DataFrame, *, times: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Measure everything that the table allows, at each woman's index visit.

    Returns
    -------
    dict
        ``women``, ``visits``; ``risk`` by horizon (n, events, auc, auc_ci, average_precision, brier, o_e,
        calibration_intercept, calibration_slope); ``controls`` by mode and horizon (auc, auc_ci, gain, gain_ci:
        AUC of the model minus AUC of the control, paired bootstrap over women); ``c_index`` with interval;
        ``malignancy``, ``progression``, ``density`` (agreement with its interval); ``interval_coverage`` and ``slopes``. What cannot be measured
        (too few cases) is left out.
    """
    modes = [mode for mode in CONTROLS if f"{mode}_1" in table]
    index = index_visits(table)
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
        said["risk"][str(k)] = _binary(y, p) | _calibrated(index, k, min(times, CALIBRATION_DRAWS), seed)
        for mode in modes:
            other = index[f"{mode}_{k}"].to_numpy(float)[known]
            value, low, high = metrics.auc_delong(y, other)
            gain = paired_bootstrap(metrics.auc, y, p, other, times=times, seed=seed)
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
        value, low, high = bootstrap(
            metrics.c_index,
            time[usable],
            event[usable].astype(int),
            score[usable],
            times=min(times, 200),
            seed=seed,
        )
        said["c_index"], said["c_index_ci"] = value, [low, high]
    said |= _by_breast(table, index, min(times, CALIBRATION_DRAWS), seed)
    said["interval_coverage"] = interval_coverage(index)
    said["slopes"] = risk_slopes(table, "served_5", times=times, seed=seed)
    return said


def by_group(
    index: pd.DataFrame, group: NDArray[Any], horizon: int, score: NDArray[np.float64] | None = None
) -> list[dict[str, Any]]:
    """Return the AUC of cancer within `horizon` years in each group of index visits.

    Parameters
    ----------
    index
        (n,) rows of the prediction table, women without earlier cancer.
    group
        (n,) the name of each one's group; groups come in the order of their names.
    horizon
        Years.
    score
        (n,) another score than the model's risk.

    Returns
    -------
    list of dict
        ``group, n, events`` and, where there are two cancers and two others at least, ``auc, auc_ci``.
    """
    label, known = horizon_labels(*_times(index), horizon)
    values = index[f"risk_{horizon}"].to_numpy(float) if score is None else score
    found = []
    for name in sorted({str(one) for one in group}):
        here = known & (group.astype(str) == name) & np.isfinite(values)
        said: dict[str, Any] = {"group": name, "n": int(here.sum()), "events": int(label[here].sum())}
        if min(said["events"], said["n"] - said["events"]) >= 2:
            value, low, high = metrics.auc_delong(label[here], values[here])
            said |= {"auc": value, "auc_ci": [low, high]}
        found.append(said)
    return found


def interval_coverage(index: pd.DataFrame, groups: int = 10) -> dict[str, Any]:
    """Say whether the intervals around the risks hold what came true.

    One woman's true risk is never seen, only whether she had cancer. So women are put into groups of equal size by
    predicted risk; a group's interval is the mean of its women's lower and of their upper bounds, and what it should
    hold is the share of the group that had cancer (weighted for censoring, `censoring_weights`). Two figures by
    horizon: ``covered``, the share of groups whose interval holds the observed share; and ``compatible``, the share
    whose interval meets the observed share's own 95 % interval (Wilson, with the effective number of women), as an
    observed share of a few dozen women is itself uncertain. 90 % intervals of the mean risk that tell the truth give
    about 0.9 or less of the first (chance in the observed share is not in them) and more than 0.9 of the second.

    Returns
    -------
    dict
        By horizon: ``groups``, ``covered``, ``compatible``, ``width`` (mean, in probability) and ``each`` (``said,
        low, high, seen, seen_ci, n``).
    """
    found: dict[str, Any] = {}
    times = _times(index)
    for k in range(1, HORIZONS + 1):
        label, known = horizon_labels(*times, k)
        if label[known].sum() < 2 or known.sum() < 2 * groups:
            continue
        weight = censoring_weights(*times, k)
        risk, low, high = (index[f"{name}_{k}"].to_numpy(float) for name in ("risk", "low", "high"))
        each: list[dict[str, Any]] = []
        for rows in np.array_split(np.flatnonzero(known)[np.argsort(risk[known], kind="stable")], groups):
            w = weight[rows]
            seen = float(np.average(label[rows], weights=w))
            each.append(
                {
                    "n": len(rows),
                    "said": float(np.average(risk[rows], weights=w)),
                    "low": float(np.average(low[rows], weights=w)),
                    "high": float(np.average(high[rows], weights=w)),
                    "seen": seen,
                    "seen_ci": list(wilson(seen, float(w.sum() ** 2 / (w**2).sum()))),
                }
            )
        found[str(k)] = {
            "groups": groups,
            "covered": float(np.mean([one["low"] <= one["seen"] <= one["high"] for one in each])),
            "compatible": float(
                np.mean(
                    [one["low"] <= one["seen_ci"][1] and one["seen_ci"][0] <= one["high"] for one in each]
                )
            ),
            "width": float(np.mean(high[known] - low[known])),
            "each": each,
        }
    return found


def risk_slopes(
    table: pd.DataFrame, column: str = "risk_5", *, times: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Return by how much the 5-year risk moved a year, in women who came to have cancer and in the others.

    Of each woman with two visits or more in the window, the least-squares slope of her risk over time; of the slopes
    the mean, with a bootstrap over women. The window is the six years before the diagnosis, or before the last visit
    of women in whom none was seen, as in the published cohort (Lehman et al. 2026). Visits after a diagnosis are left
    out. ``percent_a_year``: percentage points of risk a year, which depends on how common cancer is among these women.
    ``times_a_year``: the factor by which risk grows in a year, from the slope of its logarithm, which does so less.

    Returns
    -------
    dict
        ``cancer`` and ``none``, each ``n``, ``percent_a_year``, ``percent_a_year_ci``, ``times_a_year``,
        ``times_a_year_ci``; empty where fewer than two women can be measured.
    """
    slopes: dict[str, list[tuple[float, float]]] = {"cancer": [], "none": []}
    for _, visits in table.groupby("patient_id", sort=False):
        day, risk = visits["day"].to_numpy(float) / DAYS_PER_YEAR, visits[column].to_numpy(float)
        ahead = visits["years_to_cancer"].to_numpy(float)
        kind = "cancer" if np.isfinite(ahead).any() else "none"
        until = ahead if kind == "cancer" else day[-1] - day
        here = (until >= 0) & (until <= BEFORE_DIAGNOSIS_YEARS)
        if here.sum() >= 2:
            slopes[kind].append(
                tuple(
                    np.polyfit(day[here], values, 1)[0] for values in (100 * risk[here], np.log(risk[here]))
                )
            )
    found: dict[str, Any] = {}
    for kind, each in slopes.items():
        if len(each) < 2:
            continue
        percent, log = np.array(each).T
        value, low, high = bootstrap(_mean, percent, times=times, seed=seed)
        factor, least, most = np.exp(bootstrap(_mean, log, times=times, seed=seed))
        found[kind] = {
            "n": len(each),
            "percent_a_year": value,
            "percent_a_year_ci": [low, high],
            "times_a_year": float(factor),
            "times_a_year_ci": [float(least), float(most)],
        }
    return found


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.mean(values))


def _times(index: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return years to cancer and years followed."""
    return index["years_to_cancer"].to_numpy(float), index["years_followed"].to_numpy(float)


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


def _calibrated(index: pd.DataFrame, horizon: int, times: int, seed: int) -> dict[str, Any]:
    """Return O/E, intercept and slope, weighted so that the women censored before the horizon are stood in for."""
    label, _ = horizon_labels(*_times(index), horizon)
    weight = censoring_weights(*_times(index), horizon)
    risk = index[f"risk_{horizon}"].to_numpy(float)
    columns, options = (label, risk, weight), {"times": times, "seed": seed}
    o_e, *o_e_ci = bootstrap(metrics.observed_over_expected, *columns, **options)
    slope, *slope_ci = bootstrap(lambda y, p, w: metrics.calibration_line(y, p, w)[1], *columns, **options)
    return {
        "o_e": o_e,
        "o_e_ci": o_e_ci,
        "calibration_intercept": metrics.calibration_line(*columns)[0],
        "calibration_slope": slope,
        "calibration_slope_ci": slope_ci,
    }


def _by_breast(table: pd.DataFrame, index: pd.DataFrame, times: int, seed: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, rows in (("malignancy", index), ("progression", table)):
        truth, score, whose = _both_sides(rows, name)
        if truth.sum() >= 2 and (1 - truth).sum() >= 2:
            said[name] = _binary(truth, score, whose)
    true, answer, whose = _both_sides(table, "density")
    known = true >= 0
    if known.any():
        said["density"] = {"n": int(known.sum())}
        for name, agreement in AGREEMENTS.items():
            value, low, high = bootstrap(
                agreement, true[known], answer[known], cluster=whose[known], times=times, seed=seed
            )
            said["density"] |= {name: value, f"{name}_ci": [low, high]}
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
