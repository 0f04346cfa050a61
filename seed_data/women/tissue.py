"""Texture and early signs in pictures, for women who have them (`seed_data.women.mechanisms`); none others are touched."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from core.rules.vocabulary import SIDES, Side
from seed_data.women.findings import draw_position
from seed_data.women.life import Life
from seed_data.women.planes import Plane

__all__ = ["draw_sign", "sign_place", "strands"]

# A sign is drawn as a focal asymmetry so wide, and as strong as the tissue around it is uneven where it stands as high as
# in one healthy breast of ten: what `appearance` calls visible of a finding. Width: assumption.
SIGN_MM: Final = 14.0
SIGN_STANDS_OUT: Final = 1.2816
# Strands and vessels are so much stronger for one SD of texture. Assumption.
STRANDS_PER_SD: Final = 0.25


def strands(detail: Plane, texture: float) -> Plane:
    """Return the strands of a view, stronger or weaker by a woman's texture in SDs."""
    return detail * np.float32(np.clip(1 + STRANDS_PER_SD * texture, 0.3, 2.0))


def sign_place(life: Life, side: Side) -> tuple[float, float, float]:
    """Return where in a breast its sign lies, in mm: where the cancer will be, or a place of its own."""
    cancer = next((one for one in life.lesions if one.malignant and one.side == side), None)
    if cancer is not None:
        return cancer.position_mm
    return draw_position(np.random.default_rng([*life.key, 25, SIDES.index(side)]), life.breast_mm)


def draw_sign(signal: Plane, skin: Plane, at_mm: tuple[float, float], spacing_mm: float, sign: float) -> None:
    """Add a sign to a view, in place: denser than the tissue around it, or lighter if below 0.

    `signal` and `skin` (mm to the skin) are (rows, columns); `at_mm` is the place on the film.
    """
    rows, columns = signal.shape
    x, y = at_mm[0] / spacing_mm - 0.5, at_mm[1] / spacing_mm - 0.5
    half = math.ceil(1.5 * SIGN_MM / spacing_mm)
    x0, x1 = max(round(x) - half, 0), min(round(x) + half + 1, columns)
    y0, y1 = max(round(y) - half, 0), min(round(y) + half + 1, rows)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    patch = signal[y0:y1, x0:x1]
    smooth = cv2.GaussianBlur(patch, (0, 0), SIGN_MM / 2 / spacing_mm)
    clutter = float((patch - smooth).std())
    du = ((np.arange(x0, x1) - x) * spacing_mm)[None, :]
    dv = ((np.arange(y0, y1) - y) * spacing_mm)[:, None]
    shape = np.exp(-(du**2 + dv**2) / (2 * (SIGN_MM / 2.5) ** 2))
    patch += (sign / SIGN_STANDS_OUT * clutter * shape * np.clip(skin[y0:y1, x0:x1] / 6, 0, 1)).astype(
        np.float32
    )
