"""The pictures of a report: views as they hang, windowed, small enough to hand out; what is lost is said, not left out."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.deidentification import breast_alone
from core.images import open_rendition, reduced, rendition
from core.installation import Installation
from core.records import ViewImage
from core.refusals import Refusal
from core.reports.content import Report
from core.rules.vocabulary import FOUR_VIEWS, ViewName

__all__ = ["Picture", "hung_pictures"]

LONGEST_SIDE = 900
QUALITY = 88
WRITTEN_ON = "Left out: text in this view cannot be told from the breast."
LOST = "This view's picture is not in the image store."


@dataclass(frozen=True)
class Picture:
    """One place of the hanging: a JPEG, turned as it hangs; `jpeg` is None where `instead` says why."""

    view: ViewName
    jpeg: bytes | None
    columns: int
    rows: int
    instead: str = ""


def hung_pictures(
    here: Installation, report: Report, *, breast_only: bool = False
) -> tuple[list[Picture], list[Picture]]:
    """Return the four places of the study and of its prior, row by row; the prior's are empty without one.

    `breast_only` blacks out all beyond the breast, and leaves out a picture with text on it.
    """
    now = _places(here, report.images, breast_only)
    return now, _places(here, report.prior_images, breast_only) if report.prior else []


def _places(here: Installation, images: Sequence[ViewImage], breast_only: bool) -> list[Picture]:
    by_view = {image.view_name: image for image in images}
    return [_picture(here, view, by_view.get(view), breast_only) for view in FOUR_VIEWS]


def _picture(here: Installation, view: ViewName, image: ViewImage | None, breast_only: bool) -> Picture:
    import cv2

    if image is None:
        return Picture(view, None, 0, 0, "not taken")
    try:
        header, pixels = open_rendition(rendition(here, image.sop_uid))
    except (LookupError, FileNotFoundError, ValueError, zlib.error, struct.error, Refusal):
        return Picture(view, None, 0, 0, LOST)
    cleaned = breast_alone(pixels) if breast_only else pixels
    if cleaned is None:
        return Picture(view, None, 0, 0, WRITTEN_ON)
    small = reduced(cleaned, LONGEST_SIDE).astype(np.float32)
    low = header["window_center"] - header["window_width"] / 2
    shown = np.clip((small - low) / header["window_width"], 0.0, 1.0) * 255.0
    if image.flipped:
        shown = shown[:, ::-1]
    done, jpeg = cv2.imencode(
        ".jpg", np.ascontiguousarray(shown.round().astype(np.uint8)), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    assert done
    return Picture(view, bytes(jpeg), shown.shape[1], shown.shape[0])
