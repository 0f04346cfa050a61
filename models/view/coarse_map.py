"""The coarse lesion map at the end of an encoder's vector: what was found where, small enough to keep with every view."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from models.view.preprocess import NETWORK_SHAPE

__all__ = ["KINDS", "CoarseMap", "coarse_grid"]

POOL = 3
"""Cells of the lesion map, along a side, that one cell of the coarse map holds: 48 network pixels."""
KINDS = 3
"""What the coarse map holds: logits of a benign and a malignant lesion, log size."""


def coarse_grid(shape: tuple[int, int] = NETWORK_SHAPE) -> tuple[int, int]:
    """Return rows and columns of the coarse map of views of that shape."""
    return -(-shape[0] // 16 // POOL), -(-shape[1] // 16 // POOL)


@keras.saving.register_keras_serializable("longview")
class CoarseMap(layers.Layer):
    """Condenses lesion logits (batch, h, w, 2) and log sizes (batch, h, w, 1) to a flat coarse map.

    Each coarse cell holds the highest logit of each kind and the log size where either is high.
    """

    def call(self, inputs: list[Any]) -> Any:
        """Condense."""
        lesion, size = inputs
        peak = ops.max_pool(lesion, POOL, strides=POOL, padding="same")
        heat = ops.exp(ops.clip(ops.max(lesion, axis=-1, keepdims=True), -10.0, 10.0))
        weighed = ops.average_pool(heat * size, POOL, strides=POOL, padding="same")
        sizes = weighed / ops.average_pool(heat, POOL, strides=POOL, padding="same")
        coarse = ops.concatenate([peak, sizes], axis=-1)
        return ops.reshape(coarse, (-1, int(np.prod(coarse.shape[1:]))))
