"""From bytes to one image: DICOM, PNG, JPEG or TIFF, told apart by their bytes, never by their names.

Runs in `core.images.process` only: decoders are not trusted with hostile bytes anywhere else.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from core.images import tiff
from core.images.bombs import no_larger_than
from core.images.dicom import decode_dicom
from core.images.grey import grey
from core.images.lossy import bits_of_picture
from core.images.mammogram import COLOURED, why_not_a_mammogram
from core.images.pectoral import is_upside_down
from core.images.preamble import looks_like_dicom
from core.images.read_image import Header, ReadImage
from core.images.ultrasound import why_not_ultrasound
from core.refusals import Refusal
from core.rules.vocabulary import QualityFlag

_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"RIFF", "a WebP image or a film"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a bare JPEG 2000 image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x89HDF", "an HDF5 file"),
    (b"NRRD", "an NRRD volume"),
    (b"\x5c\x01\x00\x00", "a NIfTI volume"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"{\\rtf", "an office document"),
    (b"<", "a web page or XML"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
)
# By the major brand of an ISO base media file (ISO/IEC 14496-12 4.3).
_BRANDS = {
    b"avif": "an AVIF image",
    b"avis": "an AVIF image",
    b"heic": "a HEIC image",
    b"heix": "a HEIC image",
    b"mif1": "a HEIC image",
}
# A telephone's JPEG with further pictures behind it (MPO) is a JPEG by its first one.
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "TIFF": "image/tiff"}
_FORMATS = ("PNG", "JPEG", "TIFF")


def decode(data: bytes, *, max_pixels: int, frame: int | None = None) -> ReadImage:
    """Decode one image and look at it: pixels, header, quality, whether it is a mammogram.

    Of several frames that is the one that stands for all, or the one whose number is given, from 1.

    Raises
    ------
    Refusal
        If it cannot be read. That it is no mammogram is said in `doubt`, not raised.
    """
    try:
        if looks_like_dicom(data):
            image = decode_dicom(data, max_pixels=max_pixels, frame=frame)
        elif data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", *tiff.TIFF_STARTS)):
            image = _decode_picture(data, max_pixels=max_pixels)
            if image.doubt is None and is_upside_down(image.pixels):
                image.pixels = np.ascontiguousarray(image.pixels[::-1, ::-1])
                image.quality_flags.append(QualityFlag.TURNED_UPRIGHT)
        else:
            kind = _other_kind(data)
            raise Refusal("unsupported_format", f"By its content it is {kind}." if kind else "")
    except (Refusal, MemoryError):
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise Refusal("unreadable", _found(error)) from error
    image.doubt = image.doubt or _why_not(image)
    return image


def _other_kind(data: bytes) -> str | None:
    """Return what bytes are that are neither DICOM nor a picture that is read; None if that is not known."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a film")
    if data[257:262] == b"ustar":
        return "a tar archive"
    return next((name for start, name in _OTHER_KINDS if data.startswith(start)), None)


def _why_not(image: ReadImage) -> str | None:
    """Return what its pixels say against a mammogram; None if nothing does."""
    is_silent = image.header.modality in (None, "OT", "SC")
    # A handful of ultrasound images have a breast's outline, no mammogram has ultrasound's layers.
    if is_silent and why_not_ultrasound(image.pixels) is None:
        image.looks_like = "US"
        return "It looks like an ultrasound image."
    return why_not_a_mammogram(image.pixels)


def _found(error: BaseException) -> str:
    """Return what a decoder complained of, short enough for a table."""
    said = " ".join(str(error).split())[:200]
    return f"The decoder says: {type(error).__name__}{': ' + said if said else ''}."


def _decode_picture(data: bytes, *, max_pixels: int) -> ReadImage:
    try:
        with no_larger_than(max_pixels):
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                picture.verify()
            # `verify` spends the image: it has to be opened again to be loaded.
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                media_type = _MEDIA_TYPES[picture.format or ""]
                if picture.format == "TIFF":
                    tiff.check_tiff(picture)
                if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
                    raise Refusal("multi_frame", "It is an animated picture.")
                picture.load()
                image = _picture(picture, media_type)
        if media_type == "image/jpeg":
            image.bits_left = bits_of_picture(data)
        return image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Refusal(
            "decompression_bomb", f"It says to have more than {max_pixels / 1e6:.0f} million pixels."
        ) from error
    except UnidentifiedImageError as error:
        if data.startswith(tiff.TIFF_STARTS):
            what = f"By its content it is a TIFF image that is damaged, or of a kind that is rare. {tiff.WHAT_IS_READ}"
            raise Refusal("unsupported_format", what) from error
        raise Refusal("unreadable", "Its first bytes are those of a picture, the rest is not.") from error
    except (OSError, SyntaxError, EOFError, ValueError) as error:
        said = str(error).lower()
        if "truncated" in said or "eof" in said or isinstance(error, EOFError):
            raise Refusal("truncated") from error
        raise


def _picture(picture: Image.Image, media_type: str) -> ReadImage:
    """Return a loaded PNG, JPEG or TIFF as grey values; one with colours is doubted."""
    doubt = None
    # A simulated PNG says so in its comment, as a simulated DICOM does in Patient Comments.
    simulated = str(picture.info.get("Comment", "")).upper().startswith("SIMULATED")
    if ExifTags.Base.Orientation in picture.getexif():
        picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        # What is transparent shows nothing: it is background, whatever colour lies beneath.
        clear = picture.convert("RGBA")
        background = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(background, clear).convert("RGB")
    if picture.mode == "1":
        doubt = "It has one bit a pixel, as masks have."
    if media_type == "image/tiff":
        pixels, bits = tiff.grey_of_tiff(picture)
    elif picture.mode in ("1", "L"):
        pixels, bits = np.asarray(picture.convert("L"), dtype=np.uint16), 8
    elif picture.mode in ("I;16", "I;16B", "I"):
        pixels, bits = np.clip(np.asarray(picture), 0, 65535).astype(np.uint16), 16
    else:
        pixels, bits, colourful = grey(np.asarray(picture.convert("RGB")))
        doubt = COLOURED if colourful else None
    pixels = np.ascontiguousarray(pixels)
    rows, columns = pixels.shape
    return ReadImage(
        rows=rows,
        columns=columns,
        bits_stored=bits,
        media_type=media_type,
        pixels=pixels,
        header=Header(simulated=simulated),
        doubt=doubt,
    )
