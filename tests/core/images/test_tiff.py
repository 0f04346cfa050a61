"""TIFF pictures: one page in grey is read as it is meant, every other kind is named."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from core.images.decoding import decode
from core.incoming import IncomingFile, Statement, take_in
from core.refusals import Refusal
from tests.core.incoming.test_intake import DAY
from tests.pictures import breast

FILM = breast(rows=320, columns=240) << 4
SMALL = (FILM >> 8).astype(np.uint8)


def tiff(pixels: np.ndarray, photometric: int = 1, *, order: str = "<", **tags: int) -> bytes:
    """Write one page without compression, by the letter of TIFF 6.0; `tags` are named t258 and so on."""
    rows, columns = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: columns, 257: rows, 258: 8 * pixels.dtype.itemsize, 259: 1, 262: photometric, 273: 8,
        277: 1 if pixels.ndim == 2 else pixels.shape[2], 278: rows, 279: len(data),
    } | {int(name[1:]): value for name, value in tags.items()}  # fmt: skip
    out = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(data)) + data
    out += struct.pack(f"{order}H", len(entries))
    out += b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return out + bytes(4)


def by_library(pixels: np.ndarray, **how) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF", **how)
    return file.getvalue()


def read(data: bytes):
    return decode(data, max_pixels=60_000_000)


@pytest.mark.parametrize(
    ("data", "meant", "bits"),
    [
        (tiff(FILM), FILM, 16),
        (tiff(FILM, order=">"), FILM, 16),
        (tiff(SMALL), SMALL, 8),
        (tiff(65535 - FILM, 0), FILM, 16),
        (tiff(255 - SMALL, 0), SMALL, 8),
        (by_library(FILM, compression="tiff_lzw"), FILM, 16),
        (by_library(SMALL, compression="tiff_adobe_deflate"), SMALL, 8),
    ],
    ids=["16 bits", "big endian", "8 bits", "16 bits, white is 0", "8 bits, white is 0", "LZW", "deflate"],
)
def test_one_page_in_grey_is_read(data, meant, bits):
    image = read(data)
    assert (image.media_type, image.bits_stored, image.doubt) == ("image/tiff", bits, None)
    assert np.array_equal(image.pixels, meant)


@pytest.mark.parametrize(
    ("data", "reason", "named"),
    [
        (tiff(np.repeat(SMALL[..., None], 3, axis=2), 2), "unsupported_format", "colours"),
        (tiff(FILM.astype(np.float32), t339=3), "unsupported_format", "floating-point"),
        (by_library(SMALL > 100), "unsupported_format", "1 bits"),
        (
            by_library(SMALL, save_all=True, append_images=[Image.fromarray(SMALL)] * 2),
            "multi_frame",
            "3 pages",
        ),
        (b"II*\0" + bytes(300), "unsupported_format", "TIFF"),
        (tiff(FILM)[:5000], "unsupported_format", "TIFF"),
    ],
    ids=["colours", "floats", "one bit", "pages", "nothing", "cut"],
)
def test_every_other_kind_is_named(data, reason, named):
    with pytest.raises(Refusal) as refused:
        read(data)
    assert refused.value.reason == reason
    assert named in refused.value.detail


def test_a_cut_or_enormous_one_is_refused_before_it_is_unfolded():
    with pytest.raises(Refusal) as refused:
        read(by_library(FILM)[:40_000])
    assert refused.value.reason in ("truncated", "unreadable", "unsupported_format")
    with pytest.raises(Refusal) as refused:
        decode(tiff(FILM), max_pixels=10_000)
    assert refused.value.reason == "decompression_bomb"


def test_it_is_taken_in_as_a_png_is(here):
    said = Statement("MRN-1", DAY, views={"scan.tif": ("L", "MLO")})
    (item,) = take_in(here, [IncomingFile("scan.tif", tiff(FILM))], statement=said, source="cli").items
    assert (item.outcome, item.view) == ("accepted", "MLO"), item.text
