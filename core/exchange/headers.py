"""Headers of stored DICOM files, read with care: a stranger wrote them."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from core.images import check_inflated_size
from core.installation import Installation
from core.reports.dicom_objects import long_string, quietly
from db.tables import Image

__all__ = [
    "Attributes",
    "HeaderLost",
    "header_of",
    "json_listed",
    "json_of",
    "long_string",
    "person_name",
    "quietly",
    "read",
]

Attributes = dict[str, Any]
"""Keyword of an attribute (PS3.6) -> its value, or several; None and an empty text are no value."""

_LONG_BYTES = 4_096


class HeaderLost(ValueError):
    """The file's bytes are gone, or are no DICOM that can be read."""


def header_of(here: Installation, image: Image, *keywords: str) -> pydicom.FileDataset:
    """Return what comes before the pixels of a stored file, or these elements of it; raises `HeaderLost`."""
    return read(here, stored(here, image), pixels=False, keywords=keywords)


def stored(here: Installation, image: Image) -> bytes:
    """Return a file's bytes as they are kept; raises `HeaderLost`."""
    try:
        return bytes(here.images.get_kept(image.sha256))
    except FileNotFoundError:
        raise HeaderLost("The bytes of this image are not in the image store.") from None


def read(
    here: Installation, data: bytes, *, pixels: bool, keywords: tuple[str, ...] = ()
) -> pydicom.FileDataset:
    """Read a DICOM file; raises `HeaderLost` where it cannot be."""
    try:
        check_inflated_size(data, here.settings.max_file_mb * 1_000_000)
        with quietly():
            return pydicom.dcmread(
                io.BytesIO(data), stop_before_pixels=not pixels, specific_tags=list(keywords) or None
            )
    except OSError:
        raise
    except Exception as error:
        raise HeaderLost("This file's header cannot be read.") from error


def person_name(name: str) -> str:
    """Return a name as one group of a Person Name, as it is shown."""
    return long_string(name.replace("=", " ").replace("^", " "))


def json_of(dataset: Dataset) -> dict[str, Any]:
    """Return a data set in DICOM's JSON (PS3.18 F), without long binary values, pixels and private elements."""
    with quietly():
        kept = Dataset()
        for element in dataset:
            long = isinstance(element.value, bytes) and len(element.value) > _LONG_BYTES
            if not (element.tag.is_private or long or element.keyword == "PixelData"):
                kept.add(element)
        said: dict[str, Any] = kept.to_json_dict(suppress_invalid_tags=True)
    return said


def json_listed(said: Attributes) -> dict[str, Any]:
    """Return attributes in DICOM's JSON (PS3.18 F), as `json_of` would: what is listed by the hundred is not built as a data set."""
    return dict(sorted(_element(keyword, value) for keyword, value in said.items()))


def _element(keyword: str, value: Any) -> tuple[str, dict[str, Any]]:
    tag, vr = _known(keyword)
    values = [one for one in (value if isinstance(value, list) else [value]) if one not in (None, "")]
    if vr == "PN":
        values = [{"Alphabetic": one} for one in values]
    return tag, {"vr": vr} | ({"Value": values} if values else {})


@cache
def _known(keyword: str) -> tuple[str, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"PS3.6 knows no {keyword}.")
    return f"{tag:08X}", dictionary_VR(tag)
