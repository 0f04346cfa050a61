"""Women as any encoder describes them: a vector a visit, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EmbeddedWoman"]

HORIZON_YEARS = 5.0


@dataclass(frozen=True)
class EmbeddedWoman:
    """One woman: months since her first visit (n,), vectors (n, D), years to cancer (n,) or NaN, years followed (n,)."""

    patient_id: str
    months: NDArray[np.float64]
    vectors: NDArray[np.float64]
    years_to_cancer: NDArray[np.float64]
    years_followed: NDArray[np.float64]

    @property
    def label(self) -> float:
        """1 if cancer came within five years of her last visit, 0 if none was seen, NaN if it came later (or before)."""
        return label_of(self.years_to_cancer[-1])


def label_of(years: float) -> float:
    """Return 1 if cancer came within `HORIZON_YEARS`, 0 if none was seen, NaN if it came later or before."""
    if np.isnan(years):
        return 0.0
    return 1.0 if 0 <= years <= HORIZON_YEARS else np.nan
