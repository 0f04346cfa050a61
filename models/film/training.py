"""A detector learns: from boxes around lesions, real ones and such as were put in, and from each normal film's hardest cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from models.film.cells import FilmCells
from models.film.detector import Detector
from models.film.heads import CellHead, Cells, HeadRecipe, fit_cell_head
from models.film.maps import CELL, Net
from models.film.scores import Peak
from models.store import OnProgress
from models.view import LesionBox

__all__ = [
    "DetectorRecipe",
    "LesionCells",
    "Lessons",
    "Origin",
    "cells_on_lesions",
    "on_lesion",
    "peak_on_lesion",
    "train_detector",
]

ASKED_AT_ONCE = 40_000


@dataclass(frozen=True)
class DetectorRecipe:
    """How a detector is trained: hardest cells of a film, shares of the mass of lesions, each head's recipe.

    `real` and `moved` are the shares of lesions where they grew and of moved ones, drawn ones have what is left; where there
    are none of an origin the others have its share. Malignant is told from benign by what was put in alone, where that is of
    both kinds. Cells of films with boxed lesions teach as normal where they lie at least `beside` pixels outside of every
    one. Of more than `searched` films that teach what is normal, so many are searched for their hardest cells.

    Raises ValueError where the shares leave less than nothing for drawn lesions, or are less themselves.
    """

    hardest: int = 60
    searched: int = 400
    real: float = 0.45
    moved: float = 0.15
    beside: float = 40.0
    head: HeadRecipe = field(default_factory=HeadRecipe)

    def __post_init__(self) -> None:
        if not (self.real >= 0 and self.moved >= 0 and self.real + self.moved <= 1):
            raise ValueError(
                f"Shares of {self.real} for real lesions and {self.moved} for moved ones: each must be 0 at least, and both "
                "together 1 at most."
            )


class Origin(IntEnum):
    """Whence a film's lesions are: they grew there, were drawn in, or are real ones moved there from another woman's."""

    REAL = 0
    DRAWN = 1
    MOVED = 2


@dataclass(frozen=True)
class Lessons:
    """What is known of n films.

    Parameters
    ----------
    lesions
        Boxes in pixels of the standard film.
    normal
        (n,) bool, films without a lesion.
    origin
        (n,) `Origin` of each film's lesions. Of films into which they were put those cells teach what a lesion is, the others
        nothing.
    """

    lesions: list[list[LesionBox]]
    normal: NDArray[np.bool_]
    origin: NDArray[np.int64]

    @property
    def put_in(self) -> NDArray[np.bool_]:
        """(n,) whether a film's lesions were put into it."""
        return self.origin != Origin.REAL


def on_lesion(box: LesionBox, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which cells (h, w) have their middle on a lesion: within the ellipse in its box, no smaller than a cell."""
    rows, columns = (np.mgrid[: shape[0], : shape[1]] + 0.5) * CELL
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    across, down = max((box.x1 - box.x0) / 2, CELL / 2), max((box.y1 - box.y0) / 2, CELL / 2)
    return np.asarray(((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 <= 1)


def peak_on_lesion(peak: Peak, box: LesionBox) -> bool:
    """Tell whether a peak's cell has its middle in a lesion's box, half a cell of margin allowed."""
    x, y = (peak.column + 0.5) * CELL, (peak.row + 0.5) * CELL
    margin = CELL / 2
    across, down = max((box.x1 - box.x0) / 2, margin) + margin, max((box.y1 - box.y0) / 2, margin) + margin
    return abs(x - (box.x0 + box.x1) / 2) <= across and abs(y - (box.y0 + box.y1) / 2) <= down


def train_detector(
    cells: FilmCells,
    lessons: Lessons,
    mine: NDArray[np.bool_],
    recipe: DetectorRecipe,
    report: OnProgress,
) -> Detector:
    """Train a detector.

    Parameters
    ----------
    cells
        Of the n films of the lessons.
    lessons
        What is known of them.
    mine
        (n,) which films may teach.
    recipe
        Steps, shares, seed.
    report
        Told of progress.

    Raises
    ------
    ValueError
        If no film among them is normal, or none shows a lesion.
    """
    marked = _marked(cells, lessons, mine, recipe.beside)
    searched = _searched(cells, marked.normal, recipe)
    if not len(marked.lesion) or not (lessons.normal & mine).any():
        raise ValueError(
            "A detector learns from films without a lesion and from films with boxes around theirs."
        )
    heads: dict[Net, CellHead] = {}
    taught = _with_mass(marked, recipe)
    for count, net in enumerate(Net):
        features = cells.features(net)
        first = fit_cell_head(features, taught, recipe.head)
        hard = _hardest(first, features, cells, searched, recipe.hardest)
        heads[net] = fit_cell_head(features, replace(taught, hard=hard), recipe.head)
        report("training heads", (count + 1) / len(Net), {})
    return Detector(heads)


@dataclass(frozen=True)
class LesionCells:
    """Cells on the lesions of films that teach: places (n,), mass (n,), which adds to 1, log of the lesion's diameter (n,)."""

    places: NDArray[np.intp]
    mass: NDArray[np.float64]
    log_size: NDArray[np.float64]


def cells_on_lesions(
    cells: FilmCells, lessons: Lessons, mine: NDArray[np.bool_], recipe: DetectorRecipe
) -> LesionCells:
    """Return the cells that teach a detector what a lesion is, with its size in pixels of the film; as `train_detector`."""
    marked = _marked(cells, lessons, mine, recipe.beside)
    taught = _with_mass(marked, recipe)
    return LesionCells(marked.lesion, taught.mass, np.log(np.maximum(marked.diameter, 1.0)))


@dataclass(frozen=True)
class _Marked:
    """Cells that may teach: on lesions, with whether malignant, `Origin`, and the lesion's cells and diameter; normal."""

    lesion: NDArray[np.intp]
    malignant: NDArray[np.bool_]
    origin: NDArray[np.int64]
    among: NDArray[np.intp]
    diameter: NDArray[np.float64]
    normal: NDArray[np.intp]


def _marked(cells: FilmCells, lessons: Lessons, mine: NDArray[np.bool_], beside: float) -> _Marked:
    shape = cells.inside.shape[1:]
    chosen: list[tuple[NDArray[np.intp], LesionBox, int]] = []
    for film in np.flatnonzero(mine):
        for box in lessons.lesions[film]:
            own = cells.of(int(film))[on_lesion(box, shape)[cells.inside[film]]]
            if len(own):
                chosen.append((own, box, int(lessons.origin[film])))
    without = np.isin(cells.film, np.flatnonzero(mine & lessons.normal))
    for film in np.flatnonzero(mine & ~lessons.put_in):
        boxes = [_wider(box, beside) for box in lessons.lesions[film]]
        if boxes:
            near = np.any([on_lesion(box, shape) for box in boxes], axis=0)
            without[cells.of(int(film))[~near[cells.inside[film]]]] = True
    normal = np.flatnonzero(without)
    if not chosen:
        none = np.zeros(0, np.intp)
        return _Marked(none, none.astype(bool), none, none, none.astype(float), normal)
    counts = [len(own) for own, _, _ in chosen]
    return _Marked(
        np.concatenate([own for own, _, _ in chosen]),
        np.repeat([box.malignant for _, box, _ in chosen], counts),
        np.repeat([origin for _, _, origin in chosen], counts),
        np.repeat(counts, counts),
        np.repeat([np.sqrt((box.x1 - box.x0) * (box.y1 - box.y0)) for _, box, _ in chosen], counts),
        normal,
    )


def _wider(box: LesionBox, by: float) -> LesionBox:
    return replace(box, x0=box.x0 - by, y0=box.y0 - by, x1=box.x1 + by, y1=box.y1 + by)


def _with_mass(marked: _Marked, recipe: DetectorRecipe) -> Cells:
    """Say how much each cell counts: a large lesion more than a small one, but by the root of its cells only."""
    mass = marked.among**-0.5
    shares = {
        Origin.REAL: recipe.real,
        Origin.DRAWN: 1 - recipe.real - recipe.moved,
        Origin.MOVED: recipe.moved,
    }
    for origin, share in shares.items():
        own = marked.origin == origin
        if own.any():
            mass[own] *= share / mass[own].sum()
    put_in = marked.origin != Origin.REAL
    both = len(np.unique(marked.malignant[put_in])) == 2
    return Cells(marked.lesion, marked.malignant, mass / mass.sum(), marked.normal, put_in if both else None)


def _searched(cells: FilmCells, normal: NDArray[np.intp], recipe: DetectorRecipe) -> NDArray[np.intp]:
    """Return the normal cells of the films that are searched."""
    films = np.unique(cells.film[normal])
    if len(films) <= recipe.searched:
        return normal
    chosen = np.random.default_rng(recipe.head.seed).choice(films, recipe.searched, replace=False)
    return normal[np.isin(cells.film[normal], chosen)]


def _hardest(
    head: CellHead,
    features: Callable[[NDArray[np.intp]], NDArray[np.float32]],
    cells: FilmCells,
    normal: NDArray[np.intp],
    count: int,
) -> NDArray[np.intp]:
    """Return of each film the cells without a lesion that look most like one."""
    said = np.concatenate(
        [
            head.logits(features(normal[start : start + ASKED_AT_ONCE]))[:, 0]
            for start in range(0, len(normal), ASKED_AT_ONCE)
        ]
    )
    film = cells.film[normal]
    order = np.lexsort((-said, film))
    begins = np.r_[0, np.flatnonzero(np.diff(film[order])) + 1]
    sizes = np.diff(np.r_[begins, len(order)])
    rank = np.arange(len(order)) - np.repeat(begins, sizes)
    return normal[order[rank < count]]
