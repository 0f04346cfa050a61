"""Weights of a frozen network kept small: kernels as whole numbers of eight bits, each output channel on its own scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COARSE", "LEVELS", "load_weights", "rounded", "save_weights"]

LEVELS = 127
COARSE = 27
"""Steps from nothing to a channel's largest weight: eight bits, or fewer, which compress to less."""


def rounded(weights: list[NDArray[Any]], levels: int = LEVELS) -> list[NDArray[np.float32]]:
    """Return the weights as they will be after they were kept and read again.

    Who trains on a network's features rounds it first: then what was learned fits what is loaded.
    """
    return [_restored(*_kept(one, levels)) for one in weights]


def save_weights(path: Path, weights: list[NDArray[Any]], levels: int = LEVELS) -> None:
    """Write a network's weights, in its order, as .npz: kernels in whole numbers by channel, all else as float32."""
    arrays: dict[str, NDArray[Any]] = {}
    for place, one in enumerate(weights):
        values, scale = _kept(one, levels)
        arrays[f"{place}"] = values
        if scale is not None:
            arrays[f"{place}_scale"] = scale
    np.savez_compressed(path, allow_pickle=False, **arrays)


def load_weights(path: Path) -> list[NDArray[np.float32]]:
    """Read what `save_weights` wrote."""
    with np.load(path, allow_pickle=False) as file:
        count = sum(not name.endswith("_scale") for name in file)
        return [_restored(file[f"{place}"], file.get(f"{place}_scale")) for place in range(count)]


def _kept(weights: NDArray[Any], levels: int) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Return a kernel as int8 with its scales; what has fewer than two dimensions as it is."""
    whole = np.asarray(weights, np.float32)
    if whole.ndim < 2:
        return whole, None
    channel = whole.ndim - 1 if whole.shape[-1] > 1 else whole.ndim - 2
    others = tuple(axis for axis in range(whole.ndim) if axis != channel)
    scale = (np.abs(whole).max(axis=others, keepdims=True) / levels).astype(np.float32)
    scale[scale == 0] = 1
    return np.round(whole / scale).astype(np.int8), scale


def _restored(values: NDArray[Any], scale: NDArray[np.float32] | None) -> NDArray[np.float32]:
    return np.asarray(values, np.float32) if scale is None else values.astype(np.float32) * scale
