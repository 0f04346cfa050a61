"""What frozen networks answer in each cell of many films, made once and kept on disk for all heads and folds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.film.maps import Net
from models.film.places import PLACES, inside_breast, places
from models.store import OnProgress

__all__ = ["FilmCells", "make_cells"]

STATE = "cells.json"
Look = Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
EVERY = 8
"""Films after which it is written down how far the work is."""


@dataclass(frozen=True)
class FilmCells:
    """Cells of n films that show breast, film after film.

    Parameters
    ----------
    inside
        (n, h, w) which cells those are.
    place
        (cells, PLACES) where they lie, as `models.film.places.places` says it.
    answers
        (cells, channels) float16 by net.
    """

    inside: NDArray[np.bool_]
    place: NDArray[np.float16]
    answers: dict[Net, NDArray[np.float16]]

    @cached_property
    def begins(self) -> NDArray[np.intp]:
        """(n + 1,) where each film's cells begin, and the last one's end."""
        return np.concatenate([[0], np.cumsum(self.inside.sum(axis=(1, 2)))]).astype(np.intp)

    @cached_property
    def film(self) -> NDArray[np.intp]:
        """(cells,) which film each is of."""
        return np.repeat(np.arange(len(self.inside)), np.diff(self.begins))

    def of(self, film: int) -> NDArray[np.intp]:
        """Return the places of a film's cells."""
        return np.arange(self.begins[film], self.begins[film + 1])

    def joined(self, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return all that is known of cells at places (k,), (k, C): what each net answers, in their order, and where they lie."""
        return np.concatenate(
            [*(self.answers[net][chosen] for net in Net), self.place[chosen]], axis=1, dtype=np.float32
        )

    def laid_out(self, film: int) -> NDArray[np.float32]:
        """Return a film's cells (h, w, C) as `joined` gives them, zero outside the breast."""
        mine = self.joined(self.of(film))
        out = np.zeros((*self.inside.shape[1:], mine.shape[1]), np.float32)
        out[self.inside[film]] = mine
        return out

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """(n, C) the mean over each film's breast of what `joined` gives; zeros where none shows."""
        each = [
            cells.mean(axis=0) if len(cells) else cells.sum(axis=0)
            for cells in (self.joined(self.of(film)) for film in range(len(self.inside)))
        ]
        return np.stack(each)

    def features(self, net: Net) -> Callable[[NDArray[np.intp]], NDArray[np.float32]]:
        """Return what gives the features (k, channels + PLACES) of cells at places (k,) for a net's head."""
        answers = self.answers[net]

        def of(chosen: NDArray[np.intp]) -> NDArray[np.float32]:
            features = np.empty((len(chosen), answers.shape[1] + PLACES), np.float32)
            features[:, :-PLACES] = answers[chosen]
            features[:, -PLACES:] = self.place[chosen]
            return features

        return of


def make_cells(
    look: Look,
    channels: Mapping[Net, int],
    count: int,
    film: Callable[[int], NDArray[np.uint8]],
    folder: Path,
    report: OnProgress,
) -> FilmCells:
    """Have the cells of films, going on where a killed run stopped.

    Parameters
    ----------
    look
        Gives what each net answers of a film (1, rows, columns, 1) in 0..1, by the net's name: maps (1, h, w, channels).
    channels
        How many each net answers with.
    count
        How many films.
    film
        Gives each, (rows, columns), zero outside the breast.
    folder
        Of these networks and films alone.
    report
        Told of progress.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    inside = np.stack([inside_breast(film(i)) for i in range(count)])
    begins = np.concatenate([[0], np.cumsum(inside.sum(axis=(1, 2)))]).astype(int)
    state = folder / STATE
    done = int(json.loads(state.read_text("utf-8"))["films"]) if state.is_file() else 0
    answers = {net: _mapped(folder, net.value, (int(begins[-1]), wide)) for net, wide in channels.items()}
    place = _mapped(folder, "places", (int(begins[-1]), PLACES))
    for i in range(done, count):
        shown = film(i)
        mine = slice(begins[i], begins[i + 1])
        for name, value in look((shown[None, ..., None] / np.float32(255)).astype(np.float32)).items():
            answers[Net(name)][mine] = value[0][inside[i]]
        place[mine] = places(shown)[inside[i]]
        if (i + 1) % EVERY == 0 or i + 1 == count:
            for one in (*answers.values(), place):
                one.flush()
            state.write_text(json.dumps({"films": i + 1}), "utf-8")
            report("looking at the films", (i + 1) / count, {})
    return FilmCells(inside, place, dict(answers))


def _mapped(folder: Path, name: str, shape: tuple[int, int]) -> np.memmap[Any, np.dtype[np.float16]]:
    path = folder / f"{name}.f16"
    size = shape[0] * shape[1] * 2
    if not path.is_file() or path.stat().st_size != size:
        with path.open("wb") as file:
            file.truncate(size)
    return np.memmap(path, np.float16, "r+", shape=shape)
