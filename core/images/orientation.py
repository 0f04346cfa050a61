"""Which way round and which way up an image is: turned where the file says how it lies and the pixels do not speak against it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.images.dicom_header import CRANIOCAUDAL_VIEWS, HeaderReader, orientation_of
from core.images.dicom_pixels import MeantPixels, invert
from core.images.mammogram import wall_is_right, why_not_a_mammogram
from core.images.pectoral import is_upside_down
from core.images.read_image import Header
from core.rules.vocabulary import QualityFlag

__all__ = ["Hung", "hang_as", "settle_polarity", "turn_upright"]

_TURNS: dict[str, Callable[[NDArray[np.uint16]], NDArray[np.uint16]]] = {
    "half": lambda pixels: pixels[::-1, ::-1],
    "over": lambda pixels: pixels[::-1],
    "left": lambda pixels: np.rot90(pixels, 1),
    "right": lambda pixels: np.rot90(pixels, -1),
}


@dataclass
class Hung:
    """What was done to an image so that it hangs as it should: whether it was inverted, and which way it was turned."""

    inverted: bool = False
    turn: str | None = None


def hang_as(meant: MeantPixels, hung: Hung) -> None:
    """Hang one frame as another one of its file hangs, whatever it looks like by itself."""
    if hung.inverted:
        invert(meant)
    if hung.turn is not None:
        meant.pixels = np.ascontiguousarray(_TURNS[hung.turn](meant.pixels))


def settle_polarity(reading: HeaderReader, meant: MeantPixels, hung: Hung) -> None:
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
        hung.inverted = why_not_a_mammogram(meant.pixels) is None
        if not hung.inverted:
            invert(meant)


def turn_upright(reading: HeaderReader, header: Header, meant: MeantPixels, hung: Hung) -> None:
    r"""Turn an image whose Patient Orientation (0020,0020) says that it lies on its side or upside down.

    Upright are a lateral or oblique view with the feet down and a craniocaudal one with the outer side up. Where the
    chest wall lies at another edge than the orientation says, one of both is wrong: that is said, and nothing turned.
    """
    parts = orientation_of(reading)
    if meant.doubt is not None or header.view is None:
        return
    upside_down = header.view not in CRANIOCAUDAL_VIEWS and is_upside_down(meant.pixels)
    if len(parts) != 2 or not all(re.fullmatch("[APRLHF]{1,3}", part) for part in parts):
        if upside_down:
            _turn(reading, meant, hung, "half")
        return
    row, column = parts
    below = _below(header)
    if below is None:
        return
    above = {"F": "H", "R": "L", "L": "R"}[below]
    if row[0] in "AP":
        if not _wall_is_there(reading, meant, row, column):
            return
        if above not in column or below in column:
            if upside_down and below == "F":
                reading.contradictions.append(
                    f"PatientOrientation {row}/{column} says that the feet are below; the picture shows them above."
                )
            return
        # Any other row with this column is that of a mirrored image: so it lies only if it looks so.
        as_turned = {"L": "P", "R": "A"}.get(header.laterality or "", row[0])
        if row[0] == as_turned:
            _turn(reading, meant, hung, "half")
        elif upside_down:
            _turn(reading, meant, hung, "over")
    elif column[0] in "AP" and (below in row or above in row):
        _turn(reading, meant, hung, "right" if below in row else "left")


def _wall_is_there(reading: HeaderReader, meant: MeantPixels, row: str, column: str) -> bool:
    """Tell whether the chest wall is where the orientation says, or cannot be seen; it is said where it is elsewhere."""
    right = wall_is_right(meant.pixels)
    if right is None or right == (row[0] == "P"):
        return True
    edge, said = ("right", "left") if right else ("left", "right")
    reading.contradictions.append(
        f"PatientOrientation {row}/{column} says that the chest wall is at the {said}; it is at the {edge}."
    )
    return False


def _turn(reading: HeaderReader, meant: MeantPixels, hung: Hung, turn: str) -> None:
    hung.turn = turn
    meant.pixels = np.ascontiguousarray(_TURNS[turn](meant.pixels))
    reading.flags.append(QualityFlag.TURNED_UPRIGHT)


def _below(header: Header) -> str | None:
    """Return the letter of what lies below in an upright view."""
    if header.view in CRANIOCAUDAL_VIEWS:
        return {"L": "R", "R": "L"}.get(header.laterality or "")
    return "F"
