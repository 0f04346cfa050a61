"""The audit trail for other programs: CSV, and DICOM audit messages (PS3.15, A.5, which follows RFC 3881)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import islice
from xml.etree import ElementTree

import pandas as pd

from core.records import csv
from core.trail.finding import Entry

COLUMNS = (
    "id",
    "at",
    "person",
    "address",
    "action",
    "outcome",
    "subject",
    "patients",
    "said",
    "detail",
    "digest",
)

_QUERY, _EXPORT, _IMPORT = ("110112", "Query"), ("110106", "Export"), ("110107", "Import")
_RECORD, _ACCESS = ("110110", "Patient Record"), ("110103", "DICOM Instances Accessed")
_SECURITY, _SIGN_IN = ("110113", "Security Alert"), ("110114", "User Authentication")
_READ, _ACTIVITY = ("110101", "Audit Log Used"), ("110100", "Application Activity")

_KINDS = {
    "women_listed": (_QUERY, "E"),
    "patient_opened": (_RECORD, "R"),
    "images_seen": (_ACCESS, "R"),
    "image_read": (_ACCESS, "R"),
    "quarantine_looked": (_ACCESS, "R"),
    "quarantine_downloaded": (_EXPORT, "R"),
    "exported": (_EXPORT, "R"),
    "cohort_manifest_exported": (_EXPORT, "R"),
    "cohort_scores_exported": (_EXPORT, "R"),
    "report_made": (_EXPORT, "R"),
    "backup_made": (_EXPORT, "R"),
    "import_begun": (_IMPORT, "C"),
    "import_finished": (_IMPORT, "C"),
    "import_cut_short": (_IMPORT, "C"),
    "records_imported": (_IMPORT, "C"),
    "restored": (_IMPORT, "C"),
    "priors_fetched": (_IMPORT, "C"),
    "audit_read": (_READ, "R"),
    "signed_in": (_SIGN_IN, "E"),
    "signed_out": (_SIGN_IN, "E"),
    "sign_in_failed": (_SIGN_IN, "E"),
    "not_allowed": (_SECURITY, "E"),
    "sender_refused": (_SECURITY, "E"),
}
"""Action -> event of CID 400, and what was done: create, read, update, execute. Others change a record, if a woman's."""

_ROLES, _ATTRIBUTES = (
    ("110136", "Security Roles Changed"),
    ("110137", "User Security Attributes Changed"),
)
_OF_ACCOUNTS = {
    "user_added": _ATTRIBUTES,
    "user_activated": _ATTRIBUTES,
    "user_deactivated": _ATTRIBUTES,
    "role_set": _ROLES,
    "permission_granted": _ROLES,
    "permission_taken_back": _ROLES,
    "password_set": _ATTRIBUTES,
    "own_password_set": _ATTRIBUTES,
    "account_linked": _ATTRIBUTES,
    "account_unlinked": _ATTRIBUTES,
    "second_factor_set_up": _ATTRIBUTES,
    "second_factor_off": _ATTRIBUTES,
    "second_factor_reset": _ATTRIBUTES,
    "recovery_codes_made": _ATTRIBUTES,
    "token_made": _ATTRIBUTES,
    "token_revoked": _ATTRIBUTES,
}
"""Action that changes what an account opens -> type of the security alert."""

_TYPES = {
    "signed_in": ("110122", "Login"),
    "signed_out": ("110123", "Logout"),
    "sign_in_failed": ("110122", "Login"),
    "not_allowed": ("110132", "Use of Restricted Function"),
    **_OF_ACCOUNTS,
}
"""Action -> event type of CID 401, where there is one."""

_READ_ONLY = frozenset(
    {"api_called", "score_revealed_unread", "single_courses_seen", "withheld_score_shown", "withheld_shown"}
)
"""Actions that change nothing; what an API's call changes is an entry of its own."""

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document of XML 1.0 may hold."""

_OUTCOMES = {"done": "0", "refused": "4", "failed": "4"}
"""Success, and minor failure."""


def as_csv(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a CSV that no spreadsheet runs, some thousand lines at a time."""
    left, head = iter(entries), True
    while rows := [_row(entry) for entry in islice(left, 2_000)] or head:
        said = csv.csv_of(pd.DataFrame(rows if rows is not True else [], columns=list(COLUMNS)))
        yield said if head else said.partition(b"\n")[2]
        head = False


def _row(entry: Entry) -> dict[str, object]:
    said = {**entry.to_json(), "patients": " ".join(entry.patients)}
    said["detail"] = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True)
    return {name: said[name] for name in COLUMNS}


def as_messages(entries: Iterable[Entry], *, source: str = "Longview") -> Iterator[str]:
    """Yield one AuditMessage a line, as an audit record repository takes them."""
    for entry in entries:
        yield (
            _NOT_IN_XML.sub("\ufffd", ElementTree.tostring(_message(entry, source), encoding="unicode"))
            + "\n"
        )


def _message(entry: Entry, source: str) -> ElementTree.Element:
    (code, name), done = _kind(entry)
    message = ElementTree.Element("AuditMessage")
    event = ElementTree.SubElement(
        message,
        "EventIdentification",
        EventActionCode=done,
        EventDateTime=entry.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=_OUTCOMES.get(entry.outcome, "4"),
    )
    _coded(event, "EventID", code, "DCM", name)
    if entry.action in _TYPES:
        _coded(event, "EventTypeCode", _TYPES[entry.action][0], "DCM", _TYPES[entry.action][1])
    ElementTree.SubElement(event, "EventOutcomeDescription").text = entry.said
    who = {"UserID": entry.person or source, "UserIsRequestor": "true"}
    if entry.display_name:
        who["UserName"] = entry.display_name
    if entry.address:
        who |= {"NetworkAccessPointID": entry.address, "NetworkAccessPointTypeCode": "2"}
    ElementTree.SubElement(message, "ActiveParticipant", who)
    where = ElementTree.SubElement(message, "AuditSourceIdentification", AuditSourceID=source)
    ElementTree.SubElement(where, "AuditSourceTypeCode", {"csd-code": "4"})
    for mrn in entry.patients:
        about = {
            "ParticipantObjectTypeCode": "1",
            "ParticipantObjectTypeCodeRole": "1",
            "ParticipantObjectID": mrn,
        }
        _coded(_object(message, about), "ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number")
    kind, _, uid = entry.subject.partition(":")
    if kind == "study":
        about = {
            "ParticipantObjectTypeCode": "2",
            "ParticipantObjectTypeCodeRole": "3",
            "ParticipantObjectID": uid,
        }
        _coded(_object(message, about), "ParticipantObjectIDTypeCode", "110180", "DCM", "Study Instance UID")
    return message


def _kind(entry: Entry) -> tuple[tuple[str, str], str]:
    """Return the event of CID 400, and what was done."""
    if entry.action in _KINDS:
        return _KINDS[entry.action]
    if entry.action in _OF_ACCOUNTS:
        return _SECURITY, "U"
    return _RECORD if entry.patients else _ACTIVITY, "R" if entry.action in _READ_ONLY else "U"


def _object(message: ElementTree.Element, about: dict[str, str]) -> ElementTree.Element:
    return ElementTree.SubElement(message, "ParticipantObjectIdentification", about)


def _coded(parent: ElementTree.Element, element: str, code: str, system: str, name: str) -> None:
    ElementTree.SubElement(
        parent, element, {"csd-code": code, "codeSystemName": system, "originalText": name}
    )
