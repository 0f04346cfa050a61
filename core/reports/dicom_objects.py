"""What DICOM objects of a report share: the images that they refer to, her identity, and how they are marked."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from sqlalchemy import select

from core.installation import Installation
from core.reports.content import SIMULATED, Report, ReportError
from db.tables import Image, Study

__all__ = ["evidence_of", "file_of", "long_string", "mark", "quietly"]

DICOM = "application/dicom"
MANUFACTURER = "Longview"
LONGEST_STRING = 64
"""Characters of a Long String (LO) and of one group of a Person Name (PN) at most (PS3.5 6.2)."""


@contextmanager
def quietly() -> Iterator[None]:
    """Let archives' own UIDs and names pass: what is not as PS3.5 has it still names one thing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def evidence_of(here: Installation, report: Report) -> list[Dataset]:
    """Return the headers of the study's images, as DICOM objects refer to them.

    Who she is comes from the record, not from the files: a person may have put it right. Series and class come from the
    file; a file that is no DICOM gets what it needs to be referred to.

    Raises `ReportError` where the study has no image.
    """
    with here.database.read() as session:
        query = select(Image).join(Study, Study.id == Image.study_id).where(Study.uid == report.study_uid)
        rows = list(session.scalars(query.order_by(Image.id)))
    if not rows:
        raise ReportError(
            "This study has no image here that a DICOM report could refer to: choose pdf or html."
        )
    return [_evidence(here, report, row) for row in rows]


def _evidence(here: Installation, report: Report, row: Image) -> Dataset:
    said = _said_by_file(here, row)
    found = Dataset()
    found.SpecificCharacterSet = "ISO_IR 192"
    found.PatientID = long_string(report.mrn)
    found.PatientName = _person_name(report.name or "")
    found.PatientBirthDate = f"{report.birth_date:%Y%m%d}" if report.birth_date else ""
    found.PatientSex = report.sex if report.sex in ("F", "M", "O") else ""
    found.StudyInstanceUID = report.study_uid
    found.StudyDate = f"{report.on:%Y%m%d}"
    for keyword in ("StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"):
        setattr(found, keyword, said.get(keyword, ""))
    found.SeriesInstanceUID = said.get("SeriesInstanceUID") or generate_uid(
        entropy_srcs=[report.study_uid, "series"]
    )
    plain = DigitalMammographyXRayImageStorageForPresentation if row.media_type == DICOM else None
    found.SOPClassUID = UID(str(said.get("SOPClassUID") or plain or SecondaryCaptureImageStorage))
    found.SOPInstanceUID = row.sop_uid
    found.Modality = report.modality
    found.Rows, found.Columns = row.rows, row.columns
    return found


_WANTED = [
    "SOPClassUID", "SeriesInstanceUID", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName",
    "SpecificCharacterSet",
]  # fmt: skip


def _said_by_file(here: Installation, row: Image) -> dict[str, str]:
    """Return what the stored file says of its class and series; nothing where it is lost or no DICOM."""
    if row.media_type != DICOM:
        return {}
    try:
        with quietly():
            header = pydicom.dcmread(
                io.BytesIO(here.images.get(row.sha256)), stop_before_pixels=True, specific_tags=list(_WANTED)
            )
            return {keyword: str(header.get(keyword) or "") for keyword in _WANTED[:-1]}
    except FileNotFoundError:
        return {}
    except OSError:
        raise  # the store is away: it will pass
    except Exception:  # noqa: BLE001 - whatever is wrong with a header, the report can still refer to the image
        return {}


def long_string(text: str) -> str:
    """Return words as a Long String (LO) may hold them."""
    kept = "".join(
        " " if letter == "\\" else letter for letter in text if unicodedata.category(letter) != "Cc"
    )
    return kept.strip()[:LONGEST_STRING]


def _person_name(name: str) -> str:
    """Return a name as one group of a Person Name; it is kept as it is shown, not parted into family and given."""
    return long_string(name.replace("=", " ").replace("^", " "))


def mark(made: Dataset, report: Report, what: str) -> None:
    """Say in the header of a DICOM object what it is not for, and that a simulated woman is none."""
    simulated = " (simulated)" if report.simulated else ""
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SeriesDescription = f"{what}, not for diagnosis{simulated}"[:LONGEST_STRING]
    made.ManufacturerModelName = "Longview"
    made.SoftwareVersions = long_string(report.said.model or "no model")
    if report.simulated:
        made.PatientComments = SIMULATED


def file_of(made: Any) -> bytes:
    """Return a DICOM object as a file."""
    buffer = io.BytesIO()
    with quietly():
        made.save_as(buffer)
    return buffer.getvalue()
