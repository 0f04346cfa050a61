"""PNG, JPEG and TIFF pictures: pixels only, cleaned as those of a mammogram; what else the file held is left behind."""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from core.deidentification.burned_in import letters, outside_the_breast
from core.deidentification.pixels import UNSURE
from core.deidentification.profile import Removed
from core.images import check_tiff, grey_of_tiff, no_larger_than
from core.refusals import Refusal

__all__ = ["clean_picture"]

_SIMULATED = "SIMULATED"


def clean_picture(data: bytes, removed: Removed, *, max_pixels: int) -> bytes:
    """Return the picture as a PNG of its pixels alone, in grey, black beyond the breast.

    Raises `Refusal` (``burned_in_text``) where text cannot be told from what it shows, and whatever Pillow does on damaged
    files.
    """
    with no_larger_than(max_pixels), Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "TIFF")) as file:
        is_tiff = file.format == "TIFF"
        if is_tiff:
            check_tiff(file)
        file.load()
        held = sorted(str(name) for name in file.info)
        comment = str(file.info.get("Comment", "")).upper()
        turned = not is_tiff and ExifTags.Base.Orientation in file.getexif()
        picture: Image.Image = ImageOps.exif_transpose(file) if turned else file
        sixteen = picture.mode in ("I;16", "I;16B", "I")
        if is_tiff:
            grey, bits = grey_of_tiff(file)
            sixteen = bits == 16
        else:
            grey = np.array(picture if sixteen else picture.convert("L"))
    pixels = np.clip(grey, 0, 65535).astype(np.uint16 if sixteen else np.uint8)
    seen = pixels.astype(np.uint16)
    hidden = outside_the_breast(seen)
    if hidden is None:
        raise Refusal("burned_in_text", UNSURE)
    if letters(seen, hidden):
        raise Refusal("burned_in_text", "Letters stand on what it shows.")
    pixels[hidden] = pixels.min()
    removed.actions += [(name, "removed: beside the pixels") for name in held]
    removed.actions.append(("pixels", f"{100 * float(hidden.mean()):.0f} % blacked out"))
    out, info = io.BytesIO(), PngInfo()
    if comment.startswith(_SIMULATED):
        info.add_text("Comment", _SIMULATED)
    Image.fromarray(pixels).save(out, "PNG", pnginfo=info)
    return out.getvalue()
