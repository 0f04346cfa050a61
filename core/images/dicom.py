"""What a DICOM file says, and the pixels it shows. Decoding runs in `core.images.process` only."""

from __future__ import annotations

import io
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.uid import UID

from core.images.dicom_contradictions import note_contradictions
from core.images.dicom_encoding import check_syntax, settle_encoding, syntax_words
from core.images.dicom_frames import check_frames, frames_of, settle_frame, shown_frame
from core.images.dicom_header import HeaderReader, flag_view, header_of
from core.images.dicom_kind import doubted_kind, flag_kind
from core.images.dicom_other import other_kind, spacing_of_other, why_no_other_kind
from core.images.dicom_pixels import meant_pixels
from core.images.lossy import bits_left
from core.images.orientation import Hung, hang_as, settle_polarity, turn_upright
from core.images.preamble import check_inflated_size
from core.images.read_image import ReadImage
from core.refusals import Refusal
from core.rules.vocabulary import QualityFlag

_DICOMDIR = "1.2.840.10008.1.3.10"
_HEADER_ROOM_BYTES = 64_000_000
# A tomosynthesis of 100 frames of 2457 × 1890 pixels has 8 times the default's pixels; one frame is decoded.
_MOST_OF_ALL_FRAMES = 30
_PIXEL_DATA = 0x7FE00010
_NUMBER_OF_FRAMES = 0x00280008
_IN_EVERY_IMAGE = ("SOPClassUID", "PatientID", "Modality", "Rows", "PixelData", "DirectoryRecordSequence")


def decode_dicom(data: bytes, *, max_pixels: int, frame: int | None = None) -> ReadImage:
    """Decode a DICOM file of one image; raises `Refusal`, and whatever pydicom raises on damaged files.

    Of several frames it is the one that stands for all, or the one whose number is given, from 1: that hangs as the former does.
    """
    image, hung = _decoded(data, max_pixels)
    if frame in (None, image.frame):
        return image
    return _decoded(data, max_pixels, frame, hung)[0]


def count_frames(data: bytes) -> int:
    """Return how many frames a DICOM file says to have, from what stands before them; 1 where that cannot be read."""
    try:
        dataset = read_partial(
            io.BytesIO(data),
            stop_when=lambda tag, _vr, _length: tag > _NUMBER_OF_FRAMES,
            force=data[128:132] != b"DICM",
        )
    except Exception:  # noqa: BLE001 - decoders raise anything at all on damaged files
        return 1
    return frames_of(dataset)


def _decoded(
    data: bytes, max_pixels: int, frame: int | None = None, hung: Hung | None = None
) -> tuple[ReadImage, Hung]:
    """Return an image and how it hangs: as another frame does if that is given, else as it looks."""
    check_inflated_size(data, 2 * max_pixels + _HEADER_ROOM_BYTES)
    dataset = _dataset(data)
    check_syntax(dataset)
    _check_kind(dataset, max_pixels)
    reading = HeaderReader(dataset)
    kind = other_kind(reading)
    if frame is not None:
        dataset.RepresentativeFrameNumber = frame
    if frames_of(dataset) > 1:
        settle_frame(reading)
        if kind is None:
            reading.flags.append(QualityFlag.MULTI_FRAME)
    header = header_of(reading)
    note_contradictions(reading, header)
    encoding = settle_encoding(reading)
    meant = meant_pixels(reading, encoding)
    meant.doubt = meant.doubt or why_no_other_kind(reading) or doubted_kind(reading)
    if hung is not None:
        hang_as(meant, hung)
    else:
        hung = Hung()
        settle_polarity(reading, meant, hung)
        turn_upright(reading, header, meant, hung)
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
        frames=frames_of(dataset),
        frame=shown_frame(dataset) + 1,
        bits_left=bits_left(reading),
    )
    if kind is None:
        flag_kind(reading)
    flag_view(reading)
    return image, hung


def _dataset(data: bytes) -> Dataset:
    """Return the elements up to the pixels: what stands behind them may be anything, and none of it is needed."""
    dataset = read_partial(
        io.BytesIO(data),
        stop_when=lambda tag, _vr, _length: tag > _PIXEL_DATA,
        force=data[128:132] != b"DICM",
    )
    if len(dataset) and not any(keyword in dataset for keyword in _IN_EVERY_IMAGE):
        said = UID(str(dataset.file_meta.get("TransferSyntaxUID") or ""))
        how = f", {syntax_words(said)}" if said else ""
        raise Refusal("unreadable", f"Its data set is not written in the way that its file meta says{how}.")
    return dataset


def _check_kind(dataset: Dataset, max_pixels: int) -> None:
    sop_class = str(getattr(dataset.file_meta, "MediaStorageSOPClassUID", ""))
    if sop_class == _DICOMDIR or "DirectoryRecordSequence" in dataset:
        raise Refusal("dicomdir")
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
        kind = UID(str(dataset.get("SOPClassUID") or sop_class))
        if rows or columns or "Image Storage" in kind.name:
            raise Refusal("truncated", "Its pixel data (7FE0,0010) is missing.")
        raise Refusal("no_image" if kind else "unreadable")
    if not rows or not columns:
        raise Refusal("unreadable", "Rows (0028,0010) or Columns (0028,0011) is missing.")
    if rows * columns > max_pixels:
        raise Refusal("decompression_bomb", f"It says to have {rows} × {columns} pixels.")
    check_frames(dataset, rows, columns, _MOST_OF_ALL_FRAMES * max_pixels)


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
