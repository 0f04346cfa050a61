"""What is there is changed against the state that was seen, by every call that changes something: none forgets it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from fastapi import APIRouter, Response
from sqlalchemy import select

from core.people import Person, Role, Scope, accounts, sign_ins
from core.records import EventChangedMeanwhile, EventKind, EventResult, add_event, record_result, remove_event
from dashboard.api.routing import Recorded, door
from db.tables import Alert, AuditEntry, Patient
from tests import factories
from tests.dashboard.api.conftest import PASSWORD, Api, Client
from tests.dashboard.api.test_who_may import ROUTES

ASKS = {
    "/api/v1/patients/search",
    "/api/v1/corrections/preview",
    "/api/v1/corrections/{correction_id}/undo/preview",
    "/api/v1/classify",
    "/api/v1/classify/study",
    "/api/v1/images/{sop_uid}/classify",
    "/api/v1/studies/{study_uid}/classify",
    "/api/v1/cohorts/summary",
    "/fhir/{kind}/_search",
}
"""Posted, and nothing is changed."""
MAKES = {
    "/api/v1/studies/{study_uid}/score",
    "/api/v1/patients/{key}/events",
    "/api/v1/images/{sop_uid}/findings",
    "/api/v1/images/{sop_uid}/lesions",
    "/api/v1/imports",
}
"""Something new is made, beside what is there."""
NAMES_WHAT_WAS_SEEN = {"/api/v1/lesion-acts/{key}/undo"}
"""The address is of one act, which is taken back only while what it left stands."""

CHANGES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/studies/{study_uid}/assessment"): {"right": "1", "left": "1", "density": "B"},
    ("DELETE", "/api/v1/events/{event_id}"): None,
    ("PUT", "/api/v1/events/{event_id}/result"): {"result": "benign"},
    ("PUT", "/api/v1/alerts/{alert_id}/acknowledgement"): {"note": "Seen."},
    ("DELETE", "/api/v1/alerts/{alert_id}/acknowledgement"): None,
    ("POST", "/api/v1/lesions/{lesion_id}/measurements"): {"sop_uid": "{other}", "size": {"long_mm": 5}},
    ("PUT", "/api/v1/measurements/{measurement_id}"): {"long_mm": 5},
    ("DELETE", "/api/v1/measurements/{measurement_id}"): None,
    ("PUT", "/api/v1/lesions/{lesion_id}/name"): {"label": "Mass"},
    ("PUT", "/api/v1/lesions/{lesion_id}/description"): {"kind": "mass"},
    ("PUT", "/api/v1/lesions/{lesion_id}/status"): {"status": "resolved"},
    ("POST", "/api/v1/lesions/{lesion_id}/join"): {"into": "{lesion_id}", "version": 1},
    ("POST", "/api/v1/lesions/{lesion_id}/split"): {"measurements": ["{measurement_id}"]},
    ("POST", "/api/v1/corrections"): {
        "ask": {"kind": "person", "patient": "MATCH", "name": "Ada"},
        "reason": "x",
    },
    ("POST", "/api/v1/corrections/{correction_id}/undo"): {},
}
"""What changes something that is there -> what is sent; `{…}` is of the woman below."""


@dataclass(frozen=True)
class Hers:
    """A woman with one of each thing that a call changes."""

    client: Client
    ids: dict[str, Any]

    def filled(self, said: Any) -> Any:
        """Return an address or a body with her ids in the place of their names."""
        if isinstance(said, dict):
            return {name: self.filled(value) for name, value in said.items()}
        if isinstance(said, list):
            return [self.filled(one) for one in said]
        if isinstance(said, str) and said[1:-1] in self.ids:
            return self.ids[said[1:-1]]
        return said.format(**self.ids) if isinstance(said, str) else said


@pytest.fixture(scope="module")
def hers(api: Api) -> Hers:
    visits = [
        factories.VisitPlan(date(2021, 6, 1), bi_rads="1"),
        factories.VisitPlan(date(2023, 6, 1), bi_rads="2", alerts=[("risk_high", "5-year risk 4 %")]),
    ]
    factories.woman(api.here, "MATCH", visits, name="Before")
    client = api.by(Role.ONCOLOGIST)
    key = client.post("/api/v1/patients/search", json={"text": "MATCH"}).json()["items"][0]["key"]
    studies = client.get(f"/api/v1/patients/{key}/studies").json()["items"]
    films = [
        next(f["sop_uid"] for f in study["images"] if (f["laterality"], f["view"]) == ("L", "CC"))
        for study in studies
    ]
    event = client.post(
        f"/api/v1/patients/{key}/events", json={"kind": "biopsy", "on": "2023-06-20", "laterality": "L"}
    )
    size = {"size": {"box": [60, 250, 160, 350], "long_mm": 9}}
    lesion = client.post(f"/api/v1/images/{films[0]}/lesions", json=size).json()
    ask = {"ask": {"kind": "person", "patient": "MATCH", "name": "After"}, "reason": "Married."}
    corrected = client.post("/api/v1/corrections", json=ask, headers={"If-Match": "*"})
    assert corrected.status_code == 201, corrected.text
    with api.here.database.read() as session:
        alert = session.scalars(
            select(Alert.id).join(Patient, Patient.id == Alert.patient_id).where(Patient.mrn == "MATCH")
        ).first()
    ids = {
        "study_uid": studies[1]["study_uid"],
        "other": films[1],
        "event_id": event.json()["id"],
        "alert_id": alert,
        "lesion_id": lesion["id"],
        "measurement_id": lesion["measurements"][0]["id"],
        "correction_id": corrected.json()["correction"],
    }
    return Hers(client, ids)


def _unsafe() -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in ROUTES
        for method in sorted(route.methods - {"GET", "HEAD", "OPTIONS"})
    ]


def test_every_call_that_may_change_something_is_known_here() -> None:
    posted = {("POST", path) for path in ASKS | MAKES | NAMES_WHAT_WAS_SEEN}
    assert set(_unsafe()) == posted | set(CHANGES)


@pytest.mark.parametrize(("method", "path"), CHANGES, ids=[f"{method} {path}" for method, path in CHANGES])
def test_a_change_says_which_state_it_changes(api: Api, hers: Hers, method: str, path: str) -> None:
    def entries() -> list[str]:
        with api.here.database.read() as session:
            query = select(AuditEntry.action).where(AuditEntry.action != "api_called")
            return list(session.scalars(query.order_by(AuditEntry.id)))

    sent = hers.filled(CHANGES[method, path])
    before = entries()
    for tag, status, reason in (
        (None, 428, "if_match_needed"),
        ('"' + "0" * 32 + '"', 412, "changed_meanwhile"),
        ("0" * 32, 400, "bad_if_match"),
    ):
        headers = {} if tag is None else {"If-Match": tag}
        more = {} if sent is None else {"json": sent}
        answer = hers.client.request(method, hers.filled(path), headers=headers, **more)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    assert entries() == before, "nothing was done"


def test_a_change_that_does_not_say_so_is_no_route() -> None:
    router = APIRouter(route_class=Recorded)
    for add in (router.put, router.patch, router.delete):
        with pytest.raises(TypeError, match="match_parameter"):
            add("/api/v1/things", dependencies=[door(Scope.WRITE)])(lambda: Response())


def test_an_event_that_changes_between_the_look_and_the_act_stays(api: Api) -> None:
    factories.woman(api.here, "RACE", [factories.VisitPlan(date(2023, 6, 1))])
    accounts.create_user(api.here, "racer", PASSWORD, Role.ONCOLOGIST)
    reader: Person = sign_ins.who(api.here, sign_ins.sign_in(api.here, "racer", PASSWORD).token)
    seen = add_event(api.here, reader, "RACE", kind=EventKind.BIOPSY, on=date(2023, 6, 20), laterality="L")
    record_result(api.here, reader, seen.event_id, EventResult.BENIGN, seen=seen)
    with pytest.raises(EventChangedMeanwhile):
        record_result(api.here, reader, seen.event_id, EventResult.MALIGNANT, seen=seen)
    with pytest.raises(EventChangedMeanwhile):
        remove_event(api.here, reader, seen.event_id, seen=seen)
    now = replace(seen, result=EventResult.BENIGN)
    remove_event(api.here, reader, seen.event_id, seen=now)
    with pytest.raises(EventChangedMeanwhile):
        remove_event(api.here, reader, seen.event_id, seen=now)
