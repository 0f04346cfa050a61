"""Calibration of a classifier of single images: from logits to probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

__all__ = ["Scaling", "fit_scaling"]


@dataclass(frozen=True)
class Scaling:
    """Calibration of several classes: ``softmax(slope * logits + bias)`` (Guo et al. 2017, arXiv:1706.04599)."""

    slope: float = 1.0
    bias: tuple[float, ...] = ()

    def __call__(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities (…, classes) of logits (…, classes)."""
        bias = np.asarray(self.bias) if self.bias else 0.0
        return np.asarray(softmax(self.slope * np.asarray(logits, np.float64) + bias, axis=-1))


def fit_scaling(logits: NDArray[Any], label: NDArray[np.int64] | NDArray[np.bool_]) -> Scaling:
    """Fit `Scaling` by maximum likelihood, with a pull towards the identity that few images cannot overcome.

    `label` is (n,) from 0, or (n, classes) of truth values where it leaves open which of several classes it is.
    """
    classes = logits.shape[1]
    truth = label if label.ndim == 2 else np.eye(classes, dtype=bool)[label]
    if truth.sum(axis=0).min() < 3:
        return Scaling()

    def loss(at: NDArray[np.float64]) -> float:
        said = log_softmax(np.exp(at[0]) * np.asarray(logits, np.float64) + at[1:], axis=1)
        held = logsumexp(np.where(truth, said, -np.inf), axis=1)
        return float(-held.sum() + 2 * at[0] ** 2 + (at[1:] ** 2).sum())

    fit = minimize(loss, np.zeros(classes + 1), method="L-BFGS-B")
    return Scaling(float(np.exp(fit.x[0])), tuple(float(one) for one in fit.x[1:]))
