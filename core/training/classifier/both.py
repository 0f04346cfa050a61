"""What a model says of whole films beside the same view of the other breast, put together and measured out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.sets import ImageCase

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.classifier import BothBreasts

__all__ = ["LEAST_FILMS", "SHARES", "Together", "put_together"]

SHARES: dict[str, dict[str, Any]] = {
    "finding": {"own": 1.0, "other": -0.5},
    "density": {"own": 0.5, "other": 0.5, "mean": True},
}
"""By task: how much counts what is said of a film, and of the same view of her other breast. What both breasts show is how
she is built, and no finding; her density is one: the mean, for films that disagree on C and D agree that it is one of them.
The half was taken from a recipe."""
LEAST_FILMS = 40
"""Films that have another breast's beside them; of fewer nothing is put together."""


@dataclass(frozen=True)
class Together:
    """Films beside the other breast: their places (m,), what is said of them (m, classes) out of fold, and how later on."""

    places: NDArray[np.intp]
    shares: NDArray[np.float64]
    how: BothBreasts


def put_together(
    task: str,
    cases: Sequence[ImageCase],
    shares: NDArray[np.float64],
    truth: NDArray[np.bool_],
    fold: NDArray[np.int64],
) -> Together | None:
    """Put together what was said of both breasts; None where the task or the films do not allow it.

    Parameters
    ----------
    task
        What the model says.
    cases, shares, truth
        n films, probabilities (n, classes) said of each out of fold, and which classes each may be.
    fold
        (n,) of whole women; films below 0 are not looked at. Each fold's probabilities are scaled by the others.
    """
    from core.evaluation import other_breast
    from models.classifier import BothBreasts, fit_both_breasts

    other = other_breast(cases)
    paired = np.flatnonzero((other >= 0) & (fold >= 0))
    if task not in SHARES or len(paired) < LEAST_FILMS:
        return None
    known = paired[fold[other[paired]] == fold[paired]]
    own, others, label, part = shares[known], shares[other[known]], truth[known], fold[known]
    unscaled, said = BothBreasts(**SHARES[task]), np.zeros_like(own)
    for k in np.unique(part):
        rest = part != k
        how = fit_both_breasts(own[rest], others[rest], label[rest], unscaled)
        said[~rest] = how(own[~rest], others[~rest])
    return Together(known, said, fit_both_breasts(own, others, label, unscaled))
