"""What the heads of a film encoder learn from: cells of many views, boxes in them, density, and who may teach."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.film.encoder import TISSUE, FilmHeads
from models.film.heads import CellHead, Cells, HeadRecipe, fit_cell_head
from models.film.training import on_lesion
from models.view import LesionBox

__all__ = ["FilmLessons", "ViewCells", "fit_film_heads"]

REAL_SHARE = 0.3
"""Of the mass of cells on lesions, what those of real ones have; the rest is of lesions that were drawn in."""
SEARCHED = 200
"""Views without a lesion that are searched for cells which look most like one."""
NORMAL_CELLS = 12_000
HARDEST = 15
"""Of each such view."""
SIZE_PULL = 1.0
DENSITY_PENALTY = 0.02
NO_CLASS = -6.0
"""Logit, below the others, of a density that nobody who taught has."""


@dataclass(frozen=True)
class ViewCells:
    """Cells of n views that show breast, view after view: where they lie and what the trunk answers in them.

    Parameters
    ----------
    inside
        (n, h, w) which cells those are.
    answers
        (cells, C) float16.
    """

    inside: NDArray[np.bool_]
    answers: NDArray[np.float16]

    @cached_property
    def begins(self) -> NDArray[np.intp]:
        """(n + 1,) where each view's cells begin, and the last one's end."""
        return np.concatenate([[0], np.cumsum(self.inside.sum(axis=(1, 2)))]).astype(np.intp)

    def of(self, view: int) -> NDArray[np.intp]:
        """Return the places of a view's cells."""
        return np.arange(self.begins[view], self.begins[view + 1])

    def features(self, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return what the trunk answers at places (k,), as (k, C)."""
        return np.asarray(self.answers[places], np.float32)

    def laid_out(self, view: int) -> NDArray[np.float32]:
        """Return a view's answers (h, w, C), zero outside the breast."""
        out = np.zeros((*self.inside.shape[1:], self.answers.shape[1]), np.float32)
        out[self.inside[view]] = self.answers[self.begins[view] : self.begins[view + 1]]
        return out

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """(n, C) what the trunk answers on average in each view's breast."""
        means = np.zeros((len(self.inside), self.answers.shape[1]), np.float32)
        for view in range(len(means)):
            mine = self.answers[self.begins[view] : self.begins[view + 1]]
            if len(mine):
                means[view] = np.asarray(mine, np.float32).mean(axis=0)
        return means


@dataclass(frozen=True)
class FilmLessons:
    """What is known of n views.

    Parameters
    ----------
    lesions
        Boxes in pixels of the standard view.
    normal
        (n,) bool, views in which no lesion can be seen.
    real
        (n,) bool, views as they were taken; in the others lesions are drawn.
    density
        (n,) 0..3 for A..D, -1 if unknown.
    """

    lesions: list[list[LesionBox]]
    normal: NDArray[np.bool_]
    real: NDArray[np.bool_]
    density: NDArray[np.int64]


def fit_film_heads(
    cells: ViewCells, lessons: FilmLessons, mine: NDArray[np.bool_], seed: int = 0
) -> FilmHeads:
    """Fit the heads of an encoder on the views that may teach, (n,) bool.

    Raises
    ------
    ValueError
        If none of them shows a lesion in a box, or none is without one.
    """
    taught = _taught(cells, lessons, mine)
    recipe = HeadRecipe(normal_cells=NORMAL_CELLS, seed=seed)
    first = fit_cell_head(cells.features, taught.cells, recipe)
    hard = _hardest(first, cells, np.flatnonzero(mine & lessons.normal), seed)
    head = fit_cell_head(cells.features, replace(taught.cells, hard=hard), recipe)
    size = _ridge(cells.features(taught.cells.lesion), taught.log_size, taught.cells.mass)
    kernel = np.column_stack([head.weights, size[0]]).astype(np.float32)
    return FilmHeads(
        (kernel, np.append(head.bias, size[1]).astype(np.float32)),
        _tissue(cells.means[mine]),
        _density(cells.means[mine & lessons.real], lessons.density[mine & lessons.real]),
    )


@dataclass(frozen=True)
class _Taught:
    cells: Cells
    log_size: NDArray[np.float64]


def _taught(cells: ViewCells, lessons: FilmLessons, mine: NDArray[np.bool_]) -> _Taught:
    shape = cells.inside.shape[1:]
    places, malignant, mass, real, size = [], [], [], [], []
    for view in np.flatnonzero(mine):
        for box in lessons.lesions[view]:
            own = cells.of(int(view))[on_lesion(box, shape)[cells.inside[view]]]
            if not len(own):
                continue
            diameter = np.sqrt((box.x1 - box.x0) * (box.y1 - box.y0))
            places.append(own)
            malignant.append(np.full(len(own), box.malignant))
            # A large lesion counts more than a small one, but by the root of its cells only.
            mass.append(np.full(len(own), len(own) ** -0.5))
            real.append(np.full(len(own), lessons.real[view]))
            size.append(np.full(len(own), np.log(max(float(diameter), 1.0))))
    normal = [cells.of(int(view)) for view in np.flatnonzero(mine & lessons.normal)]
    if not places or not normal:
        raise ValueError("Heads learn from views with boxes around lesions, and from views without a lesion.")
    weight, drawn = np.concatenate(mass), ~np.concatenate(real)
    if drawn.any() and not drawn.all():
        weight[drawn] *= (1 - REAL_SHARE) / weight[drawn].sum()
        weight[~drawn] *= REAL_SHARE / weight[~drawn].sum()
    return _Taught(
        Cells(
            np.concatenate(places), np.concatenate(malignant), weight / weight.sum(), np.concatenate(normal)
        ),
        np.concatenate(size),
    )


def _hardest(head: CellHead, cells: ViewCells, normal: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Return, of some views without a lesion, the cells that look most like one."""
    random = np.random.default_rng(seed)
    hard = []
    for view in random.permutation(normal)[:SEARCHED]:
        own = cells.of(int(view))
        said = head.logits(cells.features(own))[:, 0]
        hard.append(own[np.argsort(-said)[:HARDEST]])
    return np.concatenate(hard)


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
    power, axes = np.linalg.eigh(even.T @ even / len(even))
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
