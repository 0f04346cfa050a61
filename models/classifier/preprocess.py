"""One image made ready for a classifier, step by step: which part is shown, and what is done to its shades."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classifier.options import Region, Step, region_called, step_called
from models.view import NETWORK_SHAPE, STRIDE, ViewTransform, standardise

__all__ = [
    "AROUND",
    "Box",
    "ImageInput",
    "PreparedImage",
    "apply_step",
    "check_box",
    "prepare",
    "tissue_box",
]

CONTEXT = 2.0
"""A box is shown within twice its height and width: the margin of a lesion tells as much as its middle."""

AROUND = (256, 224)
"""Rows and columns of the part of a standard view that is kept around a box, for a lesion map to be read there. It
begins at a cell of the map, so that its cells are those of the whole view's."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageInput:
    """What a classifier is shown.

    Parameters
    ----------
    shape
        Rows and columns; multiples of 16.
    region
        Which part; a name is taken too.
    steps
        In the order in which they are done; names are taken too.
    around
        With a box of a mammogram: show the part of the standard view around it, too.
    """

    shape: tuple[int, int] = (224, 224)
    region: Region = Region.IMAGE
    steps: tuple[Step, ...] = (Step.NORMALISE,)
    around: bool = False

    def __post_init__(self) -> None:
        """Check; ValueError says what is not known."""
        object.__setattr__(self, "region", region_called(self.region))
        object.__setattr__(self, "steps", tuple(step_called(step) for step in self.steps))
        if any(side % 16 or side < 32 for side in self.shape):
            raise ValueError(f"Rows and columns must be multiples of 16, not {self.shape}.")


@dataclass(frozen=True)
class PreparedImage:
    """One image as a classifier sees it: ``pixels`` float32 (rows, columns) in 0..1, and whence each came.

    `around`, where it is wanted: uint8 (*AROUND, 2), the standard view around a box times 255, and 1 within the box.
    """

    pixels: NDArray[np.float32]
    transform: ViewTransform
    around: NDArray[np.uint8] | None = None


def prepare(pixels: NDArray[Any], wanted: ImageInput, box: Box | None = None) -> PreparedImage:
    """Make one image ready.

    Parameters
    ----------
    pixels
        (rows, columns), any real type, larger is brighter.
    wanted
        Size, region and steps.
    box
        x0, y0, x1, y1 in pixels, origin top left. Where it is given it is what is shown, whatever the region.

    Raises
    ------
    ValueError
        If the array is no picture, no breast is found where one is wanted, or a box is wanted and not given, or it
        lies outside.
    """
    image = np.asarray(pixels)
    if image.ndim != 2 or min(image.shape) < 8:
        raise ValueError(f"An image must have rows and columns, 8 at the least, not shape {image.shape}.")
    if box is None and wanted.region is Region.BREAST:
        return _breast(image, wanted)
    if box is None and wanted.region is Region.BOX:
        raise ValueError("The model reads a region: a box is needed.")
    crop = _square(check_box(box, image.shape), wanted.shape) if box else _whole(image.shape, wanted.shape)
    # The shades are evened over the whole image, so that a box looks alike whatever lies around it.
    low, high = (
        np.percentile(image[::2, ::2], (0.5, 99.5))
        if Step.NORMALISE in wanted.steps
        else (float(image.min()), float(image.max()))
    )
    x0, y0, x1, y1 = crop
    cut = _cut(image, crop).astype(np.float32)
    method = cv2.INTER_AREA if wanted.shape[1] < x1 - x0 else cv2.INTER_LINEAR
    shown = cv2.resize(cut, wanted.shape[::-1], interpolation=method)
    shown = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    transform = ViewTransform(False, x0, y0, x1, y1, wanted.shape[1] / (x1 - x0), image.shape[1])
    around = _around(image, box) if box and wanted.around else None
    return PreparedImage(_stepped(shown, wanted.steps), transform, around)


def check_box(box: Box, shape: tuple[int, ...]) -> Box:
    """Return a box that lies in an image of (rows, columns), or raise ValueError with what is wrong."""
    x0, y0, x1, y1 = box
    if not np.isfinite(box).all() or x1 <= x0 or y1 <= y0:
        raise ValueError(f"The box {x0:g},{y0:g},{x1:g},{y1:g} is empty: x1 must exceed x0, and y1 y0.")
    rows, columns = shape[:2]
    if x0 < 0 or y0 < 0 or x1 > columns or y1 > rows:
        raise ValueError(
            f"The box {x0:g},{y0:g},{x1:g},{y1:g} lies outside the image, which is {columns} wide and {rows} high."
        )
    return box


def tissue_box(pixels: NDArray[Any], side: float, seed: int) -> Box:
    """Return a box of a breast without a lesion, to tell lesions from: a square of `side` pixels, chosen by `seed`.

    Its middle lies in the breast, more than half a side from the skin where the breast is large enough.

    Raises
    ------
    ValueError
        If no breast is found, or the image is smaller than the box.
    """
    rows, columns = pixels.shape
    if side > min(rows, columns):
        raise ValueError(f"The image is smaller than a box of {side:g} pixels.")
    view = standardise(pixels)
    inside = np.pad((view.pixels[..., 0] > 0).astype(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    wanted = min(side * view.transform.scale / 2, 0.7 * float(depth.max()))
    down, across = np.nonzero(depth >= wanted)
    chosen = np.random.default_rng(seed).integers(len(down))
    x, y = view.transform.to_original(float(across[chosen]), float(down[chosen]))
    x0 = float(np.clip(round(x - side / 2), 0, columns - side))
    y0 = float(np.clip(round(y - side / 2), 0, rows - side))
    return x0, y0, x0 + side, y0 + side


def apply_step(image: NDArray[np.float32], step: Step) -> NDArray[np.float32]:
    """Return the image (rows, columns) in 0..1 after a step.

    CLAHE: Zuiderveld 1994, clip limit 2 on 8 by 8 tiles; denoising: bilateral filter (Tomasi and Manduchi 1998);
    sharpening: unsharp mask, half of the detail added once more.
    """
    return _DOES[step_called(step)](image)


def _evened(image: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(image, (0.5, 99.5))
    return np.asarray(np.clip((image - low) / max(float(high - low), 1e-6), 0, 1), np.float32)


def _denoised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.bilateralFilter(image, 5, 0.08, 2.0), np.float32)


def _equalised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    shades = np.round(image * 255).astype(np.uint8)
    return cv2.createCLAHE(2.0, (8, 8)).apply(shades).astype(np.float32) / 255


def _sharpened(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(1.5 * image - 0.5 * cv2.GaussianBlur(image, (0, 0), 2.0), 0, 1).astype(np.float32)


_DOES: dict[Step, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    Step.NORMALISE: _evened,
    Step.DENOISE: _denoised,
    Step.CLAHE: _equalised,
    Step.SHARPEN: _sharpened,
}


def _stepped(image: NDArray[np.float32], steps: tuple[Step, ...]) -> NDArray[np.float32]:
    """Do the steps; background stays black, and evening has been done while the whole image was at hand."""
    dark = image <= 0
    for step in steps:
        if step is not Step.NORMALISE:
            image = apply_step(image, step)
    return np.where(dark, 0, image).astype(np.float32)


def _breast(image: NDArray[Any], wanted: ImageInput) -> PreparedImage:
    """Show the breast, chest wall at the left, fitted into the shape from the top left corner."""
    larger = any(side > usual for side, usual in zip(wanted.shape, NETWORK_SHAPE, strict=True))
    view = standardise(image, wanted.shape) if larger else standardise(image)
    rows, columns = view.pixels.shape[:2]
    shrink = min(wanted.shape[0] / rows, wanted.shape[1] / columns)
    size = max(1, round(columns * shrink)), max(1, round(rows * shrink))
    method = cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR
    canvas = np.zeros(wanted.shape, np.float32)
    canvas[: size[1], : size[0]] = cv2.resize(view.pixels[..., 0], size, interpolation=method)
    old = view.transform
    transform = ViewTransform(
        old.flipped, old.x0, old.y0, old.x1, old.y1, old.scale * shrink, old.source_columns
    )
    return PreparedImage(_stepped(canvas, wanted.steps), transform)


def _around(image: NDArray[Any], box: Box) -> NDArray[np.uint8]:
    """Return the standard view around a box, and where the box is, uint8 (*AROUND, 2)."""
    view = standardise(image)
    x0, y0, x1, y1 = view.transform.box_to_network(*box)
    rows, columns = view.pixels.shape[:2]
    top, left = (
        int(np.clip(round((low + high - side) / 2 / STRIDE) * STRIDE, 0, most - side))
        for low, high, side, most in ((y0, y1, AROUND[0], rows), (x0, x1, AROUND[1], columns))
    )
    part = view.pixels[top : top + AROUND[0], left : left + AROUND[1], 0]
    around = np.zeros((*AROUND, 2), np.uint8)
    around[..., 0] = np.round(part * 255)
    # A box beside the breast, as on a film's border, is read at the nearest place.
    first, last = (int(np.clip(y - top, 0, AROUND[0] - 1)) for y in (y0, y1))
    west, east = (int(np.clip(x - left, 0, AROUND[1] - 1)) for x in (x0, x1))
    around[first : last + 1, west : east + 1, 1] = 1
    return around


def _whole(shape: tuple[int, ...], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the smallest box of the target's proportions around the whole image, which stands in its middle."""
    rows, columns = shape[:2]
    scale = min(target[0] / rows, target[1] / columns)
    high, wide = round(target[0] / scale), round(target[1] / scale)
    x0, y0 = (columns - wide) // 2, (rows - high) // 2
    return x0, y0, x0 + wide, y0 + high


def _square(box: Box, target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a box of the target's proportions around a lesion's box with its context."""
    x0, y0, x1, y1 = box
    scale = min(target[0] / (y1 - y0), target[1] / (x1 - x0)) / CONTEXT
    high, wide = max(4, round(target[0] / scale)), max(4, round(target[1] / scale))
    left, top = round((x0 + x1 - wide) / 2), round((y0 + y1 - high) / 2)
    return left, top, left + wide, top + high


def _cut(image: NDArray[Any], crop: tuple[int, int, int, int]) -> NDArray[Any]:
    """Cut a box out; what lies beyond the image is as dark as its darkest shade."""
    x0, y0, x1, y1 = crop
    rows, columns = image.shape
    inside = image[max(0, y0) : min(rows, y1), max(0, x0) : min(columns, x1)]
    if inside.shape == (y1 - y0, x1 - x0):
        return np.ascontiguousarray(inside)
    cut = np.full((y1 - y0, x1 - x0), image.min(), image.dtype)
    top, left = max(0, -y0), max(0, -x0)
    cut[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return cut
