"""How a view is hung: which way it has to be turned so that the chest walls meet in the middle."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, Protocol, TypeVar

import numpy as np
from PIL import Image as PillowImage

from db.images import ImageStore

Side = Literal["left", "right"]

HANGING: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = (
    (("R", "CC"), ("L", "CC")),
    (("R", "MLO"), ("L", "MLO")),
)
"""Rows of the four-view hanging: CC above MLO; right breast on the left (CLINICAL.md, Hanging)."""

NOT_FOR_THE_MODEL = frozenset(
    {"for_processing", "spot_compression", "magnification", "tangential", "cleavage", "axillary_tail"}
)
"""Quality flags of images that are kept and shown, but that the model cannot read as a view of the breast."""

OTHER_THAN_STANDARD = NOT_FOR_THE_MODEL | {"implant_displaced", "rolled", "partial_view"}
"""These, and the flags of images that the model reads, but that are taken beside the standard view."""


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


def chest_wall_side_of_object(images: ImageStore, sha256: str) -> Side | None:
    """Say the same of a thumbnail in the image store; None where it is lost, or the store is away for now."""
    try:
        return _chest_wall_side_of_object(images, sha256)
    except OSError:
        return None


@lru_cache(maxsize=16_384)
def _chest_wall_side_of_object(images: ImageStore, sha256: str) -> Side | None:
    # Objects never change, so what was seen is remembered; that a store was away is not.
    return chest_wall_side_of_png(images.get(sha256))


def chest_wall_side_of_png(png: bytes) -> Side | None:
    """Say the same of a thumbnail."""
    with PillowImage.open(io.BytesIO(png)) as picture:
        return chest_wall_side(np.asarray(picture.convert("L")))


def is_flipped(laterality: str, chest_wall: Side | None) -> bool:
    """Say whether a view must be mirrored on screen: a right breast's chest wall belongs on the right."""
    wanted = "right" if laterality == "R" else "left"
    return chest_wall is not None and chest_wall != wanted
