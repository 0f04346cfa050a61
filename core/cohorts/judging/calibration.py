"""Whether risks are as high as what comes: observed over expected, slope, and by tenth of risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from core.cohorts.judging.discrimination import check_scores
from core.cohorts.judging.outcomes import AtHorizon, outcomes_at
from core.cohorts.judging.shares import Estimate, Scale, estimate, ratio
from core.cohorts.judging.survival import aalen_johansen, check_times
from models.measures import safe_logit
from models.measures.metrics import calibration_line

__all__ = ["Tenth", "by_tenth", "calibration", "observed_over_expected"]

Numbers = NDArray[np.float64]


def _check_risks(risk: ArrayLike, n: int) -> Numbers:
    found = check_scores(risk, n)
    if found.min() < 0 or found.max() > 1:
        raise ValueError("Risks must be probabilities between 0 and 1.")
    return found


def observed_over_expected(at: AtHorizon, risk: ArrayLike, level: float = 0.95) -> Estimate:
    """Return cancers observed over cancers expected by the horizon: 1 is right, below 1 is overestimation.

    Observed is Aalen and Johansen's share, expected the mean risk of all women. Interval on the log, by woman.

    Raises
    ------
    ValueError
        If risks are no probabilities, or expect no cancer at all.
    """
    expected = _check_risks(risk, len(at.cancer))
    if expected.sum() <= 0:
        raise ValueError("The risks expect no cancer at all.")
    return ratio(at.weight * at.cancer, expected, Scale.LOG, level)


def calibration(at: AtHorizon, risk: ArrayLike, level: float = 0.95) -> tuple[Estimate, Estimate]:
    """Return intercept and slope of calibration with their intervals; right are 0 and 1.

    A logistic regression of the outcome on the logit of the risk, the intercept with the slope fixed at 1, weighted for
    those lost (Cox 1958; Van Calster et al. 2019, 10.1186/s12916-019-1466-7); variance by woman (White 1980).

    Raises
    ------
    ValueError
        If one of both outcomes does not occur, risks are no probabilities, or all of them are equal.
    """
    values = _check_risks(risk, len(at.cancer))
    weight, label = at.weight, at.cancer
    intercept, slope = calibration_line(label, values, weight)
    x = np.asarray(safe_logit(values))
    residual = weight * (label - expit(intercept + x))
    curvature = (weight * expit(intercept + x) * expit(-intercept - x)).sum()
    found = estimate(intercept, residual / curvature, Scale.PLAIN, level)
    design = np.column_stack([np.ones_like(x), x])
    # The slope's own intercept, by the first of its two equations.
    own = _intercept_of(x, slope, label, weight)
    p = expit(own + slope * x)
    information = design.T @ (design * (weight * p * (1 - p))[:, None])
    moves = (design * (weight * (label - p))[:, None]) @ np.linalg.inv(information)[:, 1]
    return found, estimate(slope, moves, Scale.PLAIN, level)


def _intercept_of(x: Numbers, slope: float, label: NDArray[np.bool_], weight: Numbers) -> float:
    """Return the intercept at which as many cancers are expected as came, the slope given."""
    at = 0.0
    for _ in range(100):
        p = expit(at + slope * x)
        step = float((weight * (label - p)).sum() / max((weight * p * (1 - p)).sum(), 1e-12))
        at += float(np.clip(step, -2, 2))
        if abs(step) < 1e-12:
            break
    return at


@dataclass(frozen=True)
class Tenth:
    """A group of women of like risk: how many, with how many cancers by the horizon, mean risk, and what came of them."""

    women: int
    cases: int
    expected: float
    observed: float
    low: float
    high: float


def by_tenth(
    time: ArrayLike, cause: ArrayLike, risk: ArrayLike, horizon: float, *, groups: int = 10, fewest: int = 1
) -> list[Tenth]:
    """Return the groups of equal size by risk with what came of each by the horizon (Aalen and Johansen), lowest first.

    Equal risks stay together. A group with cancers, or others, of fewer than `fewest` women is joined with its neighbour.

    Raises
    ------
    ValueError
        If nobody was followed up to the horizon, or risks are no probabilities.
    """
    when, what = check_times(time, cause)
    values = _check_risks(risk, len(when))
    at = outcomes_at(when, what, horizon)
    order = np.argsort(values, kind="stable")
    ends = np.unique(
        np.searchsorted(values[order], np.quantile(values, np.arange(1, groups) / groups), "right")
    )
    parts = [part for part in np.split(order, ends) if len(part)]
    found = []
    for rows in _joined(parts, at, fewest):
        curve = aalen_johansen(when[rows], what[rows])
        observed, low, high = (float(one) for one in curve.at(horizon))
        cases = int(at.cancer[rows].sum())
        found.append(Tenth(len(rows), cases, float(values[rows].mean()), observed, low, high))
    return found


def _joined(parts: list[NDArray[np.int64]], at: AtHorizon, fewest: int) -> list[NDArray[np.int64]]:
    """Join neighbours until each holds nobody, or `fewest` women and more, of either outcome."""

    def is_told(rows: NDArray[np.int64]) -> bool:
        cases, others = int(at.cancer[rows].sum()), int((at.known & ~at.cancer)[rows].sum())
        return all(one == 0 or one >= fewest for one in (cases, others)) and others > 0

    found: list[NDArray[np.int64]] = []
    open_: NDArray[np.int64] | None = None
    for part in parts:
        open_ = part if open_ is None else np.concatenate([open_, part])
        if is_told(open_):
            found.append(open_)
            open_ = None
    if open_ is not None:
        found = [*found[:-1], np.concatenate([*found[-1:], open_])]
    return found
