"""How well a score tells the women who will have cancer from the others: AUC, ROC, precision, concordance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.cohorts.judging.outcomes import AtHorizon
from core.cohorts.judging.shares import Estimate, Scale, estimate
from core.cohorts.judging.survival import check_times

__all__ = [
    "Precise",
    "Roc",
    "auc_at",
    "average_precision",
    "c_index",
    "check_scores",
    "precision_curve",
    "roc_curve",
]

Numbers = NDArray[np.float64]


def check_scores(score: ArrayLike, n: int) -> Numbers:
    """Return scores, one a woman and all of them numbers; raises ValueError."""
    found = np.asarray(score, np.float64)
    if found.shape != (n,):
        raise ValueError("There must be one score a woman.")
    if not np.isfinite(found).all():
        raise ValueError("Every score must be a number.")
    return found


def _check_both(at: AtHorizon) -> None:
    if not at.cases:
        raise ValueError("No woman is known to have cancer by then: nothing can be told apart.")
    if not at.others:
        raise ValueError("Of no woman it is known that she has no cancer by then: nothing can be told apart.")


def _below(ordered: Numbers, weight: Numbers, score: Numbers) -> Numbers:
    """Return the weight of what lies below each score, what is equal to it counting half."""
    sums = np.concatenate([[0.0], np.cumsum(weight)])
    return (
        sums[np.searchsorted(ordered, score, "left")] + sums[np.searchsorted(ordered, score, "right")]
    ) / 2


def auc_at(at: AtHorizon, score: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the probability that a woman with cancer by the horizon scored higher than one without.

    Cumulative cases, dynamic controls, weighted (Uno et al. 2007, 10.1198/016214507000000149; Blanche et al. 2013,
    10.1002/sim.5958); ties count half. Where nobody is lost it is Mann and Whitney's, with DeLong's variance
    (10.2307/2531595). Interval on the logit.

    Raises
    ------
    ValueError
        If one of both outcomes does not occur, or a score is no number.
    """
    values = check_scores(score, len(at.cancer))
    _check_both(at)
    case, other = at.cancer, at.known & ~at.cancer
    w_case, w_other = at.weight[case], at.weight[other]
    by_other, by_case = np.argsort(values[other]), np.argsort(values[case])
    over = _below(values[other][by_other], w_other[by_other], values[case]) / w_other.sum()
    under = 1 - _below(values[case][by_case], w_case[by_case], values[other]) / w_case.sum()
    value = float((w_case * over).sum() / w_case.sum())
    moves = np.zeros(len(values))
    for rows, weight, placed in ((case, w_case, over), (other, w_other, under)):
        n = int(rows.sum())
        moves[rows] = np.sqrt(n / max(n - 1, 1)) * weight * (placed - value) / weight.sum()
    return estimate(value, moves, Scale.LOGIT, level)


@dataclass(frozen=True)
class Roc:
    """Share of cases and of others at or above each threshold, highest first, and how many women each step holds."""

    threshold: Numbers
    found: Numbers
    alarmed: Numbers
    cases: NDArray[np.int64]
    others: NDArray[np.int64]


def _steps(
    at: AtHorizon, score: Numbers, fewest: int
) -> tuple[Numbers, list[NDArray[np.int64]], list[Numbers]]:
    """Walk down the scores: thresholds, and up to each the numbers and the weights of cases and others.

    From one to the next lie at least `fewest` cases, and as many others or none: a step of one woman would tell of her.
    With `fewest` 1 every score is a threshold.
    """
    known = np.flatnonzero(at.known)
    order = known[np.argsort(-score[known], kind="stable")]
    case, weight = at.cancer[order], at.weight[order]
    numbers = [np.cumsum(mark.astype(np.int64)) for mark in (case, ~case)]
    sums = [np.cumsum(np.where(case, weight, 0.0)), np.cumsum(np.where(case, 0.0, weight))]
    last = np.append(np.flatnonzero(np.diff(score[order]) != 0), len(order) - 1)
    chosen = last if fewest == 1 else _apart(last, numbers, fewest)
    return score[order][chosen], [one[chosen] for one in numbers], [one[chosen] for one in sums]


def roc_curve(at: AtHorizon, score: ArrayLike, fewest: int = 1) -> Roc:
    """Return the ROC curve: thresholds from the highest, with the weighted shares of cases and others at or above.

    Parameters
    ----------
    fewest
        Cases, and others, that a step holds at least.

    Raises
    ------
    ValueError
        As `auc_at`.
    """
    values = check_scores(score, len(at.cancer))
    _check_both(at)
    threshold, (cases, others), (found, alarmed) = _steps(at, values, fewest)
    return Roc(
        threshold,
        found / found[-1],
        alarmed / alarmed[-1],
        np.diff(cases, prepend=0),
        np.diff(others, prepend=0),
    )


def _apart(last: NDArray[np.int64], numbers: list[NDArray[np.int64]], fewest: int) -> NDArray[np.int64]:
    """Choose of the places where a score ends those that lie far enough apart; the end is always one."""
    cases, others = (one[last] for one in numbers)

    def is_told(many: int) -> bool:
        return many == 0 or many >= fewest

    kept: list[int] = []
    begun, before = 0, 0
    while (place := int(np.searchsorted(cases, begun + fewest))) < len(last):
        while place < len(last) and not is_told(int(others[place]) - before):
            place += 1
        if (
            place == len(last)
            or not is_told(int(cases[-1] - cases[place]))
            or not is_told(int(others[-1] - others[place]))
        ):
            break
        kept.append(place)
        begun, before = int(cases[place]), int(others[place])
    if not kept or kept[-1] != len(last) - 1:
        kept.append(len(last) - 1)
    return last[kept]


@dataclass(frozen=True)
class Precise:
    """Share found (recall), and share with cancer among those at or above each threshold (precision), highest first."""

    threshold: Numbers
    found: Numbers
    precision: Numbers


def precision_curve(at: AtHorizon, score: ArrayLike, fewest: int = 1) -> Precise:
    """Return precision over recall, weighted; arguments and errors as of `roc_curve`."""
    values = check_scores(score, len(at.cancer))
    _check_both(at)
    threshold, _, (found, alarmed) = _steps(at, values, fewest)
    return Precise(threshold, found / found[-1], found / (found + alarmed))


def average_precision(at: AtHorizon, score: ArrayLike) -> float:
    """Return the sum of precision times the gain in recall over descending thresholds, weighted; errors as of `auc_at`."""
    curve = precision_curve(at, score)
    return float((np.diff(curve.found, prepend=0) * curve.precision).sum())


def c_index(
    time: ArrayLike, cause: ArrayLike, score: ArrayLike, of: int = 1, level: float = 0.95
) -> Estimate:
    """Return Harrell's concordance: of pairs whose order is known, the share in which the earlier scored higher.

    Other causes end follow-up, as loss does. Ties in score count half (Harrell 1982, 10.1001/jama.1982.03320430047030).
    Interval on the logit, by woman.

    Parameters
    ----------
    time, cause, score
        (n,) years followed, what ended it, score.

    Raises
    ------
    ValueError
        If no pair can be compared.
    """
    when, what = check_times(time, cause)
    values = check_scores(score, len(when))
    event = what == of
    order = np.lexsort((~event, when))  # at one time events first: who is followed longer outlives them
    when, event, values = when[order], event[order], values[order]
    concordant, pairs = np.zeros(len(when)), np.zeros(len(when))
    after = np.searchsorted(when, when, side="right")
    lost_with = _first_lost(when, event)
    for i in np.flatnonzero(event):
        later = slice(min(lost_with[i], after[i]), None)
        other = values[later]
        if not len(other):
            continue
        won = (other < values[i]) + 0.5 * (other == values[i])
        concordant[later] += won
        pairs[later] += 1
        concordant[i] += won.sum()
        pairs[i] += len(other)
    total = pairs.sum()
    if total == 0:
        raise ValueError("No two women can be compared: there is no cancer before another's follow-up ends.")
    value = float(concordant.sum() / total)
    moves = np.empty(len(when))
    moves[order] = 2 * (concordant - value * pairs) / total
    return estimate(value, moves, Scale.LOGIT, level)


def _first_lost(when: Numbers, event: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each place the first of the same time whose follow-up ended without the event."""
    _, place = np.unique(when, return_inverse=True)
    events = np.bincount(place[event], minlength=place.max() + 1)
    first = np.searchsorted(place, np.arange(place.max() + 1), side="left")
    return (first + events)[place]
