"""What a DICOM file says, and the pixels it shows. Decoding runs in `core.images.process` only."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from core.images.dicom_header import HeaderReader, flag_view, header_of
from core.images.preamble import check_inflated_size
from core.images.reader import ReadImage
from core.refusals import Refusal
from core.rules.vocabulary import QualityFlag

_DICOMDIR = "1.2.840.10008.1.3.10"
# Modalities under which single X-ray pictures of the breast arrive; others are something else by their own word.
_XRAY_MODALITIES = frozenset({"MG", "RG", "CR", "DX", "OT", "SC", ""})
_HEADER_ROOM_BYTES = 64_000_000


def decode_dicom(data: bytes, *, max_pixels: int) -> ReadImage:
    """Decode a DICOM file of one image; raises `Refusal`, and whatever pydicom raises on damaged files."""
    check_inflated_size(data, 2 * max_pixels + _HEADER_ROOM_BYTES)
    dataset = pydicom.dcmread(io.BytesIO(data), force=data[128:132] != b"DICM")
    _check_kind(dataset, max_pixels)
    reading = HeaderReader(dataset)
    header = header_of(reading)
    pixels, bits, center, width, doubt = _pixels(reading)
    rows, columns = pixels.shape
    image = ReadImage(
        rows=rows,
        columns=columns,
        bits_stored=bits,
        media_type="application/dicom",
        pixels=pixels,
        pixel_spacing_mm=_spacing(reading),
        window_center=center,
        window_width=width,
        manufacturer=reading.shown("Manufacturer", 128)
        or reading.shown("SecondaryCaptureDeviceManufacturer", 128),
        header=header,
        quality_flags=reading.flags,
        contradictions=reading.contradictions,
        doubt=doubt,
    )
    flag_view(reading, header)
    return image


def _check_kind(dataset: Dataset, max_pixels: int) -> None:
    sop_class = str(getattr(dataset.file_meta, "MediaStorageSOPClassUID", ""))
    if sop_class == _DICOMDIR or "DirectoryRecordSequence" in dataset:
        raise Refusal("dicomdir")
    frames = _integer(dataset.get("NumberOfFrames")) or 1
    if frames > 1:
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
            raise Refusal("truncated")
        raise Refusal("no_image" if kind else "unreadable")
    if not rows or not columns:
        raise Refusal("unreadable", "Rows (0028,0010) or Columns (0028,0011) is missing.")
    if rows * columns > max_pixels:
        raise Refusal("decompression_bomb", f"It says to have {rows} × {columns} pixels.")
    if not dataset.file_meta.get("TransferSyntaxUID"):
        # Without file meta the standard's default applies; the reader has found out by itself how to parse it.
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian
            if dataset.original_encoding[0]
            else pydicom.uid.ExplicitVRLittleEndian
        )
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        samples = _integer(dataset.get("SamplesPerPixel")) or 1
        expected = (rows * columns * samples * (_integer(dataset.get("BitsAllocated")) or 16) + 7) // 8
        if len(dataset["PixelData"].value) < expected:
            raise Refusal(
                "truncated", f"{len(dataset['PixelData'].value)} of {expected} bytes of the image are there."
            )


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


def _pixels(reading: HeaderReader) -> tuple[NDArray[np.uint16], int, float | None, float | None, str | None]:
    """Return pixels as uint16, larger = brighter, with bits, window centre and width on the same scale, and a doubt."""
    dataset = reading.dataset
    try:
        stored = dataset.pixel_array
    except (MemoryError, Refusal):
        raise
    except Exception as error:
        raise _decoding_refusal(dataset, error) from error
    doubt = None
    if stored.ndim == 3 and stored.shape[-1] in (3, 4):
        from core.images.grey import grey
        from core.images.mammogram import COLOURED

        high = stored.max() if stored.dtype != np.uint8 else 255
        shades, colourful = grey((stored[..., :3] * (255.0 / max(1, high))).astype(np.uint8))
        return shades, 8, None, None, COLOURED if colourful else None
    if stored.ndim != 2:
        raise Refusal("unreadable", f"Its pixels have {stored.ndim} dimensions.")
    modality = (reading.shown("Modality", 40) or "").upper()
    if modality not in _XRAY_MODALITIES:
        doubt = f"The file calls itself modality {modality}."
    bits = int(dataset.get("BitsStored") or stored.dtype.itemsize * 8)
    values: NDArray[Any] = stored
    slope, intercept = (
        (reading.numbers("RescaleSlope") or [1.0])[0],
        (reading.numbers("RescaleIntercept") or [0.0])[0],
    )
    if "ModalityLUTSequence" in dataset or slope != 1.0 or intercept != 0.0:
        values = apply_modality_lut(stored, dataset)
        if values.dtype.kind == "f" and slope.is_integer() and intercept.is_integer():
            values = values.astype(np.int64)
    window = _window(reading)
    scale, offset = 1.0, 0.0
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind != "u":
        # Anything but unsigned whole numbers is moved to begin at 0, and stretched or squeezed to 16 bits.
        offset = min(0.0, low) if values.dtype.kind == "i" else low
        if values.dtype.kind == "f" or high - offset > 65535:
            scale = 65535 / max(high - offset, 1e-9)
            bits = 16
        values = np.clip((values.astype(np.float32) - offset) * scale, 0, 65535)
    elif high > 65535:
        scale = 65535 / high
        values = values * scale
        bits = 16
    pixels = np.ascontiguousarray(values.astype(np.uint16, copy=False))
    center, width = window if window else (None, None)
    if center is not None and width is not None:
        center, width = (center - offset) * scale, width * scale
    if (reading.text("PhotometricInterpretation") or "").upper() == "MONOCHROME1":
        top = max(int(pixels.max()), 2**bits - 1)
        pixels = np.subtract(np.uint16(top), pixels)
        center = None if center is None else top - center
    if center is not None and width is not None:
        lowest, highest = center - width / 2, center + width / 2
        if width < 1 or highest <= float(pixels.min()) or lowest >= float(pixels.max()):
            reading.flags.append(QualityFlag.WINDOW_UNUSABLE)
            center = width = None
    return pixels, min(bits, 16), center, width, doubt


def _window(reading: HeaderReader) -> tuple[float, float] | None:
    """Return the first window of the file, or the span of its VOI LUT."""
    centers, widths = reading.numbers("WindowCenter"), reading.numbers("WindowWidth")
    if centers and widths and widths[0] > 0:
        return centers[0], widths[0]
    for _, item in reading.codes("VOILUTSequence"):
        descriptor = reading.value("LUTDescriptor", item)
        try:
            entries, first = int(descriptor[0]) or 65536, int(descriptor[1])
        except (TypeError, ValueError, IndexError):
            continue
        return first + entries / 2, float(entries)
    return None


def _decoding_refusal(dataset: Dataset, error: Exception) -> Refusal:
    said = " ".join(str(error).split())
    syntax = dataset.file_meta.TransferSyntaxUID
    if isinstance(error, NotImplementedError) or "no decoders" in said or "missing dependencies" in said:
        return Refusal("unsupported_compression", f"Its compression is {syntax.name}.")
    if "less than the expected" in said or "fewer" in said.lower() or "truncated" in said.lower():
        return Refusal("truncated")
    if syntax.is_encapsulated:
        return Refusal("unsupported_compression", f"No decoder could open its {syntax.name} image.")
    return Refusal("unreadable", f"The decoder says: {said[:200]}")


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
