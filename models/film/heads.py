"""Heads on cells: regressions that say of each cell whether a lesion lies there, and whether it is malignant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CellHead", "Cells", "HeadRecipe", "fit_cell_head"]

STEEP = 4.0
"""A regression on -1 and 1 says half of the log-odds for small ones, and a pulled one less: its answers times this."""
SHRINK = 1e-2
"""Added to a channel's spread, of the mean one: one that never answers is not to be blown up."""


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is fitted: how many cells without a lesion are drawn, how strongly weights are pulled to 0, seed.

    The pulls are shares of the mass of cells, once of whether a lesion lies there, once of whether it is malignant.
    """

    normal_cells: int = 20_000
    pull: float = 0.3
    pull_kind: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Cells:
    """Cells that teach: their places among the features, and the mass of each.

    Parameters
    ----------
    lesion, normal, hard
        (n,), (m,) and (k,) places of cells on lesions, of cells of films without one, and of those among them that look
        most like one, if they are known.
    malignant
        (n,) bool.
    mass
        (n,) of the cells on lesions; they add to 1.
    tells_kind
        (n,) which cells on lesions, malignant ones and benign ones, teach which is which; None: all.
    """

    lesion: NDArray[np.intp]
    malignant: NDArray[np.bool_]
    mass: NDArray[np.float64]
    normal: NDArray[np.intp]
    tells_kind: NDArray[np.bool_] | None = None
    hard: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class CellHead:
    """A fitted head: ``weights`` (channels, 2) and ``bias`` (2,), the scaling of features being part of them."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return (n, 2) log-odds of cells (n, channels): that a lesion lies there, and that it is then malignant."""
        return np.asarray(np.asarray(features, np.float32) @ self.weights + self.bias, np.float32)


def fit_cell_head(
    features: Callable[[NDArray[np.intp]], NDArray[np.float32]], cells: Cells, recipe: HeadRecipe
) -> CellHead:
    """Fit a head by ridge regression (Hoerl and Kennard 1970) on -1 and 1.

    Parameters
    ----------
    features
        Gives the features (k, channels) of cells at places (k,).
    cells
        On lesions and beside them lies the same mass; of that beside them half on the hard cells, where they are known.
    recipe
        Sizes, pulls, seed.
    """
    random = np.random.default_rng(recipe.seed)
    normal = random.choice(cells.normal, min(recipe.normal_cells, len(cells.normal)), replace=False)
    hard = cells.hard if cells.hard is not None else normal[:0]
    share = 0.5 if len(hard) else 1.0
    mass = np.concatenate(
        [
            cells.mass / 2,
            np.full(len(normal), share / 2 / len(normal)),
            np.full(len(hard), (1 - share) / 2 / max(1, len(hard))),
        ]
    )
    shown = features(np.concatenate([cells.lesion, normal, hard]))
    count = len(cells.lesion)
    is_lesion = np.where(np.arange(len(mass)) < count, 1.0, -1.0)
    lies_there = _ridge(shown, mass, is_lesion, recipe.pull)
    kind = np.zeros(shown.shape[1]), 0.0
    telling = np.arange(count) if cells.tells_kind is None else np.flatnonzero(cells.tells_kind)
    malignant, among = cells.malignant[telling], cells.mass[telling]
    if malignant.any() and not malignant.all():
        of_kind = [among[malignant == one].sum() for one in (False, True)]
        balanced = among / np.where(malignant, of_kind[1], of_kind[0]) / 2
        kind = _ridge(shown[telling], balanced, np.where(malignant, 1.0, -1.0), recipe.pull_kind)
    return CellHead(
        np.stack([lies_there[0], kind[0]], axis=1).astype(np.float32),
        np.array([lies_there[1], kind[1]], np.float32),
    )


def _ridge(
    features: NDArray[np.float32], mass: NDArray[np.float64], truth: NDArray[np.float64], pull: float
) -> tuple[NDArray[np.float64], float]:
    """Return weights (channels,) and bias of a regression on features as they are."""
    mass = mass.astype(np.float32)
    mean = mass @ features
    spread = np.sqrt(np.maximum(mass @ (features - mean) ** 2, 0))
    spread = spread + SHRINK * max(float(spread.mean()), 1e-6)
    even = (features - mean) / spread * np.sqrt(mass)[:, None]
    products = np.asarray(even.T @ even, np.float64)
    towards = np.asarray(even.T @ (np.sqrt(mass) * truth.astype(np.float32)), np.float64)
    products[np.diag_indices(len(products))] += pull
    weights = STEEP * np.linalg.solve(products, towards) / spread
    return weights, float(STEEP * (mass @ truth) - mean @ weights)
