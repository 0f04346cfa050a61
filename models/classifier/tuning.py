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

from models.store import rounded
from models.view import Report, TrainingState

__all__ = ["TuningRecipe", "Variation", "joined", "shallow_maps", "tune_network", "varied"]

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
    network: keras.Model, pixels: NDArray[np.uint8], recipe: TuningRecipe, path: Path, report: Report
) -> NDArray[np.float16]:
    """Return what the layers that stay make of images and their variants, read from `path` if it is there.

    Parameters
    ----------
    network
        A classifier of `models.classifier.model.build_image_network`, as it starts.
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
    return np.load(path, mmap_mode="r")


def tune_network(
    network: keras.Model,
    maps: NDArray[np.float16],
    label: NDArray[np.int64],
    mine: NDArray[np.bool_],
    recipe: TuningRecipe,
    folder: Path,
    report: Report,
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
    kept = state.read("tuning")
    if kept is not None and kept.done:
        network.set_weights(kept.average)
        return kept.curve
    places = np.flatnonzero(mine)
    classes = int(deep.output.shape[-1])
    _even_out(network, keras.Model(cut, network.output["pooled"]), maps[0][places])
    weights = [one for one in deep.weights if one.trainable]
    curve: list[dict[str, float | str]] = [] if kept is None else kept.curve
    done, spent = (0, 0.0) if kept is None else (kept.steps, kept.spent)
    average = [np.asarray(one) for one in weights]
    if kept is not None:
        average = kept.average
        _assign(weights, kept.weights)
    begun = saved = time.monotonic()
    optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.decay, global_clipnorm=1.0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.smoothing)
    deep.compile(optimizer=optimizer, loss=loss)
    steps = max(1, len(places) // recipe.batch)
    share = len(places) / (classes * np.maximum(np.bincount(label[places], minlength=classes), 1))
    counts = np.sqrt(share).astype(np.float32)
    answer = np.eye(classes, dtype=np.float32)
    for epoch in range(done, recipe.epochs):
        random = np.random.default_rng((recipe.seed, epoch))
        order = np.resize(random.permutation(places), steps * recipe.batch)
        losses = []
        for step, some in enumerate(order.reshape(steps, -1)):
            optimizer.learning_rate = recipe.rate * _share_of_rate(epoch * steps + step, steps, recipe)
            shown = np.stack(
                [
                    maps[which, i]
                    for which, i in zip(random.integers(len(maps), size=len(some)), some, strict=True)
                ]
            )
            deep.reset_metrics()
            losses.append(
                float(deep.train_on_batch(shown.astype(np.float32), answer[label[some]], counts[label[some]]))
            )
            if step % AVERAGE_EVERY == 0:
                stay = min(recipe.keep, (epoch * steps + step) / (epoch * steps + step + 10 * AVERAGE_EVERY))
                average = [
                    stay * a + (1 - stay) * np.asarray(b) for a, b in zip(average, weights, strict=True)
                ]
            report("tuning", (epoch + (step + 1) / steps) / recipe.epochs, {})
        curve.append({"stage": "tuning", "epoch": epoch + 1, "train_loss": float(np.mean(losses))})
        if time.monotonic() - saved >= recipe.save_every:
            saved = time.monotonic()
            reached = [np.asarray(one) for one in weights]
            state.write("tuning", reached, average, spent + saved - begun, epoch + 1, curve, done=False)
    _assign(weights, average)
    network.set_weights(rounded(network.get_weights()))
    final, spent = network.get_weights(), spent + time.monotonic() - begun
    state.write("tuning", final, final, spent, recipe.epochs, curve, done=True)
    return curve


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
    rows = int(network.input.shape[1])
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
