"""Women lost to follow-up: who can be labelled within a horizon, and what each counts for the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

__all__ = ["SMALLEST", "censoring_weights", "horizon_labels", "safe_logit"]

SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken."""


def safe_logit(probability: Any) -> NDArray[np.float64]:
    """Return log-odds, finite for 0 and 1 too."""
    return np.asarray(logit(np.clip(np.asarray(probability, np.float64), SMALLEST, 1 - SMALLEST)))


def horizon_labels(
    years_to_cancer: NDArray[np.float64], years_followed: NDArray[np.float64], horizon: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Label visits for cancer within a horizon.

    Parameters
    ----------
    years_to_cancer
        (n,) from the visit to the diagnosis, NaN if none was seen.
    years_followed
        (n,) from the visit to the end of follow-up.
    horizon
        Years.

    Returns
    -------
    label, known
        (n,) 1 where cancer came within the horizon; (n,) whether that can be said: she had cancer by then or
        was followed that long.
    """
    cancer = np.nan_to_num(years_to_cancer, nan=np.inf)
    label = (cancer <= horizon).astype(np.float64)
    return label, (label == 1) | (np.asarray(years_followed) >= horizon)


def censoring_weights(
    years_to_cancer: NDArray[np.float64],
    years_followed: NDArray[np.float64],
    horizon: float,
    stands_for: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return what each visit counts so that those lost to follow-up before the horizon are stood in for.

    Inverse probability of censoring (Graf et al. 1999, 10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529): 0 where
    the outcome is unknown; else one over the share still followed at the time of the cancer, or at the horizon
    where none came. The share is Kaplan and Meier's, of the time to the end of follow-up.

    Parameters
    ----------
    years_to_cancer, years_followed
        (n,) as for `horizon_labels`.
    horizon
        Years.
    stands_for
        (n,) how many women each stands for, where women were drawn by their outcome: the share still followed is that
        among all of them. What is returned does not count her so often.
    """
    count = np.ones(len(years_to_cancer)) if stands_for is None else stands_for
    label, known = horizon_labels(years_to_cancer, years_followed, horizon)
    cancer = np.nan_to_num(years_to_cancer, nan=np.inf)
    end = np.minimum(cancer, years_followed)
    censored = ~(cancer <= years_followed)
    times = np.unique(end[censored])
    left = np.array([count[(end == t) & censored].sum() / count[end >= t].sum() for t in times])
    share = np.append(1.0, np.cumprod(1 - left))

    def followed_until(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return share[np.searchsorted(times, t, side="left")]

    at = np.where(label == 1, np.minimum(cancer, horizon), horizon)
    return np.where(known, 1 / np.maximum(followed_until(at), 0.05), 0.0)
