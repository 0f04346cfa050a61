"""Making a report: content, one renderer a format, and the entry in the audit trail before anything leaves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.deidentification import Identity, key_of
from core.files import private_folder, write_whole
from core.installation import Installation
from core.outages import outage
from core.people import Permission, Person, audit, require
from core.people.needing import needs
from core.reports.content import Report, ReportError
from core.reports.deidentified import evidence_without_her, without_her
from core.reports.formats import Format
from core.reports.reading import report_of
from db.tables import utc_now

__all__ = ["Made", "make", "write"]


@dataclass(frozen=True)
class Made:
    """A report, ready to hand out."""

    report: Report
    format: Format
    data: bytes
    sha256: str
    original: Report
    """What the report was made of: the same, unless it was de-identified."""

    @property
    def deidentified(self) -> bool:
        """Say whether it does not tell whose it is."""
        return self.original is not self.report

    @property
    def filename(self) -> str:
        """Return a name for its file, safe on every system."""
        mrn = re.sub(r"[^A-Za-z0-9_-]+", "-", self.report.mrn).strip("-")[:40] or "patient"
        return f"report-{mrn}-{self.report.on}{self.format.suffix}"

    def to_json(self) -> dict[str, object]:
        """Return the summary for machines."""
        return {
            "patient": self.report.mrn,
            "simulated": self.report.simulated,
            "study_uid": self.report.study_uid,
            "study_date": self.report.on.isoformat(),
            "format": self.format.value,
            "bytes": len(self.data),
            "sha256": self.sha256,
            "deidentified": self.deidentified,
        }


@needs(Permission.SEE_PATIENTS)
def make(
    here: Installation,
    person: Person | None,
    mrn: str,
    study_uid: str | None,
    format: Format,
    *,
    now: datetime | None = None,
    address: str = "",
    deidentified: bool = False,
) -> Made:
    """Return a report of a study; the audit trail keeps who had it made, of whom, in which format and which bytes.

    Parameters
    ----------
    person
        Who asks; None: the command line.
    mrn, study_uid
        Whose report, of which of her studies; None: the last.
    now
        When it is made; None: now.
    address
        Where the dashboard is reached, for the link to the view.
    deidentified
        Whether it is made so that it does not tell whose it is (`core.reports.deidentified`).

    Raises
    ------
    AccessDenied
        If the person may not see patients.
    ReportError
        If there is no such woman or study.
    """
    made = _rendered(here, person, mrn, study_uid, format, deidentified, now=now, address=address)
    # The entry comes first: no report lies about that the trail does not know.
    _note(here, person, made)
    return made


def _rendered(
    here: Installation,
    person: Person | None,
    mrn: str,
    study_uid: str | None,
    format: Format,
    deidentified: bool,
    *,
    now: datetime | None = None,
    address: str = "",
) -> Made:
    if person is not None:
        require(person, Permission.SEE_PATIENTS)
    made_by = person.display_name if person else "the command line"
    original = report_of(here, mrn, study_uid, now or utc_now(), made_by=made_by, address=address)
    identity = Identity.of(key_of(here), original.mrn) if deidentified else None
    report = without_her(original, identity) if identity else original
    data = _renderer(format)(here, original, report, identity)
    return Made(report, format, data, hashlib.sha256(data).hexdigest(), original)


@needs(Permission.SEE_PATIENTS)
def write(
    here: Installation,
    mrn: str,
    study_uid: str | None,
    format: Format,
    out: Path,
    *,
    heat_maps: Path | None = None,
    deidentified: bool = False,
) -> Made:
    """Make a report from the command line and write it to a file that is not there yet, whole or not at all.

    `heat_maps`: a folder for the heat maps of the study too, one secondary capture a view, where its score may be told;
    none of a report that is `deidentified`, which does not tell whose it is.

    Raises
    ------
    ReportError
        If there is no such woman or study, there is no heat map that may be shown, or the file or folder is there already
        or cannot be written.
    OSError
        If the machine lacks something for a while (`core.outages`); nothing is left behind.
    """
    for place in filter(None, (out, heat_maps)):
        if place.exists():
            raise ReportError(f"{place} is there already. Choose another name.")
    if deidentified and heat_maps is not None:
        raise ReportError("Heat maps are handed out of a report that tells whose it is only.")
    made = _rendered(here, None, mrn, study_uid, format, deidentified)
    captures = _captures(here, made) if heat_maps is not None else {}
    _note(here, None, made, captures)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, made.data)
        if heat_maps is not None:
            private_folder(heat_maps)
            for name, data in captures.items():
                write_whole(heat_maps / name, data)
    except OSError as error:
        if outage(error) is not None:
            raise  # it will pass, and the command can be repeated
        raise ReportError(f"{out} cannot be written: {error.strerror or error}.") from error
    return made


def _captures(here: Installation, made: Made) -> dict[str, bytes]:
    from core.reports.heat_maps import secondary_captures

    return secondary_captures(here, made.report)


def _note(
    here: Installation, person: Person | None, made: Made, captures: Mapping[str, bytes] | None = None
) -> None:
    detail: dict[str, object] = {
        "study": made.original.study_uid,
        "format": made.format.value,
        "sha256": made.sha256,
        "from": "dashboard" if person else "command line",
        "deidentified": made.deidentified,
    }
    if captures:
        detail["heat_maps"] = {name: hashlib.sha256(data).hexdigest() for name, data in captures.items()}
    audit.note(here, person, "report_made", f"patient:{made.original.mrn}", detail)


Renderer = Callable[[Installation, Report, Report, Identity | None], bytes]
"""Takes the report as it stands in the record, the same as it is told, and who stands in her place, if anybody does."""


def _renderer(format: Format) -> Renderer:
    return {Format.PDF: _pdf, Format.HTML: _html, Format.FHIR: _fhir, Format.SR: _sr}[format]


def _pdf(here: Installation, original: Report, report: Report, identity: Identity | None) -> bytes:
    from core.reports.pdf import render_pdf
    from core.reports.pictures import hung_pictures

    return render_pdf(report, *hung_pictures(here, original, breast_only=identity is not None))


def _html(here: Installation, original: Report, report: Report, identity: Identity | None) -> bytes:
    from core.reports.html import render_html
    from core.reports.pictures import hung_pictures

    return render_html(report, *hung_pictures(here, original, breast_only=identity is not None))


def _fhir(_here: Installation, _original: Report, report: Report, _identity: Identity | None) -> bytes:
    from core.reports.fhir import render_fhir

    return render_fhir(report)


def _sr(here: Installation, original: Report, report: Report, identity: Identity | None) -> bytes:
    from core.reports.dicom_objects import evidence_of
    from core.reports.sr import render_sr

    evidence = evidence_of(here, original)
    return render_sr(report, evidence_without_her(evidence, report, identity) if identity else evidence)
