"""How good scores are: discrimination and calibration, each with its definition and its paper."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import norm, rankdata

from models.measures.censoring import censoring_weights, safe_logit

__all__ = [
    "auc",
    "auc_at",
    "auc_delong",
    "average_precision",
    "brier",
    "c_index",
    "calibration_line",
    "cohen_kappa",
    "delong_difference",
    "observed_over_expected",
]


def _check_labels(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels and scores of one length, or say what is wrong with them."""
    label, score = np.asarray(y_true), np.asarray(y_score, np.float64)
    if label.ndim != 1 or label.shape != score.shape:
        raise ValueError(
            f"Labels and scores must be lists of one length, not {label.shape} and {score.shape}."
        )
    if len(label) == 0:
        raise ValueError("There is nothing to measure.")
    if not np.isin(label, (0, 1)).all():
        raise ValueError("Labels must be 0 or 1.")
    if not np.isfinite(score).all():
        raise ValueError("Scores must be numbers.")
    return label.astype(bool), score


def _check_both(label: NDArray[np.bool_]) -> None:
    if label.all() or not label.any():
        raise ValueError("Both labels must occur: with one kind alone nothing can be told apart.")


def _check_weight(weight: ArrayLike | None, label: NDArray[np.bool_]) -> NDArray[np.float64]:
    if weight is None:
        return np.ones(label.shape)
    counts = np.asarray(weight, np.float64)
    if counts.shape != label.shape or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("There must be one weight a row, none below 0.")
    return counts


def auc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Return the area under the ROC curve: P(score of a case > score of a non-case), ties counting half.

    Computed from ranks (Mann and Whitney 1947).

    Parameters
    ----------
    y_true, y_score
        (n,) labels 0 or 1; scores, larger means likelier.

    Raises
    ------
    ValueError
        If shapes differ, or only one label occurs.
    """
    label, score = _check_labels(y_true, y_score)
    _check_both(label)
    ranks = rankdata(score)
    m, n = int(label.sum()), int((~label).sum())
    return float((ranks[label].sum() - m * (m + 1) / 2) / (m * n))


def auc_delong(
    y_true: ArrayLike,
    y_score: ArrayLike,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the AUC with its confidence interval, on the logit scale.

    Parameters
    ----------
    y_true, y_score
        (n,) as for `auc`.
    cluster
        (n,) whose each row is, if a woman has several; None: each row is a woman of its own.
    level
        Of the interval.

    Returns
    -------
    value, low, high

    Notes
    -----
    Variance: DeLong et al. 1988, 10.2307/2531595, by placement values; for clusters Obuchowski 1997,
    10.2307/2533958. The interval is symmetric on the logit, so it stays within 0 and 1 (Pepe 2003, 5.2.4).
    At an AUC of exactly 0 or 1 the variance is 0 and one bound is the rule-of-three-like Clopper-Pearson bound
    with the smaller class's size.
    """
    label, score = _check_labels(y_true, y_score)
    value = auc(label, score)
    m, n = int(label.sum()), int((~label).sum())
    over_others, under_cases = _placements(label, score)
    variance = _delong_variance(label, over_others, under_cases, value, cluster)
    tail = (1 - level) / 2
    if value in (0.0, 1.0) or variance <= 0:
        reach = tail ** (1 / min(m, n))
        return (
            value,
            (reach if value == 1.0 else min(value, 1.0)),
            (1 - reach if value == 0.0 else max(value, 0.0)),
        )
    half = norm.ppf(1 - tail) * np.sqrt(variance) / (value * (1 - value))
    middle = safe_logit(value)
    return value, float(expit(middle - half)), float(expit(middle + half))


def delong_difference(
    y_true: ArrayLike,
    y_score: ArrayLike,
    other: ArrayLike,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[float, float, float, float]:
    """Return by how much one score's AUC exceeds another's on the same rows, its interval, and the p-value.

    Parameters
    ----------
    y_true, y_score, other
        (n,) labels and the two scores.
    cluster
        (n,) whose each row is, if a woman has several.
    level
        Of the interval.

    Returns
    -------
    difference, low, high, p
        p is two-sided, of no difference. DeLong et al. 1988, 10.2307/2531595; for clusters Obuchowski 1997,
        10.2307/2533958: the variance of the difference is that of the differences of placement values.
    """
    label, score = _check_labels(y_true, y_score)
    _, second = _check_labels(y_true, other)
    value = auc(label, score) - auc(label, second)
    pairs = zip(_placements(label, score), _placements(label, second), strict=True)
    over_others, under_cases = (one - two for one, two in pairs)
    variance = _delong_variance(label, over_others, under_cases, value, cluster)
    if variance <= 0:
        return value, value, value, 1.0 if value == 0 else 0.0
    spread = float(np.sqrt(variance))
    half = float(norm.ppf(0.5 + level / 2)) * spread
    return value, value - half, value + half, float(2 * norm.sf(abs(value) / spread))


def _placements(
    label: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each case the share of others below it, for each other the share of cases above it."""
    ranks, own_cases, own_others = rankdata(score), rankdata(score[label]), rankdata(score[~label])
    m, n = int(label.sum()), int((~label).sum())
    return (ranks[label] - own_cases) / n, 1 - (ranks[~label] - own_others) / m


def _delong_variance(
    label: NDArray[np.bool_],
    over_others: NDArray[np.float64],
    under_cases: NDArray[np.float64],
    value: float,
    cluster: ArrayLike | None,
) -> float:
    if cluster is not None:
        return _clustered_variance(label, over_others, under_cases, value, np.asarray(cluster))
    each = [
        float(np.var(part, ddof=1)) / len(part) if len(part) > 1 else 0.0
        for part in (over_others, under_cases)
    ]
    return sum(each)


def _clustered_variance(
    label: NDArray[np.bool_],
    over_others: NDArray[np.float64],
    under_cases: NDArray[np.float64],
    value: float,
    cluster: NDArray[Any],
) -> float:
    if cluster.shape != label.shape:
        raise ValueError("There must be one cluster a row.")
    _, whose = np.unique(cluster, return_inverse=True)
    count = int(whose.max()) + 1
    m, n = int(label.sum()), int((~label).sum())
    cases = np.bincount(whose[label], over_others - value, count)
    others = np.bincount(whose[~label], under_cases - value, count)
    has_cases = int(np.count_nonzero(np.bincount(whose[label], minlength=count)))
    has_others = int(np.count_nonzero(np.bincount(whose[~label], minlength=count)))
    of_cases = has_cases / max(has_cases - 1, 1) * (cases**2).sum() / m**2
    of_others = has_others / max(has_others - 1, 1) * (others**2).sum() / n**2
    shared = count / max(count - 1, 1) * (cases * others).sum() / (m * n)
    return float(of_cases + of_others + 2 * shared)


def average_precision(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Return average precision: the sum of precision times the gain in recall over descending thresholds."""
    label, score = _check_labels(y_true, y_score)
    if not label.any():
        raise ValueError("There is no case among the labels.")
    # By hand: scikit-learn gives the same at forty times the cost, and a bootstrap pays it for every class and draw.
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    last = np.append(np.diff(score[order]) != 0, True)
    found, taken = hits[last], np.flatnonzero(last) + 1
    return float((np.diff(found, prepend=0) / label.sum() * found / taken).sum())


def brier(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Return the mean squared difference of probability and outcome (Brier 1950).

    Raises
    ------
    ValueError
        If shapes differ, or a score is no probability.
    """
    label, score = _check_labels(y_true, y_score)
    if score.min() < 0 or score.max() > 1:
        raise ValueError("The Brier score needs probabilities between 0 and 1.")
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(label, score, pos_label=1))


def observed_over_expected(y_true: ArrayLike, y_score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return cases seen over cases expected, ``sum(w y) / sum(w p)``; 1 is right, below 1 is overestimation."""
    label, score = _check_labels(y_true, y_score)
    counts = _check_weight(weight, label)
    if (counts * score).sum() <= 0:
        raise ValueError("The probabilities expect no case at all.")
    return float((counts * label).sum() / (counts * score).sum())


def calibration_line(
    y_true: ArrayLike, y_score: ArrayLike, weight: ArrayLike | None = None
) -> tuple[float, float]:
    """Return calibration intercept and slope (Cox 1958; Van Calster et al. 2019, 10.1186/s12916-019-1466-7).

    The slope is that of a logistic regression of the outcome on the logit of the probability; the intercept is
    that of the same regression with the slope fixed at 1 (calibration in the large). Right are 0 and 1. `weight`
    (n,) says what each row counts, 1 by default.
    """
    label, score = _check_labels(y_true, y_score)
    counts = _check_weight(weight, label)
    _check_both(label[counts > 0])
    if score.min() < 0 or score.max() > 1:
        raise ValueError("Calibration needs probabilities between 0 and 1.")
    x = np.asarray(safe_logit(score))
    intercept = _newton(np.ones((len(x), 1)), label, x, counts)[0]
    if np.ptp(x) < 1e-9:
        raise ValueError("All probabilities are equal: there is no slope.")
    slope = _newton(np.column_stack([np.ones_like(x), x]), label, np.zeros_like(x), counts)[1]
    return float(intercept), float(slope)


def _newton(
    design: NDArray[np.float64],
    label: NDArray[np.bool_],
    offset: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit a weighted logistic regression by Newton steps, halved where they overshoot."""
    weights = np.zeros(design.shape[1])

    def loss(at: NDArray[np.float64]) -> float:
        z = design @ at + offset
        return float((counts * (np.logaddexp(0, z) - label * z)).sum())

    now = loss(weights)
    for _ in range(100):
        p = expit(design @ weights + offset)
        gradient = design.T @ (counts * (p - label))
        curvature = (design * (counts * p * (1 - p))[:, None]).T @ design + 1e-10 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while loss(weights - size * step) > now + 1e-12 and size > 1e-6:
            size /= 2
        weights = weights - size * step
        before, now = now, loss(weights)
        if before - now < 1e-12 * (1 + abs(now)):
            break
    return weights


def c_index(time: ArrayLike, event: ArrayLike, y_score: ArrayLike) -> float:
    """Return Harrell's concordance: of pairs whose order is known, the share in which the earlier scored higher.

    Parameters
    ----------
    time, event, y_score
        (n,) time to event or censoring, 1 if it was an event, score (larger means sooner); ties in score count
        half (Harrell 1982, 10.1001/jama.1982.03320430047030).

    Raises
    ------
    ValueError
        If no pair can be compared.
    """
    from lifelines.utils import concordance_index

    label, score = _check_labels(event, y_score)
    when = np.asarray(time, np.float64)
    if when.shape != label.shape or not np.isfinite(when).all():
        raise ValueError("There must be one time a row, and every time a number.")
    try:
        return float(concordance_index(when, -score, label))
    except ZeroDivisionError as error:
        raise ValueError("No two rows can be compared: there is no event before another's time.") from error


def auc_at(time: ArrayLike, event: ArrayLike, y_score: ArrayLike, horizon: float) -> float:
    """Return the time-dependent AUC: P(score of one with the event by `horizon` > score of one without it by then).

    Those censored before the horizon are stood in for by weights, one over the share not censored until a case's
    time (Kaplan and Meier): cumulative cases, dynamic controls (Uno et al. 2007, 10.1198/016214507000000149; Hung
    and Chiang 2010, 10.1002/cjs.10046). Ties in score count half.

    Parameters
    ----------
    time, event, y_score
        (n,) as for `c_index`.
    horizon
        In the unit of `time`.

    Raises
    ------
    ValueError
        If nobody has the event by the horizon, or nobody is followed that long without it.
    """
    label, score = _check_labels(event, y_score)
    when = np.asarray(time, np.float64)
    if when.shape != label.shape or not np.isfinite(when).all():
        raise ValueError("There must be one time a row, and every time a number.")
    weight = censoring_weights(np.where(label, when, np.nan), when, horizon)
    cases = label & (when <= horizon)
    others = ~cases & (weight > 0)
    if not cases.any() or not others.any():
        raise ValueError(f"Both must occur: an event by {horizon:g}, and one followed that long without it.")
    ordered = np.sort(score[others])
    below = np.searchsorted(ordered, score[cases], "left") + np.searchsorted(ordered, score[cases], "right")
    return float((weight[cases] * below).sum() / (2 * weight[cases].sum() * len(ordered)))


def cohen_kappa(y_true: ArrayLike, y_predicted: ArrayLike, *, linear: bool = False) -> float:
    """Return Cohen's kappa (1960), or its linearly weighted form (1968), for classes numbered from 0."""
    true, said = np.asarray(y_true, np.int64), np.asarray(y_predicted, np.int64)
    if true.shape != said.shape or true.ndim != 1 or len(true) == 0:
        raise ValueError("There must be as many answers as truths, and one at least.")
    # By hand for its speed in a bootstrap, as average precision; and a class that does not occur still stands between
    # its neighbours here, while scikit-learn closes the gap unless it is told of all classes.
    count = int(max(true.max(), said.max())) + 1
    table = np.zeros((count, count))
    np.add.at(table, (true, said), 1)
    by_chance = np.outer(table.sum(1), table.sum(0)) / len(true)
    grid = np.arange(count)
    cost = np.abs(grid[:, None] - grid[None]) if linear else (grid[:, None] != grid[None]).astype(float)
    expected = float((cost * by_chance).sum())
    return 1.0 if expected == 0 else float(1 - (cost * table).sum() / expected)
