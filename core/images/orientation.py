"""Which way round and which way up an image is: turned where the file says how it lies and the pixels do not speak against it."""

from __future__ import annotations

import re

import numpy as np

from core.images.dicom_header import CRANIOCAUDAL_VIEWS, HeaderReader, orientation_of
from core.images.dicom_pixels import MeantPixels, invert
from core.images.mammogram import wall_is_right, why_not_a_mammogram
from core.images.reader import Header
from core.rules.vocabulary import QualityFlag

__all__ = ["settle_polarity", "turn_upright"]


def settle_polarity(reading: HeaderReader, meant: MeantPixels) -> None:
    """Turn an image the right way round whose file says of its polarity two things (PS3.3 C.8.11.1.1.2)."""
    photometric = (reading.text("PhotometricInterpretation") or "").upper()
    shape = (reading.text("PresentationLUTShape") or "").upper()
    if (photometric, shape) not in (("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY")):
        return
    reading.contradictions.append(
        f"PhotometricInterpretation {photometric} and PresentationLUTShape {shape} are of opposite polarity."
    )
    if meant.doubt is None and why_not_a_mammogram(meant.pixels) is not None:
        invert(meant)
        if why_not_a_mammogram(meant.pixels) is not None:
            invert(meant)


def turn_upright(reading: HeaderReader, header: Header, meant: MeantPixels) -> None:
    r"""Turn an image whose Patient Orientation (0020,0020) says that it lies on its side or upside down.

    Upright are a lateral or oblique view with the feet down and a craniocaudal one with the outer side up. Where the
    chest wall lies at another edge than the orientation says, one of both is wrong: that is said, and nothing turned.
    """
    parts = orientation_of(reading)
    if (
        meant.doubt is not None
        or len(parts) != 2
        or not all(re.fullmatch("[APRLHF]{1,3}", part) for part in parts)
    ):
        return
    if header.view is None:
        return
    row, column = parts
    below = _below(header)
    if below is None:
        return
    above = {"F": "H", "R": "L", "L": "R"}[below]
    if row[0] in "AP":
        right = wall_is_right(meant.pixels)
        if right is not None and right != (row[0] == "P"):
            edge, said = ("right", "left") if right else ("left", "right")
            reading.contradictions.append(
                f"PatientOrientation {row}/{column} says that the chest wall is at the {said}; it is at the {edge}."
            )
            return
        # Any other row with this column is that of a mirrored image, which no machine takes.
        as_turned = {"L": "P", "R": "A"}.get(header.laterality or "", row[0])
        if above in column and below not in column and row[0] == as_turned:
            meant.pixels = np.ascontiguousarray(meant.pixels[::-1, ::-1])
        else:
            return
    elif column[0] in "AP" and (below in row or above in row):
        meant.pixels = np.ascontiguousarray(np.rot90(meant.pixels, -1 if below in row else 1))
    else:
        return
    reading.flags.append(QualityFlag.TURNED_UPRIGHT)


def _below(header: Header) -> str | None:
    """Return the letter of what lies below in an upright view."""
    if header.view in CRANIOCAUDAL_VIEWS:
        return {"L": "R", "R": "L"}.get(header.laterality or "")
    return "F"
