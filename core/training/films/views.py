"""Views of real films and of the lives in them: standardised, looked at once, and what each fold's heads say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder
from core.rules.vocabulary import DENSITIES
from core.sets import CachedViews, Exams, cache_views
from models.store import OnProgress

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.film import FilmCells, FilmHeads, FilmLessons

__all__ = ["FilmViews", "look_at"]

BATCH = 8


@dataclass(frozen=True)
class FilmViews:
    """n usable views of women and lives, and what the networks answer in them.

    Parameters
    ----------
    exams, cached
        Women and images, and their standard views.
    rows
        (n,) places of the images that can be used.
    cells
        Of these views.
    lessons
        What is known of them.
    """

    exams: Exams
    cached: CachedViews
    rows: NDArray[np.intp]
    cells: FilmCells
    lessons: FilmLessons

    @property
    def woman(self) -> NDArray[np.intp]:
        """(n,) the place of each view's woman or life."""
        return np.array([self.exams.images[i].woman for i in self.rows], np.intp)

    def vectors(self, tail: keras.Model, heads: FilmHeads, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return what an encoder with these heads says of some views, (k, D).

        `tail` is as `models.film.build_tail` gives it; its heads are replaced.
        """
        from models.film import give_heads

        give_heads(tail, heads)
        parts = []
        for start in range(0, len(chosen), BATCH):
            some = chosen[start : start + BATCH]
            padded = np.resize(some, BATCH)
            views = self.cached.pixels[self.rows[padded]].astype(np.float32)[..., None] / 255
            cells = np.stack([self.cells.laid_out(int(view)) for view in padded])
            said = tail.predict_on_batch({"view": views, "cells": cells})
            parts.append(np.asarray(said["vector"], np.float32)[: len(some)])
        return np.concatenate(parts)


def look_at(
    exams: Exams,
    real: NDArray[np.bool_],
    backbones: dict[str, keras.Model],
    shape: tuple[int, int],
    work: Path,
    report: OnProgress,
) -> FilmViews:
    """Standardise views and have the networks look at them, going on where a killed run stopped.

    Parameters
    ----------
    exams
        Women and lives with their images.
    real
        (women,) of each woman or life, whether her pictures are as they were taken.
    backbones
        As `models.film.build_backbones` gives them.
    shape
        Rows and columns of a view.
    work
        Folder of these networks and images alone.
    report
        Told of progress.
    """
    from models.film import Net, make_cells, served_maps
    from models.store import backend

    private_folder(work)
    cached = cache_views(exams.images, work / "cache", report, shape=shape)
    rows = np.array(cached.usable(), np.intp)
    network = served_maps(backbones, shape)
    cells = make_cells(
        backend.as_function(network),
        {net: int(network.output[net.value].shape[-1]) for net in Net},
        len(rows),
        lambda place: np.asarray(cached.pixels[rows[place]]),
        work / f"cells-{cached.stamp}",
        report,
    )
    return FilmViews(exams, cached, rows, cells, _lessons(exams, cached, rows, real))


def _lessons(
    exams: Exams, cached: CachedViews, rows: NDArray[np.intp], real: NDArray[np.bool_]
) -> FilmLessons:
    from models.film import FilmLessons, Lessons, Origin
    from models.view import LesionBox

    lesions: list[list[Any]] = []
    for i in rows:
        transform = cached.transforms[i]
        assert transform is not None
        boxes = []
        for *corners, malignant in exams.images[i].boxes:
            x0, y0, x1, y1 = transform.box_to_network(*corners)
            boxes.append(LesionBox(x0, y0, x1, y1, bool(malignant)))
        lesions.append(boxes)
    shown = [exams.images[i] for i in rows]
    return FilmLessons(
        Lessons(
            lesions,
            np.array([image.finding == "normal" for image in shown]),
            np.array([Origin.REAL if real[image.woman] else Origin.DRAWN for image in shown], np.int64),
        ),
        np.array(
            [-1 if image.density is None else DENSITIES.index(image.density) for image in shown], np.int64
        ),
    )
