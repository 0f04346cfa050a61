"""Making a report: content, one renderer a format, and the entry in the audit trail before anything leaves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.files import private_folder, write_whole
from core.installation import Installation
from core.outages import outage
from core.people import Permission, Person, audit, require
from core.reports.content import Report, ReportError, report_of
from core.reports.formats import Format
from db.tables import utc_now

__all__ = ["Made", "make", "write"]


@dataclass(frozen=True)
class Made:
    """A report, ready to hand out."""

    report: Report
    format: Format
    data: bytes
    sha256: str

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
        }


def make(
    here: Installation,
    person: Person | None,
    mrn: str,
    study_uid: str | None,
    format: Format,
    *,
    now: datetime | None = None,
    address: str = "",
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

    Raises
    ------
    AccessDenied
        If the person may not see patients.
    ReportError
        If there is no such woman or study.
    """
    made = _rendered(here, person, mrn, study_uid, format, now=now, address=address)
    # The entry comes first: no report lies about that the trail does not know.
    _note(here, person, made)
    return made


def _rendered(
    here: Installation,
    person: Person | None,
    mrn: str,
    study_uid: str | None,
    format: Format,
    *,
    now: datetime | None = None,
    address: str = "",
) -> Made:
    if person is not None:
        require(person, Permission.SEE_PATIENTS)
    made_by = person.display_name if person else "the command line"
    report = report_of(here, mrn, study_uid, now or utc_now(), made_by=made_by, address=address)
    data = _renderer(format)(here, report)
    return Made(report, format, data, hashlib.sha256(data).hexdigest())


def write(
    here: Installation,
    mrn: str,
    study_uid: str | None,
    format: Format,
    out: Path,
    *,
    heat_maps: Path | None = None,
) -> Made:
    """Make a report from the command line and write it to a file that is not there yet, whole or not at all.

    `heat_maps`: a folder for the heat maps of the study too, one secondary capture a view, where its score may be told.

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
    made = _rendered(here, None, mrn, study_uid, format)
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
        "study": made.report.study_uid,
        "format": made.format.value,
        "sha256": made.sha256,
        "from": "dashboard" if person else "command line",
    }
    if captures:
        detail["heat_maps"] = {name: hashlib.sha256(data).hexdigest() for name, data in captures.items()}
    audit.note(here, person, "report_made", f"patient:{made.report.mrn}", detail)


def _renderer(format: Format) -> Callable[[Installation, Report], bytes]:
    return {Format.PDF: _pdf, Format.HTML: _html, Format.FHIR: _fhir, Format.SR: _sr}[format]


def _pdf(here: Installation, report: Report) -> bytes:
    from core.reports.pdf import render_pdf
    from core.reports.pictures import hung_pictures

    return render_pdf(report, *hung_pictures(here, report))


def _html(here: Installation, report: Report) -> bytes:
    from core.reports.html import render_html
    from core.reports.pictures import hung_pictures

    return render_html(report, *hung_pictures(here, report))


def _fhir(_here: Installation, report: Report) -> bytes:
    from core.reports.fhir import render_fhir

    return render_fhir(report)


def _sr(here: Installation, report: Report) -> bytes:
    from core.reports.sr import render_sr

    return render_sr(here, report)
