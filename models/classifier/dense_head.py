"""A dense head: a layer of the network, trained with it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.classifier.head import NetworkHead, Seen
from models.classifier.network import predict
from models.classifier.options import HeadName

__all__ = ["DenseHead", "class_heat"]


class DenseHead(NetworkHead):
    """A layer of a network that `models.classifier.network.build_image_network` built."""

    name = HeadName.DENSE

    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes) of prepared images."""
        return np.asarray(predict(self.network, pixels)["logits"], np.float64)

    def seen(self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None) -> Seen:
        """Return logits, class activation maps and vectors."""
        out = predict(self.with_means, pixels, batch=1)
        return Seen(out["logits"], class_heat(self.network, out["deep"]), self.vectors_of(out, pixels))


def class_heat(network: keras.Model, deep: NDArray[np.float32]) -> NDArray[np.float16]:
    """Weigh the deep map by what a dense head makes of each channel for the last class against the others."""
    head = network.get_layer("head")
    kernel = np.asarray(head.get_layer("classes").kernel)
    gamma, _, _, variance = (np.asarray(one) for one in head.get_layer("even").get_weights())
    towards = (kernel[:, -1] - kernel[:, :-1].mean(axis=1)) * gamma / np.sqrt(variance + 1e-3)
    channels = deep.shape[-1]
    heat = np.maximum(deep @ (towards[:channels] + towards[channels:]), 0)
    top = heat.max(axis=(1, 2), keepdims=True)
    return np.asarray(heat / np.maximum(top, 1e-6), np.float16)
