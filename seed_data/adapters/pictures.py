"""What the images of a public data set say: headers, the boxes that masks draw, and formats nothing else reads."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from core.images import coded_view
from core.sets import MOST_PIXELS
from seed_data.adapters import terms
from seed_data.adapters.public_set import Box

__all__ = ["Facts", "Unreadable", "boxes_of_mask", "facts_of", "png_from_pgm"]

_TAGS = [
    "PatientID",
    "PatientAge",
    "StudyDate",
    "ImageLaterality",
    "Laterality",
    "ViewPosition",
    "ViewCodeSequence",
    "PatientOrientation",
    "SeriesDescription",
    "PresentationIntentType",
    "Rows",
    "Columns",
]


class Unreadable(ValueError):
    """The file cannot be read as an image; the message says why."""


@dataclass(frozen=True)
class Facts:
    """What an image's header says; empty where it says nothing. Sizes are in pixels."""

    rows: int
    columns: int
    patient_id: str = ""
    age: str = ""
    study_date: str = ""
    laterality: str = ""
    view: str = ""
    orientation: str = ""
    series: str = ""
    intent: str = ""


def facts_of(path: Path) -> Facts:
    """Read an image's header without its pixels; raises `Unreadable`."""
    try:
        if _is_dicom(path):
            return _dicom_facts(path)
        with _opened(path) as picture:
            return Facts(rows=picture.height, columns=picture.width)
    except Unreadable:
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise Unreadable(f"its image cannot be read ({type(error).__name__})") from error


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _dicom_facts(path: Path) -> Facts:
    # A deflated file swells without bound before its header can be read; no set has one.
    if pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        raise Unreadable("its image is a deflated DICOM file, which is not read here")
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))

    def text(keyword: str) -> str:
        value = header.get(keyword)
        return "" if value is None else str(value).strip()

    codes = [str(item.get("CodeValue", "")).strip() for item in header.get("ViewCodeSequence") or []]
    said = [view for view in map(coded_view, codes) if view is not None]
    orientation = header.get("PatientOrientation") or []
    return Facts(
        rows=int(header.get("Rows") or 0),
        columns=int(header.get("Columns") or 0),
        patient_id=text("PatientID"),
        age=terms.age_years(text("PatientAge")),
        study_date=terms.day(text("StudyDate")),
        laterality=terms.laterality(text("ImageLaterality")) or terms.laterality(text("Laterality")),
        view=said[0] if said else terms.view(text("ViewPosition")),
        orientation=str(orientation if isinstance(orientation, str) else "\\".join(map(str, orientation))),
        series=text("SeriesDescription"),
        intent=text("PresentationIntentType"),
    )


def _opened(path: Path, *kinds: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = Image.open(path, formats=kinds or ("PNG", "JPEG", "TIFF", "BMP"))
    if picture.width * picture.height > MOST_PIXELS:
        raise Unreadable(f"its image has more than {MOST_PIXELS / 1e6:.0f} million pixels")
    return picture


def boxes_of_mask(path: Path, size: tuple[int, int] | None = None, *, parts: bool = False) -> list[Box]:
    """Return the boxes around what a mask marks (x0, y0, x1, y1 in pixels, half open), largest first.

    Parameters
    ----------
    path
        The mask: above half of its largest value is marked.
    size
        Rows and columns that the mask must have, those of its image.
    parts
        True: a box around each part that hangs together, specks below a hundredth of the largest left out;
        False: one box around all.

    Raises
    ------
    Unreadable
        If the mask cannot be read, or has another size.
    """
    try:
        marked = _marked(path)
    except Unreadable:
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise Unreadable(f"its mask cannot be read ({type(error).__name__})") from error
    if size is not None and marked.shape != size:
        raise Unreadable("its mask has another size than the image")
    if not marked.any():
        return []
    if not parts:
        rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
        return [(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))]
    _, _, stats, _ = cv2.connectedComponentsWithStats(marked.astype(np.uint8), connectivity=8)
    found = sorted(stats[1:].tolist(), key=lambda one: -one[cv2.CC_STAT_AREA])
    least = found[0][cv2.CC_STAT_AREA] / 100
    return [
        (float(x), float(y), float(x + width), float(y + height))
        for x, y, width, height, area in found
        if area >= least
    ]


def _marked(path: Path) -> NDArray[np.bool_]:
    if _is_dicom(path):
        facts = _dicom_facts(path)
        if not 0 < facts.rows * facts.columns <= MOST_PIXELS:
            raise Unreadable("its mask has an impossible size")
        pixels = np.asarray(pydicom.dcmread(path).pixel_array)
    else:
        with _opened(path) as picture:
            pixels = np.asarray(picture)
    if pixels.ndim == 3:
        pixels = pixels[..., :3].max(axis=2)
    if pixels.ndim != 2:
        raise Unreadable("its mask is no single picture")
    return np.asarray(pixels > pixels.max() / 2)


def png_from_pgm(path: Path, target: Path) -> None:
    """Write a PGM picture as PNG, losslessly, in one step; one that is there already stays. Raises `Unreadable`."""
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.part")
    try:
        with _opened(path, "PPM") as picture:
            picture.load()
            if picture.mode not in ("L", "I", "I;16"):
                raise Unreadable("its image is no grey picture")
            picture.save(half, "PNG")
        half.replace(target)
    except Unreadable:
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise Unreadable(f"its image cannot be read ({type(error).__name__})") from error
    finally:
        half.unlink(missing_ok=True)
