"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, for processors without accelerator.

Tan and Le 2019 (arXiv:1905.11946); the lite variants are Liu's (TensorFlow TPU models, 2020): stem and head keep their
width, the first and the last stage their length, whatever the scaling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from models.view.torch_weights import read_tensors

__all__ = ["LITE", "Scale", "efficientnet_lite"]


@dataclass(frozen=True)
class Scale:
    """How a variant is scaled from the smallest: channels and lengths of the stages, times these."""

    width: float
    depth: float


LITE = {"0": Scale(1.0, 1.0), "1": Scale(1.0, 1.1), "2": Scale(1.1, 1.2)}
STEM, TOP = 32, 1280
STAGES = (
    # repeats, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EPSILON = 1e-3


def efficientnet_lite(view: Any, scale: Scale, weights: Path | None = None) -> list[Any]:
    """Build the network without its classifier.

    Parameters
    ----------
    view
        (batch, rows, columns, 1) in 0..1.
    scale
        The variant.
    weights
        A PyTorch checkpoint of the variant, or None to start from nothing.

    Returns
    -------
    list
        The map after each block, shallow to deep, and that of the 1280 channels on top.

    Raises
    ------
    ValueError
        If the weights are of another variant or no checkpoint.
    """
    # Trained on shades 0..255 as (shade - 127) / 128.
    x = layers.Rescaling(255 / 128, offset=-127 / 128, name="shades")(
        layers.Concatenate(name="colour")([view] * 3)
    )
    x = _conv(x, STEM, 3, 2, "stem")
    maps, block = [], 0
    for place, (repeats, kernel, stride, expansion, filters) in enumerate(STAGES):
        ends = place in (0, len(STAGES) - 1)
        for repeat in range(repeats if ends else math.ceil(repeats * scale.depth)):
            step = stride if repeat == 0 else 1
            x = _block(x, kernel, step, expansion, _rounded(filters * scale.width), f"block{block}")
            maps.append(x)
            block += 1
    maps.append(_conv(x, TOP, 1, 1, "top"))
    if weights is not None:
        _load(keras.Model(view, maps[-1]), read_tensors(weights))
    return maps


def _rounded(filters: float) -> int:
    """Round to a multiple of 8, never more than a tenth down."""
    near = max(8, int(filters + 4) // 8 * 8)
    return near + 8 if near < 0.9 * filters else near


def _block(x: Any, kernel: int, stride: int, expansion: int, filters: int, name: str) -> Any:
    before = x
    if expansion != 1:
        x = _conv(x, expansion * x.shape[-1], 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(6, name=f"{name}_depthwise_active")(x)
    x = _conv(x, filters, 1, 1, f"{name}_project", active=False)
    same = stride == 1 and before.shape[-1] == filters
    return layers.Add(name=f"{name}_sum")([before, x]) if same else x


def _conv(x: Any, filters: int, kernel: int, stride: int, name: str, *, active: bool = True) -> Any:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(6, name=f"{name}_active")(x) if active else x


def _load(network: keras.Model, tensors: dict[str, Any]) -> None:
    """Give the layers the tensors, which lie as (out, in, rows, columns) and are named by place."""
    deepest = max((int(name.split(".")[1]) for name in tensors if name.startswith("_blocks.")), default=-1)
    blocks = sum(layer.name.endswith("_project") for layer in network.layers)
    if deepest + 1 != blocks:
        raise ValueError(f"they have {deepest + 1} blocks, and this variant has {blocks}")
    for layer in network.layers:
        if not layer.weights:
            continue
        theirs = _their_name(layer.name)
        if isinstance(layer, layers.BatchNormalization):
            names = [f"{theirs}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var")]
            order: tuple[int, ...] = (0,)
        else:
            names = [f"{theirs}.weight"]
            order = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
        missing = [name for name in names if name not in tensors]
        if missing:
            raise ValueError(f"they lack {missing[0]}")
        given = [tensors[name] for name in names]
        wanted = [tuple(weight.shape) for weight in layer.weights]
        fits = [one.ndim == len(order) for one in given]
        if not all(fits) or [np.transpose(one, order).shape for one in given] != wanted:
            raise ValueError(f"{names[0]} has another shape than this variant's")
        layer.set_weights([np.transpose(one, order) for one in given])


def _their_name(name: str) -> str:
    """Return what the checkpoints call a layer."""
    if name.startswith("stem"):
        return "_bn0" if name.endswith("_norm") else "_conv_stem"
    if name.startswith("top"):
        return "_bn1" if name.endswith("_norm") else "_conv_head"
    block, part, *norm = name.split("_")
    kinds = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    return f"_blocks.{block.removeprefix('block')}.{kinds[part][bool(norm)]}"
