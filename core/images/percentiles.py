"""Percentiles of many values: sorted, which NumPy does several times as fast as it selects (`numpy.percentile`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["percentiles"]


def percentiles(values: NDArray[Any], *shares: float) -> list[float]:
    """Return the percentiles of values, between two of them by linear interpolation as `numpy.percentile` does.

    >>> percentiles(np.arange(5), 25, 90)
    [1.0, 3.6]

    Raises `IndexError` where there are no values.
    """
    ordered = np.sort(values, axis=None)
    found = []
    for share in shares:
        place = (ordered.size - 1) * (share / 100)
        below = int(place)
        low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
        part = place - below
        found.append(low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part))
    return found
