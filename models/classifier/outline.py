"""The outline of what looks most like a lesion in a breast ultrasound, and what a reader would say of it in numbers.

Lesions are darker than what is around them (hypoechoic). Shape, orientation, margin, echo pattern and what lies
behind are the descriptors of the BI-RADS ultrasound lexicon.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTLINE_FEATURES", "find_outline", "outline_features"]

OUTLINE_FEATURES = 33
"""How many numbers `outline_features` gives."""
SHARES = tuple(range(4, 50, 3))
"""Percentiles of shade below which patches are looked for."""
SMALLEST, LARGEST = 0.004, 0.4
"""What share of an image a lesion may take."""


def find_outline(image: NDArray[np.uint8]) -> tuple[float, NDArray[np.intp]] | None:
    """Return the outline (points, 2), x before y, of the most lesion-like dark patch, and how lesion-like it is.

    Of the connected patches below each of `SHARES`, the one that is darker than its rim, solid, near the middle and
    large wins; None if there is none. `image` is (rows, columns).
    """
    rows, columns = image.shape
    smooth = cv2.GaussianBlur(image, (0, 0), max(1.5, rows / 100)).astype(np.float32)
    flat = smooth - 0.5 * cv2.GaussianBlur(smooth, (0, 0), rows / 5)
    spread = float(smooth.std()) + 1e-3
    grain = max(3, round(rows * 7 / 256) | 1)
    opening = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grain, grain))
    rim = np.ones((max(3, round(rows * 11 / 256) | 1),) * 2, np.uint8)
    best: tuple[float, NDArray[np.intp]] | None = None
    for level in np.percentile(flat, SHARES):
        dark = cv2.morphologyEx((flat < level).astype(np.uint8), cv2.MORPH_OPEN, opening)
        count, patch, facts, middles = cv2.connectedComponentsWithStats(dark, connectivity=4)
        for k in range(1, count):
            share = facts[k][4] / image.size
            if not SMALLEST <= share <= LARGEST:
                continue
            line = _longest(patch == k)
            x, y = line[:, 0], line[:, 1]
            inside = _filled(line, image.shape)
            ring = cv2.dilate(inside, rim) - inside
            edge = inside - cv2.erode(inside, rim)
            if not ring.any() or not edge.any():
                continue
            contrast = (smooth[ring > 0].mean() - smooth[edge > 0].mean()) / spread
            at_border = (x <= 3).mean() + (x >= columns - 4).mean() + (y <= 3).mean() + (y >= rows - 4).mean()
            off = (middles[k][0] / columns - 0.5) / 0.28, (middles[k][1] / rows - 0.42) / 0.22
            central = np.exp(-(off[0] ** 2 + off[1] ** 2) / 2)
            likeness = float(
                contrast * _solidity(line) ** 2 * central * share**0.35 * max(0.0, 1 - 3 * at_border)
            )
            if best is None or likeness > best[0]:
                best = likeness, line
    return best


def outline_features(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return `OUTLINE_FEATURES` numbers for an image (rows, columns): place, shape, margin, echoes, what lies behind.

    All are shares, ratios or logarithms, so that an image and its enlargement give about the same; without an
    outline all are 0.
    """
    found = find_outline(image)
    if found is None:
        return np.zeros(OUTLINE_FEATURES, np.float32)
    likeness, line = found
    rows, columns = image.shape
    shades = image.astype(np.float32)
    mean, spread = float(shades.mean()) + 1e-3, float(shades.std()) + 1e-3
    inside = _filled(line, image.shape)
    area = float(inside.sum())
    x, y, wide, high = cv2.boundingRect(line)
    hull = cv2.convexHull(line)
    length = cv2.arcLength(line, True)
    moments = cv2.moments(inside, True)
    middle = np.array([moments["m10"], moments["m01"]]) / area
    scatter = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / area
    axes, directions = np.linalg.eigh(scatter)
    axes = np.maximum(axes, 1e-3)
    tilt = abs(float(np.arctan2(directions[1, 1], directions[0, 1])))
    radius = np.linalg.norm((line - middle) @ directions / np.sqrt(axes), axis=1) / 2
    rim = max(3, int(0.12 * np.sqrt(area)) | 1)
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim))
    wider = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3 * rim, 3 * rim))
    grown = cv2.dilate(inside, near)
    within, around = shades[inside > 0], _shades(shades, grown - inside, mean)
    edge = _shades(shades, inside - cv2.erode(inside, near), mean)
    beyond = _shades(shades, cv2.dilate(inside, wider) - grown, mean)
    fine = cv2.GaussianBlur(shades, (0, 0), 1.5 * rows / 256)
    steep = np.hypot(cv2.Sobel(fine, cv2.CV_32F, 1, 0), cv2.Sobel(fine, cv2.CV_32F, 0, 1))
    margin = steep[line[:, 1], line[:, 0]]
    behind, beside, before = _along(shades, (x, y, wide, high), float(within.mean()), float(around.mean()))
    return np.array(
        [
            likeness,
            np.log(area / image.size),
            np.log(wide / high),
            wide / columns,
            high / rows,
            abs(middle[0] / columns - 0.5),
            middle[1] / rows,
            _solidity(line),
            4 * np.pi * area / length**2,
            cv2.arcLength(hull, True) / length,
            np.sqrt(axes[0] / axes[1]),
            min(tilt, np.pi - tilt),
            radius.std(),
            np.abs(radius - 1).max(),
            within.mean() / mean,
            within.std() / spread,
            np.log1p(within.std()),
            (around.mean() - within.mean()) / spread,
            (around.mean() - edge.mean()) / spread,
            (beyond.mean() - within.mean()) / spread,
            around.std() / spread,
            margin.mean() / spread,
            margin.std() / (margin.mean() + 1),
            np.percentile(margin, 20) / spread,
            (behind - beside) / spread,
            (behind - within.mean()) / spread,
            (behind - before) / spread,
            (within < 0.3 * mean).mean(),
            np.percentile(within, 10) / mean,
            np.percentile(within, 90) / mean,
            mean / 50,
            spread / 50,
            (shades < 10).mean(),
        ],
        np.float32,
    )


def _along(
    shades: NDArray[np.float32], box: tuple[int, int, int, int], within: float, around: float
) -> tuple[float, float, float]:
    """Return the mean shades behind a box (x, y, width, height) as the beam goes, beside that, and before the box.

    Where there is nothing behind it counts as `within`, and beside and before as `around`.
    """
    x, y, wide, high = box
    end = min(len(shades), y + high + max(8, high))
    beside = np.concatenate(
        [
            shades[y + high : end, max(0, x - wide) : x].ravel(),
            shades[y + high : end, x + wide : x + 2 * wide].ravel(),
        ]
    )
    return (
        _mean(shades[y + high : end, x : x + wide], within),
        _mean(beside, around),
        _mean(shades[max(0, y - high // 2) : y, x : x + wide], around),
    )


def _longest(patch: NDArray[np.bool_]) -> NDArray[np.intp]:
    lines, _ = cv2.findContours(patch.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(max(lines, key=len)[:, 0])


def _filled(line: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    inside = np.zeros(shape, np.uint8)
    cv2.drawContours(inside, [line[:, None]], -1, 1, -1)
    return inside


def _solidity(line: NDArray[np.intp]) -> float:
    """Return what share of its convex hull an outline fills."""
    return float(min(1.0, cv2.contourArea(line) / max(cv2.contourArea(cv2.convexHull(line)), 1.0)))


def _shades(shades: NDArray[np.float32], where: NDArray[np.uint8], otherwise: float) -> NDArray[np.float32]:
    chosen = shades[where > 0]
    return chosen if len(chosen) else np.array([otherwise], np.float32)


def _mean(shades: NDArray[np.float32], otherwise: float) -> float:
    return float(shades.mean()) if shades.size else otherwise
