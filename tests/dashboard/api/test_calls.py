"""What calls promise: pages without gaps, tags, changes done once, files answered, nothing told that pages withhold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from core.people import Role
from dashboard.api import models, together
from db.tables import Alert, AuditedPatient, AuditEntry, ImportBatch, Patient, Study
from tests import factories
from tests.core.network.conftest import mammogram
from tests.dashboard.api.conftest import Api, Client
from tests.dashboard.api.test_described import Sees


@pytest.fixture(scope="module")
def client(api: Api) -> Client:
    return api.by(Role.ONCOLOGIST)


def entries(api: Api) -> list[AuditEntry]:
    with api.here.database.read() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def number_of(api: Api, mrn: str) -> int:
    with api.here.database.read() as session:
        return session.scalars(select(Patient.id).where(Patient.mrn == mrn)).one()


def key_of(client: Client, mrn: str) -> str:
    return str(client.post("/api/v1/patients/search", json={"text": mrn}).json()["items"][0]["key"])


def test_pages_tell_every_study_once(api: Api, client: Client) -> None:
    whole = client.get("/api/v1/studies?limit=200").json()
    assert whole["next"] is None
    told, after = [], None
    while True:
        page = client.get(
            "/api/v1/studies", params={"limit": 3, **({"cursor": after} if after else {})}
        ).json()
        told += [one["study_uid"] for one in page["items"]]
        assert len(page["items"]) <= 3
        if (after := page["next"]) is None:
            break
    assert told == [one["study_uid"] for one in whole["items"]]
    assert len(set(told)) == len(told) > 10


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/api/v1/patients?cursor={}", "cursor_of_another_query"),
        ("/api/v1/studies?status=refused&cursor={}", "cursor_of_another_query"),
        ("/api/v1/studies?cursor=nonsense", "bad_cursor"),
        ("/api/v1/studies?cursor=____", "bad_cursor"),
    ],
)
def test_a_cursor_of_another_query_is_refused(client: Client, path: str, reason: str) -> None:
    cursor = client.get("/api/v1/studies?limit=2").json()["next"]
    answer = client.get(path.format(cursor))
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    # How many rows are wanted is not the query.
    assert client.get(f"/api/v1/studies?limit=5&cursor={cursor}").status_code == 200


def test_every_call_is_one_entry_that_says_who_what_and_whom(api: Api, client: Client) -> None:
    key, before = key_of(client, "00001"), len(entries(api))
    calls = [
        ("GET", f"/api/v1/patients/{key}"),
        ("GET", f"/api/v1/patients/{key}/course"),
        ("GET", "/api/v1/patients/p999"),
        ("GET", f"/fhir/Patient/{key.replace('_', '.')}"),
        ("GET", "/dicom-web/studies?PatientID=00001"),
        ("GET", "/api/v1/studies?limit=0"),
    ]
    for method, path in calls:
        client.request(method, path)
    new = entries(api)[before:]
    assert [entry.action for entry in new] == ["api_called"] * len(calls)
    assert [entry.outcome for entry in new] == ["done", "done", "refused", "done", "done", "refused"]
    assert new[0].detail["call"] == "GET /api/v1/patients/{key}"
    assert new[0].detail["by token"] == "token"
    with api.here.database.read() as session:
        about = session.execute(
            select(AuditedPatient.entry_id, AuditedPatient.patient_id).where(
                AuditedPatient.entry_id.in_([entry.id for entry in new])
            )
        ).all()
    assert {tuple(row) for row in about} == {
        (new[place].id, number_of(api, "00001")) for place in (0, 1, 3, 4)
    }


def test_nobody_is_told_what_the_trail_cannot_keep(api: Api, client: Client, monkeypatch: Any) -> None:
    def full(*_given: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dashboard.api.routing.audit.note", full)
    answer = client.get("/api/v1/patients")
    assert (answer.status_code, answer.json()["reason"]) == (503, "machine_failed")
    assert "00001" not in answer.text


def test_a_body_that_is_no_json_is_named_as_such(client: Client) -> None:
    path = f"/api/v1/patients/{key_of(client, '00001')}/events"
    answer = client.post(path, content=b'{"kind":', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid")
    assert answer.json()["detail"] == "body: is no JSON from its letter 8 on."


def test_what_has_not_changed_is_not_sent_again(client: Client) -> None:
    path = f"/api/v1/patients/{key_of(client, '00001')}"
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_change_is_done_once_however_often_it_is_sent(client: Client) -> None:
    path = f"/api/v1/patients/{key_of(client, '00002')}/events"
    said = {"kind": "biopsy", "on": "2020-03-01", "laterality": "L", "result": "benign"}
    before = len(client.get(path).json()["items"])
    first, again = (client.post(path, json=said, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(client.get(path).json()["items"]) == before + 1
    other = client.post(path, json={**said, "laterality": "R"}, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")
    refused = client.post(path, json={"kind": "note", "on": "2020-03-01"}, headers={"Idempotency-Key": "k2"})
    assert (refused.status_code, refused.json()["reason"]) == (422, "not_recorded")
    # What was not done may be sent again, put right, under the same key.
    right = {"kind": "note", "on": "2020-03-01", "detail": "called"}
    assert client.post(path, json=right, headers={"Idempotency-Key": "k2"}).status_code == 201
    assert client.post(path, json=right, headers={"Idempotency-Key": "two words"}).status_code == 400
    made, seen = first.headers["location"], {"If-Match": first.headers["etag"]}
    assert client.get(made).headers["etag"] == first.headers["etag"] == again.headers["etag"]
    assert client.delete(made, headers=seen).status_code == 204
    assert client.delete(made, headers=seen).status_code == 404


def test_a_request_that_was_cut_off_is_not_done_again_unasked(api: Api, client: Client) -> None:
    path = f"/api/v1/patients/{key_of(client, '00002')}/events"
    said = {"kind": "contact", "on": "2020-03-01"}

    def killed(*_given: object, **_more: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dashboard.api.routing.finish_once", killed)
        with pytest.raises(KeyboardInterrupt):
            client.post(path, json=said, headers={"Idempotency-Key": "k3"})
    again = client.post(path, json=said, headers={"Idempotency-Key": "k3"})
    assert (again.status_code, again.json()["reason"]) == (409, "idempotency_at_work")


def test_an_assessment_replaces_only_what_was_seen(api: Api, client: Client) -> None:
    factories.woman(api.here, "READ", [factories.VisitPlan(date(2024, 5, 2))], name="Read One")
    uid = client.get(f"/api/v1/patients/{key_of(client, 'READ')}/studies").json()["items"][0]["study_uid"]
    path = f"/api/v1/studies/{uid}/assessment"
    said = {"right": "1", "left": "2", "density": "B"}
    standing = client.get(path)
    assert standing.json()["version"] == 0
    needed = client.post(path, json=said)
    assert (needed.status_code, needed.json()["reason"]) == (428, "if_match_needed")
    wrong = client.post(path, json=said, headers={"If-Match": '"another"'})
    assert (wrong.status_code, wrong.json()["reason"]) == (412, "changed_meanwhile")
    signed = client.post(path, json=said, headers={"If-Match": standing.headers["etag"]})
    assert (signed.status_code, signed.json()["version"]) == (201, 1)
    assert signed.headers["etag"] == client.get(path).headers["etag"]
    late = client.post(path, json=said, headers={"If-Match": standing.headers["etag"]})
    assert late.status_code == 412
    assert client.get(path).json()["version"] == 1
    last = entries(api)[-1]
    signing = next(entry for entry in reversed(entries(api)) if entry.action == "assessment_recorded")
    assert signing.detail["by token"] == "token"
    assert last.action == "api_called"
    by_staff = api.by(Role.STAFF).post(path, json=said, headers={"If-Match": "*"})
    assert (by_staff.status_code, by_staff.json()["reason"]) == (403, "not_allowed")


def test_what_is_covered_or_withheld_on_pages_is_so_here(
    api: Api, client: Client, settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(read_first=True)
    monkeypatch.setattr(models, "desk", Sees)
    visits = [
        factories.VisitPlan(
            date(2020, 5, 2), risk_5y=0.0123, trust=("withheld", "unlike_pictures"), bi_rads="1"
        ),
        factories.VisitPlan(date(2022, 5, 2), risk_5y=0.0345, bi_rads="2"),
        factories.VisitPlan(date(2024, 5, 2), risk_5y=0.0789, alerts=[("risk_high", "5-year risk 7.9 %")]),
    ]
    factories.woman(api.here, "COVER", visits)
    key = key_of(client, "COVER")
    withheld, told, covered = client.get(f"/api/v1/patients/{key}/course").json()["visits"]
    assert withheld["trust"]["level"] == "withheld"
    assert withheld["risk"]["5"] == {"value": None, "low": None, "high": None}
    assert withheld["untrusted"]["risk"]["5"]["value"] == pytest.approx(0.0123)
    assert told["risk"]["5"]["value"] == pytest.approx(0.0345)
    assert "untrusted" not in told
    assert told["covered"] is None
    assert covered["covered"].startswith("Covered until")
    assert "untrusted" not in covered
    numbers = json.dumps({name: said for name, said in covered.items() if name not in {"weights_sha256"}})
    assert "0.0789" not in numbers
    assert covered["trust"] is None
    assert covered["density"] == dict.fromkeys("ABCD")
    assert client.get(f"/api/v1/patients/{key}/alerts").json()["items"] == []
    with api.here.database.read() as session:
        alert = session.scalars(
            select(Alert.id).join(Study, Study.id == Alert.study_id).where(Study.uid == covered["study_uid"])
        ).one()
    assert client.get(f"/api/v1/alerts/{alert}").status_code == 404
    study = client.get(f"/api/v1/studies/{covered['study_uid']}").json()
    refused = client.post(f"/api/v1/images/{study['images'][0]['sop_uid']}/classify")
    assert (refused.status_code, refused.json()["reason"]) == (403, "covered_until_read")
    for kind in ("Observation", "RiskAssessment", "DiagnosticReport"):
        assert "7.89" not in client.get(f"/fhir/{kind}?patient={key}&date=2024-05-02").text
    risk = client.get(f"/fhir/RiskAssessment/{covered['study_uid']}").json()
    assert "prediction" not in risk
    settings(read_first=False)
    assert client.get(f"/api/v1/patients/{key}/course").json()["visits"][2]["risk"]["5"][
        "value"
    ] == pytest.approx(0.0789)
    path = f"/api/v1/alerts/{alert}/acknowledgement"
    seen = {"If-Match": client.get(f"/api/v1/alerts/{alert}").headers["etag"]}
    opened = client.put(path, json={"note": "seen"}, headers=seen)
    assert opened.json()["acknowledgement"] == "seen"
    late = client.put(path, json={"note": "seen too"}, headers={"If-Match": "*"})
    assert (late.status_code, late.json()["reason"]) == (409, "acknowledged_already")
    again = client.delete(path, headers={"If-Match": opened.headers["etag"]})
    assert again.json()["acknowledged_at"] is None
    twice = client.delete(path, headers={"If-Match": again.headers["etag"]})
    assert (twice.status_code, twice.json()["reason"]) == (409, "not_acknowledged")


def test_files_are_answered_as_the_command_line_answers_them(api: Api, client: Client) -> None:
    files = [
        ("files", ("one.dcm", mammogram(0, mrn="API1", PatientComments="SIMULATED"))),
        ("files", ("two.dcm", mammogram(1, mrn="API1", PatientComments="SIMULATED"))),
        ("files", ("notes.txt", b"no image")),
    ]
    answer = client.post("/api/v1/imports", files=files)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert [(item["path"], item["outcome"]) for item in said["items"]] == [
        ("one.dcm", "accepted"),
        ("two.dcm", "accepted"),
        ("notes.txt", "quarantined"),
    ]
    assert said["items"][2]["reason"] == "unsupported_format"
    assert (said["accepted"], said["duplicate"], said["quarantined"], said["cut_short"]) == (2, 0, 1, None)
    again = client.post("/api/v1/imports", files=files[:2], headers={"Prefer": "respond-async"})
    assert again.status_code == 202
    job = client.get(again.headers["location"]).json()
    for _ in range(200):
        if job["state"] != "running":
            break
        job = client.get(again.headers["location"]).json()
    assert (job["state"], job["result"]["duplicate"]) == ("done", 2)
    assert api.by(Role.STAFF).get(again.headers["location"]).status_code == 404
    with api.here.database.read() as session:
        batch = session.scalars(select(ImportBatch).order_by(ImportBatch.id)).first()
        assert (batch.source, batch.sender) == ("api", "api-oncologist: token")
    assert not list((api.here.home / "arrivals").glob(".api-*"))
    half = client.post("/api/v1/imports", files=files[:1], data={"patient": "API1"})
    assert (half.status_code, half.json()["reason"]) == (422, "bad_statement")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(api: Api, client: Client) -> None:
    read = 0

    async def two_gigabytes() -> Any:
        nonlocal read
        for _ in range(2_000):
            read += 1_000_000
            yield b"x" * 1_000_000

    said = {"Content-Length": "2000000000", "Content-Type": "application/json"}
    answer = client.post("/api/v1/patients/search", content=two_gigabytes(), headers=said)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    assert read == 0
    # One that does not say how large it is, is ended when it has become too large.
    answer = client.post(
        "/api/v1/patients/search", content=two_gigabytes(), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    assert read <= 3_000_000
    before = len(entries(api))
    files = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "2000000000"}
    assert client.post("/api/v1/imports", content=two_gigabytes(), headers=files).status_code == 413
    assert len(entries(api)) == before


def test_an_analyst_reads_groups_and_nobody(api: Api) -> None:
    analyst = api.by(Role.ANALYST)
    for number in range(12):
        factories.woman(api.here, f"GROUP{number:02}", [factories.VisitPlan(date(2021, 5, 2), bi_rads="1")])
    said = analyst.post(
        "/api/v1/cohorts/summary", json={"format": "longview-cohort/1", "kind": "simulated"}
    ).json()
    assert said["withheld"] is None
    counts = [row[1] for row in said["tables"]["age"]["rows"]]
    assert counts
    assert all(count % 5 == 0 for count in counts)
    bad = analyst.post("/api/v1/cohorts/summary", json={"format": "longview-cohort/1", "density": ["X"]})
    assert (bad.status_code, bad.json()["reason"]) == (422, "bad_definition")
    assert analyst.get("/api/v1/patients").status_code == 403
    assert api.by(Role.STAFF).post("/api/v1/cohorts/summary", json={}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/patients", "/api/", "/fhir/Nonsense", "/dicom-web/x"]
)
def test_what_is_not_there_is_said_so(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "json" in answer.headers["content-type"]
    assert "Traceback" not in answer.text


def test_another_method_is_answered_with_those_there_are(client: Client) -> None:
    answer = client.request("DELETE", "/api/v1/patients")
    assert (answer.status_code, answer.json()["reason"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


def test_what_a_call_does_not_know_is_named_and_not_passed_over(api: Api, client: Client) -> None:
    key = key_of(client, "00001")
    for path, name in (
        ("/api/v1/patients?simulatd=true", "simulatd"),
        ("/api/v1/studies?since=2020-01-01&offset=5", "offset"),
        (f"/api/v1/patients/{key}?fields=name", "fields"),
        ("/api/v1/me?token=x", "token"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (422, "unknown_parameter"), path
        assert answer.json()["errors"][0]["where"] == f"query.{name}"


@pytest.mark.parametrize(
    "day", ["0", "86400", "20200101", "2020-1-1", "2020-01-01T00:00:00", "01.02.2020", "٢٠٢٠-٠١-٠١"]
)
def test_a_day_is_written_one_way(client: Client, day: str) -> None:
    answer = client.get("/api/v1/studies", params={"since": day})
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid")
    assert "YYYY-MM-DD" in answer.json()["detail"]
    sent = {"kind": "contact", "on": int(day) if day.isascii() and day.isdecimal() else day}
    assert client.post(f"/api/v1/patients/{key_of(client, '00002')}/events", json=sent).status_code == 422


def test_head_is_answered_as_get_is_without_the_body(client: Client) -> None:
    key = key_of(client, "00001")
    for path in (f"/api/v1/patients/{key}", "/fhir/metadata", "/dicom-web/studies?limit=1"):
        whole, head = client.get(path), client.request("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-type", "content-length"):
            assert head.headers[name] == whole.headers[name], (path, name)
    assert client.request("HEAD", "/api/v1/patients/nobody").status_code == 404


def test_the_films_of_a_study_are_read_beside_each_other(
    api: Api, client: Client, settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "desk", Sees)
    monkeypatch.setattr(together, "read_together", Sees.together)
    factories.woman(api.here, "BOTH", [factories.VisitPlan(date(2024, 5, 2))])
    study = client.get(f"/api/v1/patients/{key_of(client, 'BOTH')}/studies").json()["items"][0]
    path = f"/api/v1/studies/{study['study_uid']}/classify"
    answer = client.post(path)
    assert answer.status_code == 200, answer.text
    assert [one["sop_uid"] for one in answer.json()["items"]] == [one["sop_uid"] for one in study["images"]]
    (entry,) = [entry for entry in entries(api)[-3:] if entry.action == "image_read"]
    assert (entry.subject, entry.detail["images"]) == (f"study:{study['study_uid']}", 4)
    with api.here.database.read() as session:
        about = select(AuditedPatient.patient_id).where(AuditedPatient.entry_id == entry.id)
        assert list(session.scalars(about)) == [number_of(api, "BOTH")]
    assert client.post(path, data={"model": "nothing"}).status_code == 404
    settings(read_first=True)
    covered = client.post(path)
    assert (covered.status_code, covered.json()["reason"]) == (403, "covered_until_read")
    settings(read_first=False)

    files = [("files", (name, b"film")) for name in ("scan1.png", "R-CC.png")]
    sent = client.post("/api/v1/classify/study", files=files, data={"views": ["scan1.png=L-CC"]})
    assert sent.status_code == 200, sent.text
    assert [(one["path"], one["sop_uid"]) for one in sent.json()["items"]] == [
        ("scan1.png", None),
        ("R-CC.png", None),
    ]
    for views in (["scan2.png=L-CC"], ["scan1.png=L-XX"], ["L-CC"]):
        wrong = client.post("/api/v1/classify/study", files=files, data={"views": views})
        assert (wrong.status_code, wrong.json()["reason"]) == (422, "bad_views")
    assert client.post("/api/v1/classify/study", files=files * 30).status_code == 422
    assert client.post("/api/v1/studies/2.25.9/classify").status_code == 404


@pytest.mark.parametrize("path", ["/api", "/api/v1/", "/fhir", "/fhir/", "/dicom-web", "/api/v1/patients/"])
def test_an_address_of_nothing_is_no_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "json" in answer.headers["content-type"]
    assert "nothing at this address" in answer.text


def test_what_is_sent_as_something_else_is_told_what_to_send(client: Client) -> None:
    said = b'{"text": "00001"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        answer = client.post("/api/v1/patients/search", content=said, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["reason"]) == (415, "media_type_not_taken"), kind
        assert "application/json" in answer.json()["detail"]
    sent = {"Content-Type": "application/json; charset=utf-8"}
    assert client.post("/api/v1/patients/search", content=said, headers=sent).status_code == 200
    for path in ("/api/v1/imports", "/api/v1/classify"):
        answer = client.post(path, content=said, headers={"Content-Type": "application/json"})
        assert answer.status_code == 415
        assert "multipart/form-data" in answer.json()["detail"]
    assert client.post("/api/v1/patients/search", content=b"").status_code == 422
    assert client.get("/api/v1/studies?limit=1&limit=2").json()["reason"] == "repeated_parameter"
