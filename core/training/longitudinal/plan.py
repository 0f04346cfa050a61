"""What a training of a longitudinal model is asked for, and into which parts its women go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.sets import Woman, stated_split
from core.training.runs import TrainingError

__all__ = ["SPLITS", "Plan", "Split", "has_cancer", "parts_needed", "split_women"]


class Split(StrEnum):
    """What a woman is for: to teach the encoder or what stands on it, to stop and calibrate, to measure."""

    ENCODER = "encoder"
    SEQUENCE = "sequence"
    VALIDATION = "validation"
    TEST = "test"
    ENCODER_ONLY = "encoder-only"
    """Of a set whose outcomes are not to teach how common cancer is."""


SPLITS = (Split.ENCODER, Split.SEQUENCE, Split.VALIDATION, Split.TEST)
SHARES = {Split.ENCODER: 0.55, Split.SEQUENCE: 0.18, Split.VALIDATION: 0.17, Split.TEST: 0.10}
KEPT_SHARES = {Split.SEQUENCE: 0.70, Split.VALIDATION: 0.20, Split.TEST: 0.10}
"""Of women whose views an encoder only reads."""
TRAIN = "train"
"""What a manifest states of women who are to teach; validation and test it calls as we do."""


@dataclass(frozen=True)
class Plan:
    """What a run was asked for; a run goes on only under the same plan."""

    minutes: float = 60.0
    seed: int = 0
    backbone: str = "compact"
    weights: str | None = None
    members: int = 5
    name: str = "longitudinal"
    start_from: str | None = None
    keep_encoder: bool = False
    base_rates: tuple[float, ...] | None = None


def parts_needed(*, keep_encoder: bool) -> tuple[Split, ...]:
    """Return the parts that none of which may be empty."""
    return tuple(split for split in (KEPT_SHARES if keep_encoder else SHARES) if split is not Split.TEST)


def split_women(women: Sequence[Woman], seed: int, *, keep_encoder: bool = False) -> list[Split]:
    """Assign each woman to one of `SPLITS`, the same for the same seed, cancers spread evenly.

    A `split` the manifest states (train, validation, test) is kept; train is parted between encoder and sequence, and
    validation too where the manifest states none for that. With `keep_encoder` no woman is kept for the encoder, which
    is not trained. `TrainingError` if a stated split is none of these.
    """
    unstated = KEPT_SHARES if keep_encoder else SHARES
    stated_train = {Split.SEQUENCE: 1.0} if keep_encoder else {Split.ENCODER: 0.75, Split.SEQUENCE: 0.25}
    splits = {_stated(woman) for woman in women}
    if TRAIN in splits and Split.VALIDATION not in splits:
        parts = {name: share for name, share in unstated.items() if name is not Split.TEST}
        stated_train = {name: share / sum(parts.values()) for name, share in parts.items()}

    def key(woman: Woman) -> str:
        return hashlib.sha256(f"{seed} {woman.patient_id}".encode()).hexdigest()

    assigned: dict[int, Split] = {
        i: Split.ENCODER_ONLY for i, woman in enumerate(women) if woman.split == Split.ENCODER_ONLY
    }
    by_stated = {
        None: unstated,
        TRAIN: stated_train,
        Split.VALIDATION: {Split.VALIDATION: 1.0},
        Split.TEST: {Split.TEST: 1.0},
    }
    for stated, shares in by_stated.items():
        for ill in (True, False):
            group = [
                i
                for i, woman in enumerate(women)
                if i not in assigned and has_cancer(woman) == ill and _stated(woman) == stated
            ]
            group.sort(key=lambda i: key(women[i]))
            edges = np.round(np.cumsum(list(shares.values())) * len(group)).astype(int)
            for place, i in enumerate(group):
                assigned[i] = list(shares)[int(np.searchsorted(edges, place, side="right"))]
    return [assigned[i] for i in range(len(women))]


def has_cancer(woman: Woman) -> bool:
    """Tell whether a cancer of hers is known, by its date or a malignant finding."""
    return woman.cancer_date is not None or any("malignant" in study.values() for study in woman.finding)


def _stated(woman: Woman) -> str | None:
    if woman.split in (None, Split.ENCODER_ONLY):
        return None
    known = stated_split(woman.split)
    if known is None:
        raise TrainingError(
            f"The split of {woman.patient_id} is {woman.split!r}, not train, validation or test. Correct it, or leave it blank."
        )
    return known
