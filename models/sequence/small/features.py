"""What a read-out sees of a woman's visits: her vectors in few axes of one common scale, and four sums over time.

Everything stands in the scale of the level. A change within a woman is small beside what tells women apart, and noisy:
scaled up to its own unit it would drown the level, which is what a dozen cancers can teach most about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.sequence.embedded import HORIZON_YEARS, EmbeddedWoman, label_of

__all__ = ["BLOCKS", "Prefixes", "Projection", "SmallMode", "prefixes_of", "project", "trend"]

SmallMode = Literal["history", "last", "dates"]

MOST_AXES = 24
VARIANCE_KEPT = 0.9999
HALF_LIFE_YEARS = 2.0
"""How fast a visit's weight in the recency-weighted mean falls."""
SLOPE_PRIOR_YEARS2 = 2.0
"""Added to the spread of a woman's visit times: the slope of two visits a year apart is shrunk to a fifth."""
EARLIER_WEIGHT = 0.3
"""What all prefixes of a woman's visits but the whole count together, where her last visit counts 1."""
BLOCKS = ("last", "mean", "recent", "slope")
"""What `Projection.of` lays side by side: last visit, mean, recency-weighted mean, shrunk slope a year."""


@dataclass(frozen=True)
class Projection:
    """Maps a woman's vectors to the axes that a read-out sees.

    Parameters
    ----------
    mode
        ``dates`` sees when she came and nothing else.
    mean
        (D,) taken off.
    axes
        (D, k) what the rest is multiplied with: principal axes, all divided by one number, so that a visit's squared
        length is 1 on average.
    """

    mode: SmallMode
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Return k, the number of axes."""
        return int(self.axes.shape[1])

    def visits(self, woman: EmbeddedWoman) -> NDArray[np.float64]:
        """Return (n, k), her visits in these axes."""
        return np.asarray((_raw(woman, self.mode) - self.mean) @ self.axes)

    def of(self, woman: EmbeddedWoman, upto: int | None = None) -> NDArray[np.float64]:
        """Return (4 k,), the `BLOCKS` of her first `upto` visits, all of them if None."""
        upto = len(woman.months) if upto is None else upto
        seen, years = self.visits(woman)[:upto], woman.months[:upto] / 12
        recency = 0.5 ** ((years[-1] - years) / HALF_LIFE_YEARS)
        apart = years - years.mean()
        slope = apart @ seen / (apart @ apart + SLOPE_PRIOR_YEARS2)
        return np.concatenate([seen[-1], seen.mean(axis=0), recency @ seen / recency.sum(), slope])


def project(women: Sequence[EmbeddedWoman], mode: SmallMode) -> Projection:
    """Find the axes of women's visits, every woman counting the same however often she came.

    Vectors are turned into their principal axes, as many as hold `VARIANCE_KEPT` of the variance, `MOST_AXES` at the
    most; they are not whitened, so a quiet axis stays quiet. Facts about dates have units of their own and are brought
    to one scale each.
    """
    rows = np.concatenate([_raw(woman, mode) for woman in women])
    weight = np.concatenate([np.full(len(woman.months), 1 / len(woman.months)) for woman in women])
    weight /= weight.sum()
    mean = weight @ rows
    centred = (rows - mean) * np.sqrt(weight)[:, None]
    if mode == "dates":
        spread = np.sqrt((centred**2).sum(axis=0))
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
        return Projection(mode, mean, np.diag(scale) / np.sqrt(len(scale)))
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    power = values**2
    total = power.sum()
    if total <= 0:  # all visits are alike: one axis, on which everybody is 0
        return Projection(mode, mean, np.zeros((rows.shape[1], 1)))
    enough = int(np.searchsorted(np.cumsum(power) / total, VARIANCE_KEPT)) + 1
    count = min(MOST_AXES, enough, len(power))
    return Projection(mode, mean, axes[:count].T / np.sqrt(power[:count].sum()))


def _raw(woman: EmbeddedWoman, mode: SmallMode) -> NDArray[np.float64]:
    """Return (n, D): her vectors, or at each visit how many there were, over how long, mean and last gap (years)."""
    if mode != "dates":
        return np.asarray(woman.vectors, np.float64)
    years = woman.months / 12
    visit = np.arange(1, len(years) + 1)
    gap = np.diff(years, prepend=years[0])
    span = years - years[0]
    return np.stack([visit, span, span / np.maximum(visit - 1, 1), gap], axis=1)


def trend(
    seen: NDArray[np.float64], years: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how women's visits moved until each of them.

    Parameters
    ----------
    seen
        (r, visits, k) what each visit shows, oldest first.
    years
        (r, visits) when, counted from anywhere.

    Returns
    -------
    tuple of ndarray
        (r, visits, k) each visit less the mean of all before it, and the slope a year over all visits until it, shrunk as
        in `BLOCKS`. Both are 0 at the first visit.
    """
    count = np.arange(1, seen.shape[1] + 1)[:, None]
    time = (years - years[:, :1])[..., None]
    total, when = seen.cumsum(axis=1), time.cumsum(axis=1)
    beyond = np.zeros_like(seen)
    beyond[:, 1:] = seen[:, 1:] - total[:, :-1] / count[:-1]
    together = (time * seen).cumsum(axis=1) - when * total / count
    apart = (time**2).cumsum(axis=1) - when**2 / count
    return beyond, together / (apart + SLOPE_PRIOR_YEARS2)


@dataclass(frozen=True)
class Prefixes:
    """Rows to learn from: each woman as she stood at each visit of which the outcome is known.

    Parameters
    ----------
    rows
        (r, 4 k) features of the prefix.
    label
        (r,) 1 where cancer came within five years of its last visit, 0 where none was seen.
    weight
        (r,) earlier prefixes count `EARLIER_WEIGHT` together; who was followed for less than five years less.
    whose
        (r,) the woman's place.
    visit
        (r,) the place of its last visit.
    last
        (r,) whether it is all of her visits.
    """

    rows: NDArray[np.float64]
    label: NDArray[np.float64]
    weight: NDArray[np.float64]
    whose: NDArray[np.intp]
    visit: NDArray[np.intp]
    last: NDArray[np.bool_]


def prefixes_of(women: Sequence[EmbeddedWoman], projection: Projection) -> Prefixes:
    """Lay out every prefix of every woman's visits of which the outcome is known."""
    rows, label, weight, whose, visit, last = [], [], [], [], [], []
    for place, woman in enumerate(women):
        n = len(woman.months)
        for upto in range(1, n + 1):
            outcome = label_of(woman.years_to_cancer[upto - 1])
            # An early visit is a short history by construction; of dates it would teach that short means healthy.
            if np.isnan(outcome) or (upto < n and projection.mode == "dates"):
                continue
            certain = 1.0 if outcome else min(1.0, max(woman.years_followed[upto - 1], 0.5) / HORIZON_YEARS)
            rows.append(projection.of(woman, upto))
            label.append(outcome)
            weight.append(certain * (1.0 if upto == n else EARLIER_WEIGHT / (n - 1)))
            whose.append(place)
            visit.append(upto - 1)
            last.append(upto == n)
    return Prefixes(
        np.stack(rows), np.array(label), np.array(weight), np.array(whose), np.array(visit), np.array(last)
    )
