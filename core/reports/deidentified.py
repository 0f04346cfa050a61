"""A report without the woman it is of: pseudonym, moved days, new UIDs, none of the words that people wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from pydicom.dataset import Dataset

from core.deidentification import Identity, words_moved
from core.reports.content import Report, Said

__all__ = ["evidence_without_her", "without_her"]

LEFT_OUT = "Left out: this report does not tell whose it is."
_WORDS = frozenset(
    {"note", "findings", "description", "reason", "detail", "acknowledgement", "remark", "refusal"}
)
_PEOPLE = frozenset({"by", "acknowledged_by"})
_UIDS = frozenset({"study_uid", "sop_uid", "comparison_uid", "from_study"})
_OLDEST_TOLD = 90


def without_her(report: Report, identity: Identity) -> Report:
    """Return the report as it may be handed to anybody; what is measured and what a model said stays.

    Sentences that the program made keep their sense with moved days; names, and every word that a person typed, are left
    out.
    """
    named = {lesion.label: f"lesion {number}" for number, lesion in enumerate(report.lesions, 1)}
    moved: Report = _walked(report, identity)
    return replace(
        moved,
        mrn=identity.pseudonym,
        name=None,
        birth_date=None,
        age=None if report.age is None else min(report.age, _OLDEST_TOLD),
        made_at=report.made_at,
        made_by="",
        link="",
        indication=LEFT_OUT,
        assessment=replace(moved.assessment, findings=LEFT_OUT if report.assessment.findings else ""),
        said=replace(moved.said, statement=report.said.statement),
        lesions=tuple(replace(lesion, label=named[lesion.label]) for lesion in moved.lesions),
        response=tuple(_renamed(sentence, named) for sentence in moved.response),
        alerts=tuple(
            (alert, message, "seen" if standing.startswith("seen") else standing)
            for alert, message, standing in moved.alerts
        ),
        log=tuple(_said(one, identity, named) for one in report.log),
    )


def _walked(value: Any, identity: Identity) -> Any:
    """Return a value with its days moved, wherever they stand, and without the fields that hold words of people."""
    if isinstance(value, datetime):
        return value + timedelta(days=identity.shift_days)
    if isinstance(value, date):
        return identity.day(value)
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return words_moved(value, identity)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            one.name: _field(one.name, getattr(value, one.name), identity)
            for one in fields(value)
            if one.init
        }
        return replace(value, **changes)
    if isinstance(value, Mapping):
        return {key: _walked(one, identity) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_walked(one, identity) for one in value)
    return value


def _field(name: str, value: Any, identity: Identity) -> Any:
    if isinstance(value, str):
        if name in _WORDS | _PEOPLE:
            return ""
        if name in _UIDS:
            return identity.uid(value) if value else value
    return _walked(value, identity)


def _said(one: Said, identity: Identity, named: Mapping[str, str]) -> Said:
    """Return who said what without a name: models keep theirs, and of the words the reason goes that a person typed."""
    by = one.by if one.by.startswith("model ") else "a reader"
    what = _renamed(words_moved(one.what.split("; reason:", 1)[0], identity), named)
    return Said(one.at + timedelta(days=identity.shift_days), by, what)


def _renamed(sentence: str, named: Mapping[str, str]) -> str:
    if not named:
        return sentence
    labels = "|".join(re.escape(label) for label in sorted(named, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{labels})(?!\w)", lambda match: named[match[0]], sentence)


def evidence_without_her(evidence: Sequence[Dataset], report: Report, identity: Identity) -> list[Dataset]:
    """Return what a DICOM report refers to by the UIDs in place of hers; `report` is the one without her."""
    for one in evidence:
        one.PatientID, one.PatientName, one.PatientBirthDate = report.mrn, report.mrn, ""
        one.StudyDate = f"{report.on:%Y%m%d}"
        one.AccessionNumber = one.StudyID = one.ReferringPhysicianName = ""
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            one[keyword].value = identity.uid(str(one[keyword].value))
    return list(evidence)
