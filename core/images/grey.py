"""Grey values of a colour picture, and whether its colours mean something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grey(colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint16], bool]:
    """Return grey values (rows, cols) of RGB (rows, cols, 3), and whether it has colours that mean something.

    JPEG leaves a trace of colour in grey pictures, so a few levels of difference do not count.
    """
    low, high = colours.min(axis=2), colours.max(axis=2)
    colourful = bool(np.mean((high - low) > 24) > 0.002)
    return colours[..., 1].astype(np.uint16), colourful
