"""What changed at one place: a view's coarse lesion map beside that of the visit before.

A cancer is told from a benign finding less by its look than by its being new, or growing, where it lies. The
encoder's vector ends with a coarse map of what it found (`CoarseMap`); from two visits' maps `PlaceChange` reads
whether what is seen now was there before, and how its size went. Both are causal and cost nothing to speak of.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from models.view import KINDS

__all__ = ["PlaceChange"]


@keras.saving.register_keras_serializable("longview")
class PlaceChange(layers.Layer):
    """Reads, for each view, what was there before where the view now shows most.

    Inputs: coarse maps (batch, visits, 2, places, cells * 3) and present (batch, visits, 2, places). Output:
    (batch, visits, 2, places, 16): for the place that looks most malignant, then for the place that looks most like
    any lesion: log-odds there now and size now; log-odds of any lesion there, of a malignant one, and size at the
    last visit that has the view (searched one cell around, as no two positionings are alike); growth, counted as
    far as there was something; whether there is a view before; the newest: highest log-odds now where nothing was.
    """

    def __init__(self, grid: tuple[int, int], **options: Any) -> None:
        super().__init__(**options)
        self.grid = tuple(grid)

    def call(self, inputs: list[Any]) -> Any:
        """Compare."""
        maps, present = inputs
        rows, columns = self.grid
        batch, visits = ops.shape(maps)[0], ops.shape(maps)[1]
        places = maps.shape[3]
        cells = rows * columns
        now = ops.reshape(maps, (batch, visits, 2, places, cells, KINDS))
        there = present[..., None]
        earlier, seen = _earlier(now, present)
        flat = ops.reshape(earlier, (-1, rows, columns, KINDS))
        around = ops.max_pool(flat[..., :2], 3, strides=1, padding="same")
        heat = ops.exp(ops.clip(ops.max(flat[..., :2], axis=-1, keepdims=True), -10.0, 10.0))
        size = ops.average_pool(heat * flat[..., 2:], 3, strides=1, padding="same") / ops.average_pool(
            heat, 3, strides=1, padding="same"
        )
        shape = (batch, visits, 2, places, cells)
        before_any = ops.reshape(ops.max(around, axis=-1), shape)
        before_malignant = ops.reshape(around[..., 1], shape)
        before_size = ops.reshape(size, shape)
        had = ops.cast(seen[..., None], "float32")
        any_now = ops.max(now[..., :2], axis=-1)
        said = []
        for logits in (now[..., 1], any_now):
            focus = ops.softmax(2.0 * logits, axis=-1)

            def at(values: Any, focus: Any = focus) -> Any:
                return ops.sum(focus * values, axis=-1, keepdims=True)

            was, size_now, size_then = at(before_any), at(now[..., 2]), at(before_size)
            fresh = ops.sigmoid(logits) * (1 - ops.sigmoid(before_any) * had)
            said += [
                at(logits),
                size_now,
                was * had,
                at(before_malignant) * had,
                size_then * had,
                (size_now - size_then) * ops.sigmoid(was) * had,
                had,
                ops.max(fresh, axis=-1, keepdims=True) * had,
            ]
        return ops.concatenate(said, axis=-1) * there

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return super().get_config() | {"grid": self.grid}


def _earlier(now: Any, present: Any) -> tuple[Any, Any]:
    """Return the map of the visit before that has the view, and whether there is one.

    Looked for among the last three visits; further back a view is taken as new.
    """
    found, seen = ops.zeros_like(now), ops.zeros_like(present)
    for lag in (1, 2, 3):
        moved = _delayed(now, lag)
        there = _delayed(present, lag) * (1 - seen)
        found = found + moved * there[..., None, None]
        seen = seen + there
    return found, seen


def _delayed(values: Any, lag: int) -> Any:
    """Move values `lag` visits later; the first visits get zeros."""
    rank = len(values.shape)
    padded = ops.pad(values, [(0, 0), (lag, 0)] + [(0, 0)] * (rank - 2))
    return padded[:, : ops.shape(values)[1]]
