"""Rows of a memory map: kept beside the records of what they show, and read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.sets.record_lines import RecordLines
from models.store import DamagedCache

__all__ = ["late_rows", "mapped_rows"]


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


def mapped_rows(path: Path, shape: tuple[int, ...], kept: RecordLines) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Return a memory map (n, …) uint8 that can be written; its first rows are what the records `kept` speak of.

    Without the file nothing is left of what they speak of: they are forgotten.

    Raises
    ------
    DamagedCache
        If the file is not as large as it was made.
    """
    if not path.is_file():
        kept.forget()
    if not kept.records:
        return np.memmap(path, np.uint8, "w+", shape=shape)
    held = path.stat().st_size
    if held != prod(shape):
        raise DamagedCache(
            path, f"it holds {held} bytes, not the {prod(shape)} of which {kept.path.name} tells"
        )
    return np.memmap(path, np.uint8, "r+", shape=shape)
