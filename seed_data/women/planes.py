"""The plane of a view: its coordinates in mm, the detector it lies on, and the greys that tissue is drawn in."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

# The small detector of a mammography machine is 18 x 24 cm. Where the nipple lies on it: assumption.
HEIGHT_MM: Final = 240.0
WIDTH_MM: Final = 180.0
NIPPLE_V_MM: Final = {"CC": 120.0, "MLO": 138.0}
# Grey of fat and what gland adds, before the machine: scales of the drawing, chosen by eye.
FAT, GLAND = 0.27, 0.47


def plane_position(position_mm: tuple[float, float, float], view: str) -> tuple[float, float]:
    """Project a place in the breast (mm) to plane coordinates (u, v) in mm of a CC or MLO view."""
    x, y, z = position_mm
    if view == "CC":
        return x, NIPPLE_V_MM["CC"] - y
    return x, NIPPLE_V_MM["MLO"] - (z + y) * math.sqrt(0.5) * 1.05
