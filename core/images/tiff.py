"""TIFF pictures: one page in grey, 8 or 16 bits, as scanners of film write them; every other kind is named."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.refusals import Refusal

__all__ = ["TIFF_STARTS", "WHAT_IS_READ", "check_tiff", "grey_of_tiff"]

TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""How a file begins: TIFF and BigTIFF, in either order of bytes."""

# Tags of TIFF 6.0, by their numbers there.
_BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT = 258, 262, 277, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_COLOURS = {
    2: "in colours",
    3: "of a palette",
    4: "a mask",
    5: "in printing colours",
    6: "in colours",
    8: "in colours",
}
_NUMBERS = {2: "signed numbers", 3: "floating-point numbers", 4: "of a kind that it does not name"}
WHAT_IS_READ = "Of TIFF one page in grey of 8 or 16 bits is read."


def check_tiff(picture: Image.Image) -> None:
    """Raise `Refusal` where an opened TIFF file is no single page in grey of 8 or 16 bits."""
    tags: Any = getattr(picture, "tag_v2", {})
    pages = int(getattr(picture, "n_frames", 1))
    if pages > 1:
        raise Refusal("multi_frame", f"It is a TIFF image of {pages} pages. {WHAT_IS_READ}")
    kind = int(tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO))
    if kind not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) or int(tags.get(_SAMPLES, 1)) != 1:
        words = _COLOURS.get(kind, "of several values a pixel")
        raise Refusal("unsupported_format", f"It is a TIFF image {words}. {WHAT_IS_READ}")
    numbers = int(_first(tags.get(_FORMAT, 1)))
    if numbers != 1:
        words = _NUMBERS.get(numbers, "of a kind that is not known here")
        raise Refusal("unsupported_format", f"It is a TIFF image whose pixels are {words}. {WHAT_IS_READ}")
    bits = int(_first(tags.get(_BITS, 1)))
    if bits not in (8, 16):
        raise Refusal("unsupported_format", f"It is a TIFF image of {bits} bits a pixel. {WHAT_IS_READ}")


def grey_of_tiff(picture: Image.Image) -> tuple[NDArray[np.uint16], int]:
    """Return the pixels of a loaded one (rows, columns), larger = brighter, and their bits."""
    tags: Any = getattr(picture, "tag_v2", {})
    bits = int(_first(tags.get(_BITS, 8)))
    pixels = np.asarray(picture).astype(np.uint16)
    if bits == 16 and int(tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)) == _WHITE_IS_ZERO:
        pixels = np.uint16(65535) - pixels  # of 8 bits the library has done so
    return pixels, bits


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value
