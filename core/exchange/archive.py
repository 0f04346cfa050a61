"""Studies as an archive lists them by DICOMweb: QIDO-RS (PS3.18 10.6), and which stored images are an object's instances.

Who she is, which day and which study come from the record, not from the files: a person may have put them right. So does the
series, where a file names none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydicom.uid import generate_uid
from sqlalchemy import ColumnElement, func, or_, select

from core.exchange.headers import (
    Attributes,
    HeaderLost,
    header_of,
    json_listed,
    long_string,
    person_name,
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
    newest_first = Study.study_date.desc(), Study.id.desc()
    meant = studies_meant(asked)
    # Whose they are is looked up for the page alone, where nothing is asked of her: the index tells the rest.
    by_woman = asked.patient_id is not None or asked.name is not None
    numbers = select(Study.id).join(Patient, Patient.id == Study.patient_id) if by_woman else select(Study.id)
    page = numbers.where(*meant).order_by(*newest_first).offset(offset).limit(limit + 1)
    with here.database.read() as session:
        ids = session.scalars(page).all()
        query = select(Study, Patient).join(Patient, Patient.id == Study.patient_id)
        found = session.execute(query.where(Study.id.in_(ids[:limit])).order_by(*newest_first)).all()
        counted = select(Image.study_id, func.count()).where(Image.study_id.in_(ids[:limit]))
        images: dict[int, int] = dict(session.execute(counted.group_by(Image.study_id)).all())
    rows = [
        json_listed(study_found(row.Study, row.Patient, images.get(row.Study.id, 0), address))
        for row in found
    ]
    return Listing(rows, list(dict.fromkeys(row.Patient.id for row in found)), len(ids) > limit)


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
        wanted.append(_matches(Patient.mrn, asked.patient_id))
    if asked.name is not None:
        wanted.append(or_(*(_like(Patient.name, one) for one in _spelt(asked.name))))
    return wanted


def _spelt(name: str) -> Sequence[str]:
    """Return how a name may be kept: as it is shown, with spaces where DICOM has carets."""
    return list(dict.fromkeys((name, name.replace("^", " "), name.replace("^", ", "))))


def _matches(column: Any, said: str) -> ColumnElement[bool]:
    """Return a match to the letter where no wildcard stands in it: that one is found over an index."""
    return _like(column, said) if set(said) & set("*?") else column == said


def _like(column: Any, said: str) -> ColumnElement[bool]:
    escaped = said.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = escaped.replace("*", "%").replace("?", "_")
    return func.lower(column).like(pattern.lower(), escape="\\")


def study_found(study: Study, patient: Patient, images: int, address: str) -> Attributes:
    """Return a study as it is listed."""
    nothing = ("StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")
    return {
        **_of_woman(patient),
        **dict.fromkeys(nothing),
        "StudyInstanceUID": study.uid,
        "StudyDate": f"{study.study_date:%Y%m%d}",
        "StudyDescription": long_string(study.description or ""),
        "ModalitiesInStudy": [study.modality],
        "InstanceAvailability": "ONLINE",
        "NumberOfStudyRelatedInstances": images,
        "RetrieveURL": f"{address}/studies/{study.uid}",
    }


def _of_woman(patient: Patient) -> Attributes:
    simulated = "Simulated: made by the simulator, no real woman."
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientID": long_string(patient.mrn),
        "PatientName": person_name(patient.name or ""),
        "PatientBirthDate": f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "",
        "PatientSex": patient.sex.value if patient.sex else "",
        **({"PatientComments": simulated} if patient.simulated else {}),
    }


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
