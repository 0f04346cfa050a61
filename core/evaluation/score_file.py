"""Measures of a file of scores: labels or times beside what was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.measures import bootstrap, metrics

__all__ = ["ScoreFileError", "measure_scores"]

BOOTSTRAP_ROWS = 10_000_000
"""Rows drawn in all draws of the bootstrap together: a long file gets fewer draws."""


class ScoreFileError(ValueError):
    """The file cannot be measured; the message says why and what to do."""


def measure_scores(path: Path) -> dict[str, Any]:
    """Measure a CSV with columns ``y_true, y_score[, cluster]``, ``time, event, y_score``, or both together.

    Returns
    -------
    dict
        ``n, events, auc, auc_ci`` (DeLong), ``auc_ci_bootstrap`` (women, that is clusters, drawn with replacement),
        ``average_precision, brier, o_e, calibration_intercept, calibration_slope``, of `y_true`; ``c_index`` (of
        time and event where given, else the AUC) and ``auc_by_time``, the time-dependent AUC at 1 to 5 years, `time`
        being in years. None where the columns do not allow it (calibration needs scores between 0 and 1).

    Raises
    ------
    ScoreFileError
        If the file cannot be read, has no rows or lacks a column, or a cell is no number.
    """
    table = _read_table(path)
    survival, labelled = {"time", "event", "y_score"} <= set(table), {"y_true", "y_score"} <= set(table)
    if not survival and not labelled:
        raise ScoreFileError(f"{path} needs the columns y_true and y_score, or time, event and y_score.")
    if table.empty:
        raise ScoreFileError(f"{path} has no rows: there is nothing to measure.")
    needed = ["y_score", *(["y_true"] if labelled else []), *(["time", "event"] if survival else [])]
    for name in needed:
        numbers = pd.to_numeric(table[name], errors="coerce")
        _refuse_where(
            ~np.isfinite(numbers.to_numpy(float)), table, f"{path}, line", f"{name} is not a number"
        )
        table[name] = numbers.astype(float)
    for name in ("y_true", "event"):
        if name in needed and not table[name].isin((0, 1)).all():
            raise ScoreFileError(f"{path}: {name} must be 0 or 1.")
    if survival:
        _refuse_where(table["time"].to_numpy() < 0, table, f"{path}, line", "time is below 0")
    cluster = None
    if labelled and "cluster" in table:
        _refuse_where(table["cluster"].isna().to_numpy(), table, f"{path}, line", "cluster is empty")
        cluster = table["cluster"].astype(str).to_numpy()
    label = table["y_true" if labelled else "event"].to_numpy()
    score = table["y_score"].to_numpy()
    measured: dict[str, Any] = {"n": len(table), "events": int(label.sum())}
    measured |= _of_labels(label, score, cluster) if labelled else dict.fromkeys(OF_LABELS)
    measured["c_index"], measured["auc_by_time"] = measured["auc"], None
    if survival:
        time, event = table["time"].to_numpy(), table["event"].to_numpy()
        measured["c_index"] = _if_possible(lambda: metrics.c_index(time, event, score))
        measured["auc_by_time"] = {
            str(years): _if_possible(lambda years=years: metrics.auc_at(time, event, score, years))  # type: ignore[misc]
            for years in range(1, 6)
        }
    return measured


OF_LABELS = (
    "auc", "auc_ci", "auc_ci_bootstrap", "average_precision", "brier", "o_e",
    "calibration_intercept", "calibration_slope",
)  # fmt: skip


def _of_labels(label: NDArray[Any], score: NDArray[Any], cluster: NDArray[Any] | None) -> dict[str, Any]:
    area = _if_possible(lambda: metrics.auc_delong(label, score, cluster))
    times = int(np.clip(BOOTSTRAP_ROWS // len(label), 50, 1000))
    drawn = area and _if_possible(lambda: bootstrap(metrics.auc, label, score, cluster=cluster, times=times))
    probabilities = score.min() >= 0 and score.max() <= 1
    line = _if_possible(lambda: metrics.calibration_line(label, score)) if probabilities else None
    # Where one score parts the two labels, the slope of best fit has no end.
    parted = area is not None and _parted(label, score)
    return {
        "auc": area[0] if area else None,
        "auc_ci": list(area[1:]) if area else None,
        "auc_ci_bootstrap": list(drawn[1:]) if drawn else None,
        "average_precision": _if_possible(lambda: metrics.average_precision(label, score)),
        "brier": metrics.brier(label, score) if probabilities else None,
        "o_e": _if_possible(lambda: metrics.observed_over_expected(label, score)) if probabilities else None,
        "calibration_intercept": line[0] if line else None,
        "calibration_slope": line[1] if line and not parted else None,
    }


def _parted(label: NDArray[Any], score: NDArray[Any]) -> bool:
    cases, others = score[label == 1], score[label == 0]
    return bool(others.max() <= cases.min() or cases.max() <= others.min())


def _read_table(path: Path) -> pd.DataFrame:
    try:
        # Blank lines are dropped only after each row knows its line.
        table = pd.read_csv(path, skipinitialspace=True, skip_blank_lines=False)
    except FileNotFoundError as error:
        raise ScoreFileError(f"There is no file {path}.") from error
    except (ValueError, OSError) as error:
        raise ScoreFileError(f"{path} is not a CSV file: {error}") from error
    return table.dropna(how="all")


def _refuse_where(bad: NDArray[np.bool_], table: pd.DataFrame, where: str, what: str) -> None:
    if bad.any():
        raise ScoreFileError(f"{where} {table.index[int(bad.argmax())] + 2}: {what}.")


def _if_possible(measure: Callable[[], Any]) -> Any:
    """Return the measure, or None where it does not exist (one label only, no pair to compare)."""
    try:
        return measure()
    except ValueError:
        return None
