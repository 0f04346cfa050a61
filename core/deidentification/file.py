"""One file, de-identified: what `core.deidentification.process` does with the bytes that it is asked about."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.deidentification.identity import Identity
from core.deidentification.options import Options
from core.deidentification.pictures import clean_picture
from core.deidentification.pixels import clean_pixels
from core.deidentification.profile import Removed, deidentify_header
from core.images import TIFF_STARTS, check_inflated_size, looks_like_dicom
from core.refusals import Refusal

__all__ = ["Cleaned", "clean"]

_HEADER_ROOM_BYTES = 64_000_000
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", *TIFF_STARTS)


@dataclass(frozen=True)
class Cleaned:
    """A file without her: its bytes, how its name ends, her number and pseudonym ("" where nobody says), what was done."""

    data: bytes
    suffix: str
    mrn: str
    patient: str
    removed: Removed


def clean(
    data: bytes, key: bytes, mrn: str | None, options: Options, *, max_pixels: int, insist: bool = True
) -> Cleaned:
    """De-identify one file; `mrn` says whose it is; without `insist` only where the file does not.

    Raises
    ------
    Refusal
        If it cannot be read, does not say whose it is, or text stands in its picture that cannot be taken out.
    """
    try:
        if looks_like_dicom(data):
            dataset = _read(data, max_pixels)
            if not (mrn and insist):
                mrn = _whose(dataset, mrn)
            return _clean_dicom(dataset, mrn, key, options, max_pixels)
        if data.startswith(_PICTURES):
            removed = Removed()
            whose = Identity.of(key, mrn).pseudonym if mrn else ""
            return Cleaned(
                clean_picture(data, removed, max_pixels=max_pixels), ".png", mrn or "", whose, removed
            )
    except (Refusal, MemoryError):
        raise
    except Exception as error:  # libraries raise anything at all on damaged files
        # What they complain of may quote the file.
        raise Refusal("unreadable", f"Reading it ended with {type(error).__name__}.") from error
    raise Refusal("unsupported_format")


def _read(data: bytes, max_pixels: int) -> Dataset:
    check_inflated_size(data, 2 * max_pixels + _HEADER_ROOM_BYTES)
    dataset = pydicom.dcmread(io.BytesIO(data), force=data[128:132] != b"DICM")
    if "DirectoryRecordSequence" in dataset:
        raise Refusal("dicomdir")
    if not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
        )
    if not dataset.get("SOPInstanceUID"):
        dataset.SOPInstanceUID = f"2.25.{int.from_bytes(hashlib.sha256(data).digest()[:16])}"
    return dataset


def _clean_dicom(dataset: Dataset, mrn: str, key: bytes, options: Options, max_pixels: int) -> Cleaned:
    identity, removed = Identity.of(key, mrn), Removed()
    # First, as it tells by the header where the breast is and what the file says of text.
    clean_pixels(dataset, removed, max_pixels=max_pixels)
    header = deidentify_header(dataset, identity, options)
    header.actions += removed.actions
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return Cleaned(out.getvalue(), ".dcm", mrn, identity.pseudonym, header)


def _whose(dataset: Dataset, else_: str | None) -> str:
    value = dataset.get("PatientID")
    if isinstance(value, str) and value.strip(" \0"):
        return value.strip(" \0")
    if value:
        raise Refusal("bad_identifier", "PatientID (0010,0020) has several values.")
    if else_:
        return else_
    raise Refusal("no_identity", "PatientID (0010,0020) is missing.")
