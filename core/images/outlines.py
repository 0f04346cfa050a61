"""What is lit in a picture: the shape of the largest things, labels, markers and film borders left out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Outline", "largest_lit"]

# Of the largest thing's area: from here on a second one may be another view.
_SECOND_AREA = 0.3


@dataclass(frozen=True)
class Outline:
    """How the largest lit thing in a picture is shaped; shares are 0..1, lengths are of a 256-pixel sketch.

    `height` and `area` are shares of the picture, `elongation` is height over width. `wall_fill` and `tip_fill` are
    the shares of its height that are lit at its taller and at its lower side; `straightness` is the share of rows
    that begin at the chest wall, which may lean; `solidity` its area over that of its convex hull, `jump` the largest step of its
    free side from row to row, `tip_touch` the share of the picture's edge that it touches opposite the chest wall,
    `symmetry` the share that it has in common with its mirror image.
    """

    area: float
    height: float
    elongation: float
    wall_fill: float
    tip_fill: float
    straightness: float
    solidity: float
    jump: float
    tip_touch: float
    symmetry: float
    mask: NDArray[np.uint8]
    wall_is_right: bool


def largest_lit(lit: NDArray[np.uint8]) -> list[Outline]:
    """Measure the largest lit thing, and a second one of like size; labels, markers and film borders are left out first."""
    return list(_largest_of(lit.tobytes(), lit.shape))


@lru_cache(maxsize=16)  # the same thing is asked about for its shape, its number and its exposure
def _largest_of(lit_bytes: bytes, shape: tuple[int, int]) -> tuple[Outline, ...]:
    lit = np.frombuffer(lit_bytes, np.uint8).reshape(shape)
    rows, columns = shape
    radius = max(2, max(rows, columns) // 28)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = cv2.morphologyEx(lit, cv2.MORPH_OPEN, disc, borderType=cv2.BORDER_REPLICATE)
    count, parts, facts, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    sizes: list[tuple[int, int]] = []
    for part in range(1, count):
        wide, high, area = (int(v) for v in facts[part, cv2.CC_STAT_WIDTH : cv2.CC_STAT_AREA + 1])
        slim = wide / columns < 0.06 or high / rows < 0.06 or area / (wide * high) < 0.2
        if not slim:
            sizes.append((area, part))
    sizes.sort(reverse=True)
    return tuple(
        _measured((parts == part).astype(np.uint8), facts[part])
        for area, part in sizes[:2]
        if area >= _SECOND_AREA * sizes[0][0]
    )


def _measured(part: NDArray[np.uint8], facts: NDArray[np.int32]) -> Outline:
    """Measure one lit thing; `facts` are OpenCV's of it."""
    rows = part.shape[0]
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    mask = np.zeros_like(part)
    cv2.drawContours(mask, [outline], -1, 1, thickness=cv2.FILLED)
    x0, y0, wide, high = (int(v) for v in facts[: cv2.CC_STAT_AREA])
    box = mask[y0 : y0 + high, x0 : x0 + wide]
    edge = max(1, wide // 8)
    left, right = float(box[:, :edge].mean()), float(box[:, -edge:].mean())
    wall_is_right = right > left
    from_wall = box[:, ::-1] if wall_is_right else box
    begins = _upright(from_wall.argmax(axis=1).astype(np.float64))
    ends = (wide - 1 - from_wall[:, ::-1].argmax(axis=1)).astype(np.float32)
    steps = np.diff(cv2.GaussianBlur(ends.reshape(-1, 1), (0, 0), 3).ravel())
    return Outline(
        area=float(mask.mean()),
        height=high / rows,
        elongation=high / wide,
        wall_fill=float(np.clip(1 - begins / edge, 0, 1).mean()),
        tip_fill=min(left, right),
        straightness=float(np.mean(begins <= max(1.0, 0.03 * wide))),
        solidity=cv2.contourArea(outline) / max(1.0, cv2.contourArea(cv2.convexHull(outline))),
        jump=float(np.abs(steps).max()) if steps.size else 0.0,
        tip_touch=float(mask[:, 0 if wall_is_right else -1].mean()),
        symmetry=float((box & box[:, ::-1]).sum() / (box | box[:, ::-1]).sum()),
        mask=mask,
        wall_is_right=wall_is_right,
    )


def _upright(begins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the rows begin, measured from a straight chest wall: films lie up to 6 degrees askew."""
    where = np.arange(begins.size, dtype=np.float64)
    third = max(1, begins.size // 3)
    top, bottom = np.median(begins[:third]), np.median(begins[-third:])
    slope = float(np.clip((bottom - top) / max(1, begins.size - third), -0.105, 0.105))
    leaning = begins - slope * where
    leaning -= np.percentile(leaning, 25)
    return np.minimum(np.abs(leaning), begins)
