"""Pictures that say to be larger than may be unfolded, and what Pillow is told about them while one is opened."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

__all__ = ["no_larger_than"]


@contextmanager
def no_larger_than(max_pixels: int) -> Iterator[None]:
    """Let Pillow open no picture of more pixels; raises its `DecompressionBombWarning` or `DecompressionBombError`.

    Its limit is one for the whole process: afterwards it is what it was.
    """
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
