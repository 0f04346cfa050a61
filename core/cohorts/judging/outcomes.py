"""What is known of each woman at a horizon, and for how many she stands: those lost before it are stood in for.

Inverse probability of censoring with competing events (Graf et al. 1999, 10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529;
Blanche et al. 2013, 10.1002/sim.5958): who died or lost both breasts before the horizon is known to get no cancer by then.
The weighted share with cancer equals Aalen and Johansen's estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.cohorts.judging.survival import check_times

__all__ = ["CANCER", "DEATH", "LEFT", "NO_BREAST", "AtHorizon", "outcomes_at", "share_followed"]

LEFT, CANCER, DEATH, NO_BREAST = 0, 1, 2, 3
"""What ended a follow-up: nothing (lost, or followed to the end), a diagnosis, death, the loss of both breasts."""

Numbers = NDArray[np.float64]


def share_followed(time: ArrayLike, cause: ArrayLike) -> tuple[Numbers, Numbers]:
    """Return times, and the share not lost just before each of them, by Kaplan and Meier of the loss to follow-up.

    The last share holds beyond the last time. At equal times events come before losses.
    """
    when, what = check_times(time, cause)
    times, place = np.unique(when, return_inverse=True)
    lost = np.bincount(place[what == LEFT], minlength=len(times))
    each = np.bincount(place, minlength=len(times))
    at_risk = each[::-1].cumsum()[::-1] - (each - lost)
    kept = np.cumprod(1 - np.divide(lost, at_risk, out=np.zeros(len(times)), where=at_risk > 0))
    return np.append(times, np.inf), np.append(1.0, kept)


@dataclass(frozen=True)
class AtHorizon:
    """Women at a horizon, (n,) each: cancer by then, and for how many she stands (0 where it is not known)."""

    cancer: NDArray[np.bool_]
    weight: Numbers

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return of whom it is known."""
        return self.weight > 0

    @property
    def cases(self) -> int:
        """Return how many have cancer by then."""
        return int(self.cancer.sum())

    @property
    def others(self) -> int:
        """Return how many are known to have none by then."""
        return int((self.known & ~self.cancer).sum())


def outcomes_at(time: ArrayLike, cause: ArrayLike, horizon: float) -> AtHorizon:
    """Return what is known of each woman at a horizon.

    Parameters
    ----------
    time, cause
        (n,) years followed; what ended it: LEFT, CANCER, DEATH or NO_BREAST.
    horizon
        Years.

    Raises
    ------
    ValueError
        If there is nobody, a time is no number, or nobody was followed up to the horizon: nothing is known of it then.
    """
    when, what = check_times(time, cause)
    if not (when >= horizon).any():
        raise ValueError(
            f"Nobody was followed for {horizon:g} years: choose a shorter horizon, or wait for more follow-up."
        )
    times, share = share_followed(when, what)

    def before(t: Numbers | float) -> Numbers:
        return share[np.searchsorted(times, t, side="left")]

    by_then = (what != LEFT) & (when <= horizon)
    weight = np.where(by_then, 1 / before(when), np.where(when >= horizon, 1 / before(horizon), 0.0))
    return AtHorizon(by_then & (what == CANCER), weight)
