"""What of a picture its domain is measured in: how strongly a network's maps answer on the whole, at several depths."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

__all__ = ["MEANS", "roots", "with_means"]

MEANS = "means"
STRIDES = (8, 16, 32)


def with_means(network: keras.Model) -> keras.Model:
    """Return a network that gives, beside its outputs by name, `MEANS`: (batch, D), the mean of each channel.

    Of each stride the last of the widest maps counts; what comes after it has fewer channels and says answers already.
    """
    maps = [layer.output for layer in network.layers if len(getattr(layer.output, "shape", ())) == 4]
    rows = int(network.input.shape[1])
    means = []
    for stride in STRIDES:
        of_stride = [one for one in maps if one.shape[1] == rows // stride]
        if of_stride:
            widest = max(int(one.shape[-1]) for one in of_stride)
            chosen = [one for one in of_stride if one.shape[-1] == widest][-1]
            means.append(layers.GlobalAveragePooling2D()(chosen))
    joined: Any = layers.Concatenate()(means) if len(means) > 1 else means[0]
    return keras.Model(network.input, {**network.output, MEANS: ops.cast(joined, "float32")})


def roots(means: NDArray[Any]) -> NDArray[np.float32]:
    """Return square roots of means, with their signs: a few pictures answer far more strongly than most, and it draws them in."""
    return np.asarray(np.sign(means) * np.sqrt(np.abs(means)), np.float32)
