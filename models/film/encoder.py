"""A detector of lesions as an encoder: one standard view in, the vector that sequences are read from, lesion map, density.

A frozen EfficientNet-Lite2 looks at the view; what it answers in each cell goes through heads that were fitted on films
(`models.film.lessons`). What a view says is kept in the form of `models.view.encoder`, so that sequence heads, heat maps and
stored readings need to know of no other encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.store import load_weights, save_weights
from models.view.coarse_map import CoarseMap
from models.view.efficientnet_lite import LITE, efficientnet_lite
from models.view.encoder import BreastPooling, LesionPooling
from models.view.preprocess import NETWORK_SHAPE, STRIDE

__all__ = [
    "TISSUE",
    "FilmHeads",
    "build_film_encoder",
    "build_tail",
    "build_trunk",
    "channels_of",
    "give_heads",
    "is_film_encoder",
    "load_film_encoder",
    "no_heads",
    "save_film_encoder",
]

TISSUE = 16
"""Numbers at the head of a vector that say how the tissue looks; facts, answers and the coarse map follow."""
NAME = "film_encoder"
HEADS = ("lesion_head", "tissue", "density")
FINEST = 8
LOWEST, HIGHEST = -12.0, 12.0
"""Between these log-odds a cell stays; outside the breast it has the lowest."""
SMOOTH = 1.0
"""Cells over which answers are smoothed, within the breast: their standard deviation."""
IN_BREAST = 0.5
BENIGN_FACT, MALIGNANT_FACT = 5, 0
"""Where among the facts of `LesionPooling` the summed odds of a kind stand."""


@dataclass(frozen=True)
class FilmHeads:
    """What is read from the C channels of a cell, or of their mean over the breast.

    Parameters
    ----------
    lesion
        (C, 3) and (3,): log-odds that a lesion lies in the cell, that it is then malignant, and the log of its diameter in
        pixels of the view.
    tissue
        (C, 16) and (16,): how the tissue looks, from the mean.
    density
        (C, 4) and (4,): logits of A to D, from the mean.
    """

    lesion: tuple[NDArray[np.float32], NDArray[np.float32]]
    tissue: tuple[NDArray[np.float32], NDArray[np.float32]]
    density: tuple[NDArray[np.float32], NDArray[np.float32]]


def build_trunk(weights: Path | None = None, shape: tuple[int, int] = NETWORK_SHAPE) -> keras.Model:
    """Build the frozen network: views (batch, rows, columns, 1) in 0..1 to cells (batch, rows / 16, columns / 16, C).

    Parameters
    ----------
    weights
        A PyTorch checkpoint of EfficientNet-Lite2, what a detector keeps of it (``lite2.npz``), or None: not trained.
    shape
        Of the views; multiples of 32.

    Raises
    ------
    ValueError
        If the weights do not fit.
    """
    view = keras.Input((*shape, 1), name="view")
    kept = weights is not None and weights.suffix == ".npz"
    maps = efficientnet_lite(view, LITE["2"], None if kept else weights)
    blocks = _last_of_each_width(maps[:-1], shape[0])
    if kept and weights is not None:
        keras.Model(view, blocks).set_weights(load_weights(weights))
    joined = layers.Concatenate(name="cells")([_to_cells(block, shape[0]) for block in blocks])
    trunk = keras.Model(view, joined, name="trunk")
    trunk.trainable = False
    return trunk


def channels_of(trunk: keras.Model) -> int:
    """Return C, how many numbers a trunk gives of a cell."""
    return int(trunk.output.shape[-1])


def build_tail(heads: FilmHeads, shape: tuple[int, int] = NETWORK_SHAPE) -> keras.Model:
    """Build what follows the trunk: ``view`` and ``cells`` in, the outputs of `build_film_encoder` out."""
    view = keras.Input((*shape, 1), name="view")
    channels = heads.lesion[0].shape[0]
    cells = keras.Input((shape[0] // STRIDE, shape[1] // STRIDE, channels), name="cells")
    return keras.Model({"view": view, "cells": cells}, _answers(view, cells, heads), name="tail")


def build_film_encoder(trunk: keras.Model, heads: FilmHeads) -> keras.Model:
    """Build the encoder.

    Returns
    -------
    keras.Model
        Input and outputs as those of `models.view.encoder.build_encoder`, but for the length of ``vector``, which ends with
        the coarse lesion map as it does there.
    """
    view = trunk.input
    return keras.Model(view, _answers(view, trunk.output, heads), name=NAME)


def is_film_encoder(network: keras.Model) -> bool:
    """Tell whether a network is one of `build_film_encoder`."""
    return bool(network.name == NAME)


def save_film_encoder(encoder: keras.Model, path: Path) -> None:
    """Write an encoder's weights as .npz: the trunk's kernels in eight bits, heads as they are."""
    kept = []
    for layer in encoder.layers:
        # What has one dimension is kept as it is: in eight bits a head's many small errors would add up.
        kept += [one.ravel() if layer.name in HEADS else one for one in layer.get_weights()]
    save_weights(path, kept)


def load_film_encoder(path: Path, shape: tuple[int, int] = NETWORK_SHAPE) -> keras.Model:
    """Read what `save_film_encoder` wrote; ValueError if it does not fit."""
    trunk = build_trunk(shape=shape)
    encoder = build_film_encoder(trunk, no_heads(channels_of(trunk)))
    kept = iter(load_weights(path))
    for layer in encoder.layers:
        layer.set_weights([next(kept).reshape(one.shape) for one in layer.weights])
    return encoder


def _answers(view: Any, cells: Any, heads: FilmHeads) -> dict[str, Any]:
    said = _fixed(layers.Conv2D(3, 1, name="lesion_head"), cells, heads.lesion)
    found = WithinBreast(name="within_breast")([view, said])
    lesion, size = found["lesion"], found["size"]
    facts = LesionPooling(name="lesion_pooling")([said, lesion, size])["facts"]
    breast = BreastPooling(name="breast_pooling")([view, cells])
    tissue = _fixed(layers.Dense(TISSUE, name="tissue"), breast["features"], heads.tissue)
    density = _fixed(layers.Dense(4, name="density"), breast["features"], heads.density)
    count = cells.shape[1] * cells.shape[2]
    finding = _fixed(layers.Dense(3, name="finding"), facts, _finding(facts.shape[-1], count))
    coarse = CoarseMap(name="coarse_map")([lesion, size])
    vector = layers.Concatenate(name="vector")([tissue, facts, breast["facts"], finding, density, coarse])
    return {"vector": vector, "lesion": lesion, "size": size, "finding": finding, "density": density}


def _finding(facts: int, cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what makes logits of normal, benign, malignant of the facts: the log of the mean odds over the cells."""
    kernel = np.zeros((facts, 3), np.float32)
    kernel[BENIGN_FACT, 1] = kernel[MALIGNANT_FACT, 2] = 1
    return kernel, np.array([0, -np.log(cells), -np.log(cells)], np.float32)


def _fixed(layer: layers.Layer, inputs: Any, weights: tuple[NDArray[np.float32], NDArray[np.float32]]) -> Any:
    out = layer(inputs)
    kernel, bias = weights
    layer.set_weights([kernel.reshape(layer.weights[0].shape), bias])
    layer.trainable = False
    return out


def no_heads(channels: int) -> FilmHeads:
    """Return heads that say nothing, in the place of which others are to be put."""
    return FilmHeads(
        *((np.zeros((channels, wide), np.float32), np.zeros(wide, np.float32)) for wide in (3, TISSUE, 4))
    )


@keras.saving.register_keras_serializable("longview")
class WithinBreast(layers.Layer):
    """Keeps heads' answers within the breast and smooths them there.

    Inputs: view (batch, H, W, 1), answers (batch, h, w, 3) as `FilmHeads.lesion` gives them. Outputs: ``lesion``
    (batch, h, w, 2) log-odds of a benign and of a malignant lesion, ``size`` (batch, h, w, 1) log of its diameter.
    """

    def build(self, shapes: list[Any]) -> None:
        """Lay out the smoothing."""
        line = cv2.getGaussianKernel(5, SMOOTH)
        self.kernel = (line @ line.T).astype(np.float32)[:, :, None, None]

    def call(self, inputs: list[Any]) -> dict[str, Any]:
        """Keep and smooth."""
        view, answers = inputs
        step = view.shape[1] // answers.shape[1]
        cover = ops.average_pool(ops.cast(view > 0, "float32"), step, strides=step)
        inside = ops.cast(cover > IN_BREAST, "float32")
        weight = ops.depthwise_conv(inside, ops.convert_to_tensor(self.kernel), padding="same")
        smooth = ops.depthwise_conv(
            answers * inside, ops.convert_to_tensor(np.repeat(self.kernel, 3, axis=2)), padding="same"
        ) / ops.maximum(weight, 1e-3)
        any_lesion, kind = smooth[..., :1], smooth[..., 1:2]
        kinds = any_lesion - ops.softplus(ops.concatenate([kind, -kind], axis=-1))
        lesion = ops.where(inside > 0, ops.clip(kinds, LOWEST, HIGHEST), LOWEST)
        return {"lesion": lesion, "size": smooth[..., 2:]}

    def compute_output_shape(self, shapes: list[Any]) -> dict[str, Any]:
        """Return the outputs' shapes."""
        cells = tuple(shapes[1][:-1])
        return {"lesion": (*cells, 2), "size": (*cells, 1)}


def _last_of_each_width(blocks: list[Any], rows: int) -> list[Any]:
    """Return the last block at each width, from a stride of `FINEST` on."""
    chosen = [
        one
        for one, after in zip(blocks, [*blocks[1:], None], strict=True)
        if after is None or after.shape[-1] != one.shape[-1]
    ]
    return [one for one in chosen if rows // one.shape[1] >= FINEST]


def _to_cells(block: Any, rows: int) -> Any:
    """Bring a block's map to cells of 16 pixels."""
    stride = rows // block.shape[1]
    if stride < STRIDE:
        return layers.AveragePooling2D(STRIDE // stride, name=f"to_cells_{block.shape[-1]}")(block)
    if stride > STRIDE:
        grow = stride // STRIDE
        return layers.UpSampling2D(grow, interpolation="bilinear", name=f"to_cells_{block.shape[-1]}")(block)
    return block


def give_heads(network: keras.Model, heads: FilmHeads) -> None:
    """Put other heads in the place of those of a tail or an encoder."""
    for name, (kernel, bias) in zip(HEADS, (heads.lesion, heads.tissue, heads.density), strict=True):
        layer = network.get_layer(name)
        layer.set_weights([kernel.reshape(layer.weights[0].shape), bias])
