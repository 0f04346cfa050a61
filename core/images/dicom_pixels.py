"""The pixels that a DICOM file means: grey values as they are to be seen, from whatever way they are stored."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEG2000, JPEG2000Lossless

from core.images.dicom_encoding import Encoding
from core.images.dicom_frames import shown_frame
from core.images.dicom_header import HeaderReader
from core.images.dicom_voi import through_curve, window_of
from core.images.lossy import LOSSY
from core.refusals import Refusal
from core.rules.vocabulary import QualityFlag

__all__ = ["MeantPixels", "meant_pixels"]

_OF_JPEG2000 = frozenset({JPEG2000, JPEG2000Lossless})
_LONG_BYTES = 1_000_000
"""From here on it pays to start threads."""
_WRAPPED = 0.001
"""Share of neighbours that must jump from the bottom to the top of the range: 0.009 where two bits are lacking."""
_MOST_HIDDEN = 0.98
"""Share of an image from which on padding or a shutter that hides it is not believed."""


@dataclass
class MeantPixels:
    """Grey values (rows, columns), larger = brighter, with the bits that they take and the window on the same scale.

    `doubt` says why they are no mammogram, None if nothing speaks against one.
    """

    pixels: NDArray[np.uint16]
    bits: int
    center: float | None = None
    width: float | None = None
    doubt: str | None = None


def meant_pixels(reading: HeaderReader, encoding: Encoding) -> MeantPixels:
    """Return the pixels as they are meant (PS3.3 C.7.6.3, C.11, PS3.4 N.2); raises `Refusal`."""
    dataset = reading.dataset
    stored = _stored(reading, encoding)
    if (reading.text("PhotometricInterpretation") or "").upper() == "PALETTE COLOR" and stored.ndim == 2:
        stored = _coloured(stored, dataset)
    if stored.ndim == 3 and stored.shape[-1] in (3, 4):
        return _of_colours(stored)
    if stored.ndim != 2:
        size = f"{dataset.Rows} × {dataset.Columns}"
        raise Refusal("unreadable", f"It holds more pixels than its {size}; which are meant is not said.")
    hidden = _hidden(reading, stored)
    values, bits = _rescaled(reading, stored)
    curved = through_curve(reading, values)
    if curved is not None:
        meant = MeantPixels(curved[0], curved[1], 2.0 ** (curved[1] - 1), 2.0 ** curved[1])
    else:
        meant = _whole_numbers(values, bits, hidden, window_of(reading))
    if (reading.text("PhotometricInterpretation") or "").upper() == "MONOCHROME1":
        invert(meant)
    if hidden is not None:
        meant.pixels[hidden] = meant.pixels[~hidden].min()
    if dataset.get("BitsAllocated") == 1 or bits == 1:
        meant.doubt = "It has one bit a pixel, as masks have."
    _drop_unusable_window(reading, meant)
    return meant


def _coloured(stored: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    try:
        return apply_color_lut(stored, dataset)
    except MemoryError:
        raise
    except Exception as error:
        raise Refusal(
            "unreadable",
            "It is a PALETTE COLOR image, and its palette (0028,1101 to 0028,1203) is missing or damaged.",
        ) from error


def invert(meant: MeantPixels) -> None:
    """Turn bright into dark and back, and the window with them."""
    top = max(int(meant.pixels.max()), 2**meant.bits - 1)
    meant.pixels = np.subtract(np.uint16(top), meant.pixels)
    meant.center = None if meant.center is None else top - meant.center


def _of_colours(stored: NDArray[Any]) -> MeantPixels:
    from core.images.grey import grey
    from core.images.mammogram import COLOURED

    shades, bits, colourful = grey(stored[..., :3])
    return MeantPixels(shades, bits, doubt=COLOURED if colourful else None)


def _stored(reading: HeaderReader, encoding: Encoding) -> NDArray[Any]:
    """Return the stored values: of the bits that the file names, and of no other (PS3.5 8.1.1)."""
    dataset = reading.dataset
    allocated = int(dataset.get("BitsAllocated") or 16)
    bits = int(dataset.get("BitsStored") or allocated)
    high = reading.numbers("HighBit")
    shift = int(high[0]) + 1 - bits if high else 0
    if shift < 0:
        reading.contradictions.append(f"HighBit {int(high[0])} does not fit BitsStored {bits}.")
        shift = 0
    if bits + shift > allocated:
        raise Refusal(
            "unreadable",
            f"HighBit (0028,0102) {int(high[0])} and BitsStored {bits} do not fit the {allocated} bits of a pixel.",
        )
    if shift or not encoding.syntax.is_encapsulated:
        # Else the library cuts off what stands above the bits that are named, without a look at it.
        dataset.BitsStored, dataset.HighBit = allocated, allocated - 1
    try:
        stored: NDArray[Any] = _decoded(dataset)
    except (MemoryError, Refusal, KeyboardInterrupt, SystemExit):
        raise
    except (
        BaseException
    ) as error:  # a decoder written in Rust panics with an exception that is no `Exception`
        raise encoding.refusal(dataset, error) from error
    finally:
        dataset.BitsStored = bits
    if stored.dtype.kind not in "iu" or stored.ndim != 2 or bits >= 8 * stored.dtype.itemsize:
        return stored
    lowest, highest = (
        (-(1 << bits - 1), (1 << bits - 1) - 1) if stored.dtype.kind == "i" else (0, (1 << bits) - 1)
    )
    if stored.min() >= lowest and stored.max() <= highest:
        # A codec knows the precision itself and may have put the values right already.
        return (
            stored >> shift if shift and not dataset.file_meta.TransferSyntaxUID.is_encapsulated else stored
        )
    if shift:
        stored = stored >> shift
    if dataset.file_meta.TransferSyntaxUID in LOSSY and not _has_overlay_bits(dataset):
        return np.clip(stored, lowest, highest)  # a little beyond is the codec's error, no other bit's
    empty = 8 * stored.dtype.itemsize - bits
    masked: NDArray[Any] = (stored << empty) >> empty
    if _are_values(stored, masked, bits):
        needed = int(stored.max()).bit_length()
        raise Refusal(
            "unreadable",
            f"BitsStored (0028,0101) is {bits}, but the values of its pixels take {needed} bits.",
        )
    return masked


def _decoded(dataset: Dataset) -> NDArray[Any]:
    """Return the stored values of the frame that is shown, as the library has them."""
    place = shown_frame(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    data = dataset.PixelData
    is_long = syntax in _OF_JPEG2000 and len(data) >= _LONG_BYTES and dataset.get("SamplesPerPixel") == 1
    if is_long and b"\xff\xd9" in data[-64:]:
        # Of the decoders of JPEG 2000 only Pillow's works on several cores (OPJ_NUM_THREADS, set by whoever starts the reader).
        with suppress(ValueError, TypeError, NotImplementedError, RuntimeError, OSError):
            return pixel_array(dataset, index=place, decoding_plugin="pillow")
    return pixel_array(dataset, index=place)


def _are_values(stored: NDArray[Any], masked: NDArray[Any], bits: int) -> bool:
    """Tell whether the bits above those that the file names carry the picture on: then it jumps without them.

    Where they are an overlay's, padding's or no one's, it jumps with them.
    """
    step = max(1, stored.shape[0] // 512)
    whole, part = (np.abs(np.diff(values[::step].astype(np.int64), axis=1)) for values in (stored, masked))
    half = 1 << bits - 1
    return float(np.mean((part > half) & (whole <= half))) > _WRAPPED


def _has_overlay_bits(dataset: Dataset) -> bool:
    return any(
        (0x6000 + 2 * group, 0x0102) in dataset and dataset[0x6000 + 2 * group, 0x0102].value
        for group in range(16)
    )


def _hidden(reading: HeaderReader, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where the image is padded or shuttered: there it shows nothing, and is as dark as its darkest."""
    hidden = _padding(reading, stored)
    outside = _outside_shutter(reading, stored.shape)
    if outside is not None:
        hidden = outside if hidden is None else hidden | outside
    if hidden is None:
        return None
    share = float(hidden.mean())
    if share > _MOST_HIDDEN:
        reading.contradictions.append("Padding or display shutter hide the whole image; it is shown without.")
        return None
    return hidden if share else None


def _padding(reading: HeaderReader, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where Pixel Padding Value (0028,0120), or the range up to its limit, stands at the image's edge.

    What lies within, with nothing of it at the edge, is a saturated spot: no padding.
    """
    import cv2

    found = reading.numbers("PixelPaddingValue")
    if len(found) != 1:
        return None
    limit = reading.numbers("PixelPaddingRangeLimit")
    bits = int(reading.dataset.get("BitsStored") or 16)
    ends = (
        _as_stored(value, stored, bits) for value in (found[0], limit[0] if len(limit) == 1 else found[0])
    )
    low, high = sorted(ends)
    padded = (stored >= low) & (stored <= high)
    if not padded.any():
        return None
    _, parts = cv2.connectedComponents(padded.astype(np.uint8), connectivity=4)
    edge = np.concatenate((parts[0], parts[-1], parts[:, 0], parts[:, -1]))
    at_edge = np.zeros(int(parts.max()) + 1, bool)
    at_edge[edge] = True
    at_edge[0] = False
    return np.asarray(at_edge[parts])


def _as_stored(value: float, stored: NDArray[Any], bits: int) -> float:
    """Return a value of the header as the pixels hold it: signed and unsigned are mixed up, and bits cut off."""
    if stored.dtype.kind == "u":
        return value if 0 <= value < 1 << bits else float(int(value) & ((1 << bits) - 1))
    return value - 65536 if value > 32767 else value


def _outside_shutter(reading: HeaderReader, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return what the display shutter hides (PS3.3 C.7.6.11); None where there is none, or it cannot be read."""
    import cv2

    said = reading.value("ShutterShape")
    shapes = [said] if isinstance(said, str) else list(said or [])
    inside = np.ones(shape, np.uint8)
    for kind in (str(one).strip().upper() for one in shapes):
        drawn = np.zeros(shape, np.uint8)
        if kind == "RECTANGULAR":
            edges = [
                reading.numbers(f"Shutter{edge}Edge")
                for edge in ("UpperHorizontal", "LowerHorizontal", "LeftVertical", "RightVertical")
            ]
            if any(len(edge) != 1 for edge in edges):
                continue
            # The edges are the first and last hidden lines, counted from 1.
            top, bottom, left, right = (int(edge[0]) for edge in edges)
            drawn[max(0, top) : max(0, bottom - 1), max(0, left) : max(0, right - 1)] = 1
        elif kind == "CIRCULAR":
            center, radius = (
                reading.numbers("CenterOfCircularShutter"),
                reading.numbers("RadiusOfCircularShutter"),
            )
            if len(center) != 2 or len(radius) != 1 or not 0 < radius[0] < 65536:
                continue
            cv2.circle(drawn, (int(center[1]) - 1, int(center[0]) - 1), int(radius[0]), 1, cv2.FILLED)
        elif kind == "POLYGONAL":
            corners = reading.numbers("VerticesOfThePolygonalShutter")
            if len(corners) < 6 or len(corners) % 2:
                continue
            points = np.array(corners, np.int32).reshape(-1, 2)[:, ::-1] - 1
            cv2.fillPoly(drawn, [points], 1)
        else:
            continue
        inside &= drawn
    return None if inside.all() else inside == 0


def _rescaled(reading: HeaderReader, stored: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return the output of the modality LUT or rescale (PS3.3 C.11.1), and how many bits its range takes."""
    dataset = reading.dataset
    bits = int(dataset.get("BitsStored") or stored.dtype.itemsize * 8)
    if reading.value("ModalityLUTSequence"):
        values = apply_modality_lut(stored, dataset)
        return values, min(16, max(1, int(values.max()).bit_length()))
    slopes, intercepts = reading.numbers("RescaleSlope"), reading.numbers("RescaleIntercept")
    slope, intercept = (slopes or [1.0])[0], (intercepts or [0.0])[0]
    if slope == 0:
        raise Refusal(
            "unreadable", "RescaleSlope (0028,1053) is 0, which the standard forbids: no value is left."
        )
    if slope == 1.0 and intercept == 0.0:
        return stored, bits
    values = stored.astype(np.float64 if not (slope.is_integer() and intercept.is_integer()) else np.int64)
    values = values * (slope if values.dtype.kind == "f" else int(slope))
    values = values + (intercept if values.dtype.kind == "f" else int(intercept))
    return values, max(bits, min(16, int(abs(slope) * (2**bits - 1)).bit_length()))


def _whole_numbers(
    values: NDArray[Any],
    bits: int,
    hidden: NDArray[np.bool_] | None,
    window: tuple[float, float] | None,
) -> MeantPixels:
    """Return values as uint16: unsigned whole numbers as they are, others moved to begin at 0 and squeezed to fit."""
    seen = values if hidden is None else values[~hidden]
    low, high = float(seen.min()), float(seen.max())
    scale, offset = 1.0, 0.0
    if values.dtype.kind != "u":
        offset = min(0.0, low) if values.dtype.kind == "i" else low
        if values.dtype.kind == "f" or high - offset > 65535:
            scale = 65535 / max(high - offset, 1e-9)
            bits = 16
        values = np.clip((values.astype(np.float32) - offset) * scale, 0, 65535)
    elif high > 65535:
        scale = 65535 / high
        values = values * scale
        bits = 16
    meant = MeantPixels(np.ascontiguousarray(values.astype(np.uint16)), min(bits, 16))
    if window is not None:
        meant.center, meant.width = (window[0] - offset) * scale, window[1] * scale
    return meant


def _drop_unusable_window(reading: HeaderReader, meant: MeantPixels) -> None:
    if meant.center is None or meant.width is None:
        meant.center = meant.width = None
        return
    lowest, highest = meant.center - meant.width / 2, meant.center + meant.width / 2
    if meant.width < 1 or highest <= float(meant.pixels.min()) or lowest >= float(meant.pixels.max()):
        reading.flags.append(QualityFlag.WINDOW_UNUSABLE)
        meant.center = meant.width = None
