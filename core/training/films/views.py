"""Views of real films and of the lives in them: standardised, looked at once, and what each fold's heads say of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
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

    from models.film import FilmHeads, FilmLessons, ViewCells

__all__ = ["FilmViews", "look_at"]

BATCH = 16
EVERY = 8
"""Batches after which it is written down how far the work is."""


@dataclass(frozen=True)
class FilmViews:
    """n usable views of women and lives, and what the trunk answers in them.

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
    cells: ViewCells
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
    exams: Exams, real: Sequence[bool], trunk: keras.Model, work: Path, report: OnProgress
) -> FilmViews:
    """Standardise views and have the trunk look at them, going on where a killed run stopped.

    Parameters
    ----------
    exams
        Women and lives with their images.
    real
        Of each woman or life, whether her pictures are as they were taken.
    trunk
        As `models.film.build_trunk` gives it.
    work
        Folder of this trunk and these images alone.
    report
        Told of progress.
    """
    from models.film import ViewCells, channels_of, inside_breast

    private_folder(work)
    cached = cache_views(exams.images, work / "cache", report)
    rows = np.array(cached.usable(), np.intp)
    inside = np.stack([inside_breast(cached.pixels[i]) for i in rows])
    ends = np.concatenate([[0], np.cumsum(inside.sum(axis=(1, 2)))]).astype(int)
    path, state = work / f"cells-{cached.stamp}.f16", work / f"cells-{cached.stamp}.json"
    shape = (int(ends[-1]), channels_of(trunk))
    if not path.is_file() or path.stat().st_size != shape[0] * shape[1] * 2:
        state.unlink(missing_ok=True)
        with path.open("wb") as file:
            file.truncate(shape[0] * shape[1] * 2)
    answers = np.memmap(path, np.float16, "r+", shape=shape)
    done = int(json.loads(state.read_text("utf-8"))["views"]) if state.is_file() else 0
    for start in range(done, len(rows), BATCH):
        some = rows[start : start + BATCH]
        views = cached.pixels[np.resize(some, BATCH)].astype(np.float32)[..., None] / 255
        said = np.asarray(trunk.predict_on_batch(views))[: len(some)]
        answers[ends[start] : ends[start + len(some)]] = said[inside[start : start + len(some)]]
        if start // BATCH % EVERY == EVERY - 1 or start + BATCH >= len(rows):
            answers.flush()
            state.write_text(json.dumps({"views": start + len(some)}), "utf-8")
            report("looking at the films", (start + len(some)) / len(rows), {})
    lessons = _lessons(exams, cached, rows, real)
    return FilmViews(exams, cached, rows, ViewCells(inside, answers), lessons)


def _lessons(exams: Exams, cached: CachedViews, rows: NDArray[np.intp], real: Sequence[bool]) -> FilmLessons:
    from models.film import FilmLessons
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
        lesions,
        np.array([image.finding == "normal" for image in shown]),
        np.array([real[image.woman] for image in shown]),
        np.array(
            [-1 if image.density is None else DENSITIES.index(image.density) for image in shown], np.int64
        ),
    )
