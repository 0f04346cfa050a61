"""All that is measured of how a mammogram was taken, as plain numbers to be kept with it.

The view is not needed: what holds for one view only (`core.rules.quality`) is measured of each.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images.mammogram import outline_of
from core.images.quality.laid import Laid, lay
from core.images.quality.positioning import nipple_of, pectoral_muscle, runs_out
from core.images.quality.sharpness import sharpness_of

__all__ = ["FEWEST_FOR_SHARPNESS", "measure"]

FEWEST_FOR_SHARPNESS = 512
"""Pixels of the longest side: sharpness is that of the enlargement where there are fewer."""
_LOOK_SIDE = 32


def measure(pixels: NDArray[np.uint16], bits_stored: int) -> dict[str, float | str]:
    """Return what is measured of a mammogram (rows, columns), larger = brighter; what cannot be measured is left out.

    longest_side
        Pixels of the image.
    tip_touch, out_above, out_below
        Share of the picture's edge opposite the chest wall that the breast touches; how far forward it lies on the upper and
        on the lower edge, as a share of its depth.
    muscle_contrast, muscle_reach
        How clearly the pectoral muscle's edge stands out; where it meets the chest wall, as a share of the nipple's level.
    depth_px, depth_to_muscle_px
        Posterior nipple line in pixels of the image: from the foremost point straight back to the edge at the chest wall, and
        at a right angle to the muscle, to it or to that edge, whichever comes first.
    steepest, fall, one_way
        `core.images.quality.sharpness.Sharpness`.
    burnt, levels
        Share of the breast that is of the brightest white there is; shades from its 5th to its 95th percentile.
    look
        32 × 32 signed bytes, base64: the breast's own detail, to know the same picture again.
    """
    found: dict[str, float | str] = {"longest_side": max(pixels.shape)}
    outline = outline_of(pixels)
    if outline is None:
        return found
    laid = lay(pixels, outline)
    found |= _exposure(laid, 2.0**bits_stored - 1)
    _, top, _, bottom = laid.box
    if bottom - top < 16:
        return found
    found["tip_touch"] = outline.tip_touch
    found["out_above"], found["out_below"] = runs_out(laid)
    muscle = pectoral_muscle(laid)
    x, y = nipple_of(laid, muscle)
    found["muscle_contrast"], found["muscle_reach"] = muscle.contrast, muscle.foot / max(y, 1.0)
    back = x * float(np.hypot(muscle.foot, muscle.top)) / muscle.foot
    found["depth_to_muscle_px"] = min(float(muscle.beyond(np.array([(x, y)]))[0]), back) * laid.scale
    found["depth_px"] = nipple_of(laid, None)[0] * laid.scale
    if max(pixels.shape) >= FEWEST_FOR_SHARPNESS and (sharpness := sharpness_of(laid)) is not None:
        found |= {
            "steepest": sharpness.steepest,
            "fall": sharpness.fall,
            "one_way": sharpness.one_way,
        }
    found = {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}
    found["look"] = _look(laid)
    return found


def _exposure(laid: Laid, top: float) -> dict[str, float | str]:
    inside, (low, high) = laid.inside, laid.levels
    brightest, darkest = float(laid.grey.max()), float(laid.grey.min())
    burnt = float(np.mean(inside >= 0.995 * top))
    if high - low >= 24:  # of few shades the brightest is always many pixels'
        burnt = max(burnt, float(np.mean(inside >= brightest - 0.005 * (brightest - darkest))))
    return {"burnt": burnt, "levels": float(high - low), "brightness": float(inside.mean()) / top}


def _look(laid: Laid) -> str:
    left, top, right, bottom = laid.box
    small = cv2.resize(
        laid.shades[top:bottom, left:right], (_LOOK_SIDE, _LOOK_SIDE), interpolation=cv2.INTER_AREA
    )
    detail = small - cv2.GaussianBlur(small, (0, 0), 3.0)
    detail = detail - detail.mean()
    most = max(float(np.abs(detail).max()), 1e-9)
    return base64.b64encode(np.rint(detail / most * 127).astype(np.int8).tobytes()).decode()
