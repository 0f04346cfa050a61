"""In what it is measured how unlike a picture is: how strongly a network's maps answer, and shades and detail."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

__all__ = ["MEANS", "roots", "shades", "with_means"]

MEANS = "means"
STRIDES = (8, 16, 32)
BANDS = 4


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


def shades(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return what is measured of prepared images themselves, (n, 3 + BANDS); pixels (n, rows, columns), uint8 or in 0..1.

    Mean, spread and share of black; then how much detail there is of each size, finest first: the log of the root mean
    square of what each halving of the image takes away (Burt and Adelson 1983). A network that learned from few images
    may answer alike to noise and to tissue; these do not.
    """
    rows = []
    for one in pixels:
        image = np.asarray(one, np.float32) / (255 if np.asarray(one).dtype == np.uint8 else 1)
        facts = [float(image.mean()), float(image.std()), float((image <= 0).mean())]
        for _ in range(BANDS):
            high, wide = image.shape
            half = cv2.resize(image, (max(1, wide // 2), max(1, high // 2)), interpolation=cv2.INTER_AREA)
            lost = image - cv2.resize(half, (wide, high), interpolation=cv2.INTER_LINEAR)
            facts.append(float(np.log(np.sqrt((lost**2).mean()) + 1e-3)))
            image = half
        rows.append(facts)
    return np.array(rows, np.float32).reshape(len(rows), 3 + BANDS)


def roots(means: NDArray[Any]) -> NDArray[np.float32]:
    """Return square roots of means, with their signs: a few pictures answer far more strongly than most, and it draws them in."""
    return np.asarray(np.sign(means) * np.sqrt(np.abs(means)), np.float32)
