"""STOW-RS at the dashboard's door: who may, and that a program's client gets on with it."""

import io
import json

import pydicom
import pytest
from dicomweb_client import DICOMwebClient

from core.people import Permission, Role, tokens
from db.tables import ImportBatch, Patient
from tests.core.network.conftest import mammogram
from tests.core.network.test_listening import rows
from tests.core.network.test_stow import TYPE, body, sop_uid
from tests.dashboard.conftest import Served
from tests.dashboard.web.test_gate import as_role, ask

STUDIES = "/dicom-web/studies"
FORWARDED = {"x-forwarded-for": "10.0.0.9"}
"""What a proxy adds: then a request is not from this machine."""


def of_nobody() -> bytes:
    """A file that ends in quarantine, so that the cohort of the other tests stays as it is."""
    return mammogram(0, PatientID=None, PatientComments="SIMULATED")


def post(served: Served, path: str = STUDIES, **headers: str):
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(served, path, method="POST", body=body(of_nobody()), headers={"content-type": TYPE, **said})


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return tokens.make_token(served.here, "archive", [Permission.ADD_STUDY]).token


def test_a_program_on_this_machine_needs_no_token_and_one_elsewhere_does(served: Served, token: str) -> None:
    answer = post(served)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/dicom+json")
    assert "1 of them" in answer.headers["warning"]
    assert [v["00081155"]["Value"][0] for v in json.loads(answer.body)["00081199"]["Value"]] == [
        sop_uid(of_nobody())
    ]
    assert post(served, **FORWARDED).status == 401
    assert post(served, **FORWARDED).headers["www-authenticate"] == "Bearer"
    assert post(served, **FORWARDED, authorization="Bearer lvt_made_up").status == 401
    assert post(served, authorization="Bearer lvt_made_up").status == 401
    assert post(served, **FORWARDED, authorization=f"bearer {token}").status == 200
    senders = [batch.sender for batch in rows(served.here, ImportBatch) if batch.source == "stow"]
    # No proxy is named to be believed: it is the address of who asked that is kept.
    assert senders[-2:] == ["this machine@127.0.0.1", "archive@127.0.0.1"]


def test_a_token_opens_nothing_else_and_ends(served: Served) -> None:
    looks = tokens.make_token(served.here, "looks", [Permission.SEE_PATIENTS]).token
    assert post(served, **FORWARDED, authorization=f"Bearer {looks}").status == 403
    assert ask(served, STUDIES, headers={"authorization": f"Bearer {looks}"}).status == 403
    for path in ("/worklist", "/signed-in", "/report/pdf?patient=hers", "/_stcore/metrics"):
        assert ask(served, path, headers={"authorization": f"Bearer {looks}"}).status == 401
    short = tokens.make_token(served.here, "short", [Permission.ADD_STUDY]).token
    tokens.revoke_token(served.here, "short")
    assert post(served, **FORWARDED, authorization=f"Bearer {short}").status == 401


def test_a_person_stores_if_she_may_and_no_other_site_in_her_name(served: Served) -> None:
    assert post(served, **as_role(served, Role.STAFF)).status == 200
    assert post(served, **as_role(served, Role.ANALYST)).status == 403
    assert post(served, **as_role(served, Role.STAFF), origin="http://elsewhere.example").status == 403
    assert post(served, origin="http://elsewhere.example").status == 403
    assert post(served, cookie="longview_sign_in=made-up").status == 401


def test_what_is_no_request_of_the_standard_is_refused_in_words(served: Served, token: str) -> None:
    right = {"authorization": f"Bearer {token}"}
    assert ask(served, STUDIES, method="POST", body=b"x", headers=right).status == 415
    cut = ask(
        served, STUDIES, method="POST", body=body(of_nobody())[:-40], headers={**right, "content-type": TYPE}
    )
    assert cut.status == 400
    assert b"breaks off" in cut.body
    # To read, a program shows a person's token.
    assert ask(served, STUDIES, headers=right).status == 401
    other = post(served, f"{STUDIES}/1.2.3", **right)
    assert other.status == 409
    assert json.loads(other.body)["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]


def test_a_client_of_the_standard_stores(served: Served, token: str) -> None:
    client = DICOMwebClient(f"{served.url}/dicom-web", headers={"Authorization": f"Bearer {token}"})
    dataset = pydicom.dcmread(io.BytesIO(of_nobody()))
    patients = len(rows(served.here, Patient))
    answer = client.store_instances([dataset])
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        dataset.SOPInstanceUID
    ]
    assert len(rows(served.here, Patient)) == patients
