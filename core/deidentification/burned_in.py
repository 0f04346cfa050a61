"""Where a picture shows nothing of the breast, and whether letters stand in what is left of it.

Letters are not read. What cannot be told from letters is taken for them: a picture is refused rather than let out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images import breast_region

__all__ = ["breast_alone", "letters", "outside_the_breast"]

_MARGIN = 0.04
"""Of the longer side: so far beyond its recognised outline all is left as it is, so that no skin is lost."""
_SKETCH = 2048
_STROKE = 0.006
"""Of the longer side: letters are written with lines at most so wide."""
_CONTRASTS = (0.3, 0.12)
"""Of the picture's range: so much brighter than what is around them are burned-in letters; each is looked for by itself,
as faint ones run together with tissue at one and strong ones with each other at another."""
_FEWEST_LETTERS = 4
_MOST_THINGS = 200
"""So many things like letters are the grain of a picture (films that were looked at have up to 113): letters as faint as that
grain are told apart from it by nobody, and stand out at the other contrast if they are stronger."""


def outside_the_breast(grey: NDArray[np.uint16]) -> NDArray[np.bool_] | None:
    """Return what may be blacked out: all beyond the breast and a margin, and what stands apart from it within the margin.

    `grey` is (rows, columns), larger = brighter. None where no breast is recognised.
    """
    region = breast_region(grey)
    if region is None:
        return None
    radius = max(2, round(_MARGIN * max(region.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    size = grey.shape[1], grey.shape[0]
    kept = cv2.resize(cv2.dilate(region, disc), size, interpolation=cv2.INTER_NEAREST)
    breast = cv2.resize(region, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray((kept == 0) | _apart(grey, breast, kept))


def breast_alone(grey: NDArray[np.uint16]) -> NDArray[np.uint16] | None:
    """Return the picture with all beyond the breast black; None where text in it cannot be told from the breast."""
    outside = outside_the_breast(grey)
    if outside is None or letters(grey, outside):
        return None
    return np.where(outside, grey.min(), grey)


def _apart(grey: NDArray[np.uint16], breast: NDArray[np.uint8], kept: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bright things in the margin that do not touch the breast: markers and labels beside it."""
    air = grey[kept == 0]
    inside = grey[breast > 0]
    dark = float(np.percentile(air, 50)) if air.size else 0.0
    level = dark + 0.25 * max(1.0, float(np.percentile(inside, 90)) - dark)
    bright = ((grey > level) & (kept > 0)).astype(np.uint8)
    _, parts = cv2.connectedComponents(bright, connectivity=8)
    touching = np.zeros(int(parts.max()) + 1, bool)
    touching[np.unique(parts[breast > 0])] = True
    touching[0] = True
    alone = (~touching)[parts].astype(np.uint8)
    around = max(3, round(0.004 * max(grey.shape)) | 1)
    grown = cv2.dilate(alone, np.ones((around, around), np.uint8))
    return np.asarray((grown > 0) & (breast == 0))


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    wide: float
    high: float
    stays: bool
    """Whether any of it would be left."""


def letters(grey: NDArray[np.uint16], outside: NDArray[np.bool_] | None = None) -> bool:
    """Tell whether a line of things like letters stands in a picture, apart from what is `outside` and goes anyway.

    A letter is thin, brighter than what is around it by much, with a sharp edge, and one of several of like height side by
    side. Calcifications are small and bright too, and do not stand in a line.
    """
    scale = _SKETCH / max(grey.shape)
    if scale < 1:
        size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        outside = None if outside is None else cv2.resize(outside.astype(np.uint8), size) > 0
    low, high = float(grey.min()), float(grey.max())
    if high <= low:
        return False
    shades = np.clip((grey.astype(np.float32) - low) / (high - low), 0, 1)
    width = max(3, round(_STROKE * max(grey.shape)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    raised = shades - cv2.morphologyEx(shades, cv2.MORPH_OPEN, kernel)
    edges = cv2.morphologyEx(shades, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    for contrast in _CONTRASTS:
        strokes = (raised > contrast).astype(np.uint8)
        stays = strokes if outside is None else strokes * (~outside)
        boxes = _boxes(strokes, stays, edges >= contrast)
        if len(boxes) <= _MOST_THINGS and _stand_in_line(boxes):
            return True
    return False


def _boxes(strokes: NDArray[np.uint8], stays: NDArray[np.uint8], sharp: NDArray[np.bool_]) -> list[_Box]:
    """Return where things are that could be letters by size, by how much of their box they fill, and by a sharp edge."""
    longest = max(strokes.shape)
    count, parts, facts, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    rims = (strokes > 0) & (cv2.erode(strokes, np.ones((3, 3), np.uint8)) == 0)
    found = []
    for part in range(1, count):
        x, y, wide, high, area = (int(value) for value in facts[part])
        if not (max(6.0, 0.004 * longest) <= max(wide, high) <= 0.06 * longest) or area < 8:
            continue
        if not 0.12 <= area / (wide * high) <= 0.9 or max(wide, high) / min(wide, high) > 9:
            continue
        box = slice(y, y + high), slice(x, x + wide)
        it = parts[box] == part
        if float(np.mean(sharp[box][it & rims[box]])) >= 0.5:
            left = bool((stays[box] > 0)[it].any())
            found.append(_Box(x + wide / 2, y + high / 2, float(wide), float(high), left))
    return found


def _stand_in_line(boxes: list[_Box]) -> bool:
    """Tell whether boxes of like height stand side by side, across or up the picture, and one of them would be left."""
    turned = [_Box(box.y, box.x, box.high, box.wide, box.stays) for box in boxes]
    return any(
        len(line) >= _FEWEST_LETTERS and any(box.stays for box in line)
        for some in (boxes, turned)
        for line in _lines(some)
    )


def _lines(boxes: list[_Box]) -> Iterator[list[_Box]]:
    """Yield for each box the line that begins with it."""
    ordered = sorted(boxes, key=lambda box: box.x)
    for first in ordered:
        line = [first]
        for box in ordered:
            if box.x <= line[-1].x:
                continue
            height = max(first.high, box.high)
            step = box.x - line[-1].x
            like = min(first.high, box.high) >= 0.6 * height
            if like and 0.2 * height <= step <= 2.2 * height and abs(box.y - first.y) <= 0.35 * height:
                line.append(box)
        yield line
