"""Grey values of a colour picture, and whether its colours mean something."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grey(colours: NDArray[Any]) -> tuple[NDArray[np.uint16], int, bool]:
    """Return grey values (rows, cols) of RGB (rows, cols, 3) of 8 or 16 bits, these bits, and whether its colours mean something.

    JPEG leaves a trace of colour in grey pictures, so a few levels of difference do not count.
    """
    bits = 8 if colours.dtype.itemsize == 1 else 16
    low, high = colours.min(axis=2), colours.max(axis=2)
    levels = 24 << (bits - 8)
    if bits == 16:
        # Fewer bits than 16 may be used of them: what counts is the difference against the brightest.
        levels = max(1, int(high.max()) * 24 // 255)
    colourful = bool(np.mean((high - low) > levels) > 0.002)
    return (
        colours[..., 1].astype(np.uint16),
        max(8, int(high.max()).bit_length()) if bits == 16 else 8,
        colourful,
    )
