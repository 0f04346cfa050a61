"""What may not be told of a woman is told by no route that serves her pictures, her reports or what a model looked at."""

import asyncio
import io
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pydicom
import pytest
from sqlalchemy import select
from starlette.requests import Request
from starlette.routing import Route

from core.installation import Installation
from core.people import Person, Role, create_user
from core.records import heat_map_of, key_of, record_assessment, record_of
from core.reports import Format
from dashboard.web import routes
from db.tables import Embedding, EventKind, Image, Study
from models.view import ViewTransform
from tests import factories
from tests.core.reports.pdf_text import pages_of
from tests.core.reports.test_exchange import words_of
from tests.core.reports.test_reports import text_of
from tests.factories import VisitPlan
from tests.figures import HERS

ODD = 0.0737
PRIOR, LAST = date(2024, 3, 1), date(2026, 3, 1)
TWO = (("R", "CC"), ("L", "CC"))


@pytest.fixture(autouse=True)
def reading_first(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGVIEW_READ_FIRST", "1")
    here.settings.read_first = True
    monkeypatch.setattr(routes, "here", lambda: here)


@pytest.fixture
def doctor(here: Installation) -> Person:
    return create_user(here, "dr", "a long password", Role.ONCOLOGIST)


def woman(here: Installation, kind: str, cells: tuple[int, int] = (32, 26)) -> None:
    """Store a woman of whom the newest study's score may not be told, with heat maps of all her pictures.

    `cells`: rows and columns of the heat maps, 16 pixels of the view that the model read a cell.
    """
    heat = np.linspace(0, 1, cells[0] * cells[1], dtype=np.float32).reshape(cells).astype("<f2")
    alerts = [("risk_high", "5-year risk above 3.0 %: 7.4 %")]
    last: dict[str, Any] = {"malignancy_left": ODD, "malignancy_right": ODD, "alerts": alerts, "bi_rads": "2"}
    last |= {
        "covered": {"bi_rads": None},
        "unlike": {"trust": ("withheld", "unlike_pictures")},
        "ranked": {"trust": ("uncalibrated", "other_women")},
        "diagnosed": {},
        "told": {},
    }[kind]
    events = [(EventKind.DIAGNOSIS, LAST, None, "invasive cancer")] if kind == "diagnosed" else []
    plans = [VisitPlan(PRIOR, 0.011, views=TWO), VisitPlan(LAST, ODD, views=TWO, **last)]
    factories.woman(here, kind, plans, events=events, simulated=False)
    with here.database.write() as session:
        for image in session.scalars(select(Image)):
            laid_out = ViewTransform(
                False, 0, 0, image.columns, image.rows, 16 * cells[1] / image.columns, image.columns
            )
            session.add(
                Embedding(
                    image_id=image.id, encoder_sha256="e", dimensions=1, vector=b"\0\0\0\0", heat_map=heat.tobytes(),
                    heat_map_shape=list(cells), transform=laid_out.to_json(), finding={}, density={},
                )
            )  # fmt: skip


def pictures(here: Installation) -> tuple[str, str]:
    """Return the SOP UIDs of the right CC of the prior and of the last study."""
    with here.database.read() as session:
        prior, last = session.scalars(
            select(Image.sop_uid)
            .join(Study, Study.id == Image.study_id)
            .where(Image.laterality == "R")
            .order_by(Study.study_date)
        )
        return prior, last


def ask(route: Callable[[Request], Any], person: Person, query: str = "", **path: Any) -> Any:
    scope = {
        "type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"x")], "query_string": query.encode(),
        "path_params": path, "state": {"person": person}, "scheme": "http", "server": ("x", 80),
    }  # fmt: skip
    return asyncio.run(route(Request(scope)))


def words(answer: Any) -> str:
    """Return what an answer says, unpacked."""
    body = bytes(answer.body)
    if body[:4] == b"LVR1":
        return body[8 : 8 + int.from_bytes(body[4:8], "little")].decode()
    if body[:4] == b"%PDF":
        return "\n".join(pages_of(body))
    if body[128:132] == b"DICM":
        return words_of(pydicom.dcmread(io.BytesIO(body)))
    return body.decode("utf-8", "replace")


ASKED_ELSEWHERE = {
    "/health", "/sign-in", "/sign-in/font.woff2", "/sign-in/step", "/sign-in/oidc", "/sign-in/oidc/back", "/sign-out", "/signed-in", "/plotly.js",
    "/reading/{token}/whole", "/reading/{token}/region", "/reading/{token}/picture",
    "/registration/{prior_sop}/{current_sop}",
}  # fmt: skip
"""Routes that serve no woman's study, an opened image (`tests.dashboard.test_read_first`), or where points lie only."""


@pytest.mark.parametrize("kind", ["covered", "unlike", "ranked", "diagnosed"])
def test_no_route_tells_what_may_not_be_told(here: Installation, doctor: Person, kind: str) -> None:
    woman(here, kind)
    _, last = pictures(here)
    # The other formats of a withheld study: `tests.core.reports.test_withheld_reports`.
    formats = list(Format) if kind == "covered" else [Format.HTML]
    ways: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "/report/{format}": [
            (f"patient={key_of(here, kind)}", {"format": format.value}) for format in formats
        ],
        "/tile/{sop_uid}/{level:int}/{x:int}/{y:int}": [("", {"sop_uid": last, "level": 0, "x": 0, "y": 0})],
        "/crop/{sop_uid}": [("box=1,2,30,40", {"sop_uid": last})],
    }
    for route in routes.ROUTES:
        assert isinstance(route, Route)
        if route.path in ASKED_ELSEWHERE:
            continue
        # A route that comes with the next release is asked with what it is likely to take.
        for query, path in ways.get(route.path, [("", {"sop_uid": last})]):
            answer = ask(route.endpoint, doctor, query, **path)
            assert answer.status_code < 500, route.path
            assert HERS.search(words(answer)) is None, (route.path, path)


def test_a_report_of_an_unread_study_says_that_it_is_covered_until_read(
    here: Installation, doctor: Person
) -> None:
    woman(here, "covered")
    for format in (Format.HTML, Format.FHIR, Format.SR):
        said = words(ask(routes.report, doctor, f"patient={key_of(here, 'covered')}", format=format.value))
        assert "overed until read" in said, format
    pdf = routes.make(here, doctor, "covered", None, Format.PDF)
    assert "overed until read" in text_of(pdf)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("covered", "Heat map covered until read."),
        ("unlike", "No heat map: score withheld."),
        ("ranked", "No heat map: score withheld."),
        ("diagnosed", "No heat map: score withheld."),
    ],
)
def test_no_heat_map_is_given_where_the_score_is_not_told(
    here: Installation, doctor: Person, kind: str, said: str
) -> None:
    woman(here, kind)
    prior, last = pictures(here)
    answer = ask(routes.heat_map, doctor, sop_uid=last)
    assert (answer.status_code, json.loads(answer.body)) == (403, {"error": said})
    assert ask(routes.heat_map, doctor, sop_uid=prior).status_code == 200, "what is told of the prior stays"
    assert ask(routes.heat_map, doctor, sop_uid="1.2.3").status_code == 404


@pytest.mark.parametrize("cells", [(32, 26), (48, 39)], ids=["simulated women's", "films'"])
def test_a_heat_map_covers_the_part_of_the_picture_that_the_model_read(
    here: Installation, doctor: Person, cells: tuple[int, int]
) -> None:
    woman(here, "told", cells)
    _, last = pictures(here)
    report = ask(routes.report, doctor, f"patient={key_of(here, 'told')}", format="html")
    assert HERS.search(words(report)), "what may be told is found where the others are looked through"
    found = heat_map_of(here, last)
    with here.database.read() as session:
        image = session.scalars(select(Image).where(Image.sop_uid == last)).one()
    assert found.corners[:3] == pytest.approx((0, 0, image.columns))
    said = json.loads(ask(routes.heat_map, doctor, sop_uid=last).body)
    assert (said["shape"], said["corners"]) == (list(cells), list(found.corners))
    assert (found.values[0, 0], found.values[-1, -1]) == (0, 255)


def test_signing_the_assessment_uncovers_the_heat_map(here: Installation, doctor: Person) -> None:
    woman(here, "covered")
    _, last = pictures(here)
    record = record_of(here, "covered")
    assert record is not None
    record_assessment(here, doctor, record.visits[-1].study_uid, right="1", left="1", density="B")
    assert ask(routes.heat_map, doctor, sop_uid=last).status_code == 200
