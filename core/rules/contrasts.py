"""Which classes of a picture a model may say: those that its card states it was measured to tell apart.

A card states how each class is told from the rest (``by_class``) and from each other one (``pairs``), out of fold or on
pictures kept back. A class that is not told well enough is no number of its own: it is joined with others, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

__all__ = ["LEAST_AUC", "classes_told", "only_told", "what_is_not_told"]

LEAST_AUC = 0.65
"""Lower limit of AUC, measured on such pictures, from which an uncalibrated score may be shown as a rank, and what a model
of single images says at all."""
CHANCE = 0.5
LEAST_AUC_OF_PAIR = 0.55
"""The same of two classes alone. Above chance by what choosing a recipe on the same pictures may add (a few hundredths)."""


def classes_told(metrics: Mapping[str, Any]) -> list[str] | None:
    """Return the classes that may be said, as the card names them, such as ``normal`` or ``C+D``.

    They are told from the rest with a lower limit of at least `LEAST_AUC`, and from each other class with one of at least
    `LEAST_AUC_OF_PAIR`. None where the card states no such figures: then nothing is known of single classes.
    """
    by_class = metrics.get("by_class") or {}
    if all(one.get("auc_ci") is None for one in by_class.values()):
        return None
    told = {name for name, one in by_class.items() if _low(one) >= LEAST_AUC}
    for pair, one in _pairs(metrics):
        if _low(one) < LEAST_AUC_OF_PAIR:
            told -= set(pair)
    return [name for name in by_class if name in told]


def only_told(shares: Mapping[str, float], metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return probabilities by class as they may be said, None where one may not.

    Classes that are not told apart stand together under such a name as ``benign+malignant`` too, where the card measured
    them together, or the one class that is told from all of them.

    >>> only_told({"A": 0.2, "C": 0.3, "D": 0.5}, {"by_class": {"A": {"auc_ci": [0.9, 1]}, "C+D": {"auc_ci": [0.9, 1]}}})
    {'A': 0.2, 'C': None, 'D': None, 'C+D': 0.8}
    """
    told = classes_told(metrics)
    if told is None:
        return dict(shares)
    groups = [members for name in told if (members := _members(name, shares))]
    alone = {members[0] for members in groups if len(members) == 1}
    said = {name: share if name in alone else None for name, share in shares.items()}
    left = [name for name in shares if all(name not in members for members in groups)]
    if len(groups) == 1 and len(left) > 1:
        groups.append(left)
    joined = {
        "+".join(several): sum(shares[one] for one in several) for several in groups if len(several) > 1
    }
    return said | joined


def what_is_not_told(classes: Sequence[str], metrics: Mapping[str, Any]) -> str | None:
    """Say which classes are not told, and which two of those that are said are told worst; None where all are told well."""
    if classes_told(metrics) is None:
        return None
    said = only_told(dict.fromkeys(classes, 0.0), metrics)
    left = [name for name in classes if said[name] is None]
    measured = {frozenset(pair): one for pair, one in _pairs(metrics) if one.get("auc_ci")}
    sentences = []
    if len(left) == 2:
        found = measured.get(frozenset(left))
        hardly = found is not None and _low(found) > CHANCE
        why = f"it was right in {_figures(found)}" if found else "that was never measured"
        sentences.append(
            f"It {'hardly tells' if hardly else 'does not tell'} {left[0]} from {left[1]}: {why}."
        )
    elif left:
        sentences.append(f"Of {' and of '.join(left)} alone it tells too little: no number of it is shown.")
    weak = [pair for pair in combinations(classes, 2) if pair[0] not in left and pair[1] not in left]
    weak = [
        pair for pair in weak if frozenset(pair) in measured and _low(measured[frozenset(pair)]) < LEAST_AUC
    ]
    if weak:
        one, other = min(weak, key=lambda pair: _low(measured[frozenset(pair)]))
        sentences.append(f"It told {one} from {other} in {_figures(measured[frozenset((one, other))])}.")
    return " ".join(sentences) or None


def _pairs(metrics: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Return what was measured of two classes alone."""
    pairs = metrics.get("pairs") or {}
    for pair in combinations(metrics.get("by_class") or {}, 2):
        if (one := pairs.get(" – ".join(pair))) is not None:
            yield pair, one


def _low(measured: Mapping[str, Any]) -> float:
    return (measured.get("auc_ci") or (0.0,))[0]


def _figures(measured: Mapping[str, Any]) -> str:
    low, high = measured["auc_ci"]
    return f"{measured['auc']:.0%} of pairs ({low:.0%} to {high:.0%}; chance is 50%)"


def _members(name: str, classes: Mapping[str, float]) -> list[str]:
    """Return which of a model's classes a card's class stands for; none, where the model knows others."""
    if name in classes:
        return [name]
    parts = name.split("+")
    return parts if all(part in classes for part in parts) else []
