"""Heads on cells: small networks that say of each cell whether a lesion lies there, and whether it is malignant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

__all__ = ["CellHead", "Cells", "HeadRecipe", "train_cell_head"]

SHRINK = 1e-2
"""Added to a channel's spread: one that never answers is not to be blown up."""


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is trained: steps, cells a step, hidden units, shares that are dropped, highest rate, seed."""

    steps: int = 250
    batch: int = 2048
    hidden: int = 64
    drop_in: float = 0.2
    drop: float = 0.5
    rate: float = 2e-3
    decay: float = 1e-2
    malignant: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Cells:
    """Cells that teach: which of all features each is, whether a malignant lesion lies there, and how often it is drawn.

    Parameters
    ----------
    lesion, normal
        (n,) and (m,) places among the features, of cells on lesions and of cells of films without one.
    malignant
        (n,) bool.
    lesion_mass, normal_mass
        (n,) and (m,) how likely each is drawn among its own; each adds to 1.
    """

    lesion: NDArray[np.intp]
    malignant: NDArray[np.bool_]
    lesion_mass: NDArray[np.float64]
    normal: NDArray[np.intp]
    normal_mass: NDArray[np.float64]


@dataclass(frozen=True)
class CellHead:
    """A trained head: one hidden layer on features, whose scaling is part of its weights."""

    inner: NDArray[np.float32]
    inner_bias: NDArray[np.float32]
    outer: NDArray[np.float32]
    outer_bias: NDArray[np.float32]

    def logits(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return (n, 2) log-odds of cells (n, channels): that a lesion lies there, and that it is then malignant."""
        hidden = np.maximum(np.asarray(features, np.float32) @ self.inner + self.inner_bias, 0)
        return np.asarray(hidden @ self.outer + self.outer_bias, np.float32)


def train_cell_head(
    features: Callable[[NDArray[np.intp]], NDArray[np.float32]], cells: Cells, recipe: HeadRecipe
) -> CellHead:
    """Train a head.

    Parameters
    ----------
    features
        Gives the features (k, channels) of cells at places (k,).
    cells
        As many on lesions as beside them are drawn in each step.
    recipe
        Steps, sizes, rate, seed. AdamW (Loshchilov and Hutter 2019), one cycle of the rate (Smith and Topin 2018).
    """
    random = np.random.default_rng(recipe.seed)
    half = recipe.batch // 2
    sample = random.choice(cells.normal, min(8 * recipe.batch, 4 * len(cells.normal)), p=cells.normal_mass)
    seen = features(sample)
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    spread = spread + SHRINK * max(float(spread.mean()), 1e-6)
    keras.utils.set_random_seed(recipe.seed)
    network = _network(len(mean), recipe)
    for _ in range(recipe.steps):
        mine = random.choice(len(cells.lesion), half, p=cells.lesion_mass)
        others = random.choice(cells.normal, half, p=cells.normal_mass)
        shown = (features(np.concatenate([cells.lesion[mine], others])) - mean) / spread
        truth = np.zeros((2 * half, 3), np.float32)
        truth[:half, 0], truth[:half, 1], truth[:half, 2] = 1, cells.malignant[mine], recipe.malignant
        network.train_on_batch(shown, truth)
    inner, inner_bias, outer, outer_bias = network.get_weights()
    scaled = inner / spread[:, None]
    return CellHead(
        scaled.astype(np.float32), (inner_bias - mean @ scaled).astype(np.float32), outer, outer_bias
    )


def _network(channels: int, recipe: HeadRecipe) -> keras.Model:
    seed = recipe.seed
    network = keras.Sequential(
        [
            keras.Input((channels,)),
            layers.Dropout(recipe.drop_in, seed=seed),
            layers.Dense(recipe.hidden, "relu", kernel_initializer=keras.initializers.HeNormal(seed)),
            layers.Dropout(recipe.drop, seed=seed + 1),
            layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed)),
        ]
    )
    network.compile(keras.optimizers.AdamW(_OneCycle(recipe.rate, recipe.steps), recipe.decay), _loss)
    return network


def _loss(truth: Any, said: Any) -> Any:
    """Return the loss of whether a lesion lies there, and, where one does, of whether it is malignant."""
    each = ops.binary_crossentropy(truth[:, :2], said, from_logits=True)
    return each[:, 0] + truth[:, 2] * each[:, 1]


class _OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises over the first third of the steps and falls to nothing, each along half a cosine."""

    def __init__(self, highest: float, steps: int) -> None:
        self.highest, self.steps = highest, steps

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, "float32") / self.steps
        up = (1 - ops.cos(np.pi * ops.minimum(done * 3, 1.0))) / 2
        down = (1 + ops.cos(np.pi * ops.clip((done - 1 / 3) * 1.5, 0.0, 1.0))) / 2
        return self.highest * ops.where(done < 1 / 3, 0.04 + 0.96 * up, down)

    def get_config(self) -> dict[str, Any]:
        """Return what it was made with."""
        return {"highest": self.highest, "steps": self.steps}
