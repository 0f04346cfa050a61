"""Text that is burned into the pixels of a DICOM image: blacked out where nothing of the breast is, else a reason to refuse.

In a mammogram all beyond the breast goes, with its markers and labels; in ultrasound all outside the calibrated regions.
What is left stays bit by bit as it was. Pixels are stored without loss, whatever they came in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import decompress, pixel_array, set_pixel_data
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from core.deidentification.burned_in import letters, outside_the_breast
from core.deidentification.profile import Removed
from core.refusals import Refusal

__all__ = ["clean_pixels"]

_WITHOUT_LOSS = frozenset({RLELossless, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SLICES = frozenset({"MR", "CT", "NM", "PT"})
"""Modalities whose primary images carry no writing in their pixels."""
UNSURE = "Text in its picture cannot be told from what it shows."


def clean_pixels(dataset: Dataset, removed: Removed, *, max_pixels: int) -> None:
    """Black out, in place, what may hold text; say so in the data set.

    Raises `Refusal`: ``burned_in_text`` where letters stand on what has to stay or nobody can say that there are none,
    ``unreadable`` or another one where the pixels cannot be read.
    """
    _check(dataset, max_pixels)
    was = UID(str(dataset.file_meta.TransferSyntaxUID))
    pixels = _stored(dataset, was)
    several = _frames(dataset, pixels)
    seen = _grey(dataset, several)
    hidden = _hidden(dataset, seen)
    if letters(seen, hidden):
        raise Refusal("burned_in_text", "Letters stand on what it shows.")
    if hidden is not None and hidden.any():
        _black_out(dataset, several, hidden)
        removed.actions.append(("PixelData", f"{100 * float(hidden.mean()):.0f} % blacked out"))
    _write(dataset, pixels, was)
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"


def _check(dataset: Dataset, max_pixels: int) -> None:
    if "PixelData" not in dataset:
        raise Refusal("no_image")
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not rows or not columns:
        raise Refusal("unreadable", "Rows (0028,0010) or Columns (0028,0011) is missing.")
    if rows * columns * frames > max_pixels:
        raise Refusal("decompression_bomb", f"It says to have {frames} × {rows} × {columns} pixels.")
    samples, bits = int(dataset.get("SamplesPerPixel") or 1), int(dataset.get("BitsAllocated") or 0)
    if (samples, bits) not in ((1, 8), (1, 16), (3, 8)):
        raise Refusal("unreadable", f"Pixels of {samples} × {bits} bits are not cleaned here.")
    if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        raise Refusal("unsupported_compression", "It is written in big endian.")


def _stored(dataset: Dataset, syntax: UID) -> NDArray[Any]:
    """Return the pixels as they are stored, or in RGB, as an array that may be written into; unpacked in the data set too."""
    if syntax.is_compressed and syntax.is_encapsulated:
        decompress(dataset, as_rgb=True, generate_instance_uid=False)
        if syntax not in _WITHOUT_LOSS and not dataset.get("LossyImageCompression"):
            dataset.LossyImageCompression = "01"
    colours = int(dataset.SamplesPerPixel) == 3
    if colours and dataset.PhotometricInterpretation != "RGB":
        pixels = np.array(pixel_array(dataset))
        set_pixel_data(dataset, pixels, "RGB", 8, generate_instance_uid=False)
        return pixels
    return np.array(pixel_array(dataset, raw=True))


def _frames(dataset: Dataset, pixels: NDArray[Any]) -> NDArray[Any]:
    """Return a view of the pixels as (frames, rows, columns, samples)."""
    return pixels.reshape(
        int(dataset.get("NumberOfFrames") or 1),
        int(dataset.Rows),
        int(dataset.Columns),
        int(dataset.SamplesPerPixel),
    )


def _grey(dataset: Dataset, pixels: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the brightest that any frame and colour shows, (rows, columns), larger = brighter."""
    values = pixels.astype(np.int32)
    stored, high = int(dataset.get("BitsStored") or 16), int(dataset.get("HighBit") or 15)
    if pixels.dtype.kind == "u":
        values = (values >> max(0, high + 1 - stored)) & ((1 << stored) - 1)
    if (
        str(dataset.get("PhotometricInterpretation")) == "MONOCHROME1"
        or dataset.get("PresentationLUTShape") == "INVERSE"
    ):
        values = -values
    values -= values.min()
    return values.max(axis=(0, 3)).astype(np.uint16)


def _hidden(dataset: Dataset, seen: NDArray[np.uint16]) -> NDArray[np.bool_] | None:
    """Return what is blacked out; None where all stays; raises `Refusal` where nobody can tell."""
    modality = str(dataset.get("Modality") or "").upper()
    says_none = str(dataset.get("BurnedInAnnotation") or "").upper() == "NO"
    is_capture = str(dataset.get("SOPClassUID") or "").startswith(_SECONDARY_CAPTURE)
    if modality == "US":
        regions = _regions(dataset, seen.shape)
        if regions is None and not says_none:
            raise Refusal("burned_in_text", "It says nowhere which part of it is the ultrasound picture.")
        return regions
    if modality not in _SLICES:
        outside = outside_the_breast(seen)
        if outside is not None:
            return outside
    elif not is_capture and str(dataset.get("BurnedInAnnotation") or "").upper() != "YES":
        return None
    if says_none and not is_capture:
        return None
    raise Refusal("burned_in_text", UNSURE)


def _regions(dataset: Dataset, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return all outside the calibrated regions of an ultrasound picture (PS3.3 C.8.5.5); None where it names none."""
    hidden = np.ones(shape, bool)
    for region in dataset.get("SequenceOfUltrasoundRegions") or []:
        try:
            x0, y0, x1, y1 = (
                int(region[f"RegionLocation{end}"].value) for end in ("MinX0", "MinY0", "MaxX1", "MaxY1")
            )
        except (KeyError, TypeError, ValueError):
            continue
        hidden[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = False
    return None if hidden.all() else hidden


def _black_out(dataset: Dataset, pixels: NDArray[Any], hidden: NDArray[np.bool_]) -> None:
    inverse = str(dataset.get("PhotometricInterpretation")) == "MONOCHROME1" or (
        dataset.get("PresentationLUTShape") == "INVERSE"
    )
    pixels[:, hidden] = pixels.max() if inverse else pixels.min()


def _write(dataset: Dataset, pixels: NDArray[Any], was: UID) -> None:
    """Put the pixels back: packed without loss if they came packed.

    The library has cleared the bits beyond those that are stored, in which older files keep overlays.
    """
    data = pixels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) & 1)
    if int(dataset.SamplesPerPixel) == 3:
        dataset.PlanarConfiguration = 0
    if was.is_compressed and was.is_encapsulated:
        dataset.compress(RLELossless, generate_instance_uid=False)
