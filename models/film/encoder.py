"""A detector of lesions as an encoder: one standard view in, the vector that sequences are read from, lesion map, density.

The networks of a detector look at the view (`models.film.maps`); what they answer in each cell goes through heads that were
fitted on films (`models.film.lessons`). What a view says is kept in the form of `models.view.encoder`, so that sequence heads, heat maps and
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

from models.film.maps import FILM_SHAPE, Net, build_backbones, cells_of, served_maps
from models.film.places import Places, shows_breast
from models.store import load_weights, save_weights
from models.view.coarse_map import CoarseMap
from models.view.encoder import BreastPooling, LesionPooling

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
LOWEST, HIGHEST = -12.0, 12.0
"""Between these log-odds a cell stays; outside the breast it has the lowest."""
SMOOTH = 1.0
"""Cells over which answers are smoothed, within the breast: their standard deviation."""
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


def build_trunk(backbones: dict[str, keras.Model], shape: tuple[int, int] = FILM_SHAPE) -> keras.Model:
    """Build the frozen networks: views (batch, rows, columns, 1) in 0..1 to cells (batch, rows / 16, columns / 16, C).

    Parameters
    ----------
    backbones
        As `models.film.maps.build_backbones` gives them.
    shape
        Of the views; multiples of 48.

    Returns
    -------
    keras.Model
        Of each cell what each `Net` answers, in their order, and where it lies (`models.film.places.places`).
    """
    view = keras.Input((*shape, 1), name="view")
    maps = served_maps(backbones, shape)(view)
    joined = layers.Concatenate(name="cells")(
        [*(maps[net.value] for net in Net), Places(name="places")(view)]
    )
    trunk = keras.Model(view, joined, name="trunk")
    trunk.trainable = False
    return trunk


def channels_of(trunk: keras.Model) -> int:
    """Return C, how many numbers a trunk gives of a cell."""
    return int(trunk.output.shape[-1])


def build_tail(heads: FilmHeads, shape: tuple[int, int] = FILM_SHAPE) -> keras.Model:
    """Build what follows the trunk: ``view`` and ``cells`` in, the outputs of `build_film_encoder` out."""
    view = keras.Input((*shape, 1), name="view")
    channels = heads.lesion[0].shape[0]
    cells = keras.Input((*cells_of(shape), channels), name="cells")
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


def load_film_encoder(path: Path, shape: tuple[int, int] = FILM_SHAPE) -> keras.Model:
    """Read what `save_film_encoder` wrote; ValueError if it is of other networks than this release has."""
    trunk = build_trunk(build_backbones(), shape)
    encoder = build_film_encoder(trunk, no_heads(channels_of(trunk)))
    kept, wanted = load_weights(path), [one for layer in encoder.layers for one in layer.weights]
    if [one.size for one in kept] != [int(np.prod(one.shape)) for one in wanted]:
        raise ValueError(
            f"{path} holds an encoder of other networks than this release reads films by ({', '.join(Net)}). Train it anew."
        )
    for one, value in zip(wanted, kept, strict=True):
        one.assign(value.reshape(one.shape))
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
        inside = shows_breast(view)
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


def give_heads(network: keras.Model, heads: FilmHeads) -> None:
    """Put other heads in the place of those of a tail or an encoder."""
    for name, (kernel, bias) in zip(HEADS, (heads.lesion, heads.tissue, heads.density), strict=True):
        layer = network.get_layer(name)
        layer.set_weights([kernel.reshape(layer.weights[0].shape), bias])
