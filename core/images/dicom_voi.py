"""How the values of a DICOM image are to be shown (PS3.3 C.11.2): its window, or the curve that takes its place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_voi, apply_windowing

from core.images.dicom_header import HeaderReader
from core.rules.vocabulary import QualityFlag

__all__ = ["through_curve", "window_of"]


def window_of(reading: HeaderReader) -> tuple[float, float] | None:
    """Return centre and width of the file's first window, in output values of the modality LUT; None if it has none."""
    centers, widths = reading.numbers("WindowCenter"), reading.numbers("WindowWidth")
    return (centers[0], widths[0]) if centers and widths and widths[0] > 0 else None


def through_curve(reading: HeaderReader, values: NDArray[Any]) -> tuple[NDArray[np.uint16], int] | None:
    """Return values as the file's sigmoid or first VOI LUT shows them, and their bits; None where a window does or nothing.

    A viewer's window is a straight line: so a curve is applied here, once, for the eye and for the model alike. Of a
    window and a table, which are alternatives by the standard, the window is taken: it loses nothing.
    """
    window = window_of(reading)
    if window is not None:
        is_sigmoid = (reading.text("VOILUTFunction") or "").upper() == "SIGMOID"
        return (_sigmoid(values, *window), 16) if is_sigmoid else None
    if not reading.value("VOILUTSequence"):
        return None
    try:
        depth = int(reading.dataset.VOILUTSequence[0].LUTDescriptor[2])
        whole = values if values.dtype.kind in "iu" else np.rint(values).astype(np.int64)
        shown = apply_voi(whole, reading.dataset)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a damaged table raises anything; the picture is there without it
        shown, depth = np.zeros(1), 0
    if not 8 <= depth <= 16 or int(shown.max()) == int(shown.min()):
        reading.flags.append(QualityFlag.WINDOW_UNUSABLE)
        return None
    return np.ascontiguousarray(shown.astype(np.uint16)), depth


def _sigmoid(values: NDArray[Any], center: float, width: float) -> NDArray[np.uint16]:
    how = Dataset()
    how.PhotometricInterpretation, how.BitsStored, how.PixelRepresentation = "MONOCHROME2", 16, 0
    how.WindowCenter, how.WindowWidth, how.VOILUTFunction = center, width, "SIGMOID"
    lowest, highest = int(values.min()), int(values.max())
    if values.dtype.kind in "iu" and highest - lowest < 65536:
        # A curve over the values that there are costs a fraction of one over all pixels.
        curve = apply_windowing(np.arange(lowest, highest + 1), how)
        return np.rint(curve).clip(0, 65535).astype(np.uint16)[values.astype(np.int64) - lowest]
    return np.ascontiguousarray(np.rint(apply_windowing(values, how)).clip(0, 65535).astype(np.uint16))
