"""Intervals of figures: women drawn anew, and shares of few cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

__all__ = ["bootstrap", "paired_bootstrap", "share_of", "wilson"]


def _resamples(cluster: NDArray[Any], times: int, seed: int) -> list[NDArray[np.intp]]:
    """Draw whole clusters with replacement; return the rows of each draw."""
    _, whose = np.unique(cluster, return_inverse=True)
    order = np.argsort(whose, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(whose[order])) + 1)
    random = np.random.default_rng(seed)
    return [np.concatenate([rows[i] for i in random.integers(0, len(rows), len(rows))]) for _ in range(times)]


def _drawn(
    measure: Callable[..., float],
    arrays: list[NDArray[Any]],
    cluster: ArrayLike | None,
    times: int,
    seed: int,
) -> list[float]:
    """Return a measure of each draw of women; ValueError where it exists in fewer than half of the draws."""
    whose = np.arange(len(arrays[0])) if cluster is None else np.asarray(cluster)
    drawn = []
    for rows in _resamples(whose, times, seed):
        try:
            drawn.append(measure(*(array[rows] for array in arrays)))
        except ValueError:
            continue
    if len(drawn) < times / 2:
        raise ValueError("Too few draws allow the measure: there are too few cases.")
    return drawn


def bootstrap(
    measure: Callable[..., float],
    *columns: ArrayLike,
    cluster: ArrayLike | None = None,
    times: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return a measure with its percentile interval, women being drawn with replacement.

    Parameters
    ----------
    measure
        Takes the columns.
    *columns
        (n,) each.
    cluster
        (n,) whose each row is; None: each row is a woman of its own.
    times, seed, level
        Draws, their seed, level of the interval. Draws in which the measure does not exist are left out.
    """
    arrays = [np.asarray(column) for column in columns]
    value = measure(*arrays)
    drawn = _drawn(measure, arrays, cluster, times, seed)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(value), float(low), float(high)


def paired_bootstrap(
    measure: Callable[[NDArray[Any], NDArray[Any]], float],
    y_true: ArrayLike,
    score: ArrayLike,
    other: ArrayLike,
    cluster: ArrayLike | None = None,
    times: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the difference of a measure between two scores of the same rows, with its percentile interval."""
    return bootstrap(
        lambda label, one, two: measure(label, one) - measure(label, two),
        y_true,
        score,
        other,
        cluster=cluster,
        times=times,
        seed=seed,
        level=level,
    )


def share_of(
    part: Callable[..., float],
    whole: Callable[..., float],
    *columns: ArrayLike,
    cluster: ArrayLike | None = None,
    times: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float | None, list[float | None]]:
    """Return what share one figure is of another figure of the same rows, with its percentile interval.

    Both are computed anew in every draw of women, so their errors go together. In a draw in which the whole is 0 or
    less the share means nothing: it counts as endless, with the sign of the part, and a bound that falls there is None.
    The share itself is None if the whole is 0 or less.

    Parameters
    ----------
    part, whole
        Take the columns.
    *columns
        (n,) each.
    cluster, times, seed, level
        As for `bootstrap`.
    """

    def share(*arrays: NDArray[Any]) -> float:
        under, over = whole(*arrays), part(*arrays)
        return over / under if under > 0 else float(np.copysign(np.inf, over))

    arrays = [np.asarray(column) for column in columns]
    drawn = _drawn(share, arrays, cluster, times, seed)
    ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    value = share(*arrays)
    return (value if np.isfinite(value) else None), [float(end) if np.isfinite(end) else None for end in ends]


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share seen in `n` cases (Wilson 1927, 10.1080/01621459.1927.10502953).

    `n` may be an effective number, not whole. Raises ValueError if it is not above 0 or the share not in 0..1.
    """
    if n <= 0 or not 0 <= share <= 1:
        raise ValueError("A share lies between 0 and 1 and is of one case or more.")
    # By hand, as scipy's binomtest takes whole numbers of cases only; of those it gives the same.
    z2 = float(norm.ppf(0.5 + level / 2)) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2) / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
