"""A look at a DICOM file's first elements, for what has to be known of it before it is taken in."""

from __future__ import annotations

import io

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag, Tag

from core.images import check_inflated_size

__all__ = ["meta_uids", "said", "uid"]

_META_GROUP = 0x0002
_MOST_META_BYTES = 65_536


def meta_uids(data: bytes) -> tuple[str | None, str | None]:
    """Return SOP class and instance as the header of the file names them, which is never compressed; None without."""
    if data[128:132] != b"DICM":
        return None, None

    def behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return tag.group > _META_GROUP

    try:
        meta = read_dataset(io.BytesIO(data[132 : 132 + _MOST_META_BYTES]), False, True, stop_when=behind)
        return uid(meta.get("MediaStorageSOPClassUID")), uid(meta.get("MediaStorageSOPInstanceUID"))
    except Exception:  # noqa: BLE001 - pydicom raises anything for what is no DICOM
        return None, None


def said(data: bytes, *keywords: str, most_bytes: int) -> dict[str, str]:
    """Return these elements as text; those that are not there, and all of a file that cannot be read, are left out.

    A compressed data set is looked at only where it unfolds to no more than `most_bytes`.
    """
    tags = [Tag(keyword) for keyword in keywords]
    last = max(tags)

    def behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return tag > last

    try:
        check_inflated_size(data, most_bytes)
        dataset: Dataset = read_partial(io.BytesIO(data), stop_when=behind, specific_tags=list(tags))
        return {keyword: str(dataset[keyword].value).strip() for keyword in keywords if keyword in dataset}
    except Exception:  # noqa: BLE001 - pydicom raises anything for what is no DICOM
        return {}


def uid(value: object) -> str | None:
    """Return a UID that can be kept and looked for, None for what is none."""
    text = str(value or "").strip()
    return text if 0 < len(text) <= 64 and set(text) <= set("0123456789.") else None
