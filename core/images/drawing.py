"""The pictures of an image: a rendition small enough to send, and a thumbnail; both keep the image's orientation.

A rendition is ``b"LVR1"``, the length of its header (uint32, little-endian), the header as UTF-8 JSON and the
zlib-compressed pixels (uint16, little-endian, row by row). Its window is the file's, or one that shows the breast.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.images.percentiles import percentiles

if TYPE_CHECKING:
    from core.images.read_image import ReadImage

MAGIC = b"LVR1"
LONGEST_SIDE = 1600
_FRAMED_BYTES = 700_000
"""Pixels up to here are framed as they are: to pack those of 640 x 480 takes a seventh of their intake and halves them."""
THUMBNAIL_SIDE = 256


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


def is_of_this_release(rendition: bytes) -> bool:
    """Return whether a stored rendition is written as this release writes and its viewer reads it."""
    return rendition[: len(MAGIC)] == MAGIC
