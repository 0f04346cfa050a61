"""How strongly a picture was compressed with loss: bits that are left of it for each pixel that the networks are shown."""

from __future__ import annotations

import numpy as np
from pydicom.uid import HTJ2K, JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from core.images.dicom_frames import frames_of
from core.images.dicom_header import HeaderReader
from models.view import NETWORK_SHAPE

__all__ = ["LOSSY", "bits_left", "bits_of_picture"]

LOSSY = frozenset({JPEG2000, JPEGLSNearLossless, HTJ2K, JPEGBaseline8Bit, JPEGExtended12Bit})
"""Transfer syntaxes by which something of a picture may be lost."""
_SHOWN = NETWORK_SHAPE[0] * NETWORK_SHAPE[1]


def bits_left(reading: HeaderReader) -> float | None:
    """Return how many bits a pixel of the model's view is left with; None of a picture of which nothing was lost.

    They are those of the compressed image, or of what the file says that it once was compressed to (Lossy Image Compression
    Ratio (0028,2112)), whichever is less.
    """
    dataset = reading.dataset
    found = []
    if dataset.file_meta.TransferSyntaxUID in LOSSY:
        found.append(8.0 * len(dataset.PixelData) / frames_of(dataset))
    if (reading.text("LossyImageCompression") or "") == "01":
        ratios = [ratio for ratio in reading.numbers("LossyImageCompressionRatio") if ratio > 1]
        # One for each time that it was compressed.
        whole = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("BitsAllocated") or 16)
        found += [whole / float(np.prod(ratios))] if ratios else []
    return round(min(found) / _SHOWN, 3) if found else None


def bits_of_picture(data: bytes) -> float:
    """Return the same of a JPEG file."""
    return round(8.0 * len(data) / _SHOWN, 3)
