"""The record as FHIR R4 resources that are read and searched: Patient, ImagingStudy, Observation, RiskAssessment, DiagnosticReport.

They are those of a study's report (`core.reports`), so that what is withheld or covered is in none; here they get ids that lead
back to the row, and references between them that a client can follow. An id is the woman's key, the study's UID, or, of an
observation, the study's number with a hash of what is observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from core.exchange.keys import fhir_id_of, patient_by_fhir_id
from core.exchange.listed import NotHere
from core.incoming import called
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.reports import Report, imaging_study, patient_resource, report_of, resources_of
from db.sessions import WITH_PUT_AWAY
from db.tables import Image, Patient, Study, utc_now

__all__ = [
    "KINDS",
    "Days",
    "Found",
    "Order",
    "PlaceGone",
    "Wanted",
    "count_resources",
    "id_of_mrn",
    "resource_of",
    "search_resources",
]

Resource = dict[str, Any]

KINDS = ("Patient", "ImagingStudy", "Observation", "RiskAssessment", "DiagnosticReport")
_OBSERVATION = re.compile(r"(\d{1,15})-([0-9a-f]{16})", re.ASCII)
_TEST_DATA = {
    "security": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
            "code": "HTEST",
            "display": "test health data",
        }
    ]
}


@dataclass(frozen=True)
class Days:
    """Days from one to another, both included; None is without an end."""

    first: date | None = None
    last: date | None = None


class Order(StrEnum):
    """By what resources are told in order; those of one study stay together."""

    CAME = "came"
    DAY = "day"
    """Of a woman her birth date: where it is not known she is told as the oldest."""
    IDENTIFIER = "identifier"


class PlaceGone(LookupError):
    """The row after which a page begins is not there any more."""


@dataclass(frozen=True)
class Wanted:
    """What a search asks for: any of some ids, of studies any of some UIDs as identifiers; `patient` is a woman's id.

    None: whichever. With `also_women` the women whom resources are about are told beside them, with `also_results` the
    observations of diagnostic reports.
    """

    ids: tuple[str, ...] | None = None
    identifiers: tuple[str, ...] | None = None
    patient: str | None = None
    days: tuple[Days, ...] = field(default_factory=tuple)
    order: Order = Order.CAME
    descending: bool = False
    also_women: bool = False
    also_results: bool = False


@dataclass(frozen=True)
class Found:
    """Resources, whom they tell of, the number of the row after which the next page begins, and what is told beside them."""

    resources: list[Resource]
    patients: list[int]
    after: int | None = None
    beside: list[Resource] = field(default_factory=list)


@needs(Permission.SEE_PATIENTS)
def id_of_mrn(here: Installation, person: Person, mrn: str) -> str | None:
    """Return the id of the woman of an MRN; None where there is nobody."""
    with here.database.read() as session:
        patient = called(session, mrn)
        return None if patient is None else fhir_id_of(patient)


@needs(Permission.SEE_PATIENTS)
def resource_of(here: Installation, person: Person, kind: str, resource_id: str) -> Found:
    """Return one resource; raises `NotHere`."""
    found = search_resources(here, person, kind, Wanted(ids=(resource_id,)), after=0, limit=1)
    if not found.resources:
        raise NotHere(f"There is no {kind} with this id.")
    return found


@needs(Permission.SEE_PATIENTS)
def search_resources(
    here: Installation, person: Person, kind: str, wanted: Wanted, *, after: int, limit: int
) -> Found:
    """Return the resources of a kind that are asked for, of `limit` women or studies at most, from after a row on.

    Raises `PlaceGone` where there is no such row any more.
    """
    if kind == "Patient":
        return _patients(here, wanted, after, limit)
    with here.database.read() as session:
        query = _studies(session, kind, wanted)
        if query is None:
            return Found([], [])
        by = Study.study_date if wanted.order is Order.DAY else Study.uid
        rows = session.execute(_from(session, query, by, Study.id, wanted, after).limit(limit + 1)).all()
        shown = rows[:limit]
        counts = _images(session, [row.Study.id for row in shown]) if kind == "ImagingStudy" else {}
    resources: list[Resource] = []
    results: list[Resource] = []
    for row in shown:
        if kind == "ImagingStudy":
            resources.append(_imaging(row.Study, row.Patient, counts.get(row.Study.id, 0)))
            continue
        for one in _of_report(here, row.Study, row.Patient):
            if one["resourceType"] == kind:
                resources.append(one)
            elif wanted.also_results and one["resourceType"] == "Observation":
                results.append(one)
    if wanted.ids is not None:
        resources = [one for one in resources if one["id"] in wanted.ids]
    women = {row.Patient.id: row.Patient for row in shown}
    beside = [_woman(one) for one in women.values()] if wanted.also_women and resources else []
    return Found(resources, list(women), shown[-1].Study.id if len(rows) > limit else None, beside + results)


@needs(Permission.SEE_PATIENTS)
def count_resources(here: Installation, person: Person, kind: str, wanted: Wanted) -> int:
    """Return how many resources are asked for, of a kind of which a study or a woman has one: not of observations."""
    if kind == "Observation":
        raise ValueError("How many observations a study has is known when they are made.")
    with here.database.read() as session:
        query = _women(session, wanted) if kind == "Patient" else _studies(session, kind, wanted)
        counted = select(func.count()).select_from(query.subquery()) if query is not None else None
        return (session.scalar(counted) or 0) if counted is not None else 0


def _patients(here: Installation, wanted: Wanted, after: int, limit: int) -> Found:
    with here.database.read() as session:
        by = func.coalesce(Patient.birth_date, date.min) if wanted.order is Order.DAY else Patient.mrn
        query = _from(session, _women(session, wanted), by, Patient.id, wanted, after)
        rows = session.scalars(query.limit(limit + 1)).all()
    shown = rows[:limit]
    return Found(
        [_woman(one) for one in shown],
        [one.id for one in shown],
        shown[-1].id if len(rows) > limit else None,
    )


def _women(session: Session, wanted: Wanted) -> Select[Patient]:
    query = select(Patient).where(*_between(Patient.birth_date, wanted.days))
    if wanted.ids is not None:
        query = query.where(Patient.id.in_([_id_of(patient_by_fhir_id(session, one)) for one in wanted.ids]))
    return query


def _from(
    session: Session, query: Select[*tuple[Any, ...]], by: Any, number: Any, wanted: Wanted, after: int
) -> Select[*tuple[Any, ...]]:
    """Return a query in the order that is wanted, from after the row of a number on; 0 is from the first on."""
    keys = [number] if wanted.order is Order.CAME else [by, number]
    if after:
        last = session.execute(select(*keys).where(number == after), execution_options=WITH_PUT_AWAY).first()
        if last is None:
            raise PlaceGone(f"There is no row {after} any more.")
        beyond = [key < at if wanted.descending else key > at for key, at in zip(keys, last, strict=True)]
        if len(keys) > 1:
            # First as a bound of its own: over an index a page deep in a long list is as near as the first.
            not_before = keys[0] <= last[0] if wanted.descending else keys[0] >= last[0]
            beyond = [not_before, or_(*beyond[:1], and_(keys[0] == last[0], beyond[1]))]
        query = query.where(*beyond)
    return query.order_by(*(key.desc() if wanted.descending else key for key in keys))


def _id_of(patient: Patient | None) -> int:
    return patient.id if patient else -1


def _studies(session: Session, kind: str, wanted: Wanted) -> Select[Study, Patient] | None:
    """Return the query for the studies that are asked for; None where there can be none."""
    query = select(Study, Patient).join(Patient, Patient.id == Study.patient_id)
    query = query.where(*_between(Study.study_date, wanted.days))
    if wanted.patient is not None:
        query = query.where(Study.patient_id == _id_of(patient_by_fhir_id(session, wanted.patient)))
    if wanted.identifiers is not None:
        query = query.where(Study.uid.in_([one.removeprefix("urn:oid:") for one in wanted.identifiers]))
    if wanted.ids is None:
        return query
    if kind != "Observation":
        return query.where(Study.uid.in_(wanted.ids))
    told = [int(one[1]) for one in map(_OBSERVATION.fullmatch, wanted.ids) if one]
    return query.where(Study.id.in_(told)) if told else None


def _between(column: Any, days: tuple[Days, ...]) -> list[ColumnElement[bool]]:
    conditions = []
    for one in days:
        if one.first is not None:
            conditions.append(column >= one.first)
        if one.last is not None:
            conditions.append(column <= one.last)
    return conditions


def _images(session: Session, studies: list[int]) -> dict[int, int]:
    query = select(Image.study_id, func.count()).where(Image.study_id.in_(studies)).group_by(Image.study_id)
    return dict(session.execute(query).all())


def _woman(patient: Patient) -> Resource:
    sex = patient.sex.value if patient.sex else None
    made = patient_resource(patient.mrn, patient.name, patient.birth_date, sex)
    return _marked(patient, made | {"id": fhir_id_of(patient)})


def _imaging(study: Study, patient: Patient, images: int) -> Resource:
    made = imaging_study(
        patient.mrn, study.uid, study.study_date, study.modality, study.description or "", images
    )
    made |= {"id": study.uid, "subject": {"reference": f"Patient/{fhir_id_of(patient)}"}}
    return _marked(patient, made)


def _marked(patient: Patient, resource: Resource) -> Resource:
    return resource | ({"meta": _TEST_DATA} if patient.simulated else {})


def _of_report(here: Installation, study: Study, patient: Patient) -> list[Resource]:
    """Return the resources of a study's report, with ids and references that are read again."""
    report = report_of(here, patient.mrn, study.uid, utc_now())
    # The same at each reading: issued when it was assessed, scored or taken.
    taken = datetime.combine(study.study_date, time(), UTC)
    report = replace(report, made_at=report.assessment.at or report.said.computed_at or taken)
    resources = resources_of(report)
    names = {one["id"]: f"{one['resourceType']}/{_own_id(one, report, study, patient)}" for one in resources}
    for one in resources:
        one["id"] = names[one["id"]].partition("/")[2]
    return [_followed(one, lambda uuid: names.get(uuid, f"urn:uuid:{uuid}")) for one in resources]


def _own_id(resource: Resource, report: Report, study: Study, patient: Patient) -> str:
    kind = resource["resourceType"]
    if kind == "Patient":
        return fhir_id_of(patient)
    if kind == "ImagingStudy":
        return str(resource["identifier"][0]["value"]).removeprefix("urn:oid:")
    if kind == "Observation":
        return f"{study.id}-{resource['id'].replace('-', '')[:16]}"
    return report.study_uid


def _followed(said: Any, name: Callable[[str], str]) -> Any:
    """Return the same with references by type and id, and numbers as JSON has them."""
    if isinstance(said, dict):
        return {
            key: name(value.removeprefix("urn:uuid:"))
            if key == "reference" and isinstance(value, str)
            else _followed(value, name)
            for key, value in said.items()
        }
    if isinstance(said, list):
        return [_followed(one, name) for one in said]
    return float(said) if hasattr(said, "as_tuple") else said
