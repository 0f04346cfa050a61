"""Training classifiers of single images: a head on cached features first, then the whole network, gently."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from models.classifier.dense_head import DenseHead
from models.classifier.features import kept_features
from models.classifier.head import Head
from models.classifier.network import BATCH, ImageConfig, build_head, build_image_network, predict
from models.classifier.options import Augmentation
from models.classifier.scaling import Scaling, fit_scaling
from models.store import OnProgress, built_for_training
from models.view import KeptState, TrainingState, ahead

__all__ = [
    "ImageRecipe",
    "LabelledImages",
    "TrainedImage",
    "augmented",
    "class_weights",
    "pretrained_features",
    "train_image_network",
]


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes.

    Parameters
    ----------
    pixels
        (n, rows, columns) uint8, array or memory map.
    label
        (n,) from 0.
    features
        (n, k, size) of k looks at each image by the backbone as it starts, from `pretrained_features`; needed where
        training starts from weights.
    """

    pixels: NDArray[np.uint8]
    label: NDArray[np.int64]
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class ImageRecipe:
    """How a classifier is trained; `patience` counts epochs without a better validation loss."""

    seconds: float = 1800.0
    frozen_epochs: int = 150
    epochs: int = 60
    patience: int = 8
    rate: float = 1e-3
    fine_rate: float = 2e-5
    fine_share: float = 0.4
    """Share of a pretrained backbone's layers, the deepest, that are fine-tuned."""
    batch: int = 16
    augmentation: Augmentation = field(default_factory=Augmentation)
    save_every: float = 15.0
    """Seconds after which what is reached is kept, at the end of an epoch."""
    seed: int = 0


@dataclass
class TrainedImage:
    """A head with its network, the scaling fitted on images held out, a record for each epoch."""

    head: Head
    scaling: Scaling
    curve: list[dict[str, float | str]]


def class_weights(label: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Return what an image of each class counts, so that every class counts the same and the mean is 1."""
    count = np.bincount(label, minlength=classes)
    return (len(label) / (classes * np.maximum(count, 1))).astype(np.float32)


def train_image_network(
    config: ImageConfig,
    weights: str | None,
    training: LabelledImages,
    validation: LabelledImages,
    recipe: ImageRecipe,
    folder: Path,
    report: OnProgress,
) -> TrainedImage:
    """Train a classifier in two phases, going on where `folder` says that a killed run stopped.

    Parameters
    ----------
    config, weights
        What to build and what the backbone starts from; without weights there is no frozen phase.
    training, validation
        Images of different women.
    recipe
        Budget, rates, augmentation.
    folder
        Where the state is kept while training.
    report
        Told of progress.

    Raises
    ------
    ValueError
        If there is nothing to train or to stop on, or the weights do not fit.
    """
    if len(training.label) == 0 or len(validation.label) == 0:
        raise ValueError("There must be images to train on and others to stop on.")
    folder.mkdir(0o700, parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    network = build_image_network(config, weights)
    state = TrainingState(folder)
    count = class_weights(training.label, len(config.classes))
    curve: list[dict[str, float | str]] = []
    begun = time.monotonic()
    if weights is not None:
        curve += _train_frozen(network, count, training, validation, recipe, state, report)
    left = max(recipe.seconds - (time.monotonic() - begun), 0.3 * recipe.seconds)
    if recipe.epochs:
        fine = weights is not None
        curve += _train_fine(network, count, training, validation, recipe, left, state, report, fine=fine)
    logits = predict(network, validation.pixels)["logits"]
    return TrainedImage(DenseHead(network, config), fit_scaling(logits, validation.label), curve)


def _train_frozen(
    network: keras.Model,
    count: NDArray[np.float32],
    training: LabelledImages,
    validation: LabelledImages,
    recipe: ImageRecipe,
    state: TrainingState,
    report: OnProgress,
) -> list[dict[str, float | str]]:
    """Train the head on features of the images and, where mirroring is allowed, of their mirror images."""
    head = network.get_layer("head")
    kept = state.read("frozen")
    if kept is not None and kept.done:
        head.set_weights(kept.average)
        return kept.curve
    if training.features is None or validation.features is None:
        raise ValueError("The frozen phase needs features of the images.")
    looks = training.features.shape[1]
    features = np.concatenate([training.features[:, look] for look in range(looks)])
    label = np.tile(training.label, looks)
    held = validation.features[:, 0]
    # A head of its own, so that its optimiser does not touch the backbone; features in even shades from the start.
    alone = build_head(features.shape[1], len(count))
    gamma, beta, _, _ = alone.get_layer("even").get_weights()
    alone.get_layer("even").set_weights([gamma, beta, features.mean(axis=0), features.var(axis=0) + 1e-6])
    alone.get_layer("even").trainable = False
    alone.compile(optimizer=keras.optimizers.AdamW(recipe.rate, weight_decay=1e-3), loss=_loss(count))
    built_for_training(alone)
    run = _Run(
        "frozen",
        alone,
        recipe.patience * 2,
        recipe.frozen_epochs,
        recipe.seconds * 0.3,
        recipe.save_every,
        state,
        report,
    )
    random = np.random.default_rng(recipe.seed)
    while run.goes_on():
        order = random.permutation(len(label))
        losses = [
            float(alone.train_on_batch(features[some], label[some]))
            for some in np.array_split(order, max(1, len(order) // 64))
        ]
        run.end_epoch(losses, alone.predict_on_batch(held), validation.label, count)
    run.finish()
    head.set_weights(alone.get_weights())
    return run.curve


def _train_fine(
    network: keras.Model,
    count: NDArray[np.float32],
    training: LabelledImages,
    validation: LabelledImages,
    recipe: ImageRecipe,
    seconds: float,
    state: TrainingState,
    report: OnProgress,
    *,
    fine: bool,
) -> list[dict[str, float | str]]:
    """Train the whole network on augmented images; of a pretrained one only the deep end, its norms at rest."""
    classifier = keras.Model(network.input, network.output["logits"])
    if fine:
        body = [layer for layer in network.layers if layer.weights and layer.name != "head"]
        first = round(len(body) * (1 - recipe.fine_share))
        for place, layer in enumerate(body):
            layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)
        network.get_layer("head").get_layer("even").trainable = False
    rate = recipe.fine_rate if fine else recipe.rate
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0)
    classifier.compile(optimizer=optimizer, loss=_loss(count))
    built_for_training(classifier)
    stage = "fine-tuning" if fine else "training"
    run = _Run(stage, classifier, recipe.patience, recipe.epochs, seconds, recipe.save_every, state, report)
    if fine and run.epoch == 0:
        # Fine-tuning has to beat the frozen phase to be kept.
        run.end_epoch(
            [float("nan")], predict(network, validation.pixels)["logits"], validation.label, count, zero=True
        )
    steps = max(1, len(training.label) // recipe.batch)
    batches: Any = ahead(_batches(training, recipe, recipe.seed + run.epoch))
    losses: list[float] = []
    begun = time.monotonic()
    try:
        while run.goes_on():
            losses = []
            for step in range(steps):
                images, label = next(batches)
                classifier.reset_metrics()
                losses.append(float(classifier.train_on_batch(images, label)))
                run.tell(step / steps)
                if time.monotonic() - begun > seconds:
                    break
            logits = predict(network, validation.pixels)["logits"]
            run.end_epoch(losses, logits, validation.label, count)
    finally:
        batches.close()
    run.finish()
    return run.curve


class _Run:
    """One phase: counts epochs, keeps the best weights, stops early, remembers what a killed run had reached."""

    def __init__(
        self,
        stage: str,
        model: keras.Model,
        patience: int,
        epochs: int,
        seconds: float,
        save_every: float,
        state: TrainingState,
        report: OnProgress,
    ) -> None:
        self.save_every = save_every
        self.stage, self.model, self.patience, self.epochs = stage, model, patience, epochs
        self.seconds, self.state, self.report = seconds, state, report
        self.curve: list[dict[str, float | str]] = []
        self.epoch, self.spent, self.done = 0, 0.0, False
        self.best, self.best_loss, self.best_epoch = model.get_weights(), np.inf, 0
        kept: KeptState | None = state.read(stage)
        if kept is not None:
            model.set_weights(kept.average if kept.done else kept.weights)
            self.best, self.epoch, self.spent = kept.average, kept.steps, kept.spent
            self.curve, self.done = kept.curve, kept.done
            reached = [float(record["validation_loss"]) for record in kept.curve]
            self.best_epoch = int(np.argmin(reached))
            self.best_loss = reached[self.best_epoch]
        self.begun = time.monotonic() - self.spent
        self.saved = time.monotonic()

    def goes_on(self) -> bool:
        """Whether another epoch is wanted: time is left, and the last ones still brought something."""
        since = len(self.curve) - 1 - self.best_epoch if self.curve else 0
        late = time.monotonic() - self.begun >= self.seconds and self.curve
        return not (self.done or self.epoch >= self.epochs or since >= self.patience or late)

    def tell(self, share: float) -> None:
        """Report how far the phase is, `share` of the epoch in work being done."""
        done = max((time.monotonic() - self.begun) / self.seconds, (self.epoch + share) / self.epochs)
        figures = {"best validation_loss": float(self.best_loss)} if np.isfinite(self.best_loss) else {}
        self.report(self.stage, min(1.0, done), figures)

    def end_epoch(
        self,
        losses: list[float],
        logits: NDArray[Any],
        label: NDArray[np.int64],
        count: NDArray[np.float32],
        *,
        zero: bool = False,
    ) -> None:
        """Record an epoch; `zero` marks the state before the first."""
        said = log_softmax(np.asarray(logits, np.float64), axis=1)
        weight = count[label]
        held = float(-(weight * said[np.arange(len(label)), label]).sum() / weight.sum())
        self.epoch += 0 if zero else 1
        self.spent = time.monotonic() - self.begun
        record: dict[str, float | str] = {"stage": self.stage, "epoch": self.epoch}
        record |= {"seconds": round(self.spent, 1), "validation_loss": held}
        record |= {} if zero else {"loss": float(np.mean(losses))}
        record["validation_accuracy"] = float((said.argmax(axis=1) == label).mean())
        self.curve.append(record)
        if held < self.best_loss or not np.isfinite(self.best_loss):
            self.best, self.best_loss = self.model.get_weights(), held
            self.best_epoch = len(self.curve) - 1
        if time.monotonic() - self.saved > self.save_every or self.epoch == 1:
            self._keep(done=False)
        self.tell(0)

    def finish(self) -> None:
        """Put the best weights in place and remember that the phase is done."""
        self.model.set_weights(self.best)
        self._keep(done=True)

    def _keep(self, *, done: bool) -> None:
        self.saved = time.monotonic()
        self.state.write(
            self.stage, self.model.get_weights(), self.best, self.spent, self.epoch, self.curve, done=done
        )


def _loss(count: NDArray[np.float32]) -> Any:
    weights = keras.ops.convert_to_tensor(count)

    def weighted(label: Any, logits: Any) -> Any:
        number = keras.ops.cast(keras.ops.reshape(label, (-1,)), "int32")
        each = keras.ops.sparse_categorical_crossentropy(number, logits, from_logits=True)
        return keras.ops.mean(each * keras.ops.take(weights, number))

    return weighted


def pretrained_features(
    config: ImageConfig,
    weights: str,
    pixels: NDArray[np.uint8],
    path: Path,
    report: OnProgress,
    *,
    flip: bool = True,
) -> NDArray[np.float32]:
    """Return what a backbone that starts from `weights` makes of images, read from `path` if it is there.

    Parameters
    ----------
    config, weights
        As for `train_image_network`.
    pixels
        (n, rows, columns) uint8.
    path
        An .npz that keeps them: they are made once for all folds.
    report
        Told of progress.
    flip
        Look at each image's mirror image too.

    Returns
    -------
    ndarray
        (n, 1 or 2, size) pooled features.
    """

    def make() -> NDArray[np.float32]:
        network = build_image_network(config, weights)
        looks: list[Any] = [pixels, _Mirrored(pixels)] if flip else [pixels]
        parts: list[list[NDArray[np.float32]]] = [[] for _ in looks]
        for start in range(0, len(pixels), BATCH):
            for part, look in zip(parts, looks, strict=True):
                part.append(predict(network, look[start : start + BATCH])["pooled"])
            report("features", min(1.0, (start + BATCH) / len(pixels)), {})
        return np.stack([np.concatenate(part) for part in parts], axis=1)

    return kept_features(path, make)


class _Mirrored:
    """The mirror images of some images, made when they are asked for."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.pixels[index][..., ::-1])


def _batches(
    images: LabelledImages, recipe: ImageRecipe, seed: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Draw augmented batches without end, every image once before any comes again."""
    random = np.random.default_rng(seed)
    queue: list[int] = []
    while True:
        while len(queue) < recipe.batch:
            queue += random.permutation(len(images.label)).tolist()
        some, queue = queue[: recipe.batch], queue[recipe.batch :]
        shown = np.stack([augmented(images.pixels[i], recipe.augmentation, random) for i in some])
        yield shown[..., None], images.label[some]


def augmented(
    image: NDArray[np.uint8], how: Augmentation, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return one image (rows, columns) uint8 as another picture of the same thing might show it, float in 0..1."""
    rows, columns = image.shape
    angle = random.uniform(-how.rotation, how.rotation)
    warp = cv2.getRotationMatrix2D(
        (columns / 2, rows / 2), angle, float(np.exp(random.uniform(-how.zoom, how.zoom)))
    )
    source = image[:, ::-1] if how.flip and random.random() < 0.5 else image
    shown = cv2.warpAffine(np.ascontiguousarray(source), warp, (columns, rows), flags=cv2.INTER_LINEAR)
    shades = shown.astype(np.float32) / 255
    gamma, gain = np.exp(random.uniform(-how.contrast, how.contrast, 2))
    middle = float(shades.mean())
    changed = middle + gain * (np.power(shades, gamma) - middle)
    return np.where(shades > 0, np.clip(changed, 0, 1), 0).astype(np.float32)
