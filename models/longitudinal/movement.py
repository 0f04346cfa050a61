"""Why a score moved from the prior to this visit: Shapley's values over what is new since the prior.

Four players stand between the prior's score and this one: her history up to the prior, time and age, the left breast,
the right breast. Without the history, only the visits before the prior stand before the newest visit; with it, the
prior stands there too. The newest visit takes the prior's date and age or this study's, and of each breast the prior's
views or this study's. So nobody playing is the prior's score as it was known then, and all playing is this one. Where
the history plays and time does not, the newest visit stands at the prior's own date: no time has passed between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from models.sequence import Arrays, stack_arrays, visit_arrays

__all__ = ["COALITIONS", "PLAYERS", "Movement", "coalition_arrays", "shapley", "without_each"]

PLAYERS = ("history", "time and age", "left breast", "right breast")
"""What is new since the prior; the names are stored."""
COALITIONS = 2 ** len(PLAYERS)
"""Sets of players, numbered by their bits: the first player's is the lowest. 0 is nobody, the last is all."""


@dataclass(frozen=True)
class Movement:
    """How a 5-year risk came from the prior's to this visit's.

    Parameters
    ----------
    before, now
        5-year risk said at the prior, as known then, and at this visit.
    log_odds
        (16,) log-odds of 5-year risk for every set of players.
    parts
        What each player brought in log-odds; they sum to ``logit(now) - logit(before)`` (up to rounding).
    """

    before: float
    now: float
    log_odds: NDArray[np.float64]
    parts: dict[str, float]


def coalition_arrays(
    days: NDArray[np.float64],
    ages: NDArray[np.float64],
    vectors: NDArray[np.float32],
    present: NDArray[np.bool_],
    longest: int,
) -> tuple[Arrays, list[int]]:
    """Return a batch with the visits that each set of players makes, and the place of each one's newest visit.

    Parameters
    ----------
    days, ages, vectors, present
        One woman's visits, two at least, as for `models.sequence.study.visit_arrays`.
    longest
        Visits that a score looks back on: of more, the last so many are read. Every row is padded to as many, so that
        the cost does not grow with the history.
    """
    if len(days) < 2:
        raise ValueError("A first visit has no prior from which its score could have moved.")
    rows, last = [], []
    for coalition in range(COALITIONS):
        history, time, *breasts = _plays(coalition)
        dated = -1 if time else -2
        seen = np.stack([present[-1 if own else -2, side] for side, own in enumerate(breasts)])
        shown = np.stack([vectors[-1 if own else -2, side] for side, own in enumerate(breasts)])
        before = slice(len(days) - (1 if history else 2))
        rows.append(
            visit_arrays(
                np.append(days[before], days[dated])[-longest:],
                np.append(ages[before], ages[dated])[-longest:],
                np.concatenate([vectors[before], shown[None]])[-longest:],
                np.concatenate([present[before], seen[None]])[-longest:],
                longest,
            )
        )
        last.append(min(before.stop + 1, longest) - 1)
    return stack_arrays(rows), last


def shapley(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each player brought, from what every set of players reaches.

    The mean of what a player adds over all orders in which the players can come (Shapley 1953,
    10.1515/9781400881970-018): the only parts that sum to the whole change, treat equals alike and give nothing to who
    changes nothing.

    Parameters
    ----------
    values
        (…, 16) by set of players.

    Returns
    -------
    ndarray
        (…, 4) by player.
    """
    n = len(PLAYERS)
    parts = []
    for player in range(n):
        without = [coalition for coalition in range(COALITIONS) if not coalition >> player & 1]
        joined = [coalition | 1 << player for coalition in without]
        sizes = [coalition.bit_count() for coalition in without]
        weights = np.array([factorial(size) * factorial(n - size - 1) / factorial(n) for size in sizes])
        # Differences come first: a player that changes nothing brings 0, not the rest of a rounding.
        parts.append((values[..., joined] - values[..., without]) @ weights)
    return np.stack(parts, axis=-1)


def without_each(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (…, 4) by how much the whole falls when one player alone is taken out, from (…, 16) by set of players."""
    alone = [COALITIONS - 1 - (1 << player) for player in range(len(PLAYERS))]
    return values[..., -1:] - values[..., alone]


def _plays(coalition: int) -> list[bool]:
    return [bool(coalition >> player & 1) for player in range(len(PLAYERS))]
