"""Studies as an archive lists them by DICOMweb: QIDO-RS (PS3.18 10.6), and which stored images are an object's instances.

Who she is, which day and which study come from the record, not from the files: a person may have put them right. So does the
series, where a file names none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import ColumnElement, func, or_, select

from core.exchange.headers import (
    HeaderLost,
    header_of,
    json_of,
    long_string,
    person_name,
    quietly,
)
from core.exchange.listed import NotHere
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from db.tables import Image, Patient, Study

__all__ = [
    "Instance",
    "Listing",
    "Matching",
    "instances_of",
    "made_series",
    "series_uid",
    "studies_found",
    "studies_meant",
    "study_found",
]

DICOM = "application/dicom"


@dataclass(frozen=True)
class Matching:
    """What is asked for. In `patient_id` and `name` * and ? stand for any letters and one; `uids` are of studies."""

    patient_id: str | None = None
    name: str | None = None
    uids: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Objects in DICOM's JSON, whom they are about, and whether there are more."""

    rows: list[dict[str, Any]]
    patients: list[int]
    more: bool = False


@dataclass(frozen=True)
class Instance:
    """One stored image with its study and woman."""

    image: Image = field(repr=False)
    study: Study = field(repr=False)
    patient: Patient = field(repr=False)

    @property
    def is_dicom(self) -> bool:
        """Say whether it came as a DICOM file."""
        return self.image.media_type == DICOM


@needs(Permission.SEE_PATIENTS)
def studies_found(
    here: Installation, person: Person, asked: Matching, *, limit: int, offset: int, address: str
) -> Listing:
    """Return studies, the newest first; `address` is where this service is reached, for the RetrieveURL."""
    images = select(func.count()).where(Image.study_id == Study.id).correlate(Study).scalar_subquery()
    query = (
        select(Study, Patient, images.label("images"))
        .join(Patient, Patient.id == Study.patient_id)
        .where(*studies_meant(asked))
        .order_by(Study.study_date.desc(), Study.id.desc())
        .offset(offset)
        .limit(limit + 1)
    )
    with here.database.read() as session:
        found = session.execute(query).all()
    rows = [json_of(study_found(row.Study, row.Patient, row.images, address)) for row in found[:limit]]
    patients = list(dict.fromkeys(row.Patient.id for row in found[:limit]))
    return Listing(rows, patients, len(found) > limit)


def studies_meant(asked: Matching) -> list[ColumnElement[bool]]:
    """Return which studies and women are meant, of what is asked for."""
    wanted: list[ColumnElement[bool]] = []
    if asked.uids:
        wanted.append(Study.uid.in_(asked.uids))
    if asked.modalities:
        wanted.append(Study.modality.in_(asked.modalities))
    if asked.first is not None:
        wanted.append(Study.study_date >= asked.first)
    if asked.last is not None:
        wanted.append(Study.study_date <= asked.last)
    if asked.patient_id is not None:
        wanted.append(_like(Patient.mrn, asked.patient_id))
    if asked.name is not None:
        wanted.append(or_(*(_like(Patient.name, one) for one in _spelt(asked.name))))
    return wanted


def _spelt(name: str) -> Sequence[str]:
    """Return how a name may be kept: as it is shown, with spaces where DICOM has carets."""
    return list(dict.fromkeys((name, name.replace("^", " "), name.replace("^", ", "))))


def _like(column: Any, said: str) -> ColumnElement[bool]:
    escaped = said.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = escaped.replace("*", "%").replace("?", "_")
    return func.lower(column).like(pattern.lower(), escape="\\")


def study_found(study: Study, patient: Patient, images: int, address: str) -> Dataset:
    """Return a study as it is listed."""
    with quietly():
        made = _of_woman(patient)
        made.StudyInstanceUID = study.uid
        made.StudyDate = f"{study.study_date:%Y%m%d}"
        made.StudyTime = made.AccessionNumber = made.StudyID = made.ReferringPhysicianName = ""
        made.StudyDescription = long_string(study.description or "")
        made.ModalitiesInStudy = [study.modality]
        made.InstanceAvailability = "ONLINE"
        made.NumberOfStudyRelatedInstances = images
        made.RetrieveURL = f"{address}/studies/{study.uid}"
    return made


def _of_woman(patient: Patient) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientID = long_string(patient.mrn)
    made.PatientName = person_name(patient.name or "")
    made.PatientBirthDate = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    made.PatientSex = patient.sex.value if patient.sex else ""
    if patient.simulated:
        made.PatientComments = "Simulated: made by the simulator, no real woman."
    return made


@needs(Permission.SEE_PATIENTS)
def instances_of(
    here: Installation,
    person: Person,
    study_uid: str,
    *,
    series: str | None = None,
    sop_uid: str | None = None,
) -> list[Instance]:
    """Return a study's images, those of a series, or one; raises `NotHere` where there is none."""
    query = (
        select(Image, Study, Patient)
        .join(Study, Study.id == Image.study_id)
        .join(Patient, Patient.id == Study.patient_id)
        .where(Study.uid == study_uid)
        .order_by(Image.id)
    )
    if sop_uid is not None:
        query = query.where(Image.sop_uid == sop_uid)
    with here.database.read() as session:
        found = [Instance(row.Image, row.Study, row.Patient) for row in session.execute(query)]
    if series is not None:
        found = [one for one in found if series_uid(here, one) == series]
    if not found:
        raise NotHere("There is no such study, series or instance.")
    return found


def series_uid(here: Installation, one: Instance) -> str:
    """Return the series that an image belongs to: its file's, else one that follows from the study."""
    said = one.image.series_uid
    if said is None and one.is_dicom:
        try:
            said = header_of(here, one.image, "SeriesInstanceUID").get("SeriesInstanceUID")
        except HeaderLost:
            said = None
    return str(said or made_series(one.study.uid))


def made_series(study_uid: str) -> str:
    """Return the series of those images of a study whose files name none."""
    return str(generate_uid(entropy_srcs=[study_uid, "series"]))
