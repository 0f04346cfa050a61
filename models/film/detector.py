"""A detector of lesions on whole films: heads on the maps of frozen networks, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.film.cells import FilmCells
from models.film.heads import CellHead
from models.film.maps import Net
from models.film.places import inside_breast, places
from models.film.scores import NOWHERE, film_score, joined_map

__all__ = ["Detector", "FilmReading"]


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
    """Heads by net."""

    def __init__(self, heads: dict[Net, CellHead]) -> None:
        self.heads = heads

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; ValueError if its heads read other networks than this release has."""
        with np.load(path, allow_pickle=False) as file:
            known = {name.rpartition(".")[0] for name in file.files}
            if known != {net.value for net in Net}:
                raise ValueError(
                    f"{path} holds heads of {', '.join(sorted(known))}; this release reads films by {', '.join(Net)}. "
                    "Train the detector anew."
                )
            return cls(
                {net: CellHead(file[f"{net.value}.weights"], file[f"{net.value}.bias"]) for net in Net}
            )

    def save(self, path: Path) -> None:
        """Write the heads as .npz."""
        arrays = {
            f"{net.value}.{part}": getattr(head, part)
            for net, head in self.heads.items()
            for part in ("weights", "bias")
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
        for place, (net, head) in enumerate(self.heads.items()):
            maps[place, :, inside] = head.logits(features[net])
        lesion, kind = (joined_map(maps[:, output], inside) for output in (0, 1))
        malignant = np.where(inside, lesion - np.logaddexp(0, -kind), NOWHERE).astype(np.float32)
        return FilmReading(lesion, malignant)
