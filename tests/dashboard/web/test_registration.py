"""The route that says where a current image's points lie in the prior: for whom, of what, and once."""

import json

import pytest
from sqlalchemy import select

from core.images import REGISTRATIONS
from core.people import Role
from db.tables import Image, Study
from tests.dashboard.conftest import Served
from tests.dashboard.web.test_gate import ROLES_THAT_SEE_PATIENTS, as_role, ask


@pytest.fixture(scope="module")
def images(served: Served) -> dict[tuple[int, str, str], list[str]]:
    """By patient, side and view her images, the oldest first."""
    found: dict[tuple[int, str, str], list[str]] = {}
    with served.here.database.read() as session:
        rows = session.execute(
            select(Study.patient_id, Image.laterality, Image.view, Image.sop_uid)
            .join(Study, Study.id == Image.study_id)
            .order_by(Study.study_date)
        )
        for patient, side, view, sop_uid in rows:
            found.setdefault((patient, str(side), view), []).append(sop_uid)
    return found


@pytest.fixture(scope="module")
def pair(images) -> tuple[str, str]:
    prior, current = next(sops for sops in images.values() if len(sops) > 1)[:2]
    return prior, current


@pytest.mark.parametrize("role", list(Role))
def test_a_registration_is_for_those_who_see_patients(served: Served, pair, role: Role) -> None:
    answer = ask(served, f"/registration/{pair[0]}/{pair[1]}", headers=as_role(served, role))
    if role not in ROLES_THAT_SEE_PATIENTS:
        assert answer.status == 403
        return
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    said = json.loads(answer.body)
    grid = said["grid"]
    assert 0 <= said["quality"] <= 1
    assert said["said"]
    assert grid["columns"] * grid["rows"] == len(grid["x"]) == len(grid["y"])


def test_a_registration_is_computed_once(served: Served, pair) -> None:
    folder = served.here.home / REGISTRATIONS
    cookie = as_role(served, Role.ONCOLOGIST)
    first = ask(served, f"/registration/{pair[0]}/{pair[1]}", headers=cookie).body
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *kept))
    assert ask(served, f"/registration/{pair[0]}/{pair[1]}", headers=cookie).body == first
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
    for path in kept:
        path.write_bytes(b"damaged")
    assert ask(served, f"/registration/{pair[0]}/{pair[1]}", headers=cookie).body == first


def test_what_cannot_be_registered_is_said(served: Served, images) -> None:
    cookie = as_role(served, Role.ONCOLOGIST)
    patient, side, view = next(iter(images))
    mine = images[patient, side, view][0]
    other_view = next(sops[0] for (who, _, which), sops in images.items() if who == patient and which != view)
    said = json.loads(ask(served, f"/registration/{mine}/{other_view}", headers=cookie).body)
    assert (said["quality"], said["usable"]) == (0, False)
    assert "Not registered" in said["said"]
    hers = next(sops[0] for (who, _, _), sops in images.items() if who != patient)
    assert ask(served, f"/registration/{mine}/{hers}", headers=cookie).status == 422
    assert ask(served, f"/registration/{mine}/1.2.3", headers=cookie).status == 404
    assert ask(served, f"/registration/{mine}/{mine}").status == 401
