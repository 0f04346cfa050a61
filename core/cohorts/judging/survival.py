"""Survival and cumulative incidence with their tests: Kaplan and Meier, Aalen and Johansen, log-rank, Gray.

`cause` is 0 where follow-up ended without an event, else the number of what happened first. At equal times events come
before the ends of follow-up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtri

__all__ = [
    "Curve",
    "Tested",
    "aalen_johansen",
    "check_times",
    "gray_test",
    "kaplan_meier",
    "log_rank",
    "still_followed",
]

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A step function of time with its interval: `value` holds from `times` on; before the first it is `start`."""

    times: Numbers
    value: Numbers
    low: Numbers
    high: Numbers
    variance: Numbers
    start: float

    def at(self, times: ArrayLike) -> tuple[Numbers, Numbers, Numbers]:
        """Return value and interval at some times."""
        place = np.searchsorted(self.times, np.asarray(times, np.float64), side="right")
        padded = (np.concatenate([[self.start], part]) for part in (self.value, self.low, self.high))
        value, low, high = (part[place] for part in padded)
        return value, low, high


@dataclass(frozen=True)
class Tested:
    """What a test of no difference between groups says."""

    statistic: float
    df: int
    p: float


def check_times(time: ArrayLike, cause: ArrayLike) -> tuple[Numbers, NDArray[np.int64]]:
    """Return times and causes of one length, or say what is wrong with them; raises ValueError."""
    when, what = np.asarray(time, np.float64), np.asarray(cause)
    if when.ndim != 1 or when.shape != what.shape:
        raise ValueError("There must be one time and one outcome a woman.")
    if not len(when):
        raise ValueError("There is nobody to follow.")
    if not np.isfinite(when).all() or (when < 0).any():
        raise ValueError("Every time must be a number, none below 0: check the dates.")
    return when, what.astype(np.int64)


def _counts(time: Numbers, *marks: NDArray[np.bool_]) -> tuple[Numbers, Numbers, list[Numbers]]:
    """Return the times that occur, how many are followed up to each, and how many of each mark have it there."""
    times, place = np.unique(time, return_inverse=True)
    each = np.bincount(place, minlength=len(times)).astype(np.float64)
    at_risk = each[::-1].cumsum()[::-1]
    return (
        times,
        at_risk,
        [np.bincount(place[mark], minlength=len(times)).astype(np.float64) for mark in marks],
    )


def _over(part: Numbers, whole: Numbers) -> Numbers:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _log_log(value: Numbers, variance: Numbers, level: float) -> tuple[Numbers, Numbers]:
    """Return an interval within 0 and 1, symmetric on the scale of log(-log)."""
    inner = (value > 0) & (value < 1) & (variance > 0)
    safe = np.where(inner, value, 0.5)
    log = np.log(safe)
    half = ndtri(0.5 + level / 2) * np.sqrt(np.where(inner, variance, 0)) / np.abs(safe * log)
    ends = np.exp(log * np.exp(half)), np.exp(log * np.exp(-half))
    low, high = (np.where(inner, end, value) for end in ends)
    return low, high


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> Curve:
    """Return the probability of no event up to a time (Kaplan and Meier 1958, 10.1080/01621459.1958.10501452).

    Parameters
    ----------
    time, event
        (n,) years of follow-up; whether it ended with the event.
    level
        Of the interval: Greenwood's variance on the scale of log(-log) (Kalbfleisch and Prentice 2002, 1.4).

    Raises
    ------
    ValueError
        If there is nobody, or a time is no number or below 0.
    """
    when, what = check_times(time, event)
    times, at_risk, (events,) = _counts(when, what > 0)
    kept = events > 0
    times, at_risk, events = times[kept], at_risk[kept], events[kept]
    value = np.asarray(np.cumprod(1 - events / at_risk), np.float64)
    variance: Numbers = value**2 * np.cumsum(_over(events, at_risk * (at_risk - events)))
    low, high = _log_log(value, variance, level)
    return Curve(times, value, low, high, variance, 1.0)


def aalen_johansen(time: ArrayLike, cause: ArrayLike, of: int = 1, level: float = 0.95) -> Curve:
    """Return the probability that a cause has come by a time, where others may come first.

    Aalen and Johansen 1978; variance by Aalen's formula (Pintilie 2006, eq. 4.5); interval on the scale of log(-log).

    Parameters
    ----------
    time, cause
        (n,) years of follow-up; what ended it, 0 for nothing.
    of
        The cause.

    Raises
    ------
    ValueError
        If there is nobody, or a time is no number or below 0.
    """
    when, what = check_times(time, cause)
    times, n, (all_events, events) = _counts(when, what > 0, what == of)
    kept = all_events > 0
    times, n, d, own = times[kept], n[kept], all_events[kept], events[kept]
    free = np.cumprod(1 - d / n)
    free_before = np.concatenate([[1.0], free[:-1]])
    value = np.cumsum(free_before * own / n)
    # Sums of (F(t) - F(t_i))^2 a_i - 2 (F(t) - F(t_i)) b_i + c_i over the times up to t.
    a = _over(d, (n - 1) * (n - d))
    b = free_before * _over(own * (n - own), n * (n - d) * (n - 1))
    c = free_before**2 * _over(own * (n - own), n**2 * (n - 1))
    variance = (
        value**2 * np.cumsum(a)
        - 2 * value * np.cumsum(value * a)
        + np.cumsum(value**2 * a)
        - 2 * (value * np.cumsum(b) - np.cumsum(value * b))
        + np.cumsum(c)
    )
    variance = np.maximum(variance, 0)
    low, high = _log_log(value, variance, level)
    return Curve(times, value, low, high, variance, 0.0)


def still_followed(time: ArrayLike, at: ArrayLike) -> NDArray[np.int64]:
    """Return how many are followed, without an event, up to each of some times: the numbers at risk."""
    ordered = np.sort(np.asarray(time, np.float64))
    return len(ordered) - np.searchsorted(ordered, np.asarray(at, np.float64), side="left")


def _by_group(
    time: Numbers, group: NDArray[np.int64], groups: int, *marks: NDArray[np.bool_]
) -> tuple[Numbers, list[Numbers]]:
    """Return how many of each group are followed up to each time that occurs, and how many of each mark have it there.

    Each (times, groups).
    """
    times, place = np.unique(time, return_inverse=True)
    cell = place * groups + group

    def table(rows: NDArray[np.bool_] | slice) -> Numbers:
        return np.bincount(cell[rows], minlength=len(times) * groups).reshape(-1, groups).astype(np.float64)

    at_risk = table(slice(None))[::-1].cumsum(axis=0)[::-1]
    return at_risk, [table(mark) for mark in marks]


def _groups(group: ArrayLike) -> tuple[NDArray[np.int64], int]:
    names, codes = np.unique(np.asarray(group), return_inverse=True)
    if len(names) < 2:
        raise ValueError("There is one group alone: nothing to compare.")
    return codes.astype(np.int64), len(names)


def _chi_square(score: Numbers, variance: Numbers) -> Tested:
    """Return the test of a score of all groups but the last against its variance."""
    df = int(np.linalg.matrix_rank(variance))
    if df == 0:
        raise ValueError("No event came while two groups were followed: nothing to compare.")
    statistic = float(score @ np.linalg.pinv(variance, hermitian=True) @ score)
    return Tested(statistic, df, float(chdtrc(df, statistic)))


def log_rank(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> Tested:
    """Test whether groups have events alike over time (Mantel 1966; Peto and Peto 1972, 10.2307/2344317).

    Parameters
    ----------
    time, event, group
        (n,) as for `kaplan_meier`; the group, anything that can be told apart.

    Raises
    ------
    ValueError
        If there is one group alone, or no event while two were followed.
    """
    when, what = check_times(time, event)
    codes, k = _groups(group)
    at_risk, (events,) = _by_group(when, codes, k, what > 0)
    n, d = at_risk.sum(axis=1), events.sum(axis=1)
    kept = d > 0
    at_risk, events, n, d = at_risk[kept], events[kept], n[kept], d[kept]
    share = at_risk / n[:, None]
    score = (events - d[:, None] * share).sum(axis=0)
    factor = _over(d * (n - d), n - 1)
    variance = np.diag((factor[:, None] * share).sum(axis=0)) - (factor[:, None] * share).T @ share
    return _chi_square(score[:-1], variance[:-1, :-1])


def gray_test(time: ArrayLike, cause: ArrayLike, group: ArrayLike, of: int = 1) -> Tested:
    """Test whether a cause comes alike over time in groups where others may come first.

    Gray 1988, 10.1214/aos/1176350951, with rho 0: each group's rise of cumulative incidence is held against that of all,
    weighed by R = Y (1 - F) / S (its eq. 2.5). The variance is that of the score written as a sum over the groups' events
    under one common incidence, with the correction for ties of the hypergeometric distribution.

    Parameters
    ----------
    time, cause, group
        (n,) as for `aalen_johansen`; the group, anything that can be told apart.
    of
        The cause.

    Raises
    ------
    ValueError
        If there is one group alone, or the cause never came while two were followed.
    """
    when, what = check_times(time, cause)
    codes, k = _groups(group)
    y, (own, other) = _by_group(when, codes, k, what == of, (what > 0) & (what != of))
    kept = (own + other).sum(axis=1) > 0
    if not own.any():
        raise ValueError("No event came while two groups were followed: nothing to compare.")
    y, own, other = y[kept], own[kept], other[kept]
    steps = len(y)
    d = own.sum(axis=1)
    # Of each group, after a time; (times, groups).
    free = np.asarray(np.cumprod(1 - _over(own + other, y), axis=0), np.float64)
    before = np.vstack([np.ones((1, k)), free[:-1]])
    incidence = np.cumsum(before * _over(own, y), axis=0)
    incidence_before = np.vstack([np.zeros((1, k)), incidence[:-1]])
    weight = np.where(y > 0, _over(y, before), 0.0)  # what a group stands for had nobody gone otherwise
    total = weight.sum(axis=1)
    rise = np.asarray(d / total, np.float64)
    pooled = np.cumsum(rise)
    left_before = np.asarray(1 - np.concatenate([[0.0], pooled[:-1]]), np.float64)
    left = np.asarray(1 - pooled, np.float64)
    risk = weight * (1 - incidence_before)
    score = (own - (d / risk.sum(axis=1))[:, None] * risk).sum(axis=0)

    # A jump of the cause in group k moves the score of group i by a, and by what it changes of later times (c).
    a = np.zeros((steps, k, k))
    a[:, range(k), range(k)] = weight
    a -= weight[:, :, None] * (weight / total[:, None])[:, None, :]
    c = np.cumsum(a * _over(rise, left_before)[:, None, None], axis=0)
    to_come = c[-1] - c
    lasting = np.where(free > 0, _over(np.repeat(left[:, None], k, axis=1), free), 0.0)
    by_own = np.where(free > 0, 1 - lasting, 1.0)
    ties = 1 - _over(np.broadcast_to((d - 1)[:, None], y.shape).clip(min=0), total[:, None] * before - 1)
    jump = np.where(y > 0, ties * _over(before * rise[:, None], y), 0.0)
    moved = a + by_own[:, None, :] * to_come
    variance = np.einsum("tik,tjk,tk->ij", moved, moved, jump)
    ties = 1 - _over((other - 1).clip(min=0), y - 1)
    jump = np.where(free > 0, ties * _over(before**2 * other, y**2), 0.0)
    moved = lasting[:, None, :] * to_come
    variance += np.einsum("tik,tjk,tk->ij", moved, moved, jump)
    return _chi_square(score[:-1], variance[:-1, :-1])
