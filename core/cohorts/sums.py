"""Sums over women, each told per something, with intervals by woman."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sums"]

DRAWS = 1000
MOST_DRAWN = 5_000
"""Of more women the interval is that of a normal mean, which then is the bootstrap's."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Counts (W, K) of each woman, and what they are told per (W,); draws (B, K + 1) of their sums, none of very many women."""

    counts: Numbers
    per: Numbers
    draws: Numbers | None

    @classmethod
    def of(cls, counts: Sequence[Numbers], per: Numbers, seed: int) -> Sums:
        """Draw the women's weights anew, unless there are so many that the interval is that of a normal mean."""
        columns = np.column_stack([*counts, per])
        if len(per) > MOST_DRAWN:
            return cls(columns[:, :-1], per, None)
        weights = np.random.default_rng(seed).standard_exponential((DRAWS, len(per)), dtype=np.float32)
        return cls(columns[:, :-1], per, weights.astype(np.float64) @ columns)

    def rate(self, column: int, *, beside: int | None = None, of: float = 1000) -> tuple[float, float, float]:
        """Return how many of 1,000 and the ends of the 95 % interval, of one count or of its difference to another."""
        counts = self.counts[:, column] - (0 if beside is None else self.counts[:, beside])
        rate = float(counts.sum() / self.per.sum())
        if self.draws is None:
            # A ratio of sums, by its linear terms (Cochran, Sampling Techniques, 1977, 6.4).
            error = 1.96 * float(np.sqrt(((counts - rate * self.per) ** 2).sum())) / float(self.per.sum())
            return of * rate, of * (rate - error), of * (rate + error)
        drawn = self.draws[:, column] - (0 if beside is None else self.draws[:, beside])
        low, high = np.quantile(of * drawn / self.draws[:, -1], (0.025, 0.975))
        return of * rate, float(low), float(high)
