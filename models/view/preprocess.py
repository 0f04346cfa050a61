"""One view made standard for the networks, and the way back to the original pixels.

A standard view is float32 (512, 416, 1) in 0..1: chest wall at the left, breast cropped and scaled to fit
the upper left corner, everything that is not breast (background, film border, markers, labels) set to zero.
Only numpy and OpenCV are imported here, so that the web process may use it too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, overload

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["NETWORK_SHAPE", "STRIDE", "StandardView", "ViewTransform", "standardise"]

NETWORK_SHAPE = (512, 416)
"""Rows and columns of a standard view."""
STRIDE = 16
"""Network pixels a cell of the lesion map spans."""

_SKETCH = 512
"""Longest side, in pixels, of the small copy in which the breast is searched."""


@dataclass(frozen=True)
class ViewTransform:
    """What standardising did to one view; maps network pixels to original pixels and back.

    Parameters
    ----------
    flipped
        True if the image was mirrored so that the chest wall lies at the left.
    x0, y0, x1, y1
        Crop box in the (mirrored) image in pixels, half open.
    scale
        Network pixels per original pixel.
    source_columns
        Width of the original in pixels, to undo the mirroring.

    Notes
    -----
    Coordinates are those of pixel edges: 0 is the left edge of the first pixel, so a box drawn from
    ``x0`` to ``x1`` covers ``x1 - x0`` pixels, and mirroring maps x to ``source_columns - x``.
    """

    flipped: bool
    x0: int
    y0: int
    x1: int
    y1: int
    scale: float
    source_columns: int

    @overload
    def to_original(self, x: float, y: float) -> tuple[float, float]: ...
    @overload
    def to_original(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def to_original(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Map a point (or arrays of points) of the network's image to the original image."""
        across, down = x / self.scale + self.x0, y / self.scale + self.y0
        return (self.source_columns - across if self.flipped else across), down

    @overload
    def to_network(self, x: float, y: float) -> tuple[float, float]: ...
    @overload
    def to_network(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def to_network(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Map a point (or arrays of points) of the original image to the network's image."""
        across = self.source_columns - x if self.flipped else x
        return (across - self.x0) * self.scale, (y - self.y0) * self.scale

    def box_to_network(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        """Map a box of the original image to the network's image, its left edge still the smaller one."""
        ax, ay = self.to_network(x0, y0)
        bx, by = self.to_network(x1, y1)
        return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ViewTransform:
        """Read what `to_json` gave."""
        return cls(
            flipped=bool(values["flipped"]),
            x0=int(values["x0"]),
            y0=int(values["y0"]),
            x1=int(values["x1"]),
            y1=int(values["y1"]),
            scale=float(values["scale"]),
            source_columns=int(values["source_columns"]),
        )


@dataclass(frozen=True)
class StandardView:
    """One standard view: ``pixels`` float32 (512, 416, 1) or another size in 0..1, and the transform that made it."""

    pixels: NDArray[np.float32]
    transform: ViewTransform


def standardise(pixels: NDArray[Any], shape: tuple[int, int] = NETWORK_SHAPE) -> StandardView:
    """Bring one mammogram to the form the networks read.

    Parameters
    ----------
    pixels
        (rows, columns), any real type and range; larger is brighter (tissue bright, air dark).
    shape
        Rows and columns of the standard view.

    Returns
    -------
    StandardView
        The chest wall's side is read from the pixels: mirrored films exist, and a wrong header would
        otherwise turn the breast round.

    Raises
    ------
    ValueError
        If the array is not a picture, or no breast is found in it.

    Notes
    -----
    Intensity: the 1st and 99.7th percentile inside the breast become 0.05 and 0.95, so that vendors' look-up
    tables and bit depths drop out; values beyond are clipped.
    """
    image = _check_picture(pixels)
    rows, columns = image.shape
    shrink = min(1.0, _SKETCH / max(rows, columns))
    sketch = _resize(image, max(1, round(columns * shrink)), max(1, round(rows * shrink)))
    mask = _breast(sketch)
    flipped = _chest_wall_is_right(mask)
    if flipped:
        image, mask = image[:, ::-1], mask[:, ::-1]
    x0, y0, x1, y1 = _box(mask, rows, columns)
    scale = min(shape[0] / (y1 - y0), shape[1] / (x1 - x0))
    transform = ViewTransform(flipped, x0, y0, x1, y1, scale, columns)
    high = min(shape[0], max(1, round((y1 - y0) * scale)))
    wide = min(shape[1], max(1, round((x1 - x0) * scale)))
    breast = _resize(np.ascontiguousarray(image[y0:y1, x0:x1]), wide, high)
    inside = _crop_mask(mask, transform, rows, wide, high)
    canvas = np.zeros((*shape, 1), np.float32)
    canvas[:high, :wide, 0] = _even_out(breast, inside)
    return StandardView(canvas, transform)


def _check_picture(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels in a type that OpenCV resizes, or say why they are no picture."""
    image = np.asarray(pixels)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim != 2:
        raise ValueError(f"A view must have rows and columns only, not shape {image.shape}.")
    if image.dtype.kind not in "buif":
        raise ValueError(f"A view must hold real numbers, not {image.dtype}.")
    if min(image.shape) < 32:
        raise ValueError(
            f"The image is only {image.shape[0]} by {image.shape[1]} pixels: too small for a view."
        )
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError("The image holds values that are not numbers.")
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        image = image.astype(np.float32)
    return image


def _resize(image: NDArray[Any], wide: int, high: int) -> NDArray[np.float32]:
    """Resize by area when shrinking (no aliasing of fine structure), linearly when growing."""
    method = cv2.INTER_AREA if wide < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (wide, high), interpolation=method), np.float32)


def _breast(sketch: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Find the breast in a small copy: 1 inside, 0 outside; films' borders, markers and labels are outside."""
    low, high = np.percentile(sketch, (0.5, 99.5))
    if high <= low:
        raise ValueError("The image is of one shade: no breast is found in it.")
    even = np.clip((sketch - low) / (high - low), 0, 1)
    smooth = cv2.GaussianBlur(even, (0, 0), 1.5)
    rows, columns = smooth.shape
    light = (smooth > _air_level(smooth)).astype(np.uint8)
    side = max(rows, columns)
    # An opening cuts the thin things off: film edges, scratches, lettering, the bridge from label to breast.
    opened = cv2.morphologyEx(light, cv2.MORPH_OPEN, _disc(side // 28), borderType=cv2.BORDER_REPLICATE)
    count, parts, facts, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    best, most = 0, 0.0
    for part in range(1, count):
        area = float(facts[part, cv2.CC_STAT_AREA])
        filled = area / max(1, facts[part, cv2.CC_STAT_WIDTH] * facts[part, cv2.CC_STAT_HEIGHT])
        slim = (
            facts[part, cv2.CC_STAT_WIDTH] / columns < 0.06 or facts[part, cv2.CC_STAT_HEIGHT] / rows < 0.06
        )
        # A film's lit margin is a frame: slim, or a large box mostly empty.
        worth = 0.0 if slim or filled < 0.2 else area
        if worth > most:
            best, most = part, worth
    if best == 0 or most < 0.03 * rows * columns:
        raise ValueError("No breast is found in the image.")
    mask = (parts == best).astype(np.uint8)
    # Give back the skin line that the opening rounded off, but nothing that was dark.
    mask = cv2.dilate(mask, _disc(side // 100)) & light
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(side // 50), borderType=cv2.BORDER_REPLICATE)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled_mask = np.zeros_like(mask)
    cv2.drawContours(filled_mask, [max(outlines, key=cv2.contourArea)], -1, 1, thickness=cv2.FILLED)
    return filled_mask


def _air_level(smooth: NDArray[np.float32]) -> float:
    """Return the shade (0..1) that parts air from tissue.

    Air is the darkest broad peak of the histogram; a film's air is grey and noisy, a detector's is one value.
    The threshold lies a little above that peak, since the skin line fades slowly, and never above Otsu's.
    """
    shades = np.clip(smooth * 255, 0, 255).astype(np.uint8)
    counts = np.bincount(shades.ravel(), minlength=256).astype(np.float64)
    counts = np.convolve(counts, np.ones(5) / 5, mode="same")
    otsu, _ = cv2.threshold(shades, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = counts[: max(2, int(otsu) + 1)]
    peak = int(dark.argmax())
    below = shades[shades <= peak].astype(np.float64)
    spread = 1.4826 * float(np.median(np.abs(below - peak))) if below.size else 0.0
    level = max(peak + 4.0 * spread, peak + 8.0)
    return min(level, max(float(otsu), peak + 4.0)) / 255.0


def _disc(radius: int) -> NDArray[np.uint8]:
    """Return a disc for morphology."""
    size = 2 * max(1, radius) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _chest_wall_is_right(mask: NDArray[np.uint8]) -> bool:
    """Tell the chest wall's side: there the breast is tall, towards the nipple it tapers."""
    inside = np.flatnonzero(mask.any(axis=0))
    tall = mask[:, inside[0] : inside[-1] + 1].sum(axis=0)
    edge = max(1, tall.size // 8)
    return bool(tall[-edge:].mean() > tall[:edge].mean())


def _box(mask: NDArray[np.uint8], rows: int, columns: int) -> tuple[int, int, int, int]:
    """Return the breast's box in the full image with a margin of one in a hundred, chest wall excepted."""
    high, wide = mask.shape
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = 0.01 * max(high, wide)
    x0 = int(max(0, across[0] * columns / wide))
    x1 = int(min(columns, np.ceil((across[-1] + 1 + margin) * columns / wide)))
    y0 = int(max(0, (down[0] - margin) * rows / high))
    y1 = int(min(rows, np.ceil((down[-1] + 1 + margin) * rows / high)))
    return x0, y0, x1, y1


def _crop_mask(
    mask: NDArray[np.uint8], transform: ViewTransform, rows: int, wide: int, high: int
) -> NDArray[np.bool_]:
    """Return the mask (wide by high) of the crop in network pixels."""
    full_high, full_wide = mask.shape
    # Affine map from network pixels to the sketch; cv2 wants it that way round with WARP_INVERSE_MAP.
    step_x = full_wide / transform.source_columns
    step_y = full_high / rows
    warp = np.array(
        [
            [step_x / transform.scale, 0, transform.x0 * step_x],
            [0, step_y / transform.scale, transform.y0 * step_y],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    soft = cv2.warpAffine(
        np.ascontiguousarray(mask, np.float32),
        warp,
        (wide, high),
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(soft > 0.5)


def _even_out(breast: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Scale the breast's shades to 0..1 and blacken what is outside."""
    values = breast[inside]
    low, high = np.percentile(values[:: max(1, values.size // 40_000)], (1.0, 99.7))
    even = 0.05 + 0.9 * (breast - low) / max(float(high - low), 1e-6)
    return np.where(inside, np.clip(even, 0.0, 1.0), 0.0).astype(np.float32)
