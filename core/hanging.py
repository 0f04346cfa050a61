"""How a view is hung: which way it has to be turned so that the chest walls meet in the middle."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image as PillowImage

from db.images import ImageStore

Side = Literal["left", "right"]

HANGING: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = (
    (("R", "CC"), ("L", "CC")),
    (("R", "MLO"), ("L", "MLO")),
)
"""Rows of the four-view hanging: CC above MLO; right breast on the left (CLINICAL.md, Hanging)."""


def chest_wall_side(pixels: np.ndarray) -> Side | None:
    """Say at which edge of a picture the breast ends, from its grey values (rows, columns), larger = brighter.

    The chest wall is cut off straight by the edge of the picture, the nipple side is surrounded by air. So the
    outer tenth with more tissue in it is the chest wall's; None where the two do not clearly differ.
    """
    grey = np.asarray(pixels, dtype=np.float32)
    grey = grey - np.percentile(grey, 2)
    peak = float(np.percentile(grey, 99.5))
    if peak <= 0:
        return None
    tissue = grey > 0.12 * peak
    strip = max(1, tissue.shape[1] // 10)
    # The very edge of a film is often a bright border: it is left out.
    border = max(1, tissue.shape[1] // 50)
    left = float(tissue[:, border : border + strip].mean())
    right = float(tissue[:, -border - strip : -border].mean())
    if max(left, right) < 0.05 or abs(left - right) < 0.15 * max(left, right):
        return None
    return "left" if left > right else "right"


@lru_cache(maxsize=16_384)
def chest_wall_side_of_object(images: ImageStore, sha256: str) -> Side | None:
    """Say the same of a thumbnail in the image store, whose objects never change; None where it is lost."""
    try:
        return chest_wall_side_of_png(images.get(sha256))
    except FileNotFoundError:
        return None


def chest_wall_side_of_png(png: bytes) -> Side | None:
    """Say the same of a thumbnail."""
    with PillowImage.open(io.BytesIO(png)) as picture:
        return chest_wall_side(np.asarray(picture.convert("L")))


def is_flipped(laterality: str, chest_wall: Side | None) -> bool:
    """Say whether a view must be mirrored on screen: a right breast's chest wall belongs on the right."""
    wanted = "right" if laterality == "R" else "left"
    return chest_wall is not None and chest_wall != wanted
