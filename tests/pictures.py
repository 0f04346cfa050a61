"""Pictures made up for tests: a shape like a breast, and the files it may come in. None of it is a mammogram."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"


def breast(laterality: str = "L", *, seed: int = 0, rows: int = 320, columns: int = 240) -> np.ndarray:
    """Draw half an ellipse with some texture, uint16 0..4095; a left breast's chest wall is at the left."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    height, width = rows * random.uniform(0.36, 0.44), columns * random.uniform(0.5, 0.7)
    inside = ((y - rows / 2) / height) ** 2 + (x / width) ** 2
    texture = (
        random.normal(0, 1, (rows // 8 + 1, columns // 8 + 1)).repeat(8, 0).repeat(8, 1)[:rows, :columns]
    )
    shade = 1500 + 900 * np.clip(1 - inside, 0, 1) + 120 * texture
    pixels = np.where(inside < 1, shade, 20).clip(0, 4095).astype(np.uint16)
    return pixels if laterality == "L" else np.ascontiguousarray(pixels[:, ::-1])


def dicom(pixels: np.ndarray | None = None, *, deflated: bool = False, **tags: Any) -> bytes:
    """Write a mammogram in DICOM; `tags` replace elements by keyword, None takes one away."""
    pixels = breast(str(tags.get("ImageLaterality") or "L")) if pixels is None else pixels
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.SOPClassUID = MAMMOGRAPHY
    data.SOPInstanceUID = generate_uid()
    data.StudyInstanceUID = generate_uid()
    data.StudyDate = "20240315"
    data.Modality = "MG"
    data.PatientID = "MRN-1"
    data.PatientName = "Doe^Jane"
    data.PatientBirthDate = "19650420"
    data.PatientSex = "F"
    data.ImageLaterality = "L"
    data.ViewPosition = "CC"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = pixels.dtype.itemsize * 8
    data.BitsStored = 12 if pixels.dtype.itemsize == 2 else 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = 1 if pixels.dtype.kind == "i" else 0
    data.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    data.file_meta.MediaStorageSOPClassUID = UID(str(data.SOPClassUID))
    data.file_meta.MediaStorageSOPInstanceUID = UID(str(data.get("SOPInstanceUID", "1.2.3")))
    syntax = DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    data.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def png(pixels: np.ndarray | None = None) -> bytes:
    """Write a picture as PNG, 8 or 16 bits."""
    file = io.BytesIO()
    Image.fromarray(breast() if pixels is None else pixels).save(file, "PNG")
    return file.getvalue()


def jpeg(pixels: np.ndarray | None = None) -> bytes:
    """Write a picture as JPEG."""
    file = io.BytesIO()
    eight = ((breast() if pixels is None else pixels) >> 4).astype(np.uint8)
    Image.fromarray(eight).save(file, "JPEG", quality=92)
    return file.getvalue()
