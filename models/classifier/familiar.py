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
BANDS = 5
WHOLLY = 0.9
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def with_means(network: keras.Model) -> keras.Model:
    """Return a network that gives, beside its outputs by name, `MEANS`: (batch, D), the mean of each channel over tissue.

    How much of a picture is black is no matter of its kind, and would cover it. Of each stride the last of the widest maps counts; what comes after it has fewer channels and says answers already.
    """
    maps = [layer.output for layer in network.layers if len(getattr(layer.output, "shape", ())) == 4]
    rows = int(network.input.shape[1])
    means = []
    for stride in STRIDES:
        of_stride = [one for one in maps if one.shape[1] == rows // stride]
        if of_stride:
            widest = max(int(one.shape[-1]) for one in of_stride)
            chosen = [one for one in of_stride if one.shape[-1] == widest][-1]
            means.append(_mean_over_tissue(network.input, chosen))
    joined: Any = layers.Concatenate()(means) if len(means) > 1 else means[0]
    return keras.Model(network.input, {**network.output, MEANS: ops.cast(joined, "float32")})


def _mean_over_tissue(view: Any, features: Any) -> Any:
    """Return means (batch, c) of a map (batch, h, w, c) where its cells show no black; of all cells, if none is such."""
    step = view.shape[1] // features.shape[1]
    cover = ops.average_pool(ops.cast(view > 0, "float32"), step, strides=step)
    inside = ops.cast(cover > WHOLLY, "float32")
    none = ops.cast(ops.equal(ops.sum(inside, axis=(1, 2), keepdims=True), 0), "float32")
    inside = inside + none
    return ops.sum(features * inside, axis=(1, 2)) / ops.sum(inside, axis=(1, 2))


def shades(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return what is measured of prepared images themselves, (n, 9 + 2 * BANDS); pixels (n, rows, columns), uint8 or 0..1.

    Of what is not black: mean, spread, share of the image, quantiles and skewness of the shades; then how much detail there
    is of each size, finest first: of what each halving of the image takes away (Burt and Adelson 1983) the log of the root
    mean square, and how evenly it is spread. A network that learned from few images may answer alike to noise and to
    tissue, to one scanner's film and to another's; these do not.
    """
    return np.array([_shades(one) for one in pixels], np.float32).reshape(len(pixels), 9 + 2 * BANDS)


def _shades(one: NDArray[Any]) -> list[float]:
    image = np.asarray(one, np.float32) / (255 if one.dtype == np.uint8 else 1)
    tissue = image > 0
    if not tissue.any():
        tissue = ~tissue
    shown = image[tissue]
    spread = float(shown.std())
    deviation = shown - shown.mean()
    # NumPy multiplies for a square, and takes a hundred times as long for other powers.
    skewness = float((deviation**2 * deviation).mean()) / max(spread, 1e-3) ** 3
    facts = [float(shown.mean()), spread, float(tissue.mean())]
    facts += [*np.quantile(shown, QUANTILES).tolist(), skewness]
    # The skin line is no detail of the tissue; a black spot within is.
    disc = np.ones((9, 9), np.uint8)
    inner = cv2.erode(cv2.morphologyEx(tissue.astype(np.uint8), cv2.MORPH_CLOSE, disc), disc)
    mask = inner if inner.any() else tissue.astype(np.uint8)
    for _ in range(BANDS):
        high, wide = image.shape
        smaller = max(1, wide // 2), max(1, high // 2)
        half = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        lost = (image - cv2.resize(half, (wide, high), interpolation=cv2.INTER_LINEAR))[mask > 0]
        strength = np.log(np.sqrt((lost**2).mean()) + 1e-3) if lost.size else np.log(1e-3)
        evenness = np.log(np.abs(lost).mean() + 1e-3) - strength if lost.size else 0.0
        facts += [float(strength), float(evenness)]
        image, mask = half, cv2.resize(mask, smaller, interpolation=cv2.INTER_NEAREST)
    return facts


def roots(means: NDArray[Any]) -> NDArray[np.float32]:
    """Return square roots of means, with their signs: a few pictures answer far more strongly than most, and it draws them in."""
    return np.asarray(np.sign(means) * np.sqrt(np.abs(means)), np.float32)
