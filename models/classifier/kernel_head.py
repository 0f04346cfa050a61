"""A kernel head: a regression on features of a backbone that stays as it is.

It may read a lesion map around boxes too. Beside it a second network may stand that was fine-tuned
(`models.classifier.tuning`); they say together what the model says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from models.classifier.dense_head import class_heat
from models.classifier.familiar import MEANS, roots, with_means
from models.classifier.features import (
    cut_for_features,
    kept_features,
    layout_of,
    looks_at,
    with_facts,
    zones_of,
)
from models.classifier.head import Head, Seen
from models.classifier.kernel_regression import KernelRegression
from models.classifier.lesions import build_lesion_reader, lesion_facts
from models.classifier.network import BATCH, ImageConfig, build_image_network, predict
from models.classifier.options import HeadName
from models.classifier.tuning import joined
from models.store import COARSE, LEVELS, OnProgress, backend, load_weights, rounded, save_weights

__all__ = ["KernelHead", "beside_logits", "build_beside", "build_feature_network", "kernel_features"]

REGRESSION, BACKBONE = "head.npz", "backbone.npz"
READER, BESIDE = "lesions.npz", "beside.npz"
"""The first where it reads a lesion map around boxes, the other where a network stands beside it."""
HEAVY = ("vgg16", "vgg19")
"""Backbones whose time goes into convolutions nearly wholly."""
LEAST_ROOT = 0.01
"""Of a mean, at which it is taken to rise with its map at most: the root of nothing would rise without end."""
WANTS_AROUND = "The model reads what lies around a box too."


class KernelHead(Head):
    """A regression on features.

    Parameters
    ----------
    network
        The frozen backbone, as `build_feature_network` builds it.
    config
        How it was built.
    regression
        What answers.
    reader
        What reads a lesion map around boxes, where the input wants what lies around them.
    beside
        The network that was fine-tuned, as `build_beside` builds it, if there is one.
    """

    name = HeadName.KERNEL
    encoder_file = BACKBONE

    def __init__(
        self,
        network: keras.Model,
        config: ImageConfig,
        regression: KernelRegression,
        reader: keras.Model | None = None,
        beside: keras.Model | None = None,
    ) -> None:
        super().__init__(network, config)
        self.regression, self.reader, self.beside = regression, reader, beside

    @classmethod
    def load(cls, folder: Path, config: ImageConfig) -> Self:
        """Read backbone, regression and what stands beside them."""
        network = _cut(build_image_network(config), config)
        network.set_weights(load_weights(folder / BACKBONE))
        regression = KernelRegression.load(folder / REGRESSION)
        reader: keras.Model | None = None
        beside: keras.Model | None = None
        if config.input.around:
            reader = build_lesion_reader()
            reader.set_weights(load_weights(folder / READER))
        if config.beside:
            beside = build_beside(config)
            beside.set_weights(load_weights(folder / BESIDE))
        return cls(network, config, regression, reader, beside)

    def save(self, folder: Path) -> list[str]:
        """Write regression, backbone and what stands beside them."""
        save_weights(folder / BACKBONE, self.network.get_weights(), _levels(self.config))
        self.regression.save(folder / REGRESSION)
        names = [REGRESSION, BACKBONE]
        for name, network in ((READER, self.reader), (BESIDE, self.beside)):
            if network is not None:
                save_weights(folder / name, network.get_weights())
                names.append(name)
        return names

    def logits(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float64]:
        """Return logits (n, classes) of prepared images."""
        return self.joined_logits(self._looks(pixels, around)[0], pixels)

    def joined_logits(self, features: NDArray[np.float32], pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Return logits (n, classes) of images whose features (n, looks, size) are known."""
        logits = self.regression.logits(features)
        if self.beside is None:
            return logits
        return joined([logits, beside_logits(self.beside, self.config, pixels)])

    def vectors(self, pixels: NDArray[Any], around: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Return vectors (n, D) of prepared images as they are, neither mirrored nor turned."""
        if self.reader is not None:
            return self.vectors_around(around)
        return self.vectors_of(predict(self.network, pixels, batch=4)["pooled"])

    def vectors_of(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors (n, D) of images whose features (n, size) are known, where it reads no lesion map."""
        layout = layout_of(self.network)
        means = features[:, layout.means]
        return means if layout.rooted else roots(means)

    def vectors_around(self, around: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        """Return vectors (n, D) of what lies around boxes, at the scale of the whole view, where it reads a lesion map.

        A box alone looks much alike on any picture: what is around it tells of what kind the picture is.
        """
        if self._reader_means is None or around is None:
            raise ValueError(WANTS_AROUND)
        network = self._reader_means
        return roots(np.concatenate([predict(network, one[None, ..., 0], batch=1)[MEANS] for one in around]))

    @cached_property
    def _reader_means(self) -> keras.Model | None:
        return None if self.reader is None else with_means(self.reader)

    def seen(self, pixels: NDArray[np.float32], around: NDArray[np.uint8] | None) -> Seen:
        """Return logits, heat maps and vectors; a network beside has its share in the first two."""
        looks, deep = self._looks(pixels, around)
        heat = np.stack([self._heat(*one) for one in zip(deep, looks[:, 0], strict=True)])
        vectors = self.vectors_of(looks[:, 0]) if self.reader is None else self.vectors_around(around)
        logits = self.regression.logits(looks)
        if self.beside is None:
            return Seen(logits, heat, vectors)
        seen = [_beside_seen(self.beside, self.config, one) for one in pixels]
        other = class_heat(self.beside, np.stack([one["deep"][0] for one in seen]))
        said = np.stack([one["logits"].mean(axis=0) for one in seen])
        both = np.stack([_both(*two) for two in zip(heat, other, strict=True)])
        return Seen(joined([logits, said]), both, vectors)

    def _looks(
        self, pixels: NDArray[Any], around: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        config = self.config
        looks, deep = looks_at(
            pixels,
            self._answers,
            mirror=config.mirror,
            turns=config.turns,
            outline=config.outline,
            chunk=BATCH,
        )
        if self.reader is not None:
            if around is None:
                raise ValueError(WANTS_AROUND)
            looks = with_facts(looks, lesion_facts(self.reader, around))
        return looks, deep

    def _answers(self, pixels: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Return what the network answers of images (n, rows, columns), each by itself."""
        if self.config.backbone not in HEAVY:
            return predict(self.network, pixels, batch=1)
        shown = np.asarray(pixels, np.float32) / (255 if pixels.dtype == np.uint8 else 1)
        found = [self._quick(one[None, ..., None]) for one in shown]
        return {key: np.concatenate([one[key] for one in found]) for key in found[0]}

    @cached_property
    def _quick(self) -> Callable[[NDArray[np.float32]], Any]:
        return backend.as_function(backend.in_half(self.network))

    def _heat(self, deep: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float16]:
        """Weigh the deep map (h, w, channels) by how the last class's logit rises with each channel's mean and spread.

        As Grad-CAM does (Selvaraju et al. 2017, arXiv:1610.02391), with what each place gives to the pooled mean and
        standard deviation; where the head reads their roots, these rise by the chain rule.
        """
        classes = len(self.config.classes)
        towards = np.full(classes, -1 / (classes - 1))
        towards[-1] = 1
        rise = self.regression.slope(features, towards)
        layout = layout_of(self.network)
        mean, spread = features[layout.deep_mean], features[layout.deep_spread]
        by_mean, by_spread = rise[layout.deep_mean], rise[layout.deep_spread]
        if layout.rooted:
            by_mean, by_spread = (
                by / np.maximum(2 * np.abs(root), LEAST_ROOT)
                for by, root in ((by_mean, mean), (by_spread, spread))
            )
            mean, spread = mean * np.abs(mean), spread**2
        apart = deep - mean
        given = apart @ by_mean + (apart**2 / (2 * spread + 1e-6)) @ by_spread
        heat = np.maximum(given, 0)
        return np.asarray(heat / max(float(heat.max()), 1e-9), np.float16)


def build_feature_network(config: ImageConfig, weights: str | None = None) -> keras.Model:
    """Build what a kernel head reads: `models.classifier.features.cut_for_features` of the classifier.

    `weights` may be an .npz of a shipped model too. Its weights are rounded as `models.store.stored_weights` keeps them, so that a head fits them after loading too.

    Raises
    ------
    ValueError
        As `build_image_network` does.
    """
    kept = weights is not None and weights.endswith(".npz")
    network = _cut(build_image_network(config, None if kept else weights), config)
    network.trainable = False
    if weights is not None and kept:
        try:
            network.set_weights(load_weights(Path(weights)))
        except (OSError, KeyError) as error:
            raise ValueError(f"{weights} holds no weights of {config.backbone}: {error}") from error
    network.set_weights(rounded(network.get_weights(), _levels(config)))
    return network


def build_beside(config: ImageConfig, weights: str | None = None) -> keras.Model:
    """Build the network that is fine-tuned beside a kernel head, as `build_image_network` does; it reads at `beside_shape`."""
    assert config.beside is not None
    dense = replace(config, backbone=config.beside, head=HeadName.DENSE)
    return build_image_network(dense, weights, config.beside_shape)


def beside_logits(network: keras.Model, config: ImageConfig, pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return logits (n, classes) of prepared images by the network beside a kernel head."""
    return np.concatenate([_beside_seen(network, config, one)["logits"].mean(axis=0)[None] for one in pixels])


def _beside_seen(
    network: keras.Model, config: ImageConfig, image: NDArray[Any]
) -> dict[str, NDArray[np.float32]]:
    """Return a network's outputs for one image and, where mirroring is allowed, its mirror image."""
    looks = [image, image[:, ::-1]] if config.mirror else [image]
    return predict(network, np.stack(looks), batch=len(looks))


def _cut(network: keras.Model, config: ImageConfig) -> keras.Model:
    return cut_for_features(network, zones_of(config.input.region, gland=config.gland), rooted=config.rooted)


def _levels(config: ImageConfig) -> int:
    """Return how finely a frozen backbone is kept: more coarsely where another network lies beside it."""
    return COARSE if config.beside else LEVELS


def kernel_features(
    network: keras.Model,
    config: ImageConfig,
    pixels: NDArray[np.uint8],
    path: Path,
    report: OnProgress,
) -> NDArray[np.float32]:
    """Return what a kernel head reads of images, as `pretrained_features` does for a dense one.

    `network` is as `build_feature_network` builds it of `config`; the features are
    (n, looks, size), as `models.classifier.features.looks_at` gives them.
    """

    def make() -> NDArray[np.float32]:
        features, _ = looks_at(
            pixels,
            lambda some: predict(network, some, batch=4),
            mirror=config.mirror,
            turns=config.turns,
            outline=config.outline,
            told=lambda share: report("features", share, {}),
        )
        return features

    return kept_features(path, make)


def _both(fine: NDArray[np.float16], coarse: NDArray[np.float16]) -> NDArray[np.float16]:
    """Return the mean of two heat maps of one picture, on the grid of the finer, its highest value 1."""
    wide = cv2.resize(coarse.astype(np.float32), fine.shape[::-1], interpolation=cv2.INTER_LINEAR)
    heat = fine + wide
    return np.asarray(heat / max(float(heat.max()), 1e-6), np.float16)
