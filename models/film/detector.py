"""A detector of lesions on whole films: heads on the maps of frozen networks, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.film.cells import FilmCells
from models.film.heads import CellHead
from models.film.maps import Net, inside_breast, places
from models.film.scores import NOWHERE, film_score, joined_map

__all__ = ["Detector", "FilmReading"]

PARTS = ("inner", "inner_bias", "outer", "outer_bias")


@dataclass(frozen=True)
class FilmReading:
    """What a detector says of one film.

    Parameters
    ----------
    lesion, malignant
        (h, w) log-odds by cell: that a lesion lies there, and that a malignant one does; `scores.NOWHERE` outside.
    """

    lesion: NDArray[np.float32]
    malignant: NDArray[np.float32]

    @property
    def logits(self) -> NDArray[np.float64]:
        """(3,) of normal, benign, malignant, before scaling: the film's score, parted as its highest cells are."""
        lesion, malignant = film_score(self.lesion), film_score(self.malignant)
        benign = lesion + np.log(max(-np.expm1(malignant - lesion), 1e-3))
        return np.array([0.0, benign, malignant])


class Detector:
    """Heads by net; several of one net speak as their mean.

    Parameters
    ----------
    heads
        At least one of each net.
    """

    def __init__(self, heads: dict[Net, list[CellHead]]) -> None:
        self.heads = heads

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        heads: dict[Net, list[CellHead]] = {net: [] for net in Net}
        with np.load(path, allow_pickle=False) as file:
            for net in Net:
                count = sum(name.startswith(f"{net.value}.") and name.endswith(".inner") for name in file)
                for k in range(count):
                    heads[net].append(
                        CellHead(
                            **{part: file[f"{net.value}.{k}.{part}"].astype(np.float32) for part in PARTS}
                        )
                    )
        return cls(heads)

    def save(self, path: Path) -> None:
        """Write the heads as .npz, their large matrices in 16 bits."""
        arrays = {
            f"{net.value}.{k}.{part}": np.asarray(
                getattr(head, part), np.float16 if part == "inner" else np.float32
            )
            for net, several in self.heads.items()
            for k, head in enumerate(several)
            for part in PARTS
        }
        np.savez_compressed(path, allow_pickle=False, **arrays)

    def of_cells(self, cells: FilmCells, film: int) -> FilmReading:
        """Read a film whose cells are known."""
        mine = cells.of(film)
        return self._reading({net: cells.features(net)(mine) for net in self.heads}, cells.inside[film])

    def of_answers(self, film: NDArray[Any], answers: dict[Net, NDArray[Any]]) -> FilmReading:
        """Read a film (rows, columns) of which the networks' answers (h, w, channels) are known."""
        inside = inside_breast(film)
        where = places(film)[inside]
        # As they were kept when heads learned from them.
        shown = {
            net: np.concatenate([answers[net][inside], where], axis=1).astype(np.float16).astype(np.float32)
            for net in self.heads
        }
        return self._reading(shown, inside)

    def _reading(self, features: dict[Net, NDArray[np.float32]], inside: NDArray[np.bool_]) -> FilmReading:
        maps = np.full((len(self.heads), 2, *inside.shape), NOWHERE, np.float32)
        for place, (net, several) in enumerate(self.heads.items()):
            said = np.mean([head.logits(features[net]) for head in several], axis=0)
            maps[place, :, inside] = said
        lesion, kind = (joined_map(maps[:, output], inside) for output in (0, 1))
        malignant = np.where(inside, lesion - np.logaddexp(0, -kind), NOWHERE).astype(np.float32)
        return FilmReading(lesion, malignant)
