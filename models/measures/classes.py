"""How well a classifier of single images does: every measure with its interval, women being drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.measures import intervals, metrics

__all__ = ["Measure", "compare_classes", "measure_classes", "measures_of", "sensitivity_at"]

Measure = Callable[[NDArray[Any], NDArray[Any]], float]
"""Takes labels (n,) from 0 and probabilities (n, classes)."""


def sensitivity_at(y_true: ArrayLike, y_score: ArrayLike, specificity: float = 0.9) -> float:
    """Return the highest sensitivity among thresholds at which specificity is at least as high as asked.

    Raises
    ------
    ValueError
        If only one label occurs.
    """
    threshold = threshold_at(y_true, y_score, specificity)
    label, score = np.asarray(y_true, bool), np.asarray(y_score, np.float64)
    return float((score[label] > threshold).mean())


def threshold_at(y_true: ArrayLike, y_score: ArrayLike, specificity: float = 0.9) -> float:
    """Return the score above which a case is called, so that specificity is at least as high as asked."""
    label, score = np.asarray(y_true, bool), np.asarray(y_score, np.float64)
    if label.all() or not label.any():
        raise ValueError("Both labels must occur: with one kind alone nothing can be told apart.")
    others = np.sort(score[~label])
    allowed = int(np.floor((1 - specificity) * len(others) + 1e-9))
    return float(others[len(others) - 1 - allowed])


def measures_of(classes: int) -> dict[str, Measure]:
    """Return the measures by name; with two classes of the second one, with more the mean over classes.

    Precision, recall (sensitivity), F1 and specificity are those of the class of highest probability; auc and
    average precision those of each class against the rest; brier is the squared distance of probabilities and
    truth, with two classes that of the second (Brier 1950).
    """
    each = [1] if classes == 2 else list(range(classes))

    def mean(one: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], float]) -> Measure:
        def over_classes(y: NDArray[Any], p: NDArray[Any]) -> float:
            said = p.argmax(axis=1)
            return float(np.mean([one(y == k, said == k, p[:, k]) for k in each]))

        return over_classes

    return {
        "accuracy": lambda y, p: float((p.argmax(axis=1) == y).mean()),
        "precision": mean(lambda y, said, _p: _share(y[said])),
        "recall": mean(lambda y, said, _p: _needed(said[y])),
        "f1": mean(lambda y, said, _p: 2 * float((y & said).sum()) / max(1.0, float(y.sum() + said.sum()))),
        "specificity": mean(lambda y, said, _p: _needed(~said[~y])),
        "auc": mean(lambda y, _said, p: metrics.auc(y, p)),
        "average_precision": mean(lambda y, _said, p: metrics.average_precision(y, p)),
        # By hand: scikit-learn's for several classes refuses a sum of two probabilities that rounding put above 1.
        "brier": lambda y, p: float(
            ((p - np.eye(classes)[y]) ** 2).sum(axis=1).mean() / (2 if classes == 2 else 1)
        ),
        "kappa": lambda y, p: metrics.cohen_kappa(y, p.argmax(axis=1)),
    }


def _share(hits: NDArray[Any]) -> float:
    """Return the share of hits; of none it is 0, as precision of a class that is never called."""
    return float(hits.mean()) if len(hits) else 0.0


def _needed(hits: NDArray[Any]) -> float:
    if not len(hits):
        raise ValueError("There is no image of the kind.")
    return float(hits.mean())


def measure_classes(
    label: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    cluster: NDArray[Any],
    *,
    density: Sequence[str | None] | None = None,
    times: int = 1000,
) -> dict[str, Any]:
    """Measure a classifier.

    Parameters
    ----------
    label
        (n,) index of the class.
    probabilities
        (n, classes).
    classes
        Their names; the last is the positive one.
    cluster
        (n,) whose each image is.
    density
        (n,) A–D, or such as C+D, where known: sensitivity is given for each.
    times
        Bootstrap draws.

    Returns
    -------
    dict
        ``n, women, classes, positive``; each of `measures_of` with its ``…_ci`` (95 %, women drawn), None where it
        does not exist; ``confusion`` (true by called); ``by_class`` (images; against the rest: auc, sensitivity at 90 %
        specificity); with more than two classes ``pairs``: of images of two classes alone, by the share of the second
        in the probability of both, auc and accuracy; ``by_density``.
    """
    y, p = np.asarray(label, np.int64), np.asarray(probabilities, np.float64)
    table = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(table, (y, p.argmax(axis=1)), 1)
    found: dict[str, Any] = {
        "n": len(y),
        "women": len(np.unique(cluster)),
        "classes": list(classes),
        "positive": classes[-1],
    }
    for name, measure in measures_of(len(classes)).items():
        found |= _with_interval(name, measure, y, p, cluster, times)
    if len(classes) > 2:
        found |= _with_interval(
            "kappa_linear",
            lambda a, b: metrics.cohen_kappa(a, b.argmax(axis=1), linear=True),
            y,
            p,
            cluster,
            times,
        )
    found["confusion"] = table.tolist()
    found["by_class"] = {}
    for k, name in enumerate(classes):
        of_class: dict[str, Any] = {"n": int((y == k).sum())}
        of_class |= _with_interval("auc", metrics.auc, y == k, p[:, k], cluster, times)
        of_class |= _with_interval(
            "sensitivity_at_90_specificity", sensitivity_at, y == k, p[:, k], cluster, times
        )
        found["by_class"][name] = of_class
    if len(classes) > 2:
        found["pairs"] = {
            f"{classes[i]} – {classes[j]}": _of_pair(y, p, (i, j), cluster, times)
            for i, j in combinations(range(len(classes)), 2)
        }
    if density is not None:
        found["by_density"] = _by_density(y, p, np.array([one or "" for one in density]), cluster, times)
    return found


def _of_pair(
    y: NDArray[np.int64],
    p: NDArray[np.float64],
    pair: tuple[int, int],
    cluster: NDArray[Any],
    times: int,
) -> dict[str, Any]:
    """Measure how two classes are told apart when it is known that it is one of them."""
    rows = np.isin(y, pair)
    both = np.maximum(p[rows][:, list(pair)], 1e-12)
    label, share, whose = y[rows] == pair[1], both[:, 1] / both.sum(axis=1), cluster[rows]
    return {
        "n": int(rows.sum()),
        **_with_interval("auc", metrics.auc, label, share, whose, times),
        **_with_interval("accuracy", _right_of_two, label, share, whose, times),
    }


def _right_of_two(label: NDArray[np.bool_], share: NDArray[np.float64]) -> float:
    """Return the share of images that are called right; ValueError where there is none of either class."""
    if not len(label):
        raise ValueError("There is no image of either class.")
    return float(((share > 0.5) == label).mean())


def _by_density(
    y: NDArray[np.int64],
    p: NDArray[np.float64],
    density: NDArray[np.str_],
    cluster: NDArray[Any],
    times: int,
) -> dict[str, Any]:
    """Return sensitivity for the last class at one threshold, 90 % specificity over all, by density."""
    positive = y == p.shape[1] - 1
    known = density != ""
    if not positive[known].any() or positive[known].all():
        return {}
    threshold = threshold_at(positive[known], p[known, -1])
    groups = {str(name): density == name for name in np.unique(density[known])}
    groups |= {
        "fatty (A, B)": np.isin(density, ["A", "B", "A+B"]),
        "dense (C, D)": np.isin(density, ["C", "D", "C+D"]),
    }
    found: dict[str, Any] = {}
    for name, rows in groups.items():
        cases = rows & positive
        others = rows & ~positive
        if not cases.any():
            continue
        called = (p[cases, -1] > threshold).astype(float)
        found[name] = {"n": int(cases.sum())}
        found[name] |= _with_interval(
            "sensitivity",
            lambda a, _b: float(a.mean()),
            called,
            called,
            cluster[cases],
            times,
        )
        found[name]["specificity"] = float((p[others, -1] <= threshold).mean()) if others.any() else None
    return found


def _with_interval(
    name: str, measure: Measure, y: NDArray[Any], p: NDArray[Any], cluster: NDArray[Any], times: int
) -> dict[str, Any]:
    """Return a measure and its interval under two keys, None where it does not exist."""
    try:
        value: float | None = measure(y, p)
    except ValueError:
        return {name: None, f"{name}_ci": None}
    try:
        _, low, high = intervals.bootstrap(measure, y, p, cluster=cluster, times=times)
    except ValueError:
        return {name: value, f"{name}_ci": None}
    return {name: value, f"{name}_ci": [low, high]}


def compare_classes(
    label: NDArray[np.int64],
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    cluster: NDArray[Any],
    *,
    times: int = 1000,
) -> dict[str, Any]:
    """Compare two classifiers on the same images.

    Returns
    -------
    dict
        For accuracy, auc, average_precision, brier: ``difference`` (one minus other), its ``ci`` (95 %, paired
        bootstrap, women drawn) and ``p``, twice the smaller share of draws on one side of no difference, at least
        1 / draws; with two classes also ``delong`` (difference, ci, p) of the AUC.
    """
    y = np.asarray(label, np.int64)
    found: dict[str, Any] = {}
    measures = measures_of(one.shape[1])
    for name in ("accuracy", "auc", "average_precision", "brier"):
        drawn: list[float] = []
        measure = measures[name]

        def difference(
            a: NDArray[Any],
            b: NDArray[Any],
            c: NDArray[Any],
            measure: Measure = measure,
            drawn: list[float] = drawn,
        ) -> float:
            drawn.append(measure(a, b) - measure(a, c))
            return drawn[-1]

        try:
            value, low, high = intervals.bootstrap(difference, y, one, other, cluster=cluster, times=times)
        except ValueError:
            found[name] = {"difference": None, "ci": None, "p": None}
            continue
        draws = np.array(drawn[1:])
        p = min(1.0, max(1 / len(draws), 2 * min((draws <= 0).mean(), (draws >= 0).mean())))
        found[name] = {"difference": value, "ci": [low, high], "p": float(p)}
    if one.shape[1] == 2 and 0 < y.sum() < len(y):
        value, low, high, p = metrics.delong_difference(y, one[:, 1], other[:, 1], cluster)
        found["delong"] = {"difference": value, "ci": [low, high], "p": p}
    return found
