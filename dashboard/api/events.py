"""Events beside the studies, and alerts that ask for a look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.exchange import alert_of, alerts_of, event_of, mrn_of
from core.people import Permission, Scope
from core.records import (
    AcknowledgedMeanwhile,
    EventChangedMeanwhile,
    EventEntry,
    EventKind,
    EventResult,
    acknowledge,
    add_event,
    record_of,
    record_result,
    remove_event,
    take_back_acknowledgement,
)
from dashboard.api import shapes
from dashboard.api.days import Day
from dashboard.api.described import EVERY, also, key_parameter, match_parameter
from dashboard.api.etags import check_unchanged, etag_of
from dashboard.api.paging import Paged
from dashboard.api.patients import Key
from dashboard.api.records import event_row
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

RECORD = [door(Scope.WRITE, Permission.RECORD_EVENT)]
ASSESS = [door(Scope.WRITE, Permission.ASSESS)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

router = APIRouter(prefix="/api/v1", route_class=Recorded, responses=EVERY)


class NewEvent(BaseModel):
    """Something that happened; `end` of a therapy, `result` of a biopsy, `laterality` needed of a mastectomy."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "biopsy", "on": "2024-03-01", "laterality": "L"}]},
    )

    kind: EventKind
    on: Day
    end: Day | None = None
    laterality: Literal["L", "R", "both"] | None = None
    detail: Annotated[str, Field(max_length=10_000)] = ""
    result: EventResult | None = None


class PathologyResult(BaseModel):
    """What the pathologist said of a biopsy."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"result": "benign"}]})

    result: EventResult


class Acknowledgement(BaseModel):
    """What explains the alert, or what was arranged."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(min_length=1, max_length=2_000, examples=["Seen with the priors of 2022."])]


@router.get("/patients/{key}/events", dependencies=[door(Scope.READ)], tags=["events"])
def list_events(call: Caller, key: Key) -> shapes.Events:
    """List what happened to a woman beside her studies, oldest first."""
    patient_id, mrn = mrn_of(call.here, call.person, key)
    call.tells_of(patient_id)
    record = record_of(call.here, mrn)
    return shapes.Events(items=[event_row(one) for one in record.events] if record else [])


@router.post(
    "/patients/{key}/events",
    dependencies=RECORD,
    status_code=201,
    tags=["events"],
    openapi_extra=key_parameter(),
)
def create_event(call: Caller, response: Response, key: Key, said: NewEvent) -> shapes.Event:
    """Add an event to her record; what her newest score raises is judged anew with it."""
    _, mrn = mrn_of(call.here, call.person, key)
    try:
        made = add_event(
            call.here,
            call.person,
            mrn,
            kind=said.kind,
            on=said.on,
            end=said.end,
            laterality=said.laterality,
            detail=said.detail,
            result=said.result,
        )
    except ValueError as error:
        raise Problem(422, "not_recorded", str(error)) from error
    row = event_row(made)
    response.headers["Location"], response.headers["ETag"] = f"/api/v1/events/{row.id}", etag_of(row)
    return row


@router.get("/events/{event_id}", dependencies=[door(Scope.READ)], tags=["events"])
def get_event(call: Caller, event_id: Number) -> shapes.Event:
    """Return one event; its ETag is needed to say what came of a biopsy, and to take it back."""
    patient_id, found = event_of(call.here, call.person, event_id)
    call.tells_of(patient_id)
    return event_row(found)


@router.put(
    "/events/{event_id}/result",
    dependencies=RECORD,
    tags=["events"],
    responses=also(412, 428),
    openapi_extra=key_parameter(parameters=[match_parameter("the event")]),
)
def set_result(
    call: Caller, request: Request, response: Response, event_id: Number, said: PathologyResult
) -> shapes.Event:
    """Say what came of a biopsy; an earlier result stays in the audit trail."""
    seen = _seen(call, request, event_id)
    with _in_words():
        record_result(call.here, call.person, event_id, said.result, seen=seen)
    row = event_row(event_of(call.here, call.person, event_id)[1])
    response.headers["ETag"] = etag_of(row)
    return row


@router.delete(
    "/events/{event_id}",
    dependencies=RECORD,
    status_code=204,
    response_class=Response,
    tags=["events"],
    responses=also(412, 428),
    openapi_extra=key_parameter(parameters=[match_parameter("the event")]),
)
def delete_event(call: Caller, request: Request, event_id: Number) -> Response:
    """Take an event back; what it said stays in the audit trail."""
    seen = _seen(call, request, event_id)
    with _in_words():
        remove_event(call.here, call.person, event_id, seen=seen)
    return Response(status_code=204)


def _seen(call: Call, request: Request, event_id: int) -> EventEntry:
    """Return an event as the program has seen it; raises `Problem` where it has changed since."""
    patient_id, event = event_of(call.here, call.person, event_id)
    call.tells_of(patient_id)
    check_unchanged(request, event_row(event))
    return event


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (EventChangedMeanwhile, AcknowledgedMeanwhile) as error:
        raise Problem(412, "changed_meanwhile", str(error)) from error
    except ValueError as error:
        raise Problem(422, "not_recorded", str(error)) from error


@router.get("/alerts", dependencies=[door(Scope.READ)], tags=["alerts"])
def list_alerts(
    call: Caller,
    paged: Paged,
    open: Annotated[
        bool | None, Query(description="Those that nobody has acknowledged, or the others.")
    ] = None,
) -> shapes.Alerts:
    """List alerts in the order in which they were raised."""
    page = alerts_of(call.here, call.person, after=paged.after, limit=paged.limit, is_open=open)
    call.tells_of(*page.patients)
    return shapes.Alerts(items=[shapes.Alert(**row) for row in page.rows], next=paged.next(page.after))


@router.get("/alerts/{alert_id}", dependencies=[door(Scope.READ)], tags=["alerts"])
def get_alert(call: Caller, alert_id: Number) -> shapes.Alert:
    """Return one alert; its ETag is needed to acknowledge it, and to open it again."""
    return _alert(call, alert_id)


_ACKNOWLEDGE: dict[str, Any] = {
    "dependencies": ASSESS,
    "tags": ["alerts"],
    "responses": also(409, 412, 428),
    "openapi_extra": key_parameter(parameters=[match_parameter("the alert")]),
}


@router.put("/alerts/{alert_id}/acknowledgement", **_ACKNOWLEDGE)
def acknowledge_alert(
    call: Caller, request: Request, response: Response, alert_id: Number, said: Acknowledgement
) -> shapes.Alert:
    """Say that an alert was seen to, and how; the first acknowledgement stays."""
    _alert(call, alert_id, unchanged_for=request)
    with _in_words():
        if not acknowledge(call.here, call.person, alert_id, said.note):
            raise Problem(
                409, "acknowledged_already", "It is closed already; the first acknowledgement stays."
            )
    return _tagged(response, _alert(call, alert_id))


@router.delete("/alerts/{alert_id}/acknowledgement", **_ACKNOWLEDGE)
def open_alert_again(call: Caller, request: Request, response: Response, alert_id: Number) -> shapes.Alert:
    """Open an alert again that somebody has acknowledged."""
    seen = _alert(call, alert_id, unchanged_for=request).acknowledged_at
    with _in_words():
        opened = take_back_acknowledgement(call.here, call.person, alert_id, seen=seen)
    if not opened:
        raise Problem(409, "not_acknowledged", "Nobody has acknowledged it: there is nothing to take back.")
    return _tagged(response, _alert(call, alert_id))


def _alert(call: Call, alert_id: int, *, unchanged_for: Request | None = None) -> shapes.Alert:
    """Return an alert; raises `Problem` where it has changed since the program of a request has seen it."""
    patient_id, row = alert_of(call.here, call.person, alert_id)
    call.tells_of(patient_id)
    alert = shapes.Alert(**row)
    if unchanged_for is not None:
        check_unchanged(unchanged_for, alert)
    return alert


def _tagged(response: Response, alert: shapes.Alert) -> shapes.Alert:
    response.headers["ETag"] = etag_of(alert)
    return alert
