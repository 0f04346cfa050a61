"""What the nets answer over the breast of one film, in less time than over all of it: the black beside it costs as much.

For what is served; heads learn from the answers over whole films (`models.film.cells`). Both differ by less than what is
told apart, for what lies at the edge of the part is not the same as the black beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from models.film.maps import CELL, LOOKS, Net, cells_of, resampling_of
from models.store import backend

__all__ = ["Glance"]

HEAVY = "vgg16"
"""What takes most of the time, nearly all of it in convolutions."""
MARGIN = 32
"""Pixels of black that are shown beside the breast."""
STEP = 96
"""What is cut off a film is a multiple of it: at no depth, at either size, is a row or column then odd that was even, by
which a network would begin its steps elsewhere."""


class Glance:
    """Looks at films with frozen networks.

    >>> Glance(build_backbones(files))(film)[Net.LITE0].shape
    (48, 39, 528)

    Parameters
    ----------
    backbones
        As `models.film.maps.build_backbones` gives them.
    """

    def __init__(self, backbones: dict[str, keras.Model]) -> None:
        self._run = {
            name: backend.as_function(backend.in_half(network) if name == HEAVY else network)
            for name, network in backbones.items()
        }

    def __call__(self, film: NDArray[np.uint8]) -> dict[Net, NDArray[np.float32]]:
        """Return the answers (h, w, channels) by net of a film (rows, columns), zero outside; they are 0 far from the breast."""
        high, wide = _part_of(film)
        shown = film[:high, :wide].astype(np.float32) / 255
        small = cv2.resize(shown, (wide * 2 // 3, high * 2 // 3), interpolation=cv2.INTER_AREA)
        found = {}
        for net, look in LOOKS.items():
            view = small if look.small else shown
            maps = self._run[look.backbone](view[None, ..., None])
            part = _on_cells(maps, view.shape, (high, wide))
            whole = np.zeros((*cells_of(film.shape), part.shape[-1]), np.float32)
            whole[: part.shape[0], : part.shape[1]] = np.sqrt(part) if look.rooted else part
            found[net] = whole
        return found


def _part_of(film: NDArray[np.uint8]) -> tuple[int, int]:
    """Return rows and columns of the part of a film that shows its breast, at the least one step of each."""
    sides = []
    for axis, most in ((1, film.shape[0]), (0, film.shape[1])):
        shown = np.flatnonzero(film.any(axis=axis))
        wanted = int(shown[-1]) + 1 + MARGIN if shown.size else 1
        sides.append(most - max(0, (most - wanted) // STEP) * STEP)
    return sides[0], sides[1]


def _on_cells(
    maps: Sequence[NDArray[np.float32]], size: tuple[int, ...], part: tuple[int, int]
) -> NDArray[np.float32]:
    """Return maps (1, h, w, c) of a view of some size, joined on the cells of a part of a film, (rows, columns, channels)."""
    cells = part[0] // CELL, part[1] // CELL
    joined = []
    for (one,) in maps:
        down, across = resampling_of(one.shape[:2], size, cells)
        rows = np.tensordot(down, one, (1, 0))
        joined.append(np.matmul(across, rows))
    return np.concatenate(joined, axis=-1)
