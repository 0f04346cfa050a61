"""Training the encoder: dense lesion maps, findings and density from standard views, within a budget of time.

Two stages. Crops come first: a lesion fills more of a crop, so that a step costs a quarter and teaches as much of
what a lesion looks like. Full views follow, for everything that needs the whole breast.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.store import DamagedCache, keep_arrays, kept_arrays, one_pass_normalization
from models.view.encoder import EncoderConfig, build_encoder
from models.view.preprocess import STRIDE

__all__ = [
    "CROP_SHAPE",
    "EncoderRecipe",
    "KeptState",
    "LabelledViews",
    "Lesion",
    "TrainedEncoder",
    "TrainingState",
    "ahead",
    "embed",
    "lesion_targets",
    "train_encoder",
]

CROP_SHAPE = (256, 224)
UNKNOWN = -1
AVERAGE = 0.85
Report = Callable[[str, float, dict[str, float]], None]
"""Called with the stage's name, the share of it that is done (0..1) and the latest figures."""


@dataclass(frozen=True)
class Lesion:
    """A box in network pixels around a visible lesion."""

    x0: float
    y0: float
    x1: float
    y1: float
    malignant: bool


@dataclass(frozen=True)
class LabelledViews:
    """Views and what is known of them.

    Parameters
    ----------
    pixels
        (n, rows, columns) uint8, a standard view times 255; an array or a memory map.
    lesions
        n lists of visible lesions.
    finding
        (n,) index of `models.view.encoder.FINDINGS`, -1 if unknown.
    density
        (n,) 0..3 for A..D, -1 if unknown.
    boxed
        (n,) whether lesions of the view would have a box if they were visible; the lesion map learns from these.
    """

    pixels: NDArray[np.uint8]
    lesions: list[list[Lesion]]
    finding: NDArray[np.int64]
    density: NDArray[np.int64]
    boxed: NDArray[np.bool_]


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


def lesion_targets(
    lesions: list[Lesion], shape: tuple[int, int], *, boxed: bool = True
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw what the lesion map and the size map should say of one view.

    Parameters
    ----------
    lesions
        Boxes in network pixels.
    shape
        Rows and columns of the view.
    boxed
        False if the view's lesions are not known; then no cell counts.

    Returns
    -------
    heat
        (h, w, 3): per kind a Gaussian with its peak of 1 in the cell of the centre; whether the cell counts.
    size
        (h, w, 2): log of the diameter in pixels, 1 in the cells where it counts.
    """
    high, wide = shape[0] // STRIDE, shape[1] // STRIDE
    heat = np.zeros((high, wide, 3), np.float32)
    size = np.zeros((high, wide, 2), np.float32)
    if not boxed:
        return heat, size
    heat[..., 2] = 1
    down, across = np.mgrid[0:high, 0:wide].astype(np.float32)
    for lesion in lesions:
        x, y = (lesion.x0 + lesion.x1) / 2 / STRIDE, (lesion.y0 + lesion.y1) / 2 / STRIDE
        diameter = max(lesion.x1 - lesion.x0, lesion.y1 - lesion.y0, 2.0)
        column, row = int(np.clip(x, 0, wide - 1)), int(np.clip(y, 0, high - 1))
        sigma = max(0.6, diameter / STRIDE / 4)
        distance = (across + 0.5 - x) ** 2 + (down + 0.5 - y) ** 2
        drawn = np.exp(-distance / (2 * sigma**2))
        drawn[row, column] = 1
        kind = int(lesion.malignant)
        heat[..., kind] = np.maximum(heat[..., kind], drawn)
        near = drawn > 0.6
        size[near, 0] = np.log(diameter)
        size[near, 1] = 1
    return heat, size


def train_encoder(
    config: EncoderConfig,
    training: LabelledViews,
    validation: LabelledViews,
    recipe: EncoderRecipe,
    folder: Path,
    report: Report,
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
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    curve: list[dict[str, float | str]] = []
    state = TrainingState(folder)
    model = build_encoder(config)
    if start is not None:
        model.set_weights(start.get_weights())
    stages = [("crops", CROP_SHAPE, recipe.crop_share), ("views", config.shape, 1 - recipe.crop_share)]
    if config.shape[0] <= CROP_SHAPE[0] or not any(training.lesions):
        stages = [("views", config.shape, 1.0)]
    for stage, shape, share in stages:
        net = model if shape == config.shape else build_encoder(replace(config, shape=shape, weights=None))
        net.set_weights(model.get_weights())
        net = one_pass_normalization(net)
        curve += _train_stage(net, stage, training, validation, recipe, recipe.seconds * share, state, report)
        model.set_weights(net.get_weights())
    # A model of its own, without losses and the optimiser's state: what is served knows nothing of training.
    plain = build_encoder(replace(config, weights=None))
    plain.set_weights(model.get_weights())
    return TrainedEncoder(plain, curve)


def _train_stage(
    net: keras.Model,
    stage: str,
    training: LabelledViews,
    validation: LabelledViews,
    recipe: EncoderRecipe,
    seconds: float,
    state: TrainingState,
    report: Report,
) -> list[dict[str, float | str]]:
    """Train one stage until its time is up; the rate follows a cosine over that time, after a short rise."""
    shape = tuple(net.input.shape[1:3])
    optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=1e-4, global_clipnorm=5.0)
    net.compile(optimizer=optimizer, loss=LOSSES, loss_weights=LOSS_WEIGHTS)
    average = net.get_weights()
    kept = state.read(stage)
    if kept is not None:
        net.set_weights(kept.weights)
        average = kept.average
        if kept.done:
            net.set_weights(average)
            return kept.curve
    spent, steps, curve = (kept.spent, kept.steps, kept.curve) if kept else (0.0, 0, [])
    batch = recipe.crop_batch if stage == "crops" else recipe.batch
    held = _validation_batch(validation, shape, batch * 8)
    sums: dict[str, float] = {}
    counted, begun, saved = 0, time.monotonic() - spent, time.monotonic()
    for inputs, targets in ahead(_batches(training, shape, batch, recipe.seed + steps)):
        spent = time.monotonic() - begun
        done = min(1.0, max(spent / seconds, steps / recipe.steps if recipe.steps else 0.0))
        if done >= 1.0:
            break
        optimizer.learning_rate = recipe.rate * min(1.0, (steps + 1) / 50) * (0.02 + 0.98 * _cosine(done))
        net.reset_metrics()  # Keras reports means since the last reset; here each batch speaks for itself.
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
            report(stage, done, {key: value / counted for key, value in sums.items()})
        if counted >= 50 or now - saved > recipe.save_every:
            record: dict[str, float | str] = {"stage": stage, "step": steps, "seconds": round(spent, 1)}
            record |= {f"train_{key}": value / counted for key, value in sums.items()}
            sums, counted = {}, 0
            curve.append(record)
        if now - saved > recipe.save_every:
            state.write(stage, net.get_weights(), average, spent, steps, curve, done=False)
            saved = now
    net.set_weights(average)
    if held is not None:
        net.reset_metrics()
        figures = net.evaluate(*held, batch_size=batch, verbose=0, return_dict=True)
        record = {"stage": stage, "step": steps, "seconds": round(spent, 1)}
        curve.append(record | {f"validation_{key}": float(value) for key, value in figures.items()})
    state.write(stage, average, average, spent, steps, curve, done=True)
    return curve


def embed(
    model: keras.Model, pixels: NDArray[np.uint8], report: Report, batch: int = 16
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


def _batches(
    views: LabelledViews, shape: tuple[int, int], batch: int, seed: int
) -> Iterator[tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]]:
    """Draw batches without end: three eighths malignant, a quarter benign, the rest from all views."""
    random = np.random.default_rng(seed)
    kinds = [{lesion.malignant for lesion in several} for several in views.lesions]
    pools = [
        np.array([i for i, kind in enumerate(kinds) if True in kind]),
        np.array([i for i, kind in enumerate(kinds) if False in kind]),
    ]
    everything = np.arange(len(views.pixels))
    crop = shape != tuple(views.pixels.shape[1:])
    if crop:
        # Crops teach the lesion map only, so views whose lesions are unknown teach nothing.
        everything = everything[views.boxed] if views.boxed.any() else everything
    while True:
        chosen = [
            int(random.choice(pool if len(pool) else everything))
            for pool, count in zip((*pools, everything), _shares(batch), strict=True)
            for _ in range(count)
        ]
        yield _collate([_augmented(views, i, shape, random) for i in chosen])


def _shares(batch: int) -> tuple[int, int, int]:
    malignant, benign = batch * 3 // 8, batch // 4
    return malignant, benign, batch - malignant - benign


Sample = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], int, int]


def _augmented(
    views: LabelledViews, index: int, shape: tuple[int, int], random: np.random.Generator
) -> Sample:
    """Return one view as another positioning and another machine might have shown it."""
    source = views.pixels[index]
    lesions = views.lesions[index]
    rows, columns = source.shape
    turn, zoom = np.deg2rad(random.uniform(-7, 7)), np.exp(random.uniform(-0.12, 0.12))
    crop = shape != (rows, columns)
    if crop:
        if lesions and random.random() < 0.75:
            lesion = lesions[random.integers(len(lesions))]
            x = (lesion.x0 + lesion.x1) / 2 + random.uniform(-0.42, 0.42) * shape[1]
            y = (lesion.y0 + lesion.y1) / 2 + random.uniform(-0.42, 0.42) * shape[0]
        else:
            inside = np.argwhere(source[::16, ::16] > 0)
            row, column = inside[random.integers(len(inside))] if len(inside) else (rows // 32, columns // 32)
            x, y = float(column) * 16, float(row) * 16
        if random.random() < 0.5:
            zoom *= -1  # Upside down: of a crop nobody can tell.
    else:
        x, y = columns / 2 + random.uniform(-6, 6), rows / 2 + random.uniform(-14, 14)
    # Output pixel = warp (input pixel): turn and zoom about (x, y), which comes to the middle.
    cos, sin = np.cos(turn) * abs(zoom), np.sin(turn) * abs(zoom)
    flip = np.sign(zoom)
    warp = np.array(
        [
            [cos, -sin, shape[1] / 2 - cos * x + sin * y],
            [flip * sin, flip * cos, shape[0] / 2 - flip * (sin * x + cos * y)],
        ]
    )
    image = (
        cv2.warpAffine(source, warp, (shape[1], shape[0]), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    )
    moved = _moved(lesions, warp, shape, abs(float(zoom)))
    inside_breast = image > 0.01
    gamma = np.exp(random.uniform(-0.3, 0.3))
    image = np.power(image, gamma) * random.uniform(0.9, 1.1) + random.uniform(-0.04, 0.04)
    if random.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.0))
    if random.random() < 0.5:
        image = image + random.normal(0, random.uniform(0.005, 0.03), image.shape).astype(np.float32)
    image = np.where(inside_breast, np.clip(image, 0.01, 1), 0).astype(np.float32)
    heat, size = lesion_targets(moved, shape, boxed=bool(views.boxed[index]))
    finding, density = int(views.finding[index]), int(views.density[index])
    if crop:
        density = UNKNOWN
        if views.boxed[index]:
            finding = 2 if any(one.malignant for one in moved) else 1 if moved else 0
    return image, heat, size, finding, density


def _moved(
    lesions: list[Lesion], warp: NDArray[np.float64], shape: tuple[int, int], zoom: float
) -> list[Lesion]:
    """Move lesions with the image; those whose centre leaves it are left out."""
    moved = []
    for lesion in lesions:
        x, y = warp @ ((lesion.x0 + lesion.x1) / 2, (lesion.y0 + lesion.y1) / 2, 1.0)
        if 0 <= x < shape[1] and 0 <= y < shape[0]:
            wide, high = (lesion.x1 - lesion.x0) * zoom / 2, (lesion.y1 - lesion.y0) * zoom / 2
            moved.append(Lesion(x - wide, y - high, x + wide, y + high, lesion.malignant))
    return moved


def _collate(samples: list[Sample]) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    images, heats, sizes, findings, densities = zip(*samples, strict=True)
    return np.stack(images)[..., None], {
        "lesion": np.stack(heats),
        "size": np.stack(sizes),
        "finding": _one_hot(findings, 3),
        "density": _one_hot(densities, 4),
    }


def _one_hot(classes: Any, count: int) -> NDArray[np.float32]:
    """Return rows with a 1 at the class, and rows of zeros where it is unknown."""
    known = np.asarray(classes)
    return np.where(known[:, None] >= 0, np.eye(count, dtype=np.float32)[known], 0)


def _validation_batch(
    views: LabelledViews, shape: tuple[int, int], most: int
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]] | None:
    """Return untouched validation views, half of them with a lesion where there are; None for crops."""
    if len(views.pixels) == 0 or tuple(views.pixels.shape[1:]) != shape:
        return None
    random = np.random.default_rng(0)
    order = random.permutation(len(views.pixels))
    order = order[np.argsort([not views.lesions[i] for i in order], kind="stable")]
    chosen = np.concatenate([order[: most // 2], order[::-1][: most // 2]])
    samples = []
    for i in np.unique(chosen):
        heat, size = lesion_targets(views.lesions[i], shape, boxed=bool(views.boxed[i]))
        image = views.pixels[i].astype(np.float32) / 255
        samples.append((image, heat, size, int(views.finding[i]), int(views.density[i])))
    return _collate(samples)


def ahead(batches: Iterator[Any], most: int = 4) -> Iterator[Any]:
    """Prepare batches in a thread of their own while the network learns."""
    ready: queue.Queue[Any] = queue.Queue(most)
    stop = threading.Event()

    def work() -> None:
        try:
            for batch in batches:
                while not stop.is_set():
                    try:
                        ready.put(batch, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                if stop.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - handed to the consumer, which raises it
            ready.put(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            batch = ready.get()
            if isinstance(batch, Exception):
                raise batch
            yield batch
    finally:
        stop.set()
        thread.join()


@dataclass
class KeptState:
    """What `TrainingState` kept of a stage: weights now, weights to use, seconds and steps spent, curve, whether it ended."""

    weights: list[NDArray[Any]]
    average: list[NDArray[Any]]
    spent: float
    steps: int
    curve: list[dict[str, float | str]]
    done: bool


class TrainingState:
    """The state of a training that may be killed: one file a stage, replaced in one step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(
        self,
        stage: str,
        weights: list[NDArray[Any]],
        average: list[NDArray[Any]],
        spent: float,
        steps: int,
        curve: list[dict[str, float | str]],
        *,
        done: bool,
    ) -> None:
        """Put the state of a stage in the place of the one before, in one step."""
        facts = json.dumps({"spent": spent, "steps": steps, "curve": curve, "done": done, "n": len(weights)})
        arrays = {f"w{i}": value for i, value in enumerate(weights)}
        arrays |= {f"a{i}": value for i, value in enumerate(average)}
        keep_arrays(self.folder / f"{stage}.npz", facts=np.array(facts), **arrays)

    def read(self, stage: str) -> KeptState | None:
        """Return what was kept of a stage, or None; `DamagedCache` if it cannot be read."""
        path = self.folder / f"{stage}.npz"
        kept = kept_arrays(path)
        if kept is None:
            return None
        try:
            facts = json.loads(str(kept["facts"]))
            weights = [kept[f"w{i}"] for i in range(facts["n"])]
            average = [kept[f"a{i}"] for i in range(facts["n"])]
            return KeptState(weights, average, facts["spent"], facts["steps"], facts["curve"], facts["done"])
        except (KeyError, ValueError) as error:
            raise DamagedCache(path, f"it lacks {error}") from error
