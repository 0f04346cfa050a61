"""What a DICOM file says, and the pixels it shows. Decoding runs in `core.images.process` only."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from core.images.reader import VIEWS, Header, ReadImage
from core.refusals import Refusal

CRANIOCAUDAL_VIEWS = ("CC", "XCCL", "XCCM", "FB")

# CID 4014, in SNOMED CT and in the retired SNOMED-RT codes that older machines write.
_VIEW_CODES = {
    "399162004": "CC", "R-10242": "CC",
    "399368009": "MLO", "R-10226": "MLO",
    "399260004": "ML", "R-10224": "ML",
    "399352003": "LM", "R-10228": "LM",
    "399099002": "LMO", "R-10230": "LMO",
    "399192008": "XCCL", "R-1024A": "XCCL",
    "399101009": "XCCM", "R-1024B": "XCCM",
    "399196006": "FB", "R-10244": "FB",
    "399188001": "SIO", "R-102D0": "SIO",
    "441555000": "ISO", "R-40AAA": "ISO",
}  # fmt: skip
# CID 4015: views that show a part, or not the breast as it is; they are kept and marked.
_MODIFIER_CODES = {
    "399055006": "spot_compression", "R-102D7": "spot_compression",
    "399163009": "magnification", "R-102D6": "magnification",
    "399209000": "implant_displaced", "R-102D5": "implant_displaced",
    "399226006": "rolled", "R-102D4": "rolled",
    "399197002": "rolled", "R-102D3": "rolled",
    "415670009": "rolled", "R-102C9": "rolled",
    "414493004": "rolled", "R-102CA": "rolled",
    "399110001": "tangential", "R-102C2": "tangential",
    "399161006": "cleavage", "R-102D2": "cleavage",
    "399011000": "axillary_tail", "R-102D1": "axillary_tail",
}  # fmt: skip
_DICOMDIR = "1.2.840.10008.1.3.10"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
# Modalities under which single X-ray pictures of the breast arrive; others are something else by their own word.
_XRAY_MODALITIES = frozenset({"MG", "RG", "CR", "DX", "OT", "SC", ""})
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_HEADER_ROOM_BYTES = 64_000_000


def looks_like_dicom(data: bytes) -> bool:
    """Tell whether the bytes begin as DICOM does, with a preamble or (older files) without."""
    return data[128:132] == b"DICM" or (
        data[:2] in (b"\x02\x00", b"\x08\x00")
        and data[4:6] in (b"UL", b"UI", b"CS", b"DA", b"TM", b"SH", b"LO")
    )


def decode_dicom(data: bytes, *, max_pixels: int) -> ReadImage:
    """Decode a DICOM file of one image; raises `Refusal`, and whatever pydicom raises on damaged files."""
    _check_inflated_size(data, 2 * max_pixels + _HEADER_ROOM_BYTES)
    dataset = pydicom.dcmread(io.BytesIO(data), force=data[128:132] != b"DICM")
    _check_kind(dataset, max_pixels)
    reading = _Reading(dataset)
    header = _header(reading)
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
        manufacturer=reading.text("Manufacturer", 128)
        or reading.text("SecondaryCaptureDeviceManufacturer", 128),
        header=header,
        quality_flags=reading.flags,
        contradictions=reading.contradictions,
        doubt=doubt,
    )
    _flag(reading, header)
    return image


def _check_inflated_size(data: bytes, most: int) -> None:
    if data[128:132] != b"DICM" or data[132:136] != b"\x02\x00\x00\x00":
        return
    meta_end = 144 + int.from_bytes(data[140:144], "little")
    if _DEFLATED not in data[132:meta_end]:
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    rest, inflated = data[meta_end:], 0
    while rest:
        inflated += len(inflater.decompress(rest, 1 << 24))
        if inflated > most:
            raise Refusal("decompression_bomb", f"It inflates to more than {most / 1e6:.0f} MB.")
        rest = inflater.unconsumed_tail


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


class _Reading:
    """A dataset whose elements may each be unreadable; collects what was noticed on the way."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.flags: list[str] = []
        self.contradictions: list[str] = []

    def value(self, keyword: str, dataset: Dataset | None = None) -> Any:
        try:
            return (self.dataset if dataset is None else dataset).get(keyword)
        except Exception as error:  # noqa: BLE001 - one malformed element must not hide the others
            self.contradictions.append(f"{keyword} cannot be read ({type(error).__name__}).")
            return None

    def text(self, keyword: str, longest: int) -> str | None:
        value = self.value(keyword)
        if value is None or isinstance(value, (bytes, Dataset)):
            return None
        cleaned = "".join(c for c in str(value) if c.isprintable()).strip()
        return cleaned[:longest] or None

    def numbers(self, keyword: str) -> list[float]:
        value = self.value(keyword)
        if value is None or value == "":
            return []
        values = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
        try:
            found = [float(v) for v in values]
        except (TypeError, ValueError):
            return []
        return found if all(np.isfinite(found)) else []

    def codes(self, keyword: str, dataset: Dataset | None = None) -> list[tuple[str, Dataset]]:
        sequence = self.value(keyword, dataset)
        try:
            return [(str(item.get("CodeValue", "")).strip(), item) for item in sequence or []]
        except Exception:  # noqa: BLE001 - not a sequence after all
            return []

    def day(self, keyword: str) -> date | None:
        text = self.text(keyword, 10)
        match = re.fullmatch(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})", text or "")
        if match is None:
            return None
        try:
            found = date(*(int(part) for part in match.groups()))
        except ValueError:
            self.contradictions.append(f"{keyword} is no date: {text}.")
            return None
        return found if found.year >= 1880 else None


def _header(reading: _Reading) -> Header:
    return Header(
        patient_id=reading.text("PatientID", 64),
        patient_name=_name(reading),
        birth_date=reading.day("PatientBirthDate"),
        sex=sex if (sex := reading.text("PatientSex", 1)) in ("F", "M", "O") else None,
        age_years=_age(reading),
        study_uid=_uid(reading, "StudyInstanceUID"),
        study_date=reading.day("StudyDate"),
        study_description=reading.text("StudyDescription", 256),
        sop_uid=_uid(reading, "SOPInstanceUID"),
        modality=reading.text("Modality", 16),
        laterality=_laterality(reading),
        view=_view(reading),
        simulated=_simulated(reading),
    )


def _name(reading: _Reading) -> str | None:
    """Return "Family, Given" from a person name (PS3.5 6.2.1.2), of its first, alphabetic group."""
    text = (reading.text("PatientName", 1024) or "").split("=")[0]
    family, _, rest = text.partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return ", ".join(part.strip() for part in (family, given) if part.strip())[:256] or None


def _simulated(reading: _Reading) -> bool:
    """Tell whether the file says that it was simulated, as the files of `seed_data` do."""
    comments = (reading.text("PatientComments", 1024) or "", reading.text("ImageComments", 1024) or "")
    manufacturer = reading.text("Manufacturer", 128) or ""
    return any(c.upper().startswith("SIMULATED") for c in comments) or "(simulated)" in manufacturer.lower()


def _age(reading: _Reading) -> float | None:
    match = re.fullmatch(r"(\d{3})([DWMY])", reading.text("PatientAge", 4) or "")
    if match is None:
        return None
    years = int(match[1]) * {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[match[2]]
    return years if 0 < years < 130 else None


def _uid(reading: _Reading, keyword: str) -> str | None:
    text = reading.text(keyword, 128)
    if text is None:
        return None
    if len(text) > 64 or not _UID.fullmatch(text):
        reading.contradictions.append(f"{keyword} is no valid UID.")
        return None
    return text


def _laterality(reading: _Reading) -> str | None:
    """Return L or R where every attribute that names a side names the same one.

    ImageLaterality (0020,0062), Laterality (0020,0060), and FrameLaterality (0020,9072) of enhanced objects.
    """
    said = {reading.text("ImageLaterality", 16), reading.text("Laterality", 16)}
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for _, item in reading.codes(group):
            for _, anatomy in reading.codes("FrameAnatomySequence", item):
                said.add(str(reading.value("FrameLaterality", anatomy) or ""))
    sides = {s.upper() for s in said if s} & {"L", "R", "B"}
    if len(sides) > 1:
        reading.contradictions.append("The file names both sides: " + " and ".join(sorted(sides)) + ".")
    return sides.pop() if len(sides) == 1 and "B" not in sides else None


def _view(reading: _Reading) -> str | None:
    r"""Return the view where every attribute that names one names the same.

    View Position (0018,5101), View Code Sequence (0054,0220), and Patient Orientation (0020,0020) where it holds
    a view's name (CBIS-DDSM). Orientation letters are not enough: A\R is a CC as well as an XCCL, A\F an MLO
    as well as an ML, and one must not be taken for the other.
    """
    orientation = _orientation(reading)
    position = (reading.text("ViewPosition", 16) or "").upper()
    said = {name for name in (position, *orientation) if name in VIEWS}
    said |= {_VIEW_CODES[code] for code, _ in reading.codes("ViewCodeSequence") if code in _VIEW_CODES}
    if position and position not in VIEWS:
        reading.contradictions.append(f"ViewPosition {position} is not known here.")
    if len(said) > 1:
        reading.contradictions.append("The file names two views: " + " and ".join(sorted(said)) + ".")
    if len(said) != 1:
        return None
    view = said.pop()
    letters = {letter for part in orientation if re.fullmatch("[APRLHF]{1,3}", part) for letter in part}
    if letters and (view in CRANIOCAUDAL_VIEWS) == bool(letters & {"H", "F"}):
        reading.contradictions.append(
            f"The view is {view}, but PatientOrientation {'/'.join(orientation)} is that of another."
        )
    return view


def _orientation(reading: _Reading) -> list[str]:
    value = reading.value("PatientOrientation")
    parts = [value] if isinstance(value, str) else list(value or [])
    return [str(part).strip().upper() for part in parts]


def _flag(reading: _Reading, header: Header) -> None:
    """Add the quality flags that the header gives."""
    flags = reading.flags
    if (reading.text("PresentationIntentType", 32) or "").upper() == "FOR PROCESSING":
        flags.append("for_processing")
    if (reading.text("BurnedInAnnotation", 8) or "").upper() == "YES":
        flags.append("burned_in_annotation")
    if reading.text("LossyImageCompression", 2) == "01":
        flags.append("lossy_compression")
    if (reading.text("BreastImplantPresent", 4) or "").upper() == "YES":
        flags.append("implant")
    for _, item in reading.codes("ViewCodeSequence"):
        flags += [
            _MODIFIER_CODES[code]
            for code, _ in reading.codes("ViewModifierCodeSequence", item)
            if code in _MODIFIER_CODES and _MODIFIER_CODES[code] not in flags
        ]
    magnification = reading.numbers("EstimatedRadiographicMagnificationFactor")
    if magnification and magnification[0] > 1.3 and "magnification" not in flags:
        flags.append("magnification")
    if (reading.text("PartialView", 4) or "").upper() == "YES":
        flags.append("partial_view")
    if reading.contradictions:
        flags.append("contradictory_header")


def _spacing(reading: _Reading) -> float | None:
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
        reading.flags.append("pixel_spacing_disagrees")
        reading.contradictions.append(
            f"PixelSpacing {calibrated:g} mm and ImagerPixelSpacing {imager:g} mm disagree."
        )
        found = calibrated if reading.text("PixelSpacingCalibrationType", 16) else None
    return found


def _square(reading: _Reading, keyword: str) -> float | None:
    values = reading.numbers(keyword)
    if len(values) != 2 or not all(0.005 <= value <= 2.0 for value in values):
        return None
    return values[0] if abs(values[0] - values[1]) <= 0.01 * values[0] else None


def _pixels(reading: _Reading) -> tuple[NDArray[np.uint16], int, float | None, float | None, str | None]:
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
        from core.images.decoding import grey
        from core.images.mammogram import COLOURED

        high = stored.max() if stored.dtype != np.uint8 else 255
        shades, colourful = grey((stored[..., :3] * (255.0 / max(1, high))).astype(np.uint8))
        return shades, 8, None, None, COLOURED if colourful else None
    if stored.ndim != 2:
        raise Refusal("unreadable", f"Its pixels have {stored.ndim} dimensions.")
    modality = (reading.text("Modality", 16) or "").upper()
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
    if (reading.text("PhotometricInterpretation", 32) or "").upper() == "MONOCHROME1":
        top = max(int(pixels.max()), 2**bits - 1)
        pixels = np.subtract(np.uint16(top), pixels)
        center = None if center is None else top - center
    if center is not None and width is not None:
        lowest, highest = center - width / 2, center + width / 2
        if width < 1 or highest <= float(pixels.min()) or lowest >= float(pixels.max()):
            reading.flags.append("window_unusable")
            center = width = None
    return pixels, min(bits, 16), center, width, doubt


def _window(reading: _Reading) -> tuple[float, float] | None:
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
