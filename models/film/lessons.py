"""What the heads of a film encoder learn from: cells of many views, boxes in them, density, and who may teach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.linear_model import LogisticRegression

from models.film.cells import FilmCells
from models.film.detector import Detector
from models.film.encoder import TISSUE, FilmHeads
from models.film.places import PLACES
from models.film.training import DetectorRecipe, Lessons, cells_on_lesions, train_detector
from models.store import OnProgress

__all__ = ["FilmLessons", "fit_film_heads"]

SIZE_PULL = 1.0
DENSITY_PENALTY = 0.02
NO_CLASS = -6.0
"""Logit, below the others, of a density that nobody who taught has."""


@dataclass(frozen=True)
class FilmLessons:
    """What is known of n views.

    Parameters
    ----------
    boxes
        Where lesions are, in which views none can be seen, and into which they were put.
    density
        (n,) 0..3 for A..D, -1 if unknown.
    """

    boxes: Lessons
    density: NDArray[np.int64]


def fit_film_heads(
    cells: FilmCells,
    lessons: FilmLessons,
    mine: NDArray[np.bool_],
    recipe: DetectorRecipe,
    report: OnProgress,
) -> FilmHeads:
    """Fit the heads of an encoder on the views that may teach, (n,) bool: a detector's, joined to one for all networks.

    Lesions are taught as `models.film.training.train_detector` teaches them; beside it stand a regression for their size,
    the principal axes of how tissue looks, and a regression for density.

    Raises
    ------
    ValueError
        If none of them shows a lesion in a box, or none is without one.
    """
    detector = train_detector(cells, lessons.boxes, mine, recipe, report)
    kernel, bias = _joined(detector)
    lesion = cells_on_lesions(cells, lessons.boxes, mine, recipe)
    size = _ridge(cells.joined(lesion.places), lesion.log_size, lesion.mass)
    real = mine & ~lessons.boxes.put_in
    means = cells.means
    return FilmHeads(
        (
            np.column_stack([kernel, size[0]]).astype(np.float32),
            np.append(bias, size[1]).astype(np.float32),
        ),
        _tissue(means[mine]),
        _density(means[real], lessons.density[real]),
    )


def _joined(detector: Detector) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights (C, 2) and bias (2,) of the mean of what the heads say, read from all channels of a cell."""
    heads = list(detector.heads.values())
    answers = [head.weights[:-PLACES] / len(heads) for head in heads]
    where = np.mean([head.weights[-PLACES:] for head in heads], axis=0)
    return np.concatenate([*answers, where]), np.mean([head.bias for head in heads], axis=0)


def _ridge(
    features: NDArray[np.float32], truth: NDArray[np.float64], mass: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return weights (C,) and bias of a regression on standardised features."""
    mean, spread = _scale(features)
    even = (features - mean) / spread
    level = float(mass @ truth)
    products = (even * mass[:, None]).T @ even + SIZE_PULL * np.eye(even.shape[1])
    weights = np.asarray(np.linalg.solve(products, even.T @ (mass * (truth - level))) / spread, np.float64)
    return weights, level - float(mean @ weights)


def _tissue(means: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the first principal axes of the breasts' means, each of variance 1; zeros where C is less."""
    mean, spread = _scale(means)
    even = ((means - mean) / spread).astype(np.float64)
    most = even.shape[1]
    power, axes = eigh(even.T @ even / len(even), subset_by_index=(max(0, most - TISSUE), most - 1))
    first = axes[:, ::-1][:, :TISSUE] / np.sqrt(np.maximum(power[::-1][:TISSUE], 1e-3)) / spread[:, None]
    kernel = np.pad(first, ((0, 0), (0, TISSUE - first.shape[1])))
    return kernel.astype(np.float32), (-(mean @ kernel)).astype(np.float32)


def _density(
    means: NDArray[np.float32], density: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a logistic regression of density; all alike where too few densities are known."""
    kernel, bias = np.zeros((means.shape[1], 4), np.float32), np.full(4, NO_CLASS, np.float32)
    known = density >= 0
    classes = np.unique(density[known])
    if len(classes) < 2:
        return kernel, np.zeros(4, np.float32)
    mean, spread = _scale(means[known])
    fit = LogisticRegression(C=DENSITY_PENALTY, max_iter=500)
    fit.fit((means[known] - mean) / spread, density[known])
    weights, level = fit.coef_, fit.intercept_
    if len(classes) == 2:
        weights, level = np.stack([-weights[0], weights[0]]) / 2, np.array([-level[0], level[0]]) / 2
    kernel[:, classes] = (weights / spread).T
    bias[classes] = level - weights @ (mean / spread)
    return kernel, bias


def _scale(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and spread (C,); a channel that hardly answers is not blown up."""
    spread = values.std(axis=0)
    return values.mean(axis=0), spread + 1e-2 * max(float(spread.mean()), 1e-6)
