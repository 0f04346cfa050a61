"""A line on the scale of log-odds: how what a model says becomes a probability (Platt 1999)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.measures import safe_logit

__all__ = ["FEWEST", "Logistic", "fit_logistic"]

FEWEST = 5
"""Fewer events, or fewer who have none, say nothing of a line."""


@dataclass(frozen=True)
class Logistic:
    """A line on the scale of log-odds: ``logit(q) = intercept + slope * logit(p)``, slope above 0."""

    intercept: float = 0.0
    slope: float = 1.0

    def of_logit(self, value: Any) -> NDArray[np.float64]:
        """Return calibrated log-odds of raw log-odds."""
        return self.intercept + self.slope * np.asarray(value, np.float64)

    def __call__(self, probability: Any) -> NDArray[np.float64]:
        """Return the calibrated probability."""
        return np.asarray(expit(self.of_logit(safe_logit(probability))))


def fit_logistic(
    raw_logit: NDArray[np.float64], label: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> Logistic:
    """Fit a line on log-odds by maximum likelihood (Platt 1999), with a weak pull of the slope towards 1.

    Raises
    ------
    ValueError
        If there are fewer than `FEWEST` events or non-events.
    """
    x, y = np.asarray(raw_logit, np.float64), np.asarray(label, np.float64)
    if min(y.sum(), (1 - y).sum()) < FEWEST:
        raise ValueError(f"{y.sum():.0f} events of {len(y)} are too few, or too many, to calibrate on.")
    w = np.ones_like(y) if weight is None else np.asarray(weight, np.float64)

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        intercept, log_slope = line
        slope = np.exp(log_slope)
        z = intercept + slope * x
        off = w * (expit(z) - y)
        value = float((w * (np.logaddexp(0, z) - y * z)).sum() + 0.5 * (log_slope / 0.5) ** 2)
        return value, np.array([off.sum(), (off * slope * x).sum() + log_slope / 0.25])

    fit = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B")
    return Logistic(float(fit.x[0]), float(np.exp(fit.x[1])))
