"""A network that is fine-tuned beside a kernel head: what both say together is right more often than either alone.

A head on frozen features and a network whose deep layers have moved err on different images. On a few hundred images
the shallow layers stay as they came, so what they make of variants of each image is computed once, for all folds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from models.classifier.network import RESAMPLED
from models.store import DamagedCache, OnProgress, built_for_training, rounded
from models.view import KeptState, TrainingState

__all__ = ["TuningRecipe", "Variation", "joined", "shallow_maps", "tune_network", "varied"]

STAGE = "tuning"
CUT = 8
"""Stride at whose narrowest map the layers that stay end."""
AVERAGE_EVERY = 4
"""Steps between two looks at the weights whose average is kept."""


@dataclass(frozen=True)
class Variation:
    """How far a variant may differ: turn in degrees, mirroring, zoom, contrast, shift and proportions as shares."""

    rotation: float = 15.0
    flip: bool = True
    zoom: float = 0.2
    contrast: float = 0.3
    shift: float = 0.08
    proportions: float = 0.12


@dataclass(frozen=True)
class TuningRecipe:
    """How a network is tuned: warm-up, then a cosine to nothing, to the end; no image is spent on stopping it.

    Parameters
    ----------
    epochs, batch, rate
        Times each image is seen, images a step, highest rate of AdamW (Loshchilov and Hutter 2019).
    variants
        Variants of each image that are learned from, beside itself.
    smoothing
        Share of each label that is spread over all classes (Szegedy et al. 2016).
    keep
        Share of the average of weights that stays at each look (Polyak averaging).
    save_every
        Seconds after which what is reached is kept, at the end of an epoch.
    """

    epochs: int = 12
    batch: int = 32
    rate: float = 5e-4
    warm_up: int = 30
    decay: float = 1e-2
    variants: int = 14
    variation: Variation = Variation()
    smoothing: float = 0.1
    keep: float = 0.96
    save_every: float = 15.0
    seed: int = 0


def joined(logits: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the mean log-probability (n, classes) of several logits (n, classes)."""
    return np.asarray(np.mean([log_softmax(np.asarray(one, np.float64), axis=1) for one in logits], axis=0))


def varied(image: NDArray[np.uint8], how: Variation, random: np.random.Generator) -> NDArray[np.float32]:
    """Return one image (rows, columns) uint8 as another probe or hand might show it, float in 0..1."""
    rows, columns = image.shape
    middle = np.array([columns / 2, rows / 2])
    turn = random.uniform(-how.rotation, how.rotation)
    warp = cv2.getRotationMatrix2D(tuple(middle), turn, float(np.exp(random.uniform(-how.zoom, how.zoom))))
    wider = float(np.exp(random.uniform(-how.proportions, how.proportions)))
    warp[0] *= wider
    warp[0, 2] += middle[0] * (1 - wider)
    warp[:, 2] += random.uniform(-how.shift, how.shift, 2) * (columns, rows)
    source = image[:, ::-1] if how.flip and random.random() < 0.5 else image
    shown = cv2.warpAffine(
        np.ascontiguousarray(source),
        warp,
        (columns, rows),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    gamma, gain = np.exp(random.uniform(-how.contrast, how.contrast, 2) * (1, 0.5))
    shades = np.power(shown.astype(np.float32) / 255, gamma) * gain
    if random.random() < how.contrast:
        shades = cv2.GaussianBlur(shades, (0, 0), random.uniform(0.4, 1.2))
    if random.random() < how.contrast:
        shades = shades + random.normal(0, 0.02, shades.shape)
    return np.clip(shades, 0, 1).astype(np.float32)


def shallow_maps(
    network: keras.Model, pixels: NDArray[np.uint8], recipe: TuningRecipe, path: Path, report: OnProgress
) -> NDArray[np.float16]:
    """Return what the layers that stay make of images and their variants, read from `path` if it is there.

    Parameters
    ----------
    network
        A classifier of `models.classifier.network.build_image_network`, as it starts.
    pixels
        (n, rows, columns).
    path
        An .npy that keeps them.

    Returns
    -------
    ndarray
        (1 + variants, n, h, w, channels), a memory map; first the images themselves.
    """
    if not path.is_file():
        shallow = keras.Model(network.input, _cut(network))
        random = np.random.default_rng(recipe.seed)
        half = path.with_suffix(".half.npy")
        shape = (1 + recipe.variants, len(pixels), *shallow.output.shape[1:])
        kept = np.lib.format.open_memmap(half, "w+", np.float16, shape)
        for start in range(0, len(pixels), recipe.batch):
            some = pixels[start : start + recipe.batch]
            for place in range(1 + recipe.variants):
                shown = (
                    np.stack([varied(one, recipe.variation, random) for one in some]) if place else some / 255
                )
                kept[place, start : start + len(some)] = shallow.predict_on_batch(
                    shown[..., None].astype(np.float32)
                )
            report("variants", (start + len(some)) / len(pixels), {})
        kept.flush()
        del kept
        half.replace(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DamagedCache(path, error) from error


def tune_network(
    network: keras.Model,
    maps: NDArray[np.float16],
    label: NDArray[np.int64],
    mine: NDArray[np.bool_],
    recipe: TuningRecipe,
    folder: Path,
    report: OnProgress,
) -> list[dict[str, float | str]]:
    """Tune a classifier in place, going on where `folder` says that a killed run stopped; return its curve.

    Parameters
    ----------
    network
        As `shallow_maps` was given it. Its weights end as `models.store.stored_weights` keeps them.
    maps, label
        Of all images, from `shallow_maps`, and their classes (n,) from 0.
    mine
        (n,) which images to learn from.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    state = TrainingState(folder)
    cut = _cut(network)
    keras.Model(network.input, cut).trainable = False
    deep = keras.Model(cut, network.output["logits"])
    for layer in (*deep.layers, network.get_layer("head").get_layer("even")):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    kept = state.read(STAGE)
    if kept is not None and kept.done:
        network.set_weights(kept.average)
        return kept.curve
    places = np.flatnonzero(mine)
    _even_out(network, keras.Model(cut, network.output["pooled"]), maps[0][places])
    run = _Tuning(deep, maps, label, places, recipe)
    if kept is not None:
        run.go_on(kept)
    saved = time.monotonic()
    begun = saved - run.spent
    for epoch in range(run.epoch, recipe.epochs):
        run.learn(epoch, report)
        if time.monotonic() - saved >= recipe.save_every:
            saved = time.monotonic()
            state.write(STAGE, run.reached(), run.average, saved - begun, epoch + 1, run.curve, done=False)
    _assign(run.weights, run.average)
    network.set_weights(rounded(network.get_weights()))
    final, spent = network.get_weights(), time.monotonic() - begun
    state.write(STAGE, final, final, spent, recipe.epochs, run.curve, done=True)
    return run.curve


class _Tuning:
    """What moves while a network is tuned: weights, their running average, the curve.

    Parameters
    ----------
    deep
        The layers that are tuned: maps in, logits out.
    maps, label, places
        Of all images, and which of them to learn from.
    """

    def __init__(
        self,
        deep: keras.Model,
        maps: NDArray[np.float16],
        label: NDArray[np.int64],
        places: NDArray[np.intp],
        recipe: TuningRecipe,
    ) -> None:
        self.deep, self.maps, self.label, self.places, self.recipe = deep, maps, label, places, recipe
        self.weights = [one for one in deep.weights if one.trainable]
        self.average = self.reached()
        self.curve: list[dict[str, float | str]] = []
        self.epoch, self.spent = 0, 0.0
        self.optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.decay, global_clipnorm=1.0)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.smoothing)
        deep.compile(optimizer=self.optimizer, loss=loss)
        built_for_training(deep)
        classes = int(deep.output.shape[-1])
        self.steps = max(1, len(places) // recipe.batch)
        share = len(places) / (classes * np.maximum(np.bincount(label[places], minlength=classes), 1))
        self.counts = np.sqrt(share).astype(np.float32)
        self.answer = np.eye(classes, dtype=np.float32)

    def go_on(self, kept: KeptState) -> None:
        """Take up what a killed run had reached."""
        self.epoch, self.spent, self.curve, self.average = kept.steps, kept.spent, kept.curve, kept.average
        _assign(self.weights, kept.weights)

    def reached(self) -> list[NDArray[Any]]:
        """Return the weights as they are now."""
        return [np.asarray(one) for one in self.weights]

    def learn(self, epoch: int, report: OnProgress) -> None:
        """See each image once, as it is or as a variant; the same for the same seed and epoch."""
        recipe, steps = self.recipe, self.steps
        random = np.random.default_rng((recipe.seed, epoch))
        order = np.resize(random.permutation(self.places), steps * recipe.batch)
        losses = []
        for step, some in enumerate(order.reshape(steps, -1)):
            done = epoch * steps + step
            self.optimizer.learning_rate = recipe.rate * _share_of_rate(done, steps, recipe)
            which = random.integers(len(self.maps), size=len(some))
            shown = np.stack([self.maps[one, i] for one, i in zip(which, some, strict=True)])
            label = self.label[some]
            self.deep.reset_metrics()
            loss = self.deep.train_on_batch(shown.astype(np.float32), self.answer[label], self.counts[label])
            losses.append(float(loss))
            if step % AVERAGE_EVERY == 0:
                stay = min(recipe.keep, done / (done + 10 * AVERAGE_EVERY))
                self.average = [
                    stay * a + (1 - stay) * np.asarray(b)
                    for a, b in zip(self.average, self.weights, strict=True)
                ]
            report(STAGE, (epoch + (step + 1) / steps) / recipe.epochs, {})
        self.curve.append({"stage": STAGE, "epoch": epoch + 1, "train_loss": float(np.mean(losses))})


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _share_of_rate(step: int, steps: int, recipe: TuningRecipe) -> float:
    """Return what share of the highest rate holds at a step: up in a line, then down in half a cosine."""
    warm = min(recipe.warm_up, recipe.epochs * steps // 4)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, recipe.epochs * steps - warm)))


def _cut(network: keras.Model) -> Any:
    """Return the map at which a classifier is parted into layers that stay and layers that are tuned."""
    read = next((layer.output for layer in network.layers if layer.name == RESAMPLED), network.input)
    rows = int(read.shape[1])
    maps = [
        layer.output
        for layer in network.layers
        if len(getattr(layer.output, "shape", ())) == 4 and layer.output.shape[1] == rows // CUT
    ]
    narrow = min(int(one.shape[-1]) for one in maps)
    return [one for one in maps if int(one.shape[-1]) == narrow][-1]


def _even_out(network: keras.Model, pooled: keras.Model, maps: NDArray[np.float16]) -> None:
    """Let the head take features in even shades from the start."""
    parts = [maps[start : start + 32].astype(np.float32) for start in range(0, len(maps), 32)]
    features = np.concatenate([pooled.predict_on_batch(one) for one in parts])
    even = network.get_layer("head").get_layer("even")
    gamma, beta, _, _ = even.get_weights()
    even.set_weights([gamma, beta, features.mean(axis=0), features.var(axis=0) + 1e-4])
