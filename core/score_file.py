"""Measures of a file of scores: labels or times beside what was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from models import metrics

__all__ = ["ScoreFileError", "measure_scores"]


class ScoreFileError(ValueError):
    """The file cannot be measured; the message says why and what to do."""


def measure_scores(path: Path) -> dict[str, Any]:
    """Measure a CSV with columns ``y_true, y_score[, cluster]`` or ``time, event, y_score``.

    Returns
    -------
    dict
        ``n, events, auc, auc_ci, average_precision, brier, o_e, calibration_intercept, calibration_slope, c_index``;
        None where the columns do not allow it (calibration needs scores between 0 and 1).

    Raises
    ------
    ScoreFileError
        If the file cannot be read, or lacks a column, or a cell is no number.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise ScoreFileError(f"There is no file {path}.") from error
    except (ValueError, OSError) as error:
        raise ScoreFileError(f"{path} is not a CSV file: {error}") from error
    survival = {"time", "event", "y_score"} <= set(table)
    if not survival and not {"y_true", "y_score"} <= set(table):
        raise ScoreFileError(f"{path} needs the columns y_true and y_score, or time, event and y_score.")
    needed = ["time", "event", "y_score"] if survival else ["y_true", "y_score"]
    for name in needed:
        numbers = pd.to_numeric(table[name], errors="coerce")
        if numbers.isna().any():
            line = int(numbers.isna().to_numpy().argmax()) + 2
            raise ScoreFileError(f"{path}, line {line}: {name} is not a number.")
        table[name] = numbers
    label = table["event" if survival else "y_true"].to_numpy()
    score = table["y_score"].to_numpy(float)
    cluster = table["cluster"].to_numpy() if "cluster" in table and not survival else None
    if not set(label) <= {0, 1}:
        raise ScoreFileError(f"{path}: {'event' if survival else 'y_true'} must be 0 or 1.")
    measured: dict[str, Any] = {"n": len(table), "events": int(label.sum())}
    area = None if survival else _if_possible(lambda: metrics.auc_delong(label, score, cluster))
    probabilities = not survival and len(score) > 0 and score.min() >= 0 and score.max() <= 1
    line_fit = _if_possible(lambda: metrics.calibration_line(label, score)) if probabilities else None
    measured["auc"] = area[0] if area else None
    measured["auc_ci"] = list(area[1:]) if area else None
    measured["average_precision"] = (
        None if survival else _if_possible(lambda: metrics.average_precision(label, score))
    )
    measured["brier"] = _if_possible(lambda: metrics.brier(label, score)) if probabilities else None
    measured["o_e"] = (
        _if_possible(lambda: metrics.observed_over_expected(label, score)) if probabilities else None
    )
    measured["calibration_intercept"] = line_fit[0] if line_fit else None
    measured["calibration_slope"] = line_fit[1] if line_fit else None
    measured["c_index"] = (
        _if_possible(lambda: metrics.c_index(table["time"].to_numpy(float), label, score))
        if survival
        else measured["auc"]
    )
    return measured


def _if_possible(measure: Callable[[], Any]) -> Any:
    """Return the measure, or None where it does not exist (one label only, no pair to compare)."""
    try:
        return measure()
    except ValueError:
        return None
