"""What programs change of a record: as pages change it, against what was seen, undone exactly, and told in the trail."""

from __future__ import annotations

from datetime import date

import httpx
import pytest
from sqlalchemy import select, update

from core.people import Role
from db.tables import AuditedPatient, AuditEntry, Patient, Study, StudyStatus
from tests import factories
from tests.dashboard.api.conftest import Api, Client


@pytest.fixture(scope="module")
def client(api: Api) -> Client:
    factories.woman(
        api.here,
        "CHANGE",
        [factories.VisitPlan(date(2021, 6, 1)), factories.VisitPlan(date(2023, 6, 1), bi_rads="2")],
        name="Change One",
    )
    return api.by(Role.ONCOLOGIST)


def key_of(client: Client, mrn: str) -> str:
    return str(client.post("/api/v1/patients/search", json={"text": mrn}).json()["items"][0]["key"])


def studies(client: Client, mrn: str = "CHANGE") -> list[dict[str, object]]:
    return client.get(f"/api/v1/patients/{key_of(client, mrn)}/studies").json()["items"]


def image(client: Client, view: str = "L-CC", visit: int = 0) -> str:
    (found,) = [
        one["sop_uid"]
        for one in studies(client)[visit]["images"]
        if f"{one['laterality']}-{one['view']}" == view
    ]
    return str(found)


def last_entries(api: Api, number: int) -> list[AuditEntry]:
    with api.here.database.read() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(number)))


def told_of(api: Api, entry: AuditEntry) -> set[str]:
    with api.here.database.read() as session:
        return set(
            session.scalars(
                select(Patient.mrn)
                .join(AuditedPatient, AuditedPatient.patient_id == Patient.id)
                .where(AuditedPatient.entry_id == entry.id)
            )
        )


def test_a_correction_is_looked_at_made_and_undone(api: Api, client: Client) -> None:
    before = studies(client)
    ask = {"kind": "date", "study_uid": before[0]["study_uid"], "on": "2021-06-11"}
    said = {"ask": ask, "reason": "The day was wrong."}
    looked = client.post("/api/v1/corrections/preview", json={"ask": ask})
    assert looked.status_code == 200
    assert looked.json()["anew"][0]["study_date"] == "2021-06-11"
    assert studies(client) == before, "a preview changes nothing"
    seen = next(one for one in last_entries(api, 9) if "preview" in one.detail.get("call", ""))
    assert told_of(api, seen) == {"CHANGE"}

    unseen = client.post("/api/v1/corrections", json=said)
    assert (unseen.status_code, unseen.json()["reason"]) == (428, "if_match_needed")
    headers = {"If-Match": looked.headers["etag"], "Idempotency-Key": "correct-1"}
    made = client.post("/api/v1/corrections", json=said, headers=headers)
    assert made.status_code == 201, made.text
    (entry,) = last_entries(api, 1)
    assert (entry.action, entry.detail["by token"], told_of(api, entry)) == ("corrected", "token", {"CHANGE"})
    again = client.post("/api/v1/corrections", json=said, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")
    late = client.post("/api/v1/corrections", json=said, headers={"If-Match": looked.headers["etag"]})
    assert late.status_code in {412, 422}
    assert studies(client)[0]["study_date"] == "2021-06-11"
    path = made.headers["location"]
    assert client.get(path).json()["reason"] == "The day was wrong."

    back = client.post(f"{path}/undo/preview")
    undone = client.post(f"{path}/undo", json={}, headers={"If-Match": back.headers["etag"]})
    assert undone.status_code == 200, undone.text
    assert client.get(path).json()["undone_by"] == "api-oncologist"
    assert studies(client) == before
    twice = client.post(f"{path}/undo/preview")
    assert (twice.status_code, twice.json()["reason"]) == (422, "correction_refused")


def test_what_speaks_against_a_correction_has_to_be_confirmed(client: Client) -> None:
    films = [one["sop_uid"] for one in studies(client)[1]["images"]]
    said = {"ask": {"kind": "set_aside", "films": films}, "reason": "Another woman's."}
    tag = {"If-Match": client.post("/api/v1/corrections/preview", json={"ask": said["ask"]}).headers["etag"]}
    refused = client.post("/api/v1/corrections", json=said, headers=tag)
    assert (refused.status_code, refused.json()["reason"]) == (409, "not_confirmed")
    assert "was assessed" in refused.json()["errors"][0]["what"]
    made = client.post("/api/v1/corrections", json={**said, "confirmed": True}, headers=tag)
    assert made.status_code == 201
    assert len(studies(client)) == 1
    path = f"{made.headers['location']}/undo"
    assert client.post(path, json={}, headers={"If-Match": "*"}).status_code == 200
    assert len(studies(client)) == 2


@pytest.mark.parametrize(
    ("ask", "status", "names"),
    [
        ({"kind": "person", "patient": "CHANGE", "sex": "X"}, 422, "sex"),
        ({"kind": "person", "patient": "NOBODY", "name": "Ada"}, 422, "NOBODY"),
        ({"kind": "date", "study_uid": "2.25.1", "on": "2021-06-11"}, 422, "2.25.1"),
        ({"kind": "date", "study_uid": "2.25.1", "on": "2999-06-11"}, 422, "future"),
        ({"kind": "merge", "kept": "CHANGE", "gone": "CHANGE"}, 422, ""),
        ({"kind": "film", "films": []}, 422, "films"),
        ({"kind": "eat"}, 422, "kind"),
        ({"kind": "event", "events": [{"id": 999_999, "on": "2021-01-01"}]}, 422, "999999"),
        ({"kind": "patient", "to": "OTHER"}, 422, "which studies"),
    ],
)
def test_a_correction_that_cannot_be_meant_names_what_is_wrong(
    client: Client, ask: dict[str, object], status: int, names: str
) -> None:
    answer = client.post("/api/v1/corrections/preview", json={"ask": ask})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert names in answer.text.replace(",", "")


def test_only_who_may_correct_does(api: Api) -> None:
    ask = {"ask": {"kind": "person", "patient": "00001", "name": "Ada"}}
    assert api.by(Role.ANALYST).post("/api/v1/corrections/preview", json=ask).status_code == 403
    assert api.by(Role.STAFF).post("/api/v1/corrections/preview", json=ask).status_code == 200


def test_a_lesion_is_measured_changed_and_taken_back(api: Api, client: Client) -> None:
    box, other = [60, 250, 160, 350], [70, 250, 160, 340]
    first = client.post(f"/api/v1/images/{image(client)}/lesions", json={"size": {"box": box, "long_mm": 9}})
    assert first.status_code == 201, first.text
    path, tag = first.headers["location"], first.headers["etag"]
    assert client.get(path).headers["etag"] == tag
    size = {"sop_uid": image(client, visit=1), "size": {"long_axis": [60, 250, 100, 250]}}
    assert client.post(f"{path}/measurements", json=size).status_code == 428
    second = client.post(f"{path}/measurements", json=size, headers={"If-Match": tag})
    assert second.status_code == 201, second.text
    assert [one["on"] for one in second.json()["sizes"]] == ["2021-06-01", "2023-06-01"]
    late = client.put(f"{path}/name", json={"label": "Mass"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["reason"]) == (412, "changed_meanwhile")
    named = client.put(f"{path}/name", json={"label": "Mass"}, headers={"If-Match": second.headers["etag"]})
    assert named.json()["label"] == "Mass"
    measured = named.json()["measurements"][1]["id"]
    anew = client.put(
        f"/api/v1/measurements/{measured}",
        json={"box": other, "long_mm": 11},
        headers={"If-Match": named.headers["etag"]},
    )
    assert anew.json()["measurements"][1]["long_mm"] == 11
    assert client.delete(f"/api/v1/measurements/{measured}", headers={"If-Match": "*"}).status_code == 404, (
        "it was replaced"
    )
    last = anew.json()["measurements"][1]["id"]
    gone = client.delete(f"/api/v1/measurements/{last}", headers={"If-Match": anew.headers["etag"]})
    assert gone.status_code == 204
    assert [entry.action for entry in last_entries(api, 1)] == ["finding_removed"]
    assert len(client.get(path).json()["measurements"]) == 1
    benign = client.put(f"{path}/status", json={"status": "known_benign"}, headers={"If-Match": "*"})
    assert (benign.status_code, benign.json()["reason"]) == (422, "not_recorded")


def test_two_findings_are_joined_and_parted(client: Client) -> None:
    box = {"box": [60, 250, 160, 350]}
    one = client.post(f"/api/v1/images/{image(client, 'R-CC')}/findings", json=box).json()
    two = client.post(f"/api/v1/images/{image(client, 'R-MLO')}/findings", json=box).json()
    into = client.get(f"/api/v1/lesions/{two['lesion']}").json()
    joined = client.post(
        f"/api/v1/lesions/{one['lesion']}/join",
        json={"into": two["lesion"], "version": into["version"]},
        headers={"If-Match": "*"},
    )
    assert {place["id"] for place in joined.json()["measurements"]} == {one["id"], two["id"]}
    assert client.get(f"/api/v1/lesions/{one['lesion']}").status_code == 404
    parted = client.post(
        f"/api/v1/lesions/{two['lesion']}/split",
        json={"measurements": [one["id"]]},
        headers={"If-Match": joined.headers["etag"]},
    )
    assert parted.status_code == 201, parted.text
    assert [place["id"] for place in parted.json()["measurements"]] == [one["id"]]
    wrong = client.post(
        f"/api/v1/lesions/{two['lesion']}/split",
        json={"measurements": [one["id"]]},
        headers={"If-Match": "*"},
    )
    assert wrong.status_code == 422
    outside = client.post(f"/api/v1/images/{image(client)}/findings", json={"box": [0, 0, 9_000, 9]})
    assert (outside.status_code, outside.json()["reason"]) == (422, "not_recorded")


def test_a_score_that_is_asked_for_is_a_job_that_stands_as_its_study_does(api: Api, client: Client) -> None:
    factories.woman(
        api.here, "WAITS", [factories.VisitPlan(date(2024, 6, 1), status=StudyStatus.REFUSED, risk_5y=None)]
    )
    (study,) = studies(client, "WAITS")
    path = f"/api/v1/studies/{study['study_uid']}/score"

    def stands(**values: object) -> None:
        with api.here.database.write() as session:
            session.execute(update(Study).where(Study.uid == study["study_uid"]).values(**values))

    stands(refusal_reason="no_views")
    asked = client.post(path)
    assert (asked.status_code, asked.json()["state"]) == (202, "running")
    assert studies(client, "WAITS")[0]["status"] == "pending"
    assert client.post(path).headers["location"] == asked.headers["location"], "one job a study"
    assert [entry.action for entry in last_entries(api, 20)].count("scoring_retried") == 1
    stands(status=StudyStatus.REFUSED, refusal_reason="no_views")
    told = client.get(asked.headers["location"]).json()
    assert (told["state"], told["result"]["reason"]) == ("failed", "no_views")
    stands(status=StudyStatus.SCORED)
    told = client.get(asked.headers["location"]).json()
    assert (told["state"], told["result"]["score"]) == ("done", path)
    assert api.by(Role.STAFF).get(asked.headers["location"]).status_code == 404
    stands(modality="US")
    never = client.post(path)
    assert (never.status_code, never.json()["reason"]) == (409, "never_scored")


def test_a_change_of_a_lesion_is_taken_back_where_its_answer_says(api: Api, client: Client) -> None:
    factories.woman(api.here, "BACK", [factories.VisitPlan(date(2022, 6, 1))])
    (study,) = studies(client, "BACK")
    uids = {f"{one['laterality']}-{one['view']}": one["sop_uid"] for one in study["images"]}
    box = {"box": [40, 40, 90, 90]}
    kept = client.post(f"/api/v1/images/{uids['L-CC']}/findings", json=box)
    path = f"/api/v1/lesions/{kept.json()['lesion']}"
    said: dict[str, dict[str, object]] = {
        "name": {"label": "Upper outer"},
        "description": {"kind": "mass", "node": False},
        "status": {"status": "known_benign", "note": "Biopsy of 2022-05-01."},
    }

    def changed(part: str, **headers: str) -> httpx.Response:
        tag = {"If-Match": client.get(path).headers["etag"]}
        return client.put(f"{path}/{part}", json=said[part], headers={**tag, **headers})

    for part in said:
        before = client.get(path).json()
        back = changed(part).headers["undo-location"]
        assert client.get(path).json() != before
        assert api.by(Role.ADMIN).post(back).status_code == 403
        assert client.get(back.removesuffix("/undo").replace("lesion-acts", "jobs")).status_code == 404
        undone = client.post(back)
        assert undone.status_code == 200, undone.text
        assert undone.json()["lesions"] == [client.get(path).json()]
        assert {**client.get(path).json(), "version": 0} == {**before, "version": 0}
        again = client.post(back)
        assert (again.status_code, again.json()["reason"]) == (409, "undone_already")
    assert any(
        entry.action == "lesion_undone" and told_of(api, entry) == {"BACK"} for entry in last_entries(api, 9)
    )

    first = changed("name", **{"Idempotency-Key": "back-1"}).headers["undo-location"]
    assert changed("description").status_code == 200
    late = client.post(first)
    assert (late.status_code, late.json()["reason"]) == (412, "changed_meanwhile")
    assert client.post("/api/v1/lesion-acts/nothing/undo").status_code == 404


def test_joining_parting_and_taking_away_are_taken_back_exactly(api: Api, client: Client) -> None:
    factories.woman(api.here, "BACK2", [factories.VisitPlan(date(2022, 6, 1))])
    (study,) = studies(client, "BACK2")
    uids = {f"{one['laterality']}-{one['view']}": one["sop_uid"] for one in study["images"]}
    one, two = (
        client.post(f"/api/v1/images/{uids[view]}/findings", json={"box": [40, 40, 90, 90]}).json()
        for view in ("L-CC", "L-MLO")
    )
    first, second = (f"/api/v1/lesions/{each['lesion']}" for each in (one, two))
    any_state = {"If-Match": "*"}

    def hers() -> list[dict[str, object]]:
        listed = client.get(f"/api/v1/patients/{key_of(client, 'BACK2')}/lesions").json()["items"]
        return [{**lesion, "version": 0} for lesion in listed]

    before = hers()
    into = {"into": two["lesion"], "version": client.get(second).json()["version"]}
    joined = client.post(f"{first}/join", json=into, headers=any_state)
    assert client.get(first).status_code == 404
    assert client.post(joined.headers["undo-location"]).status_code == 200
    assert hers() == before

    joined = client.post(
        f"{first}/join", json={**into, "version": client.get(second).json()["version"]}, headers=any_state
    )
    whole = hers()
    parted = client.post(f"{second}/split", json={"measurements": [one["id"]]}, headers=any_state)
    assert len(hers()) == 2
    assert client.post(parted.headers["undo-location"]).status_code == 200
    assert hers() == whole

    removed = client.delete(f"/api/v1/measurements/{one['id']}", headers=any_state)
    assert removed.status_code == 204
    back = client.post(removed.headers["undo-location"])
    assert back.status_code == 200
    assert hers() == whole

    size = {"size": {"box": [10, 10, 60, 60], "long_mm": 9.0}}
    begun = client.post(f"/api/v1/images/{uids['R-CC']}/lesions", json=size)
    taken = client.post(begun.headers["undo-location"])
    assert taken.json()["lesions"] == []
    assert hers() == whole


def test_a_name_that_was_given_away_since_is_not_taken_back(api: Api, client: Client) -> None:
    factories.woman(api.here, "BACK3", [factories.VisitPlan(date(2022, 6, 1))])
    (study,) = studies(client, "BACK3")
    left = [one["sop_uid"] for one in study["images"] if one["laterality"] == "L"]
    one, two = (
        client.post(f"/api/v1/images/{uid}/findings", json={"box": [40, 40, 90, 90]}).json()
        for uid in left[:2]
    )
    for_one, for_two = (f"/api/v1/lesions/{each['lesion']}/name" for each in (one, two))
    any_state = {"If-Match": "*"}
    renamed = client.put(for_one, json={"label": "Upper"}, headers=any_state)
    assert client.put(for_two, json={"label": one["label"]}, headers=any_state).status_code == 200
    refused = client.post(renamed.headers["undo-location"])
    assert (refused.status_code, refused.json()["reason"]) == (422, "not_recorded")
    assert client.get(for_one.removesuffix("/name")).json()["label"] == "Upper"


def test_all_corrections_are_listed_by_pages_and_chosen(api: Api, client: Client) -> None:
    for number in range(3):
        mrn = f"LIST{number}"
        factories.woman(api.here, mrn, [factories.VisitPlan(date(2022, 6, 1))])
        for body in (
            {"kind": "person", "patient": mrn, "name": f"Ada {number}"},
            {"kind": "date", "study_uid": studies(client, mrn)[0]["study_uid"], "on": "2022-06-11"},
        ):
            said = {"ask": body, "reason": f"Of {mrn}."}
            made = client.post("/api/v1/corrections", json=said, headers={"If-Match": "*"})
            assert made.status_code == 201, made.text
    client.post(f"{made.headers['location']}/undo", json={"reason": "No."}, headers={"If-Match": "*"})

    def listed(**asked: object) -> list[dict[str, object]]:
        told, after = [], None
        while True:
            page = client.get(
                "/api/v1/corrections", params={"limit": 2, **asked, **({"cursor": after} if after else {})}
            )
            assert page.status_code == 200, page.text
            told += page.json()["items"]
            if (after := page.json()["next"]) is None:
                return told

    every = listed()
    numbers = [one["id"] for one in every]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == len(numbers) >= 6
    assert (every[0]["reason"], every[0]["by"], every[0]["undone_by"]) == (
        "Of LIST2.",
        "api-oncologist",
        "api-oncologist",
    )
    hers = listed(patient=key_of(client, "LIST1"))
    assert [(one["patient"], one["kind"]) for one in hers] == [("LIST1", "date"), ("LIST1", "person")]
    assert {one["kind"] for one in listed(kind="date")} == {"date"}
    undone = {one["id"] for one in listed(undone="true")}
    assert every[0]["id"] in undone
    assert undone | {one["id"] for one in listed(undone="false")} == set(numbers)
    today = every[0]["at"][:10]  # type: ignore[index]
    assert [one["id"] for one in listed(since=today, until=today)] == numbers
    assert listed(until="2001-01-01") == []
    assert listed(since="9999-12-31") == listed(until="0001-01-01") == []
    assert [one["id"] for one in listed(until="9999-12-31")] == numbers
    assert client.get("/api/v1/corrections?limit=200").json()["next"] is None
    assert told_of(api, last_entries(api, 1)[0]) >= {"LIST0", "LIST1", "LIST2"}
    assert client.get("/api/v1/corrections?patient=nobody").status_code == 404
    assert client.get("/api/v1/corrections?kind=eat").status_code == 422
    assert api.by(Role.ANALYST).get("/api/v1/corrections").status_code == 403


def test_what_came_of_a_biopsy_is_said_later_against_what_was_seen(api: Api, client: Client) -> None:
    events = f"/api/v1/patients/{key_of(client, 'CHANGE')}/events"
    biopsy = client.post(events, json={"kind": "biopsy", "on": "2023-06-20", "laterality": "L"}).json()
    path = f"/api/v1/events/{biopsy['id']}"
    seen = client.get(path)
    assert seen.json() == biopsy
    said = {"result": "benign"}
    assert client.put(f"{path}/result", json=said).status_code == 428
    told = client.put(f"{path}/result", json=said, headers={"If-Match": seen.headers["etag"]})
    assert (told.status_code, told.json()) == (200, {**biopsy, "result": "benign"})
    assert told.headers["etag"] == client.get(path).headers["etag"]
    late = client.put(f"{path}/result", json=said, headers={"If-Match": seen.headers["etag"]})
    assert (late.status_code, late.json()["reason"]) == (412, "changed_meanwhile")
    note = client.post(events, json={"kind": "note", "on": "2023-06-20", "detail": "Called."}).json()
    no_biopsy = client.put(f"/api/v1/events/{note['id']}/result", json=said, headers={"If-Match": "*"})
    assert (no_biopsy.status_code, no_biopsy.json()["reason"]) == (422, "not_recorded")
    assert client.get("/api/v1/events/999999").status_code == 404
    entry = next(one for one in last_entries(api, 9) if one.action == "biopsy_result_recorded")
    assert told_of(api, entry) == {"CHANGE"}
