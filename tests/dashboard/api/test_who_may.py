"""Who may call: a token that is good, with the scope, of a person whose role includes it; nobody else, and in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.routing import APIRoute

from core.people import Role, Scope, accounts, own_tokens, sign_ins
from core.people.roles import PERMISSIONS
from dashboard.api import door
from dashboard.api.routing import Recorded
from dashboard.web.gate import COOKIE
from db.tables import utc_now
from tests.dashboard.api.conftest import PASSWORD, Api

CALLS = [
    (method.upper(), path) for path, methods in door.description()["paths"].items() for method in methods
]
FOR_EVERYBODY = {"/api/v1/me", "/api/v1/jobs/{key}", "/fhir/metadata"}
"""Calls that every role may make: they tell of no woman but by the caller's own doing."""
FOR_ANALYSTS = FOR_EVERYBODY | {
    "/api/v1/models",
    "/api/v1/models/{name}",
    "/api/v1/cohorts",
    "/api/v1/cohorts/summary",
}


def filled(path: str) -> str:
    for name, value in (
        ("{kind}", "Patient"),
        ("{key}", "p1"),
        ("{id}", "p1"),
        ("{name}", "longitudinal-sim"),
    ):
        path = path.replace(name, value)
    for name in ("study_uid", "sop_uid", "study", "series", "instance"):
        path = path.replace(f"{{{name}}}", "2.25.1.1")
    for name in ("alert_id", "lesion_id", "numbers"):
        path = path.replace(f"{{{name}}}", "1")
    for name in ("event_id", "measurement_id", "correction_id"):
        path = path.replace(f"{{{name}}}", "99")
    return path


def routes_of(routes: list[object]) -> list[APIRoute]:
    found: list[APIRoute] = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            found += routes_of(
                list(getattr(route, "routes", None) or getattr(route, "original_router", route).routes)
            )
    return found


ROUTES: list[Recorded] = routes_of(list(door.api.routes))  # type: ignore[assignment]


def test_every_call_declares_what_it_needs() -> None:
    assert len(ROUTES) >= len(CALLS) > 50
    assert all(isinstance(route, Recorded) for route in ROUTES)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "no_token"),
        ("lvp_", "token_unknown"),
        ("lvp_made-up", "token_unknown"),
        ("lvp_" + "x" * 5000, "token_malformed"),
        ("lvt_made-up", "token_malformed"),
        ("Bearer", "token_malformed"),
    ],
)
def test_a_token_that_is_none_opens_nothing_and_says_why(api: Api, token: str, reason: str) -> None:
    client = api.with_token(token) if token else api.stranger()
    # Every call of a stranger; of tokens that are none, which the same door refuses, some.
    for method, path in CALLS[:: 1 if not token else 9]:
        answer = client.request(method, filled(path))
        if path.startswith("/dicom-web") and token.startswith(("lvt_", "Bearer")):
            assert answer.status_code == 401
            continue
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        if not path.startswith("/fhir"):
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["reason"] == reason
        else:
            assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_token_that_was_one_says_why_it_opens_nothing(api: Api) -> None:
    def reason(token: str) -> str:
        answer = api.with_token(token).get("/api/v1/me")
        assert answer.status_code == 401
        return str(answer.json()["reason"])

    ended = api.token(Role.ONCOLOGIST)
    assert api.with_token(ended).get("/api/v1/me").status_code == 200
    own_tokens.end_own_tokens(api.here, "api-oncologist")
    assert reason(ended) == "token_ended"

    expired = api.token(Role.ONCOLOGIST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_tokens, "utc_now", lambda: utc_now() + timedelta(days=91))
        assert reason(expired) == "token_expired"

    accounts.create_user(api.here, "leaving", PASSWORD, Role.STAFF)
    closed = own_tokens.make_own_token(api.here, "leaving").token
    accounts.set_active(api.here, "leaving", False)
    assert reason(closed) == "token_ended"
    accounts.set_active(api.here, "leaving", True)
    assert reason(closed) == "token_ended"


def test_without_its_scope_no_call_is_answered(api: Api) -> None:
    for scope in Scope:
        client = api.by(Role.ADMIN, *(one for one in Scope if one is not scope))
        for route in ROUTES:
            if route.door.scope is scope:
                answer = client.request(sorted(route.methods)[0], filled(route.path))
                assert answer.status_code == 403, route.path
                assert answer.json().get("reason", "scope_missing") == "scope_missing"


@pytest.mark.parametrize("role", list(Role))
def test_a_token_never_does_more_than_its_person_may(api: Api, role: Role) -> None:
    client = api.by(role)
    for route in ROUTES:
        if route.door.permission is not None and route.door.permission not in PERMISSIONS[role]:
            answer = client.request(sorted(route.methods)[0], filled(route.path))
            assert answer.status_code == 403, route.path
    if role is Role.ANALYST:
        assert {
            route.path for route in ROUTES if route.door.permission in {None, *PERMISSIONS[role]}
        } == FOR_ANALYSTS


def test_a_sign_in_opens_the_description_and_no_call(api: Api) -> None:
    api.token(Role.STAFF)
    cookie = sign_ins.sign_in(api.here, "api-staff", PASSWORD).token
    browser = api.stranger()
    browser.headers = {"cookie": f"{COOKIE}={cookie}"}
    assert browser.get("/api/v1/openapi.json").status_code == 200
    page = browser.get("/api/v1/docs")
    assert page.status_code == 200
    assert "://" not in page.text.replace("http://www.w3.org", "")
    assert browser.get("/api/v1/docs/try.js").status_code == 200
    assert browser.get("/api/v1/patients").json()["reason"] == "no_token"
    assert browser.post("/api/v1/patients/p1/events", json={}).json()["reason"] == "no_token"

    stranger = api.stranger()
    assert stranger.get("/api/v1/openapi.json").status_code == 401
    assert stranger.get("/api/v1/docs").status_code == 401
    assert stranger.get("/api/v1/docs", headers={"accept": "text/html"}).status_code == 303


def test_only_the_page_itself_makes_its_token(api: Api) -> None:
    api.token(Role.STAFF)
    cookie = {"cookie": f"{COOKIE}={sign_ins.sign_in(api.here, 'api-staff', PASSWORD).token}"}
    path = "/api/v1/docs/token"
    assert api.stranger().post(path, headers={"x-longview-try": "1"}).status_code == 401
    assert api.stranger().post(path, headers=cookie).status_code == 403
    elsewhere = {**cookie, "x-longview-try": "1", "origin": "http://elsewhere.example"}
    assert api.stranger().post(path, headers=elsewhere).status_code == 403
    assert api.stranger().get(path, headers=cookie).status_code in {404, 405}
    made = api.stranger().post(path, headers={**cookie, "x-longview-try": "1", "origin": "http://localhost"})
    assert made.status_code == 200
    token = made.json()["token"]
    assert api.with_token(token).get("/api/v1/me").json()["role"] == "staff"
    again = api.stranger().post(path, headers={**cookie, "x-longview-try": "1"}).json()["token"]
    assert api.with_token(token).get("/api/v1/me").status_code == 401
    assert api.with_token(again).get("/api/v1/me").status_code == 200


def test_who_calls_too_often_is_told_when_to_come_back(api: Api, settings: Callable[..., None]) -> None:
    settings(api_calls_a_minute=3)
    client, other = api.by(Role.ADMIN), api.by(Role.STAFF)
    answers = [client.get("/api/v1/me") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["reason"] == "too_many_calls"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert other.get("/api/v1/me").status_code == 200
