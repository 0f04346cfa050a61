"""Which image hangs as a view, and which way it is turned: by the hanging protocol in force (`core.rules`)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image as PillowImage

from core.rules import hanging_protocols
from core.rules.hanging_protocols import Edge
from core.rules.vocabulary import NOT_FOR_THE_MODEL, OTHER_THAN_STANDARD
from db.images import ImageStore


class Flagged(Protocol):
    """Anything with the quality flags of an image."""

    @property
    def quality_flags(self) -> Sequence[str]:
        """Return the flags, as intake gave them."""


AnImage = TypeVar("AnImage", bound=Flagged)


def shows_the_breast(image: Flagged) -> bool:
    """Say whether an image counts as a view of the breast; a spot or a magnification does not."""
    return not NOT_FOR_THE_MODEL & set(image.quality_flags)


def to_hang(images: Iterable[AnImage]) -> AnImage | None:
    """Choose which of several images of one side and view is hung in its place; None if there is none.

    That is the first one of the whole breast in the standard view; failing that, the first that the model reads, and
    else the first of all.
    """
    return min(
        images,
        key=lambda image: (
            not shows_the_breast(image),
            not OTHER_THAN_STANDARD.isdisjoint(image.quality_flags),
        ),
        default=None,
    )


def chest_wall_side(pixels: np.ndarray) -> Edge | None:
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
    return Edge.LEFT if left > right else Edge.RIGHT


def chest_wall_side_of_object(images: ImageStore, sha256: str) -> Edge | None:
    """Say the same of a thumbnail in the image store; None where it is lost, or the store is away for now."""
    try:
        return _chest_wall_side_of_object(images, sha256)
    except OSError:
        return None


@lru_cache(maxsize=16_384)
def _chest_wall_side_of_object(images: ImageStore, sha256: str) -> Edge | None:
    # Objects never change, so what was seen is remembered; that a store was away is not.
    return chest_wall_side_of_png(images.get(sha256))


def chest_wall_side_of_png(png: bytes) -> Edge | None:
    """Say the same of a thumbnail."""
    with PillowImage.open(io.BytesIO(png)) as picture:
        return chest_wall_side(np.asarray(picture.convert("L")))


def is_flipped(laterality: str, chest_wall: Edge | None) -> bool:
    """Say whether a view must be mirrored on screen, so that its chest wall stands where the protocol has it."""
    return chest_wall is not None and chest_wall != hanging_protocols.protocol().chest_wall[laterality]
