"""Parts of a set of single images: what teaches, what stops, what measures; and leaks between them that stop a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from core.sets import ImageCase, check_own_lesions, fold_groups, part_groups
from core.training.classifier.plan import Measuring
from core.training.runs import TrainingError

__all__ = ["LeakageError", "Part", "assign_parts", "check_leakage", "join_twins", "named_pairs"]


class Part(StrEnum):
    """What an image is for. In cross-validation the number of its fold stands in the place of the first three."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    PRACTICE = "practice"


SHARES: dict[str, float] = {Part.TRAIN: 0.7, Part.VALIDATION: 0.15, Part.TEST: 0.15}
SHARES_WITHOUT_TEST: dict[str, float] = {Part.TRAIN: 0.82, Part.VALIDATION: 0.18}


class LeakageError(TrainingError):
    """One woman, or one picture, would be in two parts of the set; the message names them."""


def join_twins(cases: list[ImageCase], pairs: Sequence[tuple[int, int]]) -> tuple[list[ImageCase], int]:
    """Give near duplicates one group; return the cases and how many were joined."""
    called = {name: name for case in cases for name in case.groups}
    for i, j in pairs:
        old, new = called[cases[j].group], called[cases[i].group]
        if old != new:
            called = {name: new if now == old else now for name, now in called.items()}
    moved = sum(called[case.group] != case.group for case in cases)
    joined = [
        replace(case, group=called[case.group], lesion_of=called.get(case.lesion_of, "")) for case in cases
    ]
    return joined, moved


def assign_parts(cases: Sequence[ImageCase], measuring: Measuring) -> list[str]:
    """Return each case's part: practice, else as stated, else parted here; folds are parts named by their number."""
    own = iter(_own_parts([case for case in cases if not case.practice], measuring))
    return [Part.PRACTICE if case.practice else next(own) for case in cases]


def _own_parts(cases: Sequence[ImageCase], measuring: Measuring) -> list[str]:
    if measuring.folds:
        return [str(fold) for fold in fold_groups(cases, measuring.folds, measuring.seed)]
    stated = [case.split for case in cases]
    if not any(stated):
        return part_groups(cases, SHARES, measuring.seed)
    by_group = {case.group: case.split for case in cases if case.split}
    parts = [case.split or by_group.get(case.group) or Part.TRAIN for case in cases]
    if Part.VALIDATION not in parts:
        train = [i for i, part in enumerate(parts) if part == Part.TRAIN]
        own = part_groups([cases[i] for i in train], SHARES_WITHOUT_TEST, measuring.seed)
        for i, one in zip(train, own, strict=True):
            parts[i] = one
    for part in (Part.TRAIN, Part.VALIDATION):
        missing = {case.label for case in cases} - {
            case.label for case, one in zip(cases, parts, strict=True) if one == part
        }
        if missing:
            raise TrainingError(
                f"No {part} image is of the class {min(missing)!r}. Change the split column, or leave it empty."
            )
    return parts


def check_leakage(cases: Sequence[ImageCase], parts: Sequence[str], pairs: Sequence[tuple[int, int]]) -> None:
    """Stop where a woman or a picture is in two parts, naming them; what is for practice goes where its woman does."""
    check_own_lesions(cases)
    seen: dict[str, set[str]] = {}
    for case, part in zip(cases, parts, strict=True):
        if not case.practice:
            seen.setdefault(case.group, set()).add(part)
    torn = sorted(group for group, where in seen.items() if len(where) > 1)
    if torn:
        named = ", ".join(f"{group} ({' and '.join(sorted(seen[group]))})" for group in torn[:10])
        raise LeakageError(
            f"{len(torn)} women or groups are in more than one split: {named}{', …' if len(torn) > 10 else ''}. "
            "Put each into one split."
        )
    across = [
        (cases[i], cases[j])
        for i, j in pairs
        if parts[i] != parts[j] and not _goes_with_her(cases[i], cases[j])
    ]
    if across:
        raise LeakageError(
            f"{len(across)} near duplicates are in two splits: {named_pairs(across)}. Leave one of each out, or give both "
            "the same patient_id and split."
        )


def _goes_with_her(one: ImageCase, other: ImageCase) -> bool:
    """Tell whether one of two pictures that show something of a woman is for practice: it teaches only where she may."""
    return not one.groups.isdisjoint(other.groups) and (one.practice or other.practice)


def named_pairs(pairs: Sequence[tuple[ImageCase, ImageCase]]) -> str:
    """Return the first ten pairs by the names of their files."""
    named = "; ".join(f"{a.name} and {b.name}" for a, b in pairs[:10])
    return named + ("; …" if len(pairs) > 10 else "")
