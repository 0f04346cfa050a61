"""What a DICOM file says, and the pixels it shows. Decoding runs in `core.images.process` only."""

from __future__ import annotations

import io
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from core.images.dicom_encoding import check_syntax, settle_encoding
from core.images.dicom_header import HeaderReader, flag_view, header_of
from core.images.dicom_kind import doubted_kind, flag_kind
from core.images.dicom_other import other_kind, representative_frame, spacing_of_other, why_no_other_kind
from core.images.dicom_pixels import meant_pixels
from core.images.orientation import settle_polarity, turn_upright
from core.images.preamble import check_inflated_size
from core.images.reader import ReadImage
from core.refusals import Refusal
from core.rules.vocabulary import QualityFlag

_DICOMDIR = "1.2.840.10008.1.3.10"
_HEADER_ROOM_BYTES = 64_000_000


def decode_dicom(data: bytes, *, max_pixels: int) -> ReadImage:
    """Decode a DICOM file of one image; raises `Refusal`, and whatever pydicom raises on damaged files."""
    check_inflated_size(data, 2 * max_pixels + _HEADER_ROOM_BYTES)
    dataset = pydicom.dcmread(io.BytesIO(data), force=data[128:132] != b"DICM")
    check_syntax(dataset)
    reading = HeaderReader(dataset)
    kind = other_kind(reading)
    _check_kind(dataset, max_pixels, reading if kind else None)
    header = header_of(reading)
    encoding = settle_encoding(reading)
    meant = meant_pixels(reading, encoding)
    meant.doubt = meant.doubt or why_no_other_kind(reading) or doubted_kind(reading)
    settle_polarity(reading, meant)
    turn_upright(reading, header, meant)
    rows, columns = meant.pixels.shape
    image = ReadImage(
        rows=rows,
        columns=columns,
        bits_stored=meant.bits,
        media_type="application/dicom",
        pixels=meant.pixels,
        pixel_spacing_mm=spacing_of_other(reading, kind) if kind else _spacing(reading),
        window_center=meant.center,
        window_width=meant.width,
        manufacturer=reading.shown("Manufacturer", 128)
        or reading.shown("SecondaryCaptureDeviceManufacturer", 128),
        header=header,
        quality_flags=reading.flags,
        contradictions=reading.contradictions,
        doubt=meant.doubt,
        other_kind=kind,
    )
    if kind is None:
        flag_kind(reading)
    flag_view(reading)
    return image


def _check_kind(dataset: Dataset, max_pixels: int, stack: HeaderReader | None) -> None:
    """Raise `Refusal` for what is no image; of a `stack` that may be one, an ultrasound loop or MR slices, choose the frame."""
    sop_class = str(getattr(dataset.file_meta, "MediaStorageSOPClassUID", ""))
    if sop_class == _DICOMDIR or "DirectoryRecordSequence" in dataset:
        raise Refusal("dicomdir")
    frames = _integer(dataset.get("NumberOfFrames")) or 1
    if frames > 1 and stack is not None:
        stack.frame = representative_frame(stack, frames)
    elif frames > 1:
        raise Refusal("multi_frame", f"It holds {frames} images.")
    rows, columns = _integer(dataset.get("Rows")), _integer(dataset.get("Columns"))
    has_pixels = (
        "PixelData" in dataset and dataset.PixelData is not None and len(dataset["PixelData"].value) > 0
    )
    if not has_pixels:
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise Refusal(
                "unreadable", "Its pixels are floating-point numbers (7FE0,0008), which mammograms never are."
            )
        # An image's header without its pixels was cut; a report has none to begin with.
        kind = pydicom.uid.UID(str(dataset.get("SOPClassUID") or sop_class))
        if rows or columns or "Image Storage" in kind.name:
            raise Refusal("truncated", "Its pixel data (7FE0,0010) is missing.")
        raise Refusal("no_image" if kind else "unreadable")
    if not rows or not columns:
        raise Refusal("unreadable", "Rows (0028,0010) or Columns (0028,0011) is missing.")
    if rows * columns > max_pixels:
        raise Refusal("decompression_bomb", f"It says to have {rows} × {columns} pixels.")


def _spacing(reading: HeaderReader) -> float | None:
    """Return millimetres a pixel in the plane of the breast, None where the file leaves it open.

    Imager Pixel Spacing (0018,1164) is measured at the detector: divided by the magnification it is that of the
    breast. Pixel Spacing (0028,0030) counts beside it only if it is calibrated or is that quotient (PS3.3 10.7).
    """
    imager = _square(reading, "ImagerPixelSpacing") or _square(reading, "NominalScannedPixelSpacing")
    factors = reading.numbers("EstimatedRadiographicMagnificationFactor")
    factor = factors[0] if factors and 1.0 <= factors[0] <= 3.0 else 1.0
    calibrated = _square(reading, "PixelSpacing")
    if imager is None or calibrated is None:
        found = calibrated if imager is None else imager / factor
    elif any(abs(calibrated - candidate) <= 0.02 * calibrated for candidate in (imager, imager / factor)):
        found = imager / factor
    else:
        reading.flags.append(QualityFlag.PIXEL_SPACING_DISAGREES)
        reading.contradictions.append(
            f"PixelSpacing {calibrated:g} mm and ImagerPixelSpacing {imager:g} mm disagree."
        )
        found = calibrated if reading.text("PixelSpacingCalibrationType") else None
    return found


def _square(reading: HeaderReader, keyword: str) -> float | None:
    values = reading.numbers(keyword)
    if len(values) != 2 or not all(0.005 <= value <= 2.0 for value in values):
        return None
    return values[0] if abs(values[0] - values[1]) <= 0.01 * values[0] else None


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
