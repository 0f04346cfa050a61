"""Reference women of a longitudinal model: among whom a score is ranked that may be told as a rank only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_REFERENCE_WOMEN", "reference_women"]

FEWEST_REFERENCE_WOMEN = 100
"""A rank among a hundred needs as many."""


def reference_women(risk_5: NDArray[np.float64], who: str) -> dict[str, Any] | None:
    """Return what a card keeps of its reference women under ``reference``; None of too few.

    Parameters
    ----------
    risk_5
        (n,) 5-year risks (0..1) as the model tells them, one a woman.
    who
        Who the women are, in words that follow "of 100 reference women:".

    Returns
    -------
    dict or None
        ``women``, in words with their number, and ``risk_5``, the quantiles 0, 1 … 100 % (`core.rules.rank_among_reference`).
    """
    known = risk_5[np.isfinite(risk_5)]
    if len(known) < FEWEST_REFERENCE_WOMEN:
        return None
    quantiles = np.quantile(known, np.linspace(0, 1, 101))
    return {"women": f"{len(known):,} {who}", "risk_5": [float(value) for value in quantiles]}
