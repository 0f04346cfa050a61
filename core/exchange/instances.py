"""Stored images as DICOMweb hands them out: WADO-RS (PS3.18 10.4), as far as they are kept.

A file that says otherwise than the record whose it is, of which day, side or view, is handed out as the record has it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import (
    JPEG2000,
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from core.exchange.archive import Instance, series_uid
from core.exchange.headers import (
    HeaderLost,
    header_of,
    json_of,
    long_string,
    person_name,
    quietly,
    read,
    stored,
)
from core.exchange.listed import NotHere
from core.images import crop_png, open_rendition, rendition
from core.installation import Installation
from core.people import Permission
from core.people.needing import needs

__all__ = ["NotKeptSo", "file_of", "frame_of_instance", "metadata_of", "rendered", "syntax_of"]

_FRAMES = {
    JPEGBaseline8Bit: "image/jpeg",
    JPEGLosslessSV1: "image/jpeg",
    JPEGLSLossless: "image/jls",
    JPEG2000Lossless: "image/jp2",
    JPEG2000: "image/jp2",
    RLELossless: "image/dicom-rle",
}


class NotKeptSo(ValueError):
    """The image is kept, but not in the form that is asked for; the message says what to ask for."""


@needs(Permission.SEE_PATIENTS)
def metadata_of(here: Installation, instances: Sequence[Instance], address: str) -> list[dict[str, Any]]:
    """Return the headers of images in DICOM's JSON, as the record has them."""
    return [json_of(_as_recorded(here, one, _header(here, one), address)) for one in instances]


@needs(Permission.SEE_PATIENTS)
def file_of(here: Installation, one: Instance) -> bytes:
    """Return an image as a DICOM file; raises `NotKeptSo` or `HeaderLost`."""
    if not one.is_dicom:
        raise NotKeptSo("This image came as a picture, not as DICOM: ask for /rendered.")
    data = stored(here, one.image)
    header = read(here, data, pixels=False)
    if all(header.get(name) == value for name, value in _said(one).items()):
        return data
    dataset = read(here, data, pixels=True)
    buffer = io.BytesIO()
    try:
        with quietly():
            _put_right(dataset, one)
            if dataset.file_meta.get("MediaStorageSOPInstanceUID") is not None:
                dataset.file_meta.MediaStorageSOPInstanceUID = UID(one.image.sop_uid)
            dataset.save_as(buffer, enforce_file_format=True)
    except OSError:
        raise
    except Exception as error:
        raise HeaderLost("This file cannot be written as the record has it.") from error
    return buffer.getvalue()


@needs(Permission.SEE_PATIENTS)
def syntax_of(here: Installation, data: bytes) -> str:
    """Return the transfer syntax in which a DICOM file is kept; raises `HeaderLost`."""
    return str(read(here, data, pixels=False).file_meta.get("TransferSyntaxUID", ""))


@needs(Permission.SEE_PATIENTS)
def frame_of_instance(here: Installation, one: Instance, number: int) -> tuple[bytes, str]:
    """Return the pixels of a frame (from 1) as they are kept, with their media type.

    Raises `NotHere` where there is no such frame, `NotKeptSo` or `HeaderLost`.
    """
    if not one.is_dicom:
        raise NotKeptSo("This image came as a picture, not as DICOM: ask for /rendered.")
    dataset = read(here, stored(here, one.image), pixels=True)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= number <= frames:
        raise NotHere(f"This image has {frames} frame{'s' if frames > 1 else ''}.")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        if not syntax.is_compressed or syntax.is_deflated:
            length = len(dataset.PixelData) // frames
            return bytes(
                dataset.PixelData[(number - 1) * length : number * length]
            ), "application/octet-stream"
        kind = f"{_FRAMES.get(syntax, 'application/octet-stream')}; transfer-syntax={syntax}"
        return get_frame(dataset.PixelData, number - 1, number_of_frames=frames), kind
    except Exception as error:
        raise HeaderLost("The pixels of this file cannot be read.") from error


@needs(Permission.SEE_PATIENTS)
def rendered(here: Installation, sop_uid: str, media_type: str = "image/png") -> bytes:
    """Return a whole view as its window shows it, as PNG or JPEG; raises `KeyError` if there is no such image."""
    header, _ = open_rendition(rendition(here, sop_uid))
    png = crop_png(here, sop_uid, (0, 0, int(header["source_columns"]), int(header["source_rows"])))
    if media_type == "image/png":
        return png
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def _header(here: Installation, one: Instance) -> Dataset:
    if one.is_dicom:
        try:
            return header_of(here, one.image)
        except HeaderLost:
            pass  # what the record knows of it is told all the same
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = (
        DigitalMammographyXRayImageStorageForPresentation if one.is_dicom else SecondaryCaptureImageStorage
    )
    made.Modality = one.study.modality
    made.Rows, made.Columns = one.image.rows, one.image.columns
    return made


def _as_recorded(here: Installation, one: Instance, header: Dataset, address: str) -> Dataset:
    with quietly():
        _put_right(header, one)
        header.SeriesInstanceUID = header.get("SeriesInstanceUID") or series_uid(here, one)
        header.RetrieveURL = f"{address}/studies/{one.study.uid}/series/{header.SeriesInstanceUID}/instances/{one.image.sop_uid}"
    return header


def _said(one: Instance) -> dict[str, Any]:
    """Return what the record says of an image, by the names of DICOM's elements."""
    said = {
        "PatientID": long_string(one.patient.mrn),
        "StudyInstanceUID": one.study.uid,
        "StudyDate": f"{one.study.study_date:%Y%m%d}",
        "SOPInstanceUID": one.image.sop_uid,
        "ImageLaterality": one.image.laterality.value,
        "ViewPosition": one.image.view,
    }
    if one.patient.birth_date:
        said["PatientBirthDate"] = f"{one.patient.birth_date:%Y%m%d}"
    return said


def _put_right(dataset: Dataset, one: Instance) -> None:
    said = _said(one)
    if dataset.get("PatientID") != said["PatientID"] or not dataset.get("PatientName"):
        # Another woman's name does not stay; her own is kept as her file writes it.
        said["PatientName"] = person_name(one.patient.name or "")
        dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in said.items():
        if dataset.get(keyword) != value:
            setattr(dataset, keyword, value)
