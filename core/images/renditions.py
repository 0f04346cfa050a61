"""What the viewer fetches: an image made small enough to send, and a thumbnail; both keep the image's orientation.

A rendition is ``b"LVR1"``, the length of its header (uint32, little-endian), the header as UTF-8 JSON and the
zlib-compressed pixels (uint16, little-endian, row by row). Its window is the file's, or one that shows the breast.
"""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, update

from core.images.percentiles import percentiles
from core.images.reader import ReadImage, lend_reader
from core.logs import log_of
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from db.sessions import WITH_PUT_AWAY
from db.tables import Image

if TYPE_CHECKING:
    from core.installation import Installation

log = log_of(__name__)

Derived = Literal["rendition_sha256", "thumbnail_sha256"]

READING = 1
"""The number of the way in which pixels are read from files: one more whenever a file may mean other pixels than before,
so that the worker makes what was read otherwise anew (`core.worker.rereading`)."""
MAGIC = b"LVR1"
LONGEST_SIDE = 1600
_FRAMED_BYTES = 700_000
"""Pixels up to here are framed as they are: to pack those of 640 x 480 takes a seventh of their intake and halves them."""
THUMBNAIL_SIDE = 256
CROP_SIDE = 320
CROP_BEYOND = 0.5
"""Share of an image's longest side that a crop may reach beyond it."""

_turns: dict[str, tuple[threading.Lock, int]] = {}
"""For every image whose pictures are being made: the lock, and how many hold it or wait for it."""
_turns_lock = threading.Lock()


@needs(Permission.SEE_PATIENTS)
def rendition(here: Installation, sop_uid: str) -> bytes:
    """Return the viewer's pixels of one image; raises `KeyError` if there is no such image."""
    return _derived(here, sop_uid, "rendition_sha256")


@needs(Permission.SEE_PATIENTS)
def thumbnail_png(here: Installation, sop_uid: str) -> bytes:
    """Return a small PNG of one image, its window applied; raises `KeyError` if there is no such image."""
    return _derived(here, sop_uid, "thumbnail_sha256")


@needs(Permission.SEE_PATIENTS)
def crop_png(here: Installation, sop_uid: str, box: tuple[int, int, int, int]) -> bytes:
    """Return a part of one image as a PNG, window applied, its longest side at least `CROP_SIDE` pixels.

    Parameters
    ----------
    box
        Left, top, right, bottom in the image's own pixels; what reaches beyond the image is black.

    Raises
    ------
    KeyError
        If there is no such image.
    ValueError
        If the box is empty, beside the image or reaches far beyond it.
    """
    import cv2

    header, pixels = open_rendition(rendition(here, sop_uid))
    scale = header["columns"] / header["source_columns"]
    left, top, right, bottom = (round(edge * scale) for edge in box)
    part = pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)].astype(np.float32)
    rows, columns = pixels.shape
    beyond = max(0, -top), max(0, bottom - rows), max(0, -left), max(0, right - columns)
    if not part.size:
        raise ValueError("This box shows nothing of the image.")
    if max(beyond) > CROP_BEYOND * max(rows, columns):
        raise ValueError("This box reaches far beyond the image.")
    low = header["window_center"] - header["window_width"] / 2
    shown = np.clip((part - low) / header["window_width"], 0.0, 1.0) * 255.0
    shown = cv2.copyMakeBorder(shown, *beyond, cv2.BORDER_CONSTANT, value=0)
    enlarge = CROP_SIDE / max(shown.shape)
    if enlarge > 1:
        shown = cv2.resize(shown, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_LINEAR)
    _, png = cv2.imencode(".png", shown.round().astype(np.uint8))
    return bytes(png)


def is_of_this_release(rendition: bytes) -> bool:
    """Return whether a stored rendition is written as this release writes and its viewer reads it."""
    return rendition[: len(MAGIC)] == MAGIC


def _derived(here: Installation, sop_uid: str, column: Derived) -> bytes:
    kept = _kept(here, sop_uid, column)
    if kept is not None:
        return kept
    # One request makes it, the others that come meanwhile wait and find it: a page asks for all views at once.
    with one_at_a_time(sop_uid):
        kept = _kept(here, sop_uid, column)
        return kept if kept is not None else made_anew(here, sop_uid, column)


def _kept(here: Installation, sop_uid: str, column: Derived) -> bytes | None:
    """Return what is stored, or None if it is gone or of an older release; raises `KeyError` if there is no image."""
    with here.database.read() as session:
        key = session.scalar(
            select(getattr(Image, column)).where(Image.sop_uid == sop_uid), execution_options=WITH_PUT_AWAY
        )
    if key is None:
        raise KeyError(sop_uid)
    try:
        data = here.images.get_kept(key)
    except FileNotFoundError:
        return None
    return data if column == "thumbnail_sha256" or is_of_this_release(data) else None


def made_anew(here: Installation, sop_uid: str, column: Derived) -> bytes:
    """Make both from the image itself and keep them, objects first, then the row that names them; return one.

    What the row named before stays in the store, where `verify` lists it as named by nothing.
    """
    with here.database.read() as session:
        image = session.scalars(
            select(Image).where(Image.sop_uid == sop_uid), execution_options=WITH_PUT_AWAY
        ).one()
    with lend_reader(here.settings) as reader:
        made = reader.prepare(here.images.get_kept(image.sha256), image.source_name)
    try:
        keys = {
            "rendition_sha256": here.images.put(made.rendition),
            "thumbnail_sha256": here.images.put(made.thumbnail_png),
        }
        if keys != {name: getattr(image, name) for name in keys}:
            with here.database.write() as session:
                session.execute(update(Image).where(Image.id == image.id).values(keys))
    except Exception as error:
        # The picture is there to be looked at; it can be kept, and written down, the next time.
        if (said := outage(error)) is None:
            raise
        log.warning("a picture was made anew, but could not be kept", lacks=said)
    return made.rendition if column == "rendition_sha256" else made.thumbnail_png


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Let one thread at a time make something: the pictures of an image, by its SOP UID."""
    with _turns_lock:
        turn, waiting = _turns.get(what, (threading.Lock(), 0))
        _turns[what] = turn, waiting + 1
    try:
        with turn:
            yield
    finally:
        with _turns_lock:
            turn, waiting = _turns.pop(what)
            if waiting > 1:
                _turns[what] = turn, waiting - 1


def make_pictures(image: ReadImage) -> tuple[bytes, bytes]:
    """Return rendition and thumbnail of a decoded image, shrunk once for both."""
    pixels, window = reduced(image.pixels, LONGEST_SIDE), shown_window(image)
    return _rendition(image, pixels, window), _thumbnail(pixels, window)


def make_rendition(image: ReadImage) -> bytes:
    """Return the rendition of a decoded image, its longest side at most `LONGEST_SIDE` pixels."""
    return _rendition(image, reduced(image.pixels, LONGEST_SIDE), shown_window(image))


def _rendition(image: ReadImage, pixels: NDArray[np.uint16], window: tuple[float, float]) -> bytes:
    center, width = window
    scale = image.columns / pixels.shape[1]
    spacing = image.pixel_spacing_mm
    facts = {
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "source_rows": image.rows,
        "source_columns": image.columns,
        "bits": image.bits_stored,
        "window_center": center,
        "window_width": width,
        "spacing_mm": None if spacing is None else spacing * scale,
    }
    if image.frames > 1:
        facts |= {"frames": image.frames, "frame": image.frame}
    return pack(facts, pixels, level=0 if pixels.nbytes <= _FRAMED_BYTES else 1)


def pack(facts: Mapping[str, Any], pixels: NDArray[np.uint16], *, level: int = 1) -> bytes:
    """Return pixels (rows, columns) and what is said of them in the form of a rendition, at zlib's `level`."""
    header = json.dumps(facts).encode()
    # Grain repeats nowhere: looking for runs only packs films as well, in half the time.
    packer = zlib.compressobj(level, strategy=zlib.Z_RLE)
    packed = packer.compress(np.ascontiguousarray(pixels, dtype="<u2").tobytes()) + packer.flush()
    return MAGIC + struct.pack("<I", len(header)) + header + packed


def facts_of(rendition: bytes) -> dict[str, Any]:
    """Return what a rendition says of itself, without unpacking it; raises `ValueError` if it is none."""
    if rendition[:4] != MAGIC:
        raise ValueError("Not a rendition.")
    (length,) = struct.unpack_from("<I", rendition, 4)
    facts: dict[str, Any] = json.loads(rendition[8 : 8 + length])
    return facts


def open_rendition(data: bytes) -> tuple[dict[str, Any], NDArray[np.uint16]]:
    """Return header and pixels (rows, columns) of a rendition; raises `ValueError` if it is none."""
    header = facts_of(data)
    (length,) = struct.unpack_from("<I", data, 4)
    pixels = np.frombuffer(zlib.decompress(data[8 + length :]), dtype="<u2")
    return header, pixels.reshape(header["rows"], header["columns"])


def _thumbnail(pixels: NDArray[np.uint16], window: tuple[float, float]) -> bytes:
    """Return a PNG, 8 bits, longest side at most `THUMBNAIL_SIDE` pixels, with the window applied."""
    import cv2

    from core.images.mammogram import SKETCH_SIDE, sketch_of

    center, width = window
    small = sketch_of(pixels) if THUMBNAIL_SIDE == SKETCH_SIDE else None
    if small is None:
        small = reduced(pixels, THUMBNAIL_SIDE).astype(np.float32)
    shown = np.clip((small - (center - width / 2)) / width, 0.0, 1.0) * 255.0
    _, png = cv2.imencode(".png", shown.round().astype(np.uint8))
    return bytes(png)


def shown_window(image: ReadImage) -> tuple[float, float]:
    """Return centre and width of the window to open with: the file's, or one that fits the breast's values."""
    if image.window_center is not None and image.window_width is not None:
        return image.window_center, image.window_width
    sample = image.pixels[:: max(1, image.rows // 256), :: max(1, image.columns // 256)]
    lit = sample[sample > 0.05 * float(sample.max())] if sample.size else sample
    if lit.size == 0:
        return 2.0 ** (image.bits_stored - 1), 2.0**image.bits_stored
    low, high = percentiles(lit, 2, 99.5)
    return (low + high) / 2, max(1.0, high - low)


def reduced(pixels: NDArray[np.uint16], longest_side: int) -> NDArray[np.uint16]:
    """Return pixels (rows, columns) shrunk so that the longest side has at most so many; never blown up."""
    import cv2

    rows, columns = pixels.shape
    scale = longest_side / max(rows, columns)
    if scale >= 1:
        return pixels
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint16)
