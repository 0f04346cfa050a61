"""Patients, studies, images and alerts as rows for programs: pages by the number of the last row, so that none is missed or told twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.exchange.keys import key_of, patient_by_key
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.records import COVERED, AlertEntry, EventEntry, record_of
from core.records import find as find_women
from core.refusals import refusal_text
from db.tables import Alert, Event, Image, Patient, Study, StudyStatus

__all__ = [
    "ImageRow",
    "NotHere",
    "Page",
    "alert_of",
    "alerts_of",
    "event_of",
    "image_of",
    "mrn_of",
    "patient_of",
    "patients_found",
    "patients_page",
    "studies_page",
    "study_of",
]

Row = dict[str, Any]


class NotHere(LookupError):
    """There is nothing by this name; the message says of what."""


@dataclass(frozen=True)
class Page:
    """Some rows, whom they are about, and the number after which the next page begins; None where there is none."""

    rows: list[Row]
    patients: list[int]
    after: int | None


@dataclass(frozen=True)
class ImageRow:
    """One image, whose it is, and under which key its bytes are kept."""

    row: Row
    patient_id: int
    sop_uid: str
    sha256: str
    media_type: str


@needs(Permission.SEE_PATIENTS)
def patients_page(
    here: Installation, person: Person, *, after: int, limit: int, simulated: bool | None
) -> Page:
    """Return women in the order in which they came; raises `AccessDenied` here and below."""
    query = select(Patient).where(Patient.id > after).order_by(Patient.id).limit(limit + 1)
    if simulated is not None:
        query = query.where(Patient.simulated.is_(simulated))
    with here.database.read() as session:
        found = session.scalars(query).all()
        rows = _patients(session, found[:limit])
    return _page(rows, [one.id for one in found], [one.id for one in found[:limit]], limit)


@needs(Permission.SEE_PATIENTS)
def patients_found(here: Installation, person: Person, text: str, *, limit: int) -> Page:
    """Return the women whose MRN or name holds a text, the exact MRN first."""
    mrns = [one.mrn for one in find_women(here, text, limit=limit)]
    with here.database.read() as session:
        by_mrn = {one.mrn: one for one in session.scalars(select(Patient).where(Patient.mrn.in_(mrns)))}
        found = [by_mrn[mrn] for mrn in mrns if mrn in by_mrn]
        rows = _patients(session, found)
    return Page(rows, [one.id for one in found], None)


@needs(Permission.SEE_PATIENTS)
def patient_of(here: Installation, person: Person, key: str) -> tuple[int, Row]:
    """Return a woman's number and row by her key; raises `NotHere`."""
    with here.database.read() as session:
        patient = _by_key(session, key)
        return patient.id, _patients(session, [patient])[0]


@needs(Permission.SEE_PATIENTS)
def mrn_of(here: Installation, person: Person, key: str) -> tuple[int, str]:
    """Return a woman's number and MRN by her key; raises `NotHere`."""
    with here.database.read() as session:
        patient = _by_key(session, key)
        return patient.id, patient.mrn


def _by_key(session: Session, key: str) -> Patient:
    patient = patient_by_key(session, key)
    if patient is None:
        raise NotHere("There is no patient by this key.")
    return patient


def _patients(session: Session, patients: Sequence[Patient]) -> list[Row]:
    ids = [one.id for one in patients]
    counts: Mapping[int, Any] = {
        row.patient_id: row
        for row in session.execute(
            select(Study.patient_id, func.count().label("studies"), func.max(Study.study_date).label("last"))
            .where(Study.patient_id.in_(ids))
            .group_by(Study.patient_id)
        )
    }
    return [
        {
            "key": key_of(one),
            "mrn": one.mrn,
            "name": one.name,
            "birth_date": one.birth_date,
            "sex": one.sex.value if one.sex else None,
            "simulated": one.simulated,
            "studies": counts[one.id].studies if one.id in counts else 0,
            "last_study": counts[one.id].last if one.id in counts else None,
        }
        for one in patients
    ]


@needs(Permission.SEE_PATIENTS)
def studies_page(
    here: Installation,
    person: Person,
    *,
    after: int,
    limit: int,
    of: str | None = None,
    status: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Page:
    """Return studies in the order in which they came; `of` is a woman's key (raises `NotHere`), days are included."""
    wanted: list[ColumnElement[bool]] = [Study.id > after]
    with here.database.read() as session:
        if of is not None:
            wanted.append(Study.patient_id == _by_key(session, of).id)
        if status is not None:
            wanted.append(Study.status == StudyStatus(status))
        if since is not None:
            wanted.append(Study.study_date >= since)
        if until is not None:
            wanted.append(Study.study_date <= until)
        found = session.scalars(select(Study).where(*wanted).order_by(Study.id).limit(limit + 1)).all()
        rows = _studies(session, found[:limit])
    whose = [one.patient_id for one in found[:limit]]
    return _page(rows, [one.id for one in found], whose, limit)


@needs(Permission.SEE_PATIENTS)
def study_of(here: Installation, person: Person, study_uid: str) -> tuple[int, Row]:
    """Return whose a study is (by her number), and its row; raises `NotHere`."""
    with here.database.read() as session:
        study = session.scalar(select(Study).where(Study.uid == study_uid))
        if study is None:
            raise NotHere("There is no study with this UID.")
        return study.patient_id, _studies(session, [study])[0]


def _studies(session: Session, studies: Sequence[Study]) -> list[Row]:
    patients = {
        one.id: one
        for one in session.scalars(
            select(Patient).where(Patient.id.in_({study.patient_id for study in studies}))
        )
    }
    images: dict[int, list[Image]] = {study.id: [] for study in studies}
    for image in session.scalars(select(Image).where(Image.study_id.in_(images)).order_by(Image.id)):
        images[image.study_id].append(image)
    return [_study(study, patients[study.patient_id], images[study.id]) for study in studies]


def _study(study: Study, patient: Patient, images: Sequence[Image]) -> Row:
    refusal = None
    if study.refusal_reason is not None:
        refusal = {
            "reason": study.refusal_reason,
            "detail": refusal_text(study.refusal_reason, study.refusal_detail),
        }
    return {
        "study_uid": study.uid,
        "patient": patient.mrn,
        "patient_key": key_of(patient),
        "simulated": patient.simulated,
        "study_date": study.study_date,
        "modality": study.modality,
        "description": study.description,
        "status": study.status.value,
        "refusal": refusal,
        "images": [_image(one, study.uid) for one in images],
    }


def _image(image: Image, study_uid: str) -> Row:
    return {
        "sop_uid": image.sop_uid,
        "study_uid": study_uid,
        "laterality": image.laterality.value,
        "view": image.view,
        "rows": image.rows,
        "columns": image.columns,
        "bits_stored": image.bits_stored,
        "spacing_mm": image.pixel_spacing_mm,
        "media_type": image.media_type,
        "manufacturer": image.manufacturer,
        "sha256": image.sha256,
        "flags": [str(flag) for flag in image.quality_flags],
    }


@needs(Permission.SEE_PATIENTS)
def image_of(here: Installation, person: Person, sop_uid: str) -> ImageRow:
    """Return one image; raises `NotHere`."""
    with here.database.read() as session:
        found = session.execute(
            select(Image, Study.uid, Study.patient_id)
            .join(Study, Study.id == Image.study_id)
            .where(Image.sop_uid == sop_uid)
        ).first()
    if found is None:
        raise NotHere("There is no image with this UID.")
    image = found.Image
    return ImageRow(_image(image, found.uid), found.patient_id, image.sop_uid, image.sha256, image.media_type)


@needs(Permission.SEE_PATIENTS)
def event_of(here: Installation, person: Person, event_id: int) -> tuple[int, EventEntry]:
    """Return whose an event is (by her number), and the event; raises `NotHere`."""
    with here.database.read() as session:
        whose = session.execute(
            select(Patient.id, Patient.mrn)
            .join(Event, Event.patient_id == Patient.id)
            .where(Event.id == event_id)
        ).first()
    record = record_of(here, whose.mrn) if whose else None
    events = record.events if record else ()
    found = next((one for one in events if one.event_id == event_id), None)
    if whose is None or found is None:
        raise NotHere("There is no event with this number.")
    return whose.id, found


@needs(Permission.SEE_PATIENTS)
def alerts_of(
    here: Installation, person: Person, *, after: int, limit: int, is_open: bool | None, of: str | None = None
) -> Page:
    """Return alerts in the order in which they were raised; those of studies that are covered until read are not told.

    `of` is a woman's key (raises `NotHere`); `is_open` chooses those that nobody has acknowledged, or the others.
    """
    query = select(Alert.id, Alert.patient_id, Patient.mrn).join(Patient, Patient.id == Alert.patient_id)
    with here.database.read() as session:
        if of is not None:
            query = query.where(Alert.patient_id == _by_key(session, of).id)
        if is_open is not None:
            closed = Alert.acknowledged_at
            query = query.where(closed.is_(None) if is_open else closed.is_not(None))
        found = session.execute(query.where(Alert.id > after).order_by(Alert.id).limit(limit + 1)).all()
    shown = found[:limit]
    told = {mrn: _told(here, mrn) for mrn in dict.fromkeys(row.mrn for row in shown)}
    rows = [told[row.mrn][row.id] for row in shown if row.id in told[row.mrn]]
    return _page(rows, [row.id for row in found], [row.patient_id for row in shown], limit)


@needs(Permission.SEE_PATIENTS)
def alert_of(here: Installation, person: Person, alert_id: int) -> tuple[int, Row]:
    """Return whose an alert is (by her number), and its row; raises `NotHere`, also while its study is covered."""
    with here.database.read() as session:
        found = session.execute(
            select(Alert.patient_id, Patient.mrn)
            .join(Patient, Patient.id == Alert.patient_id)
            .where(Alert.id == alert_id)
        ).first()
    row = _told(here, found.mrn).get(alert_id) if found else None
    if found is None or row is None:
        raise NotHere(f"There is no alert with this number, or it is not told yet. {COVERED}")
    return found.patient_id, row


def _told(here: Installation, mrn: str) -> dict[int, Row]:
    record = record_of(here, mrn)
    return {one.alert_id: _alert(one, mrn) for one in record.alerts} if record else {}


def _alert(alert: AlertEntry, mrn: str) -> Row:
    return {
        "id": alert.alert_id,
        "patient": mrn,
        "rule": alert.rule,
        "message": alert.message or None,
        "standing": alert.standing.value,
        "study_date": alert.study_date,
        "raised_at": alert.raised_at,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by,
        "acknowledgement": alert.acknowledgement,
    }


def _page(rows: list[Row], numbers: Sequence[int], patients: Sequence[int], limit: int) -> Page:
    more = len(numbers) > limit
    return Page(rows, list(dict.fromkeys(patients)), numbers[limit - 1] if more else None)
