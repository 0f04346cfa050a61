"""STOW-RS (PS3.18 10.5): objects that come as parts of one HTTP request, and the answer that says how each ended.

What is kept is referenced, in quarantine or not; what cannot be told by a UID, belongs to another study than the address
names, or could not be kept is said to have failed, with the reason codes of C-STORE.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag

from core.images import check_inflated_size
from core.incoming import IncomingFile
from core.installation import Installation
from core.logs import log_of
from core.network.delivery import Delivery
from core.network.multipart import DICOM, NotReadable, Parts
from core.outages import MachineFailed, outage
from core.people import OwnAdminNeeded, Person
from db.tables import Outcome

__all__ = ["NotSupported", "Store", "Stored"]

log = log_of(__name__)

MEDIA_TYPE = "application/dicom+json"
OUT_OF_RESOURCES, NOT_OF_THE_STUDY, CANNOT_UNDERSTAND, NOT_AUTHORISED = 0xA700, 0xA900, 0xC000, 0x0124
"""Failure Reasons (0008,1197): those of C-STORE (PS3.4 table B.2-1)."""
_STUDY_UID, _META_GROUP = 0x0020000D, 0x0002
_MOST_META_BYTES = 65_536


class NotSupported(ValueError):
    """The request is of a media type that is not taken here."""


@dataclass(frozen=True)
class Stored:
    """The answer to a request: status, JSON document, and a word on what is in quarantine."""

    status: int
    document: dict[str, Any]
    warning: str | None = None


@dataclass(frozen=True)
class _Uids:
    sop_class: str | None = None
    sop_uid: str | None = None


@dataclass
class _Ends:
    kept: list[_Uids] = field(default_factory=list)
    failed: list[tuple[_Uids, int]] = field(default_factory=list)
    quarantined: int = 0
    machine_failed: bool = False


class Store:
    """One request on its way in: its body is fed as it comes, and each object taken in when it is whole.

    Raises `NotSupported` for another media type than multipart/related with application/dicom in it.
    """

    def __init__(
        self,
        here: Installation,
        content_type: str,
        *,
        sender: str,
        person: Person | None = None,
        study_uid: str | None = None,
    ) -> None:
        try:
            self._parts = Parts(content_type, most_bytes=here.settings.max_file_mb * 1_000_000)
        except NotReadable as error:
            raise NotSupported(str(error)) from error
        if self._parts.kind != "multipart/related" or self._parts.type not in ("", DICOM):
            raise NotSupported(f'Send multipart/related; type="{DICOM}".')
        self._delivery = Delivery(here, source="stow", sender=sender, person=person)
        self._study_uid = study_uid
        self._ends = _Ends()
        self._most_bytes = here.settings.max_file_mb * 1_000_000

    def feed(self, chunk: bytes) -> None:
        """Take some of the body; raises `NotReadable` where it is no message of several parts."""
        for part in self._parts.feed(chunk):
            if part.too_large or part.media_type != DICOM:
                self._ends.failed.append((_Uids(), CANNOT_UNDERSTAND))
                continue
            self._store(part.data)

    def end(self) -> Stored:
        """Say how all of it ended; raises `NotReadable` where the body breaks off."""
        self._parts.end()
        return self._answer()

    def close(self) -> None:
        """End the delivery, however the request ended; what was kept stays."""
        self._delivery.close()

    def _store(self, data: bytes) -> None:
        uids = _uids(data)
        if self._study_uid is not None and _study_uid(data, self._most_bytes) != self._study_uid:
            self._ends.failed.append((uids, NOT_OF_THE_STUDY))
            return
        number = len(self._ends.kept) + len(self._ends.failed) + 1
        name = f"{uids.sop_uid}.dcm" if uids.sop_uid else f"part {number}"
        try:
            report = self._delivery.deliver(IncomingFile(name, data, sop_uid=uids.sop_uid))
        except OwnAdminNeeded:
            self._ends.failed.append((uids, NOT_AUTHORISED))
            return
        except Exception as error:
            if not isinstance(error, MachineFailed) and outage(error) is None:
                raise
            self._ends.failed.append((uids, OUT_OF_RESOURCES))
            self._ends.machine_failed = True
            return
        if report.outcome == Outcome.QUARANTINED:
            self._ends.quarantined += 1
        if uids.sop_class is None or uids.sop_uid is None:
            # It is kept, but there is nothing to say so by.
            self._ends.failed.append((uids, CANNOT_UNDERSTAND))
        else:
            self._ends.kept.append(uids)

    def _answer(self) -> Stored:
        ends = self._ends
        document: dict[str, Any] = {}
        if ends.kept:
            document["00081199"] = _sequence([_references(uids) for uids in ends.kept])
        if ends.failed:
            failed = [{**_references(u), "00081197": {"vr": "US", "Value": [why]}} for u, why in ends.failed]
            document["00081198"] = _sequence(failed)
        if not ends.failed:
            status = 200
        elif ends.kept:
            status = 202
        else:
            status = 503 if ends.machine_failed else 409
        warning = None
        if ends.quarantined:
            warning = f'299 Longview "{ends.quarantined} of them wait in quarantine for a person"'
        return Stored(status, document, warning)


def _references(uids: _Uids) -> dict[str, Any]:
    """Return an item's SOP class and instance; the two are empty where the object does not say them."""
    return {
        "00081150": {"vr": "UI", **({"Value": [uids.sop_class]} if uids.sop_class else {})},
        "00081155": {"vr": "UI", **({"Value": [uids.sop_uid]} if uids.sop_uid else {})},
    }


def _sequence(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}


def _uids(data: bytes) -> _Uids:
    """Return what an object is called in the header of its file, which is never compressed; nothing if it has none."""
    if data[128:132] != b"DICM":
        return _Uids()

    def behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return tag.group > _META_GROUP

    try:
        meta = read_dataset(io.BytesIO(data[132 : 132 + _MOST_META_BYTES]), False, True, stop_when=behind)
        return _Uids(_uid(meta.get("MediaStorageSOPClassUID")), _uid(meta.get("MediaStorageSOPInstanceUID")))
    except Exception:  # noqa: BLE001 - pydicom raises anything for what is no DICOM
        return _Uids()


def _uid(value: object) -> str | None:
    text = str(value or "").strip()
    return text if 0 < len(text) <= 64 and set(text) <= set("0123456789.") else None


def _study_uid(data: bytes, most_bytes: int) -> str | None:
    """Return the study that an object says it is of; None where it says none, or cannot be read."""

    def behind(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return tag > _STUDY_UID

    try:
        check_inflated_size(data, most_bytes)
        dataset = read_partial(io.BytesIO(data), stop_when=behind, specific_tags=[BaseTag(_STUDY_UID)])
        return _uid(dataset.get("StudyInstanceUID"))
    except Exception:  # noqa: BLE001 - pydicom raises anything for what is no DICOM
        return None
