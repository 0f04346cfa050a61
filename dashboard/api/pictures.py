"""A stored view as one picture."""

from __future__ import annotations

from core.images import crop_png, open_rendition, rendition
from core.installation import Installation

__all__ = ["picture_png"]


def picture_png(here: Installation, sop_uid: str) -> bytes:
    """Return the whole view as a PNG, its window applied; raises `KeyError` if there is no such image."""
    header, _ = open_rendition(rendition(here, sop_uid))
    return crop_png(here, sop_uid, (0, 0, int(header["source_columns"]), int(header["source_rows"])))
