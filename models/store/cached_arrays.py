"""Arrays that a run keeps for itself, to go on from after it was killed: replaced in one step, read whole or refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DamagedCache", "keep_arrays", "kept_arrays"]


class DamagedCache(ValueError):
    """A file that a run kept for itself is damaged; the message names it and says what to do."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(
            f"{path}, which an earlier run kept, is damaged ({why}). Remove it and repeat: what it holds is made anew."
        )


def keep_arrays(path: Path, **arrays: Any) -> None:
    """Put arrays in the place of those before, as .npz, in one step."""
    half = path.with_name(f"{path.stem}.half.npz")
    np.savez(half, allow_pickle=False, **arrays)
    half.replace(path)


def kept_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return what `keep_arrays` kept, or None if there is nothing.

    Raises
    ------
    DamagedCache
        If the file is no whole .npz.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DamagedCache(path, str(error) or type(error).__name__) from error
