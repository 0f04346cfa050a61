"""Features of an image from a backbone that stays as it is: its maps at several depths, pooled over zones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.classifier.lesions import LESION_FACTS
from models.classifier.options import Region
from models.classifier.outline import OUTLINE_FEATURES, outline_features
from models.store import keep_arrays, kept_arrays

__all__ = [
    "ZONES",
    "FeatureLayout",
    "Zone",
    "ZonePooling",
    "cut_for_features",
    "kept_features",
    "layout_of",
    "looks_at",
    "with_facts",
    "zones_of",
]

STRIDES = (4, 8, 16, 32)


class Zone(StrEnum):
    """Where a map is pooled: all of it, the middle half of its height and width, where the view is not black.

    Or there, but for the corner in which an oblique view shows the pectoral muscle.
    """

    WHOLE = "whole"
    MIDDLE = "middle"
    TISSUE = "tissue"
    GLAND = "gland"


ZONES = {
    Region.IMAGE: (Zone.WHOLE, Zone.MIDDLE),
    Region.BREAST: (Zone.TISSUE,),
    Region.BOX: (Zone.WHOLE, Zone.MIDDLE),
}
"""Over what maps are pooled, by what an image shows. A box's middle is the lesion, the whole is its surroundings too."""
MUSCLE = (0.55, 0.8)
"""The corner that the pectoral muscle is taken to fill: shares of the breast's height, and of its width at the top."""
TOP = 1 / 16
"""Of the rows, in which that width is measured."""
LEAST_GLAND = 1 / 40
"""Of the map, that must be left without that corner; else all tissue counts."""


@dataclass(frozen=True)
class FeatureLayout:
    """Where what lies in a vector of features.

    Parameters
    ----------
    blocks
        Sizes of its blocks, in order: by map, shallow to deep, by zone, by statistic (mean, highest, spread; or the roots
        of mean and spread).
    deep_mean, deep_spread
        Where the deepest map's mean and spread over the first zone lie, for heat maps.
    means
        (D,) places of all maps' means over the first zone.
    rooted
        Whether square roots stand there of means and spreads, and no highest values.
    """

    blocks: tuple[int, ...]
    deep_mean: slice
    deep_spread: slice
    means: NDArray[np.intp]
    rooted: bool = False


def zones_of(region: Region, *, gland: bool = False) -> tuple[Zone, ...]:
    """Return over what maps are pooled where a region is shown, of a breast without the muscle's corner too if so asked."""
    return (*ZONES[region], Zone.GLAND) if gland else ZONES[region]


def cut_for_features(network: keras.Model, zones: tuple[Zone, ...], *, rooted: bool = False) -> keras.Model:
    """Return the part of a classifier that gives features.

    Parameters
    ----------
    network
        As `models.classifier.network.build_image_network` builds it.
    zones
        Over what its maps are pooled.
    rooted
        Give square roots of means and spreads, and no highest values.

    Returns
    -------
    keras.Model
        Input as the classifier's. Outputs: ``deep``, the deepest map (batch, h, w, channels), and ``pooled``
        (batch, size), laid out as `layout_of` says.
    """
    view = network.input
    maps = _taps(network)
    pooled = [
        ZonePooling(zones, rooted=rooted, name=f"zones_{place}")([view, one])
        for place, one in enumerate(maps)
    ]
    return keras.Model(
        view, {"deep": maps[-1], "pooled": layers.Concatenate()(pooled)}, name="image_features"
    )


def layout_of(network: keras.Model, *, outline: bool = False, around: bool = False) -> FeatureLayout:
    """Return how features are laid out: of a network from `cut_for_features`, an outline, a lesion map around a box."""
    pooling = [layer for layer in network.layers if isinstance(layer, ZonePooling)]
    zones, statistics = len(pooling[0].zones), pooling[0].statistics
    channels = [int(layer.output.shape[-1]) // (statistics * zones) for layer in pooling]
    blocks = tuple(one for one in channels for _ in range(statistics * zones))
    starts = np.cumsum([0, *(statistics * zones * one for one in channels)])
    means = np.concatenate([start + np.arange(one) for start, one in zip(starts[:-1], channels, strict=True)])
    deep, start = channels[-1], int(starts[-2])
    blocks += (OUTLINE_FEATURES,) * outline + (LESION_FACTS,) * around
    end = start + statistics * deep
    return FeatureLayout(blocks, slice(start, start + deep), slice(end - deep, end), means, pooling[0].rooted)


def looks_at(
    pixels: NDArray[Any],
    run: Callable[[NDArray[Any]], dict[str, NDArray[np.float32]]],
    *,
    mirror: bool,
    turns: bool = False,
    outline: bool = False,
    told: Callable[[float], None] = lambda _share: None,
    chunk: int = 16,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return features (n, looks, size) of images, and the deepest maps (m, h, w, channels) of the last `chunk`.

    Parameters
    ----------
    pixels
        (n, rows, columns), uint8 or float in 0..1.
    run
        Gives a feature network's outputs for some images.
    mirror
        Look at each image's mirror image too.
    turns
        Look at it turned by 90, 180 and 270 degrees too; only squares can be.
    outline
        Measure the outline of what looks like a lesion too (`models.classifier.outline`).
    told
        Hears what share is done.
    """
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(pixels), chunk):
        some = np.asarray(pixels[start : start + chunk])
        shown = [some, some[..., ::-1]] if mirror else [some]
        if turns:
            shown += [np.rot90(look, turn, axes=(1, 2)) for turn in (1, 2, 3) for look in shown]
        out = run(some)
        looks = [out["pooled"], *(run(np.ascontiguousarray(look))["pooled"] for look in shown[1:])]
        if outline:
            shades = some if some.dtype == np.uint8 else np.round(some * 255).astype(np.uint8)
            measured = np.stack([outline_features(one) for one in shades])
            looks = [np.concatenate([look, measured], axis=1) for look in looks]
        parts.append(np.stack(looks, axis=1))
        told(min(1.0, (start + chunk) / len(pixels)))
    return np.concatenate(parts), out["deep"]


def with_facts(looks: NDArray[np.float32], facts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features (n, looks, size) with the same facts (n, count) at the end of each of an image's looks."""
    return np.concatenate([looks, np.repeat(facts[:, None], looks.shape[1], axis=1)], axis=2)


def kept_features(path: Path, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return features read from `path`, an .npz, if it is there; else made, and kept there for the next fold or run.

    Raises
    ------
    DamagedCache
        If the file is damaged.
    """
    kept = kept_arrays(path)
    if kept is not None and "features" in kept:
        return np.asarray(kept["features"])
    features = make()
    keep_arrays(path, features=features)
    return features


class ZonePooling(layers.Layer):
    """Pools a map over zones: the mean, the highest and the standard deviation of each channel.

    Or, rooted, square roots of mean and standard deviation alone: then channels that answer far more strongly in a few
    pictures than in most, and single cells, count less.

    Inputs: view (batch, H, W, 1) in 0..1, map (batch, h, w, c). Output: (batch, zones * statistics * c), by zone and
    statistic.
    """

    def __init__(self, zones: tuple[Zone, ...], *, rooted: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.zones, self.rooted = tuple(Zone(zone) for zone in zones), rooted

    @property
    def statistics(self) -> int:
        """How many numbers it gives of a channel in a zone."""
        return 2 if self.rooted else 3

    def call(self, inputs: list[Any]) -> Any:
        """Pool."""
        view, features = inputs
        high, wide = features.shape[1:3]
        parts = []
        for zone in self.zones:
            if zone in (Zone.TISSUE, Zone.GLAND):
                step = view.shape[1] // high
                inside = ops.average_pool(ops.cast(view > 0, "float32"), step, strides=step)
                if zone is Zone.GLAND:
                    inside = _without_muscle(inside)
            else:
                inside = ops.convert_to_tensor(_zone(zone, high, wide)[None, :, :, None])
            area = ops.sum(inside, axis=(1, 2)) + 1e-3
            mean = ops.sum(features * inside, axis=(1, 2)) / area
            apart = (features - mean[:, None, None, :]) ** 2
            spread = ops.sqrt(ops.sum(apart * inside, axis=(1, 2)) / area + 1e-6)
            if self.rooted:
                parts += [ops.sign(mean) * ops.sqrt(ops.abs(mean)), ops.sqrt(spread)]
                continue
            highest = ops.max(features * ops.cast(inside >= 0.5, "float32"), axis=(1, 2))
            parts += [mean, highest, spread]
        return ops.concatenate(parts, axis=-1)


def _without_muscle(inside: Any) -> Any:
    """Return cells (batch, h, w, 1) that show breast, chest wall at the left, without the muscle's corner."""
    high, wide = inside.shape[1:3]
    shown = ops.cast(inside >= 0.5, "float32")
    rows = ops.convert_to_tensor(np.arange(high, dtype=np.float32)[None, :, None, None])
    columns = ops.convert_to_tensor(np.arange(wide, dtype=np.float32)[None, None, :, None])
    tall = ops.max(shown * (rows + 1), axis=(1, 2), keepdims=True)
    at_top = shown[:, : max(1, round(TOP * high))]
    broad = ops.max(at_top * (columns + 1), axis=(1, 2), keepdims=True)
    corner = rows / (MUSCLE[0] * ops.maximum(tall, 1)) + columns / (MUSCLE[1] * ops.maximum(broad, 1))
    gland = inside * ops.cast(corner >= 1, "float32")
    enough = ops.sum(gland, axis=(1, 2), keepdims=True) >= LEAST_GLAND * high * wide
    return ops.where(enough, gland, inside)


def _zone(zone: Zone, high: int, wide: int) -> NDArray[np.float32]:
    inside = np.ones((high, wide), np.float32)
    if zone is Zone.MIDDLE:
        rows, columns = (np.abs((np.arange(side) + 0.5) / side - 0.5) <= 0.25 for side in (high, wide))
        inside = np.outer(rows, columns).astype(np.float32)
    return inside


def _taps(network: keras.Model) -> list[Any]:
    """Return the deepest map of each of `STRIDES`, shallow to deep; a map that is only another's pooling is none."""
    rows = int(network.input.shape[1])
    found = []
    for stride in STRIDES:
        maps = [
            layer
            for layer in network.layers
            if len(getattr(layer.output, "shape", ())) == 4 and layer.output.shape[1] == rows // stride
        ]
        if maps and not isinstance(maps[-1], layers.MaxPooling2D):
            found.append(maps[-1].output)
    return found
