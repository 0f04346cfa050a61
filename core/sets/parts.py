"""Parting a set of single images into train, validation and test, or into folds: whole women together, classes spread alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.sets.cases import ImageCase

__all__ = ["INNER_FOLDS", "TooFewWomen", "fold_groups", "part_groups"]

INNER_FOLDS = 4
"""Folds of a kernel head's own training images, on which its strength is chosen and its scaling fitted."""


class TooFewWomen(ValueError):
    """A class has fewer women than there are parts; the message names it and says what to do."""


def part_groups(cases: Sequence[ImageCase], shares: dict[str, float], seed: int) -> list[str]:
    """Assign each case to a part, whole women together, each class parted alike; the same for the same seed.

    Raises
    ------
    TooFewWomen
        If a class has fewer women than there are parts; the message names it.
    """
    strata = _by_rarest_class(cases)
    where: dict[str, str] = {}
    for label, groups in strata.items():
        if len(groups) < len(shares):
            raise TooFewWomen(_too_few(cases, label, groups, len(shares)))
        groups.sort(key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).hexdigest())
        counts = {part: max(1, int(share * len(groups))) for part, share in shares.items()}
        counts[next(iter(shares))] += len(groups) - sum(counts.values())
        parts = [part for part, count in counts.items() for _ in range(count)]
        where.update(zip(groups, parts, strict=True))
    return [where[case.group] for case in cases]


def fold_groups(cases: Sequence[ImageCase], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each case to a fold 0..folds-1, whole women together, each class spread alike.

    Raises
    ------
    TooFewWomen
        If a class has fewer women than there are folds.
    """
    where: dict[str, int] = {}
    start = 0
    for label, women in women_by_class(cases).items():
        if len(women) < folds:
            raise TooFewWomen(_too_few(cases, label, women, folds))
    for groups in _by_rarest_class(cases).values():
        groups.sort(key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).hexdigest())
        where.update({group: (start + place) % folds for place, group in enumerate(groups)})
        start += len(groups)
    return np.array([where[case.group] for case in cases], np.int64)


def _by_rarest_class(cases: Sequence[ImageCase]) -> dict[str, list[str]]:
    """Return the women by the rarest class that each has an image of, so that rare classes reach every part."""
    count: dict[str, int] = {}
    for case in cases:
        count[case.label] = count.get(case.label, 0) + 1
    rarest: dict[str, str] = {}
    for case in cases:
        before = rarest.get(case.group)
        if before is None or (count[case.label], case.label) < (count[before], before):
            rarest[case.group] = case.label
    strata: dict[str, list[str]] = {label: [] for label in sorted(count)}
    for group, label in rarest.items():
        strata[label].append(group)
    return strata


def women_by_class(cases: Sequence[ImageCase]) -> dict[str, list[str]]:
    """Return the women who have an image of each class, of other classes too or not."""
    women: dict[str, set[str]] = {label: set() for label in sorted({case.label for case in cases})}
    for case in cases:
        women[case.label].add(case.group)
    return {label: sorted(groups) for label, groups in women.items()}


def _too_few(cases: Sequence[ImageCase], label: str, groups: Sequence[str], needed: int) -> str:
    own = [case for case in cases if case.label == label]
    images = "1 image" if len(own) == 1 else f"{len(own)} images"
    return (
        f"The class {label!r} has {images} of {len(groups)} women or groups ({own[0].source}); {needed} are needed. Add "
        "images, choose fewer folds, or leave the class out with --classes."
    )
