"""Training the encoder: dense lesion maps, findings and density from standard views, within a budget of time.

Two stages. Crops come first: a lesion fills more of a crop, so that a step costs a quarter and teaches as much of
what a lesion looks like. Full views follow, for everything that needs the whole breast.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.store import OnProgress, built_for_training, one_pass_normalization
from models.view.batches import LabelledViews, ahead, lesson_batches, validation_batch
from models.view.encoder import EncoderConfig, build_encoder
from models.view.training_state import TrainingState

__all__ = ["CROP_SHAPE", "EncoderRecipe", "OnProgress", "TrainedEncoder", "embed", "train_encoder"]

CROP_SHAPE = (256, 224)
AVERAGE = 0.85


@dataclass(frozen=True)
class EncoderRecipe:
    """How an encoder is trained; times in seconds."""

    seconds: float = 1500.0
    crop_share: float = 0.5
    batch: int = 16
    crop_batch: int = 32
    rate: float = 2e-3
    save_every: float = 90.0
    seed: int = 0
    steps: int | None = None
    """Stop each stage after so many steps whatever the time; for tests."""


@dataclass
class TrainedEncoder:
    """An encoder with its curve: one record for every report during training."""

    model: keras.Model
    curve: list[dict[str, float | str]]


@keras.saving.register_keras_serializable("longview")
def lesion_loss(target: Any, logits: Any) -> Any:
    """Penalty-reduced focal loss of heat maps (Zhou et al. 2019, arXiv:1904.07850, eq. 1).

    target (batch, h, w, 3): heat of benign and malignant lesions in 0..1, and whether the cell counts.
    """
    heat, counts = target[..., :2], target[..., 2:3]
    at_peak = ops.cast(heat > 0.999, "float32")
    sure = ops.sigmoid(logits)
    hit = -at_peak * (1 - sure) ** 2 * ops.log_sigmoid(logits)
    miss = -(1 - at_peak) * (1 - heat) ** 4 * sure**2 * ops.log_sigmoid(-logits)
    return ops.sum((hit + miss) * counts) / (ops.sum(at_peak * counts) + 4.0)


@keras.saving.register_keras_serializable("longview")
def size_loss(target: Any, size: Any) -> Any:
    """Huber loss of log diameter at lesion centres; target (batch, h, w, 2): log diameter, whether it counts."""
    off = ops.abs(size[..., 0] - target[..., 0])
    huber = ops.where(off < 0.3, off * off / 0.6, off - 0.15)
    return ops.sum(huber * target[..., 1]) / (ops.sum(target[..., 1]) + 1.0)


@keras.saving.register_keras_serializable("longview")
def class_loss(target: Any, logits: Any) -> Any:
    """Cross entropy; a row of zeros in `target` (batch, classes) is unknown and counts nothing."""
    return -ops.sum(target * ops.log_softmax(logits)) / (ops.sum(target) + 1e-3)


LOSSES = {"lesion": lesion_loss, "size": size_loss, "finding": class_loss, "density": class_loss}
LOSS_WEIGHTS = {"lesion": 1.0, "size": 0.5, "finding": 0.5, "density": 0.5}


def train_encoder(
    config: EncoderConfig,
    training: LabelledViews,
    validation: LabelledViews,
    recipe: EncoderRecipe,
    folder: Path,
    report: OnProgress,
    *,
    start: keras.Model | None = None,
) -> TrainedEncoder:
    """Train an encoder, going on where `folder` says that a killed run stopped.

    Parameters
    ----------
    config, recipe
        What to build and how long to train it.
    training, validation
        Views of different women.
    folder
        Where the state is kept while training.
    report
        Told of progress.
    start
        An encoder of the same build whose weights are gone on from, or None to start from nothing.

    Raises
    ------
    ValueError
        If there is no view to train on, or `start` is another build.
    """
    if len(training.pixels) == 0:
        raise ValueError("There is no view to train the encoder on.")
    folder.mkdir(0o700, parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    curve: list[dict[str, float | str]] = []
    state = TrainingState(folder)
    model = build_encoder(config)
    if start is not None:
        model.set_weights(start.get_weights())
    for stage in _stages(config, recipe, crops=any(training.lesions)):
        own = replace(config, shape=stage.shape, weights=None)
        net = model if stage.shape == config.shape else build_encoder(own)
        net.set_weights(model.get_weights())
        net = one_pass_normalization(net)
        curve += _train_stage(net, stage, training, validation, recipe, state, report)
        model.set_weights(net.get_weights())
    # A model of its own, without losses and the optimiser's state: what is served knows nothing of training.
    plain = build_encoder(replace(config, weights=None))
    plain.set_weights(model.get_weights())
    return TrainedEncoder(plain, curve)


@dataclass(frozen=True)
class _Stage:
    """A stage of training: its name, the shape of what is shown, views a step, how long it may take."""

    name: str
    shape: tuple[int, int]
    batch: int
    seconds: float


def _stages(config: EncoderConfig, recipe: EncoderRecipe, *, crops: bool) -> list[_Stage]:
    """Return the stages: crops first, where there are lesions to crop around and views are larger; then whole views."""
    share = recipe.crop_share if crops and config.shape[0] > CROP_SHAPE[0] else None
    first = [] if share is None else [_Stage("crops", CROP_SHAPE, recipe.crop_batch, recipe.seconds * share)]
    left = 1.0 if share is None else 1 - share
    return [*first, _Stage("views", config.shape, recipe.batch, recipe.seconds * left)]


def _train_stage(
    net: keras.Model,
    stage: _Stage,
    training: LabelledViews,
    validation: LabelledViews,
    recipe: EncoderRecipe,
    state: TrainingState,
    report: OnProgress,
) -> list[dict[str, float | str]]:
    """Train one stage until its time is up; the rate follows a cosine over that time, after a short rise."""
    optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=1e-4, global_clipnorm=5.0)
    net.compile(optimizer=optimizer, loss=LOSSES, loss_weights=LOSS_WEIGHTS)
    average = net.get_weights()
    kept = state.read(stage.name)
    if kept is not None:
        net.set_weights(kept.weights)
        average = kept.average
        if kept.done:
            net.set_weights(average)
            return kept.curve
    spent, steps, curve = (kept.spent, kept.steps, kept.curve) if kept else (0.0, 0, [])
    held = validation_batch(validation, stage.shape, stage.batch * 8)
    sums: dict[str, float] = {}
    counted, begun, saved = 0, time.monotonic() - spent, time.monotonic()
    for inputs, targets in ahead(lesson_batches(training, stage.shape, stage.batch, recipe.seed + steps)):
        spent = time.monotonic() - begun
        done = min(1.0, max(spent / stage.seconds, steps / recipe.steps if recipe.steps else 0.0))
        if done >= 1.0:
            break
        optimizer.learning_rate = recipe.rate * min(1.0, (steps + 1) / 50) * (0.02 + 0.98 * _cosine(done))
        net.reset_metrics()  # Keras reports means since the last reset; here each batch speaks for itself.
        if not optimizer.built:
            built_for_training(net, inputs, targets)
        figures = net.train_on_batch(inputs, targets, return_dict=True)
        steps += 1
        counted += 1
        for key, value in figures.items():
            sums[key] = sums.get(key, 0.0) + float(value)
        if steps % 5 == 0:
            # A running mean over some thirty steps generalises better than the last step's weights.
            average = [
                AVERAGE * old + (1 - AVERAGE) * new
                for old, new in zip(average, net.get_weights(), strict=True)
            ]
        now = time.monotonic()
        if steps % 10 == 0:
            report(stage.name, done, {key: value / counted for key, value in sums.items()})
        if counted >= 50 or now - saved > recipe.save_every:
            record: dict[str, float | str] = {"stage": stage.name, "step": steps, "seconds": round(spent, 1)}
            record |= {f"train_{key}": value / counted for key, value in sums.items()}
            sums, counted = {}, 0
            curve.append(record)
        if now - saved > recipe.save_every:
            state.write(stage.name, net.get_weights(), average, spent, steps, curve, done=False)
            saved = now
    net.set_weights(average)
    if held is not None:
        net.reset_metrics()
        figures = net.evaluate(*held, batch_size=stage.batch, verbose=0, return_dict=True)
        record = {"stage": stage.name, "step": steps, "seconds": round(spent, 1)}
        curve.append(record | {f"validation_{key}": float(value) for key, value in figures.items()})
    state.write(stage.name, average, average, spent, steps, curve, done=True)
    return curve


def embed(
    model: keras.Model, pixels: NDArray[np.uint8], report: OnProgress, batch: int = 16
) -> dict[str, NDArray[Any]]:
    """Encode all views.

    Returns
    -------
    dict
        ``vector`` (n, D), ``finding`` (n, 3) and ``density`` (n, 4) logits, ``lesion`` (n, h, w, 2) float16 logits.
    """
    parts: dict[str, list[NDArray[Any]]] = {"vector": [], "finding": [], "density": [], "lesion": []}
    for start in range(0, len(pixels), batch):
        some = pixels[start : start + batch].astype(np.float32)[..., None] / 255
        full = np.concatenate([some, np.zeros((batch - len(some), *some.shape[1:]), np.float32)])
        out = model.predict_on_batch(full)
        for key, part in parts.items():
            kind = np.float16 if key == "lesion" else np.float32
            part.append(np.asarray(out[key])[: len(some)].astype(kind))
        report("embedding", (start + len(some)) / len(pixels), {})
    return {key: np.concatenate(part) for key, part in parts.items()}


def _cosine(done: float) -> float:
    return float(0.5 * (1 + np.cos(np.pi * done)))
