"""FHIR and DICOMweb: valid by the standards' own libraries, searched by what they say, refused in words where nonsense."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import httpx
import pydicom
import pytest
from dicomweb_client.uri import URI
from fhir.resources.R4B import get_fhir_model_class
from pydicom.dataset import Dataset
from sqlalchemy import select, update

from core.exchange import KINDS
from core.people import Role
from db.tables import Image
from tests.core.network.conftest import mammogram
from tests.core.network.test_stow import TYPE, body
from tests.dashboard.api.conftest import Api, Client


@pytest.fixture(scope="module")
def client(api: Api) -> Client:
    return api.by(Role.ONCOLOGIST)


def found(client: Client, path: str) -> list[dict[str, object]]:
    bundle = client.get(f"/fhir/{path}").json()
    get_fhir_model_class("Bundle").model_validate(bundle)
    return [entry["resource"] for entry in bundle.get("entry", [])]


def test_resources_are_valid_and_lead_to_each_other(client: Client) -> None:
    (woman,) = found(client, "Patient?identifier=00001")
    assert woman["meta"]["security"][0]["code"] == "HTEST"
    for kind in KINDS[1:]:
        resources = found(client, f"{kind}?patient=Patient/{woman['id']}")
        assert resources, kind
        for one in resources[:3]:
            assert client.get(f"/fhir/{kind}/{one['id']}").json() == one
            assert one["subject"]["reference"] == f"Patient/{woman['id']}"
    (report, *_rest) = found(client, f"DiagnosticReport?patient={woman['id']}")
    for reference in [*report["imagingStudy"], *report["result"]]:
        assert client.get(f"/fhir/{reference['reference']}").status_code == 200
    get_fhir_model_class("CapabilityStatement").model_validate(client.get("/fhir/metadata").json())


def test_a_search_by_date_finds_its_days_and_pages_tell_all(client: Client) -> None:
    studies = found(client, "ImagingStudy?_count=100")
    days = sorted(one["started"] for one in studies)
    middle = days[len(days) // 2]
    for prefix, kept in (
        ("", lambda day: day == middle),
        ("ge", lambda day: day >= middle),
        ("gt", lambda day: day > middle),
        ("le", lambda day: day <= middle),
        ("lt", lambda day: day < middle),
    ):
        told = found(client, f"ImagingStudy?started={prefix}{middle}&_count=100")
        assert sorted(one["started"] for one in told) == [day for day in days if kept(day)]
    year = found(client, f"ImagingStudy?started={middle[:4]}&_count=100")
    assert {one["started"][:4] for one in year} == {middle[:4]}
    told, path = [], "ImagingStudy?_count=2"
    while path:
        bundle = client.get(f"/fhir/{path}").json()
        told += [entry["resource"]["id"] for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links["next"].partition("/fhir/")[2] if "next" in links else ""
    assert told == [one["id"] for one in studies]


def test_a_search_in_the_body_names_nobody_in_an_address(client: Client) -> None:
    answer = client.post("/fhir/Patient/_search", data={"identifier": "urn:oid:1.2|00001"}).json()
    assert [entry["resource"]["identifier"][0]["value"] for entry in answer["entry"]] == ["00001"]
    assert "00001" not in answer["link"][0]["url"]
    two = {"identifier": "00001,00002,NOBODY", "_count": "1"}
    for answer in (
        client.post("/fhir/Patient/_search", data=two).json(),
        client.get("/fhir/Patient", params=two).json(),
    ):
        links = {link["relation"]: link["url"] for link in answer["link"]}
        assert "0000" not in str(links)
        answer = client.get(links["next"].removeprefix("http://localhost")).json()
        assert [entry["resource"]["identifier"][0]["value"] for entry in answer["entry"]] == ["00002"]
    (first,) = found(client, "Patient?identifier=00001")
    assert found(client, f"Patient?identifier=00001,00002&_id={first['id']}") == [first]
    assert found(client, f"Patient?identifier=00002&_id={first['id']}") == []


def whole(client: Client, path: str) -> list[dict[str, object]]:
    """Return what all pages of a search tell."""
    told: list[dict[str, object]] = []
    while path:
        bundle = client.get(f"/fhir/{path}").json()
        told += [entry["resource"] for entry in bundle.get("entry", [])]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links["next"].partition("/fhir/")[2] if "next" in links else ""
    return told


@pytest.mark.parametrize(
    ("kind", "sort", "by"),
    [
        ("ImagingStudy", "started", lambda one: one["started"]),
        ("ImagingStudy", "identifier", lambda one: one["id"]),
        ("Patient", "birthdate", lambda one: one.get("birthDate", "")),
        ("Patient", "identifier", lambda one: one["identifier"][0]["value"]),
        ("RiskAssessment", "date", lambda one: one["occurrenceDateTime"]),
    ],
)
def test_resources_are_told_in_the_order_that_is_asked_for_over_all_pages(
    client: Client, kind: str, sort: str, by: Callable[[dict[str, Any]], str]
) -> None:
    every = {one["id"] for one in whole(client, f"{kind}?_count=100")}
    for sign in ("", "-"):
        told = whole(client, f"{kind}?_count=2&_sort={sign}{sort}")
        assert [by(one) for one in told] == sorted(map(by, told), reverse=sign == "-")
        assert {one["id"] for one in told} == every
        assert len(told) == len(every)
    cursor = (
        client.get(f"/fhir/{kind}?_count=1&_sort={sort}").json()["link"][1]["url"].partition("_cursor=")[2]
    )
    refused = client.get(f"/fhir/{kind}?_count=1&_sort=-{sort}&_cursor={cursor}")
    assert "cursor_of_another_query" in refused.text


def test_what_is_asked_for_beside_the_matches_comes_with_them_once(client: Client) -> None:
    (woman,) = found(client, "Patient?identifier=00001")
    for name in ("patient", "subject", "subject:Patient"):
        bundle = client.get(f"/fhir/ImagingStudy?patient={woman['id']}&_include=ImagingStudy:{name}").json()
        get_fhir_model_class("Bundle").model_validate(bundle)
        (beside,) = [one for one in bundle["entry"] if one["search"]["mode"] == "include"]
        assert beside["resource"] == woman
        assert len(bundle["entry"]) > 2
    path = "DiagnosticReport?_count=2&_include=DiagnosticReport:result&_include=DiagnosticReport:patient"
    bundle = client.get(f"/fhir/{path}").json()
    modes = {(one["search"]["mode"], one["resource"]["resourceType"]) for one in bundle["entry"]}
    assert modes == {("match", "DiagnosticReport"), ("include", "Observation"), ("include", "Patient")}
    told = {f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in bundle["entry"]}
    for one in bundle["entry"]:
        assert {result["reference"] for result in one["resource"].get("result", [])} <= told


def test_matches_are_counted_and_told_in_part(client: Client) -> None:
    for kind in ("Patient", "ImagingStudy", "RiskAssessment", "DiagnosticReport"):
        number = len(whole(client, f"{kind}?_count=100"))
        for how in ("_summary=count", "_count=0"):
            bundle = client.get(f"/fhir/{kind}?{how}").json()
            assert (bundle["total"], "entry" in bundle, len(bundle["link"])) == (number, False, 1)
        assert client.get(f"/fhir/{kind}?_total=accurate&_count=1").json()["total"] == number
        assert "total" not in client.get(f"/fhir/{kind}?_total=estimate&_count=1").json()
    (woman,) = found(client, "Patient?identifier=00001")
    assert client.get(f"/fhir/ImagingStudy?patient={woman['id']}&_summary=count").json()["total"] == len(
        found(client, f"ImagingStudy?patient={woman['id']}")
    )
    (part,) = found(client, "Patient?identifier=00001&_elements=birthDate,gender")
    assert set(part) == {"resourceType", "id", "meta", "birthDate", "gender"} & set(woman) | {"meta"}
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert part["meta"]["security"][0]["code"] == "HTEST"
    for one in found(client, "Observation?_elements=value&_count=1"):
        assert {"status", "code"} < set(one)
        assert not set(one) & {"dataAbsentReason", "subject", "effectiveDateTime", "interpretation"}
    for kind in KINDS:
        for one in found(client, f"{kind}?_summary=data&_count=2"):
            assert "text" not in one


def test_what_the_capabilities_name_is_done_and_nothing_else(client: Client) -> None:
    (rest,) = client.get("/fhir/metadata").json()["rest"]
    assert [one["type"] for one in rest["resource"]] == list(KINDS)
    values = {"token": "1", "date": "2024", "reference": "Patient/p1"}
    for resource in rest["resource"]:
        kind = resource["type"]
        for one in resource["searchParam"]:
            assert client.get(f"/fhir/{kind}?{one['name']}={values[one['type']]}").status_code == 200
        for one in resource.get("searchInclude", ()):
            assert client.get(f"/fhir/{kind}?_include={one}&_count=1").status_code == 200
        for name in resource["documentation"].removeprefix("Told in order by ").rstrip(".").split(", "):
            assert client.get(f"/fhir/{kind}?_sort=-{name}&_count=1").status_code == 200
        for other in ("_lastUpdated=ge2024", "_revinclude=x", "_has=x", "name=x", "_text=x", "_pretty=true"):
            answer = client.get(f"/fhir/{kind}?{other}")
            assert (answer.status_code, other.partition("=")[0] in answer.text) == (400, True), other


def test_several_are_searched_at_once_and_studies_by_an_mrn_that_no_link_repeats(client: Client) -> None:
    both = found(client, "Patient?identifier=00001,urn:x|00002,NOBODY")
    assert [one["identifier"][0]["value"] for one in both] == ["00001", "00002"]
    assert found(client, f"Patient?_id={both[0]['id']},{both[1]['id']}") == both
    hers = found(client, f"ImagingStudy?patient={both[0]['id']}")
    for how in ("patient.identifier=00001", "subject.identifier=urn:x|00001"):
        answer = client.get(f"/fhir/ImagingStudy?{how}&_count=1").json()
        assert "00001" not in str(answer["link"])
        assert found(client, f"ImagingStudy?{how}") == hers
    told, asked = [], {"patient.identifier": "00001", "_count": "1"}
    answer = client.post("/fhir/ImagingStudy/_search", data=asked).json()
    while True:
        told += [entry["resource"] for entry in answer["entry"]]
        links = {link["relation"]: link["url"] for link in answer["link"]}
        if "next" not in links:
            break
        assert "00001" not in links["next"]
        answer = client.get(links["next"].removeprefix("http://localhost")).json()
    assert told == hers
    assert found(client, "ImagingStudy?patient.identifier=NOBODY") == []
    cursor = client.get("/fhir/ImagingStudy?_count=1").json()["link"][1]["url"].partition("_cursor=")[2]
    for other in ("Observation?_count=1", "ImagingStudy?started=ge2000"):
        refused = client.get(f"/fhir/{other}&_cursor={cursor}")
        assert (refused.status_code, "cursor_of_another_query" in refused.text) == (400, True)
    uids = ",".join(one["id"] for one in hers[:2])
    assert (
        found(client, f"ImagingStudy?_id={uids}")
        == found(client, f"ImagingStudy?identifier={uids}")
        == hers[:2]
    )
    day = hers[0]["started"]
    assert found(client, f"ImagingStudy?started=sa{day}") == found(client, f"ImagingStudy?started=gt{day}")
    assert found(client, f"ImagingStudy?started=eb{day}") == found(client, f"ImagingStudy?started=lt{day}")


def test_a_client_that_takes_no_json_is_told_so(client: Client) -> None:
    for path, accepts in (
        ("/fhir/Patient", "application/fhir+xml"),
        ("/fhir/metadata", "application/xml, text/xml"),
        ("/dicom-web/studies", "application/dicom+xml"),
    ):
        assert client.get(path, headers={"Accept": accepts}).status_code == 406, path
    for accepts in ("application/fhir+xml, application/fhir+json;q=0.5", "text/html", "*/*"):
        assert client.get("/fhir/Patient?_count=1", headers={"Accept": accepts}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "names"),
    [
        ("Patient?name=x", 400, "name"),
        ("Observation?date=gibberish", 400, "gibberish"),
        ("Observation?date=2024-02-30", 400, "2024-02-30"),
        ("Patient?_count=-1", 400, "_count"),
        ("Patient?identifier=", 400, "identifier"),
        ("Patient?identifier=" + "9" * 200, 400, "identifier"),
        ("ImagingStudy?patient=Device/1", 400, "Device/1"),
        ("ImagingStudy?patient=p1&subject=p2", 400, "subject"),
        ("ImagingStudy?_id=1&_id=2", 400, "twice"),
        ("ImagingStudy?_cursor=xyz", 400, "cursor"),
        ("Patient?_format=xml", 406, "JSON"),
        ("Patient/zzz?_format=xml", 406, "JSON"),
        ("Patient/zzz?_summary=text", 400, "_summary"),
        ("Patient?identifier=1,,2", 400, "identifier"),
        ("Patient?_sort=name", 400, "name"),
        ("Patient?_sort=birthdate,-_id", 400, "birthdate,-_id"),
        ("Patient?_include=Patient:link", 400, "_include"),
        ("ImagingStudy?_include=ImagingStudy:endpoint", 400, "ImagingStudy:endpoint"),
        ("ImagingStudy?_include=*", 400, "_include"),
        ("ImagingStudy?_elements=eaten", 400, "eaten"),
        ("ImagingStudy?_summary=true", 400, "_summary"),
        ("ImagingStudy?_total=yes", 400, "_total"),
        ("Observation?_summary=count", 400, "counted"),
        ("Observation?_total=accurate", 400, "_total"),
        ("Observation?_count=0", 400, "counted"),
        ("Patient?patient.identifier=1", 400, "patient.identifier"),
        ("ImagingStudy?patient.identifier=1,2", 400, "one after another"),
        ("ImagingStudy?patient.identifier=1&patient=p1", 400, "twice"),
        ("Patient/zzz", 404, "Patient"),
        ("Medication/1", 404, "kind"),
    ],
)
def test_a_search_with_nonsense_names_what_is_wrong(
    client: Client, path: str, status: int, names: str
) -> None:
    answer = client.get(f"/fhir/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/fhir+json"
    get_fhir_model_class("OperationOutcome").model_validate(answer.json())
    assert names in answer.text
    problem = client.get(f"/fhir/{path}", headers={"Accept": "application/problem+json"})
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == status


@pytest.fixture(scope="module")
def stored(client: Client) -> str:
    """A study that was stored by STOW-RS under a person's token: of whom its file says another name than the record will."""
    objects = body(*(mammogram(n, mrn="DW1", PatientComments="SIMULATED") for n in range(2)))
    answer = client.post("/dicom-web/studies", content=objects, headers={"Content-Type": TYPE})
    assert answer.status_code == 200, answer.text
    (study,) = client.get("/dicom-web/studies?PatientID=DW1").json()
    return str(study["0020000D"]["Value"][0])


def test_an_archive_lists_and_hands_out_what_was_stored(client: Client, stored: str) -> None:
    series = client.get(f"/dicom-web/studies/{stored}/series").json()
    assert len(series) == 1
    headers = client.get(f"/dicom-web/studies/{stored}/metadata").json()
    assert len(headers) == 2
    header = Dataset.from_json(headers[0])
    address = str(URI("http://localhost/dicom-web", stored, header.SeriesInstanceUID, header.SOPInstanceUID))
    path = address.removeprefix("http://localhost")
    assert header.RetrieveURL == address
    one = client.get(path, headers={"Accept": "application/dicom"})
    dataset = pydicom.dcmread(io.BytesIO(one.content))
    assert (dataset.PatientID, dataset.StudyInstanceUID) == ("DW1", stored)
    whole = client.get(f"/dicom-web/studies/{stored}")
    assert whole.content.count(b"Content-Type: application/dicom") == 2
    frame = client.get(f"{path}/frames/1")
    assert bytes(dataset.PixelData) in frame.content
    for kind, begins in (("image/png", b"\x89PNG"), ("image/jpeg", b"\xff\xd8")):
        assert client.get(f"{path}/rendered", headers={"Accept": kind}).content.startswith(begins)
    missing = client.get(f"{path}/frames/2")
    assert (missing.status_code, missing.json()["reason"]) == (404, "not_found")
    # By PS3.18 matches come newest first here, and * stands for any letters.
    assert client.get("/dicom-web/studies?PatientID=DW*").json()[0]["00100020"]["Value"] == ["DW1"]
    assert client.get("/dicom-web/studies?PatientID=DW_").json() == []


def test_a_file_that_says_otherwise_is_handed_out_as_the_record_has_it(client: Client) -> None:
    file = mammogram(3, mrn="WRONG", PatientComments="SIMULATED")
    said = {"patient": "RIGHT", "study_date": "2021-02-03", "simulated": "true"}
    client.post("/api/v1/imports", files={"files": ("L-CC.dcm", file)}, data=said)
    (study,) = client.get("/dicom-web/studies?PatientID=RIGHT").json()
    uid = study["0020000D"]["Value"][0]
    (header,) = client.get(f"/dicom-web/studies/{uid}/metadata").json()
    path = header["00081190"]["Value"][0].removeprefix("http://localhost")
    dataset = pydicom.dcmread(io.BytesIO(client.get(path, headers={"Accept": "application/dicom"}).content))
    assert (dataset.PatientID, dataset.StudyDate, dataset.StudyInstanceUID) == ("RIGHT", "20210203", uid)
    assert "WRONG" not in str(dataset)


def uids(answer: httpx.Response, tag: str) -> list[str]:
    return [one[tag]["Value"][0] for one in answer.json()]


def test_series_and_instances_are_listed_over_all_studies_by_pages(
    api: Api, client: Client, stored: str
) -> None:
    series, instance = "0020000E", "00080018"
    every = client.get("/dicom-web/instances?limit=500")
    assert "warning" not in every.headers
    told: list[str] = []
    while True:
        page = client.get(f"/dicom-web/instances?limit=9&offset={len(told)}")
        told += uids(page, instance)
        if "warning" not in page.headers:
            break
        assert len(page.json()) == 9
    assert told == uids(every, instance)
    assert len(set(told)) == len(told) > 20
    all_series = uids(client.get("/dicom-web/series?limit=500"), series)
    by_two = [
        uids(client.get(f"/dicom-web/series?limit=2&offset={at}"), series)
        for at in range(0, len(all_series), 2)
    ]
    assert [uid for page in by_two for uid in page] == all_series
    (hers,) = client.get("/dicom-web/series?PatientID=DW1").json()
    assert hers == client.get(f"/dicom-web/studies/{stored}/series").json()[0]
    assert (hers["00201209"]["Value"], hers["00080060"]["Value"]) == ([2], ["MG"])
    uid = hers[series]["Value"][0]
    assert uids(client.get(f"/dicom-web/series?SeriesInstanceUID={uid}"), "0020000D") == [stored]
    found = client.get(f"/dicom-web/instances?SeriesInstanceUID={uid}")
    assert uids(found, "0020000D") == [stored] * 2
    within = client.get(f"/dicom-web/studies/{stored}/series/{uid}/instances")
    assert within.json() == found.json()
    one = uids(found, instance)[0]
    (header,) = client.get(f"/dicom-web/instances?SOPInstanceUID={one}").json()
    path = header["00081190"]["Value"][0].removeprefix("http://localhost")
    kept = pydicom.dcmread(io.BytesIO(client.get(path, headers={"Accept": "application/dicom"}).content))
    assert (kept.SOPInstanceUID, kept.SOPClassUID) == (one, header["00080016"]["Value"][0])
    # A picture has no file that names a series: what was made for its study is found as well.
    other = next(uid for uid in all_series if uid != hers[series]["Value"][0])
    assert uids(client.get(f"/dicom-web/series?SeriesInstanceUID={other}"), series) == [other]

    with api.here.database.write() as session:  # as an earlier release has left it
        session.execute(update(Image).where(Image.sop_uid == one).values(series_uid=None, sop_class_uid=None))
    assert client.get(f"/dicom-web/instances?SeriesInstanceUID={uid}").json() == found.json()
    with api.here.database.read() as session:
        assert session.scalar(select(Image.series_uid).where(Image.sop_uid == one)) == uid


@pytest.mark.parametrize(
    ("path", "status", "names"),
    [
        ("series?SOPInstanceUID=1.2", 400, "SOPInstanceUID"),
        ("series?SeriesInstanceUID=x", 400, "SeriesInstanceUID"),
        ("series?StudyDate=2024", 400, "2024"),
        ("instances?limit=none", 400, "limit"),
        ("instances?Rows=640", 400, "Rows"),
        ("studies/{}/series?StudyInstanceUID=1.2", 400, "already"),
        ("studies/{}/instances?offset=-3", 400, "offset"),
        ("studies/9.9/series", 404, "study"),
        ("studies/{}/series/9.9/instances", 404, "series"),
    ],
)
def test_a_search_of_series_that_is_nonsense_names_what_is_wrong(
    client: Client, stored: str, path: str, status: int, names: str
) -> None:
    answer = client.get(f"/dicom-web/{path.format(stored)}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert names in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Foo=1", "Foo"),
        ("StudyDate=x", "StudyDate"),
        ("StudyDate=20240230", "20240230"),
        ("limit=-1", "limit"),
        ("offset=x", "offset"),
        ("StudyInstanceUID=abc", "abc"),
        ("limit=", "limit"),
    ],
)
def test_a_question_that_an_archive_does_not_understand_is_refused(
    client: Client, query: str, names: str
) -> None:
    answer = client.get(f"/dicom-web/studies?{query}")
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_search")
    assert names in answer.json()["detail"]


def test_storing_needs_both_scopes_and_the_role(api: Api) -> None:
    from core.people import Scope

    objects, kind = body(mammogram(0, mrn="DW2", PatientComments="SIMULATED")), {"Content-Type": TYPE}
    for scopes in ((Scope.DICOMWEB,), (Scope.WRITE,)):
        refused = api.by(Role.STAFF, *scopes).post("/dicom-web/studies", content=objects, headers=kind)
        assert (refused.status_code, refused.json()["reason"]) == (403, "scope_missing")
    refused = api.by(Role.ANALYST).post("/dicom-web/studies", content=objects, headers=kind)
    assert (refused.status_code, refused.json()["reason"]) == (403, "not_allowed")


def test_what_is_kept_in_another_form_is_not_handed_out_as_what_was_asked_for(
    client: Client, stored: str
) -> None:
    (one, *_) = client.get(f"/dicom-web/studies/{stored}/instances").json()
    path = one["00081190"]["Value"][0].removeprefix("http://localhost")
    kept = 'multipart/related; type="application/dicom"; transfer-syntax='
    for accepts, status in (
        (f"{kept}*", 200),
        (f"{kept}1.2.840.10008.1.2.1", 200),
        (f"{kept}1.2.840.10008.1.2.4.90", 406),
        (f"{kept}1.2.840.10008.1.2.4.90, {kept}1.2.840.10008.1.2.1", 200),
        ("application/dicom", 200),
        ("application/zip", 406),
    ):
        assert client.get(path, headers={"Accept": accepts}).status_code == status, accepts
    study = f"/dicom-web/studies/{stored}"
    assert client.get(study, headers={"Accept": "application/dicom"}).status_code == 406, "it has two files"
    alone = client.get(f"{path}/frames/1", headers={"Accept": "application/octet-stream"})
    assert alone.headers["content-type"] == "application/octet-stream"
    both = client.get(f"{path}/frames/1,1")
    assert both.content.count(alone.content) == 2
    assert both.headers["content-type"].startswith("multipart/related")
    for wrong, status in (("frames/2", 404), ("frames/0", 404), ("frames/1,", 404)):
        assert client.get(f"{path}/{wrong}").status_code == status
    assert client.get(f"{path}/rendered", headers={"Accept": "image/gif"}).status_code == 406
    assert "299" in client.get(f"{path}/rendered?viewport=9,9").headers["warning"]


def test_a_search_that_is_only_literal_says_so(client: Client) -> None:
    fuzzy = client.get("/dicom-web/studies?PatientID=00001&fuzzymatching=true")
    assert "Only literal matching" in fuzzy.headers["warning"]
    assert "warning" not in client.get("/dicom-web/studies?PatientID=00001&fuzzymatching=false").headers
    assert client.get("/dicom-web/studies?fuzzymatching=maybe").status_code == 400
    whole = client.get("/dicom-web/studies?StudyDate=2020-01-01")
    assert "2020-01-01" in whole.json()["detail"]
