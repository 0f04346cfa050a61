"""Labelled views in batches, as an encoder learns from them: drawn, augmented, with what its maps should say."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.view.preprocess import STRIDE

__all__ = ["LabelledViews", "LesionBox", "ahead", "lesion_targets", "lesson_batches", "validation_batch"]

UNKNOWN = -1


@dataclass(frozen=True)
class LesionBox:
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
    lesions: list[list[LesionBox]]
    finding: NDArray[np.int64]
    density: NDArray[np.int64]
    boxed: NDArray[np.bool_]


def lesion_targets(
    lesions: list[LesionBox], shape: tuple[int, int], *, boxed: bool = True
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


def lesson_batches(
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
    lesions: list[LesionBox], warp: NDArray[np.float64], shape: tuple[int, int], zoom: float
) -> list[LesionBox]:
    """Move lesions with the image; those whose centre leaves it are left out."""
    moved = []
    for lesion in lesions:
        x, y = warp @ ((lesion.x0 + lesion.x1) / 2, (lesion.y0 + lesion.y1) / 2, 1.0)
        if 0 <= x < shape[1] and 0 <= y < shape[0]:
            wide, high = (lesion.x1 - lesion.x0) * zoom / 2, (lesion.y1 - lesion.y0) * zoom / 2
            moved.append(LesionBox(x - wide, y - high, x + wide, y + high, lesion.malignant))
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


def validation_batch(
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
