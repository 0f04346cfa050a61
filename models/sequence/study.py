"""A study as the networks see it: any subset of views of two breasts, fused to one vector a breast.

The arrays of a woman's visits (`visit_arrays`) and the layer that fuses views (`ViewFusion`) are here; what
happens from visit to visit is in `models.sequence.network`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.vocabulary import DAYS_PER_YEAR, SIDES, SLOTS, Laterality

__all__ = [
    "FACTS",
    "SIDES",
    "SLOTS",
    "YEARS_OF_FACT",
    "Arrays",
    "Laterality",
    "SeenView",
    "ViewFusion",
    "ViewReading",
    "VisitInput",
    "slot_of",
    "stack_arrays",
    "visit_arrays",
]

FACTS = 6
"""Numbers that go with a visit beside its pictures; see `visit_arrays`."""

YEARS_OF_FACT = 5.0
"""Years since the first visit stand among the facts in this unit."""

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class ViewReading:
    """What the encoder read from one view.

    Parameters
    ----------
    vector
        (D,) float32, what the sequence model reads; stored, so that a view passes the encoder once.
    density
        (4,) float32, probabilities of A, B, C, D.
    finding
        (3,) float32, probabilities of normal, benign, malignant.
    heat_map
        (h, w) float16 in 0..1 over the standard view.
    """

    vector: NDArray[np.float32]
    density: NDArray[np.float32]
    finding: NDArray[np.float32]
    heat_map: NDArray[np.float16]


@dataclass(frozen=True)
class SeenView:
    """A view's reading and where it belongs: laterality L or R, view CC, MLO or any other name."""

    laterality: Laterality
    view: str
    reading: ViewReading


@dataclass(frozen=True)
class VisitInput:
    """One study of a woman: its date, her age in years (None if unknown), the views there are."""

    on: date
    age_years: float | None
    views: tuple[SeenView, ...]


def slot_of(view: str) -> int:
    """Return the place of a view by its name."""
    name = view.strip().upper()
    return SLOTS.index(name) if name in SLOTS else len(SLOTS) - 1


def visit_arrays(
    days: NDArray[np.float64],
    ages: NDArray[np.float64],
    vectors: NDArray[np.float32],
    present: NDArray[np.bool_],
    length: int,
) -> Arrays:
    """Lay one woman's visits, oldest first, out for the sequence model.

    Parameters
    ----------
    days
        (n,) day of each visit, counted from anywhere.
    ages
        (n,) age in years, NaN if unknown.
    vectors
        (n, 2, 3, D) encoder vectors by side and place; whatever stands where nothing is present is ignored.
    present
        (n, 2, 3) which of them there are.
    length
        Visits the arrays hold, n at most; the rest is padded at the end.

    Returns
    -------
    dict
        ``vectors`` (length, 2, 3, D), ``present`` (length, 2, 3), ``facts`` (length, 6): years since the visit
        before, log of one plus them, years since the first visit, 1 at the first visit, age in decades from
        55, 1 if the age is known; ``visited`` (length,).
    """
    n = len(days)
    if not 1 <= n <= length:
        raise ValueError(f"There must be 1 to {length} visits, not {n}.")
    years = np.asarray(days, np.float64) / DAYS_PER_YEAR
    since = np.diff(years, prepend=years[0])
    if (since < 0).any():
        raise ValueError("Visits must stand oldest first.")
    known = np.isfinite(ages)
    facts = np.zeros((length, FACTS), np.float32)
    facts[:n, 0] = since / 3
    facts[:n, 1] = np.log1p(since)
    facts[:n, 2] = (years - years[0]) / YEARS_OF_FACT
    facts[0, 3] = 1
    facts[:n, 4] = np.where(known, (np.nan_to_num(ages) - 55) / 10, 0)
    facts[:n, 5] = known
    seen = np.zeros((length, 2, len(SLOTS)), np.float32)
    seen[:n] = present
    held = np.zeros((length, *vectors.shape[1:]), np.float32)
    held[:n] = np.where(present[..., None], vectors, 0)
    visited = np.zeros(length, np.float32)
    visited[:n] = 1
    return {"vectors": held, "present": seen, "facts": facts, "visited": visited}


def stack_arrays(arrays: Sequence[Arrays]) -> Arrays:
    """Put the arrays of several women together along a new first axis."""
    return {key: np.stack([one[key] for one in arrays]) for key in arrays[0]}


@keras.saving.register_keras_serializable("longview")
class ViewFusion(layers.Layer):
    """Fuses the views of each breast, whichever there are, to one vector.

    Inputs: vectors (batch, visits, 2, 3, D) and present (batch, visits, 2, 3). Output: (batch, visits, 2,
    2 * units): masked mean and masked maximum over views of a rectified map of the vector with codes for side
    and view. A breast without a view gives zeros. The same weights serve every view of both breasts.
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.dense = layers.Dense(units, activation="relu", name="token")

    def build(self, shapes: list[Any]) -> None:
        """Make the weights."""
        self.dense.build((*shapes[0][:-1], shapes[0][-1] + len(SLOTS) + 1))

    def call(self, inputs: list[Any]) -> Any:
        """Fuse."""
        vectors, present = inputs
        there = present[..., None]
        slots = ops.zeros_like(there) + ops.reshape(ops.eye(len(SLOTS)), (1, 1, 1, len(SLOTS), len(SLOTS)))
        side = ops.zeros_like(there) + ops.reshape(
            ops.convert_to_tensor([1.0, -1.0], dtype="float32"), (1, 1, 2, 1, 1)
        )
        tokens = self.dense(ops.concatenate([vectors, slots, side], axis=-1)) * there
        mean = ops.sum(tokens, axis=3) / ops.maximum(ops.sum(there, axis=3), 1.0)
        return ops.concatenate([mean, ops.max(tokens, axis=3)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return super().get_config() | {"units": self.units}
