"""Patients: who is followed, found by part of an MRN or name in the body, never in the address."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from core.corrections import corrections_of
from core.exchange import (
    alerts_of,
    mrn_of,
    patient_of,
    patients_found,
    patients_page,
    scores_of,
    studies_page,
)
from core.people import Scope
from core.records import findings, lesions_of_patient
from dashboard.api import shapes
from dashboard.api.described import EVERY
from dashboard.api.paging import Paged
from dashboard.api.records import finding_row, lesion_row
from dashboard.api.routing import Caller, Recorded, door

READ = [door(Scope.READ)]
Key = Annotated[str, Path(max_length=64, description="A woman's key.", examples=["p1"])]

router = APIRouter(prefix="/api/v1/patients", tags=["patients"], route_class=Recorded, responses=EVERY)


class Search(BaseModel):
    """Part of an MRN or of a name."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=128, examples=["SIM0001"])]
    limit: Annotated[int, Field(ge=1, le=50)] = 8


@router.get("", dependencies=READ)
def list_patients(
    call: Caller,
    paged: Paged,
    simulated: Annotated[bool | None, Query(description="Simulated women only, or real ones only.")] = None,
) -> shapes.Patients:
    """List women in the order in which they came."""
    page = patients_page(call.here, call.person, after=paged.after, limit=paged.limit, simulated=simulated)
    call.tells_of(*page.patients)
    return shapes.Patients(items=_made(shapes.Patient, page.rows), next=paged.next(page.after))


@router.post("/search", dependencies=READ)
def search_patients(call: Caller, search: Search) -> shapes.Patients:
    """Find women by part of an MRN or name, the exact MRN first; in the body, so that no log of addresses names her."""
    page = patients_found(call.here, call.person, search.text, limit=search.limit)
    call.tells_of(*page.patients)
    return shapes.Patients(items=_made(shapes.Patient, page.rows))


@router.get("/{key}", dependencies=READ)
def get_patient(call: Caller, key: Key) -> shapes.Patient:
    """Return one woman."""
    patient_id, row = patient_of(call.here, call.person, key)
    call.tells_of(patient_id)
    return shapes.Patient(**row)


@router.get("/{key}/studies", dependencies=READ)
def list_studies_of_patient(call: Caller, key: Key, paged: Paged) -> shapes.Studies:
    """List her studies in the order in which they came."""
    page = studies_page(call.here, call.person, after=paged.after, limit=paged.limit, of=key)
    call.tells_of(*page.patients)
    return shapes.Studies(items=_made(shapes.Study, page.rows), next=paged.next(page.after))


@router.get("/{key}/course", dependencies=READ, response_model_exclude_unset=True)
def get_course(call: Caller, key: Key) -> shapes.Course:
    """Return her scores over the years with how far each may be believed."""
    patient_id, _ = mrn_of(call.here, call.person, key)
    call.tells_of(patient_id)
    visits = scores_of(call.here, call.person, patient_id)
    return shapes.Course(patient_key=key, visits=_made(shapes.Score, visits))


@router.get("/{key}/alerts", dependencies=READ)
def list_alerts_of_patient(
    call: Caller, key: Key, paged: Paged, open: Annotated[bool | None, Query()] = None
) -> shapes.Alerts:
    """List her alerts in the order in which they were raised."""
    page = alerts_of(call.here, call.person, after=paged.after, limit=paged.limit, is_open=open, of=key)
    call.tells_of(*page.patients)
    return shapes.Alerts(items=_made(shapes.Alert, page.rows), next=paged.next(page.after))


@router.get("/{key}/findings", dependencies=READ)
def list_findings_of_patient(call: Caller, key: Key) -> shapes.Findings:
    """List what readers kept on her images."""
    patient_id, mrn = mrn_of(call.here, call.person, key)
    call.tells_of(patient_id)
    return shapes.Findings(items=[finding_row(one) for one in findings.of_patient(call.here, mrn)])


@router.get("/{key}/lesions", dependencies=READ)
def list_lesions(call: Caller, key: Key) -> shapes.Lesions:
    """List her lesions with their sizes over the years."""
    patient_id, mrn = mrn_of(call.here, call.person, key)
    call.tells_of(patient_id)
    return shapes.Lesions(items=[lesion_row(one) for one in lesions_of_patient(call.here, mrn)])


@router.get("/{key}/corrections", dependencies=READ)
def list_corrections(call: Caller, key: Key) -> shapes.Corrections:
    """List what was put right of her record, newest first."""
    patient_id, mrn = mrn_of(call.here, call.person, key)
    call.tells_of(patient_id)
    return shapes.Corrections(
        items=[shapes.Correction(**one.to_json()) for one in corrections_of(call.here, mrn)]
    )


def _made(shape: type[Any], rows: list[dict[str, Any]]) -> list[Any]:
    return [shape(**row) for row in rows]
