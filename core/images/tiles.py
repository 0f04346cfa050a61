"""Tiles: an image's own pixels in squares, for a viewer that zooms in beyond the rendition; 16 bit, in the rendition's form.

An image is decoded once, and its pixels lie in a folder of copies beside the store (``tiles`` in the installation's home):
they can be made again from the store at any time, so nothing else counts on them, and the oldest go when there are many.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from core.images.drawing import pack
from core.images.reader import lend_reader
from core.images.renditions import READING, one_at_a_time
from core.logs import log_of
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from db.files import private_folder
from db.tables import Image

if TYPE_CHECKING:
    from core.installation import Installation

log = log_of(__name__)

TILE_SIDE = 512
COARSEST_LEVEL = 4
MOST_BYTES = 2_000_000_000
"""How large the folder of copies grows: about eighty images of 4600 x 2700 pixels."""
FOLDER = "tiles"


@needs(Permission.SEE_PATIENTS)
def tile(here: Installation, sop_uid: str, level: int, across: int, down: int) -> bytes:
    """Return one tile of an image: at most `TILE_SIDE` pixels a side, of which each is the mean of 2^level x 2^level of the image.

    Parameters
    ----------
    level
        0 for the image's own pixels, unchanged.
    across, down
        Which tile, counted from the left and from the top.

    Raises
    ------
    KeyError
        If there is no such image.
    IndexError
        If there is no such level, or the image has no such tile.
    """
    with here.database.read() as session:
        image = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
    if image is None:
        raise KeyError(sop_uid)
    side = TILE_SIDE << level if 0 <= level <= COARSEST_LEVEL else 0
    top, left = down * side, across * side
    if not side or min(across, down) < 0 or top >= image.rows or left >= image.columns:
        raise IndexError(f"{level}/{across}/{down}")
    part = _pixels(here, image)[top : top + side, left : left + side]
    small = _mean_of_squares(np.ascontiguousarray(part), 1 << level)
    facts = {"rows": small.shape[0], "columns": small.shape[1], "level": level, "bits": 16}
    return pack(facts, small)


def _mean_of_squares(pixels: NDArray[np.uint16], side: int) -> NDArray[np.uint16]:
    """Return means of squares of so many pixels a side, (rows, columns); at the last edges of what is left of one."""
    import cv2

    if side == 1:
        return pixels
    rows, columns = (-(-length // side) for length in pixels.shape)
    filled = np.pad(
        pixels, ((0, rows * side - pixels.shape[0]), (0, columns * side - pixels.shape[1])), "edge"
    )
    return np.asarray(cv2.resize(filled, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint16)


def _pixels(here: Installation, image: Image) -> NDArray[np.uint16]:
    """Return an image's pixels (rows, columns), from the copy of them where there is one."""
    path = here.home / FOLDER / f"{image.sha256}-{READING}.npy"
    kept = _copy(path)
    if kept is not None:
        return kept
    with one_at_a_time(f"tiles of {image.sop_uid}"):
        kept = _copy(path)
        if kept is not None:
            return kept
        with lend_reader(here.settings) as reader:
            pixels = reader.read(here.images.get_kept(image.sha256), image.source_name).pixels
        try:
            keep_copy(path, lambda file: np.save(file, pixels, allow_pickle=False))
        except OSError as error:
            # It can be shown all the same; only the next tile has to be decoded for anew.
            log.warning(
                "the pixels of an image could not be kept for its tiles", lacks=outage(error) or str(error)
            )
        return pixels


def _copy(path: Path) -> NDArray[np.uint16] | None:
    """Return the copy of an image's pixels, of which only what is looked at is read; None where there is none."""
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        os.utime(path)  # looked at last, taken away last
    except (OSError, ValueError):
        return None
    return np.asarray(pixels) if pixels.dtype == np.uint16 and pixels.ndim == 2 else None


def keep_copy(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Keep what can be made again, for as long as there is room for it; raises `OSError` where it cannot be kept."""
    private_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _make_room(path.parent)


def _make_room(folder: Path) -> None:
    """Take away the copies that were looked at longest ago, as far as all are larger than `MOST_BYTES` together."""
    copies = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            found = path.stat()
            copies.append((found.st_mtime, found.st_size, path))
    too_much = sum(size for _, size, _ in copies) - MOST_BYTES
    for _, size, path in sorted(copies):
        if too_much <= 0:
            return
        path.unlink(missing_ok=True)
        too_much -= size
