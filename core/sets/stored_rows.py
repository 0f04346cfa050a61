"""Some rows of a memory map, read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    pass

__all__ = ["late_rows"]


class StoredRows:
    """Some rows of a memory map, read when they are asked for."""

    def __init__(self, pixels: NDArray[np.uint8], rows: NDArray[np.intp], *, mirrored: bool = False) -> None:
        self.pixels, self.rows = pixels[..., ::-1] if mirrored else pixels, rows
        self.shape = (len(rows), *pixels.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        return np.asarray(self.pixels[self.rows[index]])


def late_rows(pixels: NDArray[np.uint8], rows: Sequence[int], *, mirrored: bool = False) -> Any:
    """Return some rows of a memory map, or their mirror images, without reading them until they are asked for."""
    return StoredRows(pixels, np.asarray(rows, np.intp), mirrored=mirrored)
