"""STOW-RS (PS3.18 10.5): objects that come as parts of one HTTP request, and the answer that says how each ended.

What is kept is referenced, in quarantine or not; what cannot be told by a UID, belongs to another study than the address
names, or could not be kept is said to have failed, with the reason codes of C-STORE.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.incoming import IncomingFile
from core.installation import Installation
from core.logs import log_of
from core.network.delivery import Delivery
from core.network.multipart import DICOM, NotReadable, Parts
from core.network.peek import meta_uids, said
from core.outages import MachineFailed, outage
from core.people import OwnAdminNeeded, Person
from core.people.needing import needs
from core.people.roles import Permission
from db.tables import Outcome

__all__ = ["NotSupported", "Store", "Stored"]

log = log_of(__name__)

MEDIA_TYPE = "application/dicom+json"
OUT_OF_RESOURCES, NOT_OF_THE_STUDY, CANNOT_UNDERSTAND, NOT_AUTHORISED = 0xA700, 0xA900, 0xC000, 0x0124
"""Failure Reasons (0008,1197): those of C-STORE (PS3.4 table B.2-1)."""


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

    @needs(Permission.ADD_STUDY)
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
        uids = _Uids(*meta_uids(data))
        if self._study_uid is not None and self._study_of(data) != self._study_uid:
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

    def _study_of(self, data: bytes) -> str | None:
        return said(data, "StudyInstanceUID", most_bytes=self._most_bytes).get("StudyInstanceUID")

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
