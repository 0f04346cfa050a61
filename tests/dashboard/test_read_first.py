"""A score that is covered until the study is read reaches the browser nowhere; signing shows it, and both are kept."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import Person, Role, audit, create_user
from core.records import findings, record_assessment, record_of, worklist
from dashboard import house
from dashboard.web import routes
from db.tables import EventKind, Image, Study
from tests import factories
from tests.dashboard.test_withheld import ODD, told
from tests.factories import VisitPlan
from tests.figures import figures

OpenPage = Callable[..., AppTest]
PRIOR, LAST = date(2024, 3, 1), date(2026, 3, 1)
TWO = (("R", "CC"), ("L", "CC"))
HERS = figures(r"0\.0737", r"7\.37", r"7\.4\b", r"0\.0368", r"3\.7\b")
"""Her 5-year risk, malignancy and growth, 7.4 %, and half of it: what her density and her risk before 3 years say."""


@pytest.fixture
def women(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unread woman whose score nobody else has, one after a diagnosis, and five who are read."""
    monkeypatch.setenv("LONGVIEW_READ_FIRST", "1")
    here.settings.read_first = True
    alerts = [
        ("risk_high", "5-year risk above 3.0 %: 7.4 %"),
        ("progression", "Disease may have grown: 7.4 %"),
    ]
    odd: dict[str, Any] = {
        "malignancy_left": ODD,
        "malignancy_right": ODD,
        "progression": ODD,
        "alerts": alerts,
    }
    factories.woman(
        here, "unread", [VisitPlan(PRIOR, 0.011, views=()), VisitPlan(LAST, ODD, density="D", **odd)]
    )
    diagnosis = [(EventKind.DIAGNOSIS, PRIOR, None, "invasive cancer")]
    factories.woman(
        here,
        "treated",
        [VisitPlan(PRIOR, 0.011, views=()), VisitPlan(LAST, ODD, views=(), **odd)],
        events=diagnosis,
    )
    for number in range(5):
        factories.woman(here, f"T{number}", [VisitPlan(LAST, 0.012, views=(), bi_rads="1")])
    doctor = create_user(here, "dr", "a long password", Role.ONCOLOGIST, display_name="Dr Dora")
    reading = {"tumour": {"benign": 0.2, "malignant": ODD}, "model": "m"}
    findings.keep(here, doctor, images(here)[0].sop_uid, (10.0, 10.0, 90.0, 90.0), reading=reading)


def images(here: Installation) -> list[Image]:
    with here.database.read() as session:
        return list(session.scalars(select(Image).join(Study).order_by(Image.id)))


def uid(here: Installation, mrn: str = "unread") -> str:
    record = record_of(here, mrn)
    assert record is not None
    return record.visits[-1].study_uid


PAGES: list[tuple[Role, str, dict[str, str]]] = [
    (Role.ONCOLOGIST, "patient", {"mrn": "unread"}),
    (Role.STAFF, "patient", {"mrn": "unread"}),
    (Role.ONCOLOGIST, "patient", {"mrn": "treated"}),
    (Role.ONCOLOGIST, "patient", {"mrn": "unread", "visit": "2.25.1.1"}),
    (Role.ONCOLOGIST, "compare", {"mrn": "unread"}),
    (Role.ONCOLOGIST, "worklist", {}),
    (Role.ONCOLOGIST, "worklist", {"show": "changed and unexplained"}),
    (Role.STAFF, "worklist", {"order": "risk-down"}),
    (Role.ONCOLOGIST, "read_image", {}),
    (Role.ANALYST, "cohort", {"part": "Who"}),
    (Role.ANALYST, "cohort", {"part": "See"}),
    (Role.ANALYST, "cohort", {"part": "See", "see": "Course"}),
    (Role.ANALYST, "cohort", {"part": "Readers"}),
    (Role.ONCOLOGIST, "models", {}),
    (Role.STAFF, "add_study", {"mrn": "unread"}),
    (Role.ADMIN, "admin", {}),
]


def test_no_page_hands_it_to_the_browser(
    women: None, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "desk", lambda: SimpleNamespace(warm_up=lambda: None))
    for role, page, query in PAGES:
        app = pages(role, page, **query)
        assert not app.exception
        text = told(app)
        assert HERS.search(text) is None, (role, page, query)
        if page == "patient":
            assert "Disease may have grown" not in text
            assert ("1.1" in text) is (query["mrn"] == "unread"), "the prior's score stays"
        if page == "patient" and "visit" not in query:
            assert "The score is covered until this study is read" in text
            assert ("Sign" in [button.label for button in app.button]) is (role is Role.ONCOLOGIST)
            assert ("Show the score" in [button.label for button in app.button]) is (role is Role.ONCOLOGIST)


def test_her_row_of_the_worklist_gives_nothing_away(here: Installation, women: None, pages: OpenPage) -> None:
    app = pages(Role.ONCOLOGIST, "worklist")
    table = next(
        p.proto.json for p in app.get("bidi_component") if p.proto.component_name == "longview_worklist"
    )
    hers = next(row for row in json.loads(table)["rows"] if row["mrn"] == "unread")
    assert (hers["risk_text"], hers["alerts"], hers["band"], hers["change"]) == ("covered", [], None, None)
    assert "density" not in hers["about"]
    assert [point[1] for point in hers["course"]] == [0.011]
    before = [row.mrn for row in worklist.rows(here, today=LAST)]
    factories.another_score(here, uid(here), risk_5y=0.0001)
    assert [row.mrn for row in worklist.rows(here, today=LAST)] == before, (
        "whatever the score, the order is the same"
    )


def ask(here: Installation, route: Callable[[Request], Any], person: Person, **path: str) -> Any:
    """Ask a route as somebody who is signed in."""
    query = path.pop("query", "").encode()
    scope = {
        "type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query, "path_params": path,
        "state": {"person": person},
    }  # fmt: skip
    return asyncio.run(route(Request(scope)))


def test_no_route_tells_it_until_it_is_read(
    here: Installation, women: None, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages(Role.ONCOLOGIST, "patient", mrn="unread")
    doctor = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    image = images(here)[0]
    opened = SimpleNamespace(sha256=image.sha256)
    whole = SimpleNamespace(
        answer={
            "tumour": {"malignant": ODD},
            "density": None,
            "trust": {"level": "trusted"},
            "density_trust": None,
        }
        | {"model": "m", "spoke": []},
        heat_shape=(1, 1),
        heat_corners=[],
        heat=b"\x01",
    )
    desk = SimpleNamespace(
        find=lambda _person, _token: opened,
        whole=lambda *_: whole,
        region=lambda *_: whole,
        picture=lambda *_: b"pixels",
    )
    monkeypatch.setattr(routes, "desk", lambda: desk)
    asked = {
        "whole": (routes.read_whole, {"token": "x"}),
        "anyway": (routes.read_whole, {"token": "x", "query": "anyway=1"}),
        "region": (routes.read_region, {"token": "x", "query": "box=1,2,30,40"}),
        "crop": (routes.crop, {"sop_uid": image.sop_uid, "query": "box=10,20,110,120"}),
    }
    for what, (route, how) in asked.items():
        answer = ask(here, route, doctor, **how)
        assert answer.status_code == 403, what
        assert json.loads(answer.body) == {
            "error": "Covered until this study is read: record its assessment first."
        }
    assert ask(here, routes.image, doctor, sop_uid=image.sop_uid).status_code == 200
    assert ask(here, routes.thumbnail, doctor, sop_uid=image.sop_uid).status_code == 200
    assert ask(here, routes.read_picture, doctor, token="x").body == b"pixels"
    assert audit.latest(here, action="withheld_shown") == []
    record_assessment(here, doctor, uid(here), right="1", left="1", density="D")
    assert HERS.search(ask(here, routes.read_whole, doctor, token="x").body.decode())
    assert ask(here, routes.read_region, doctor, **asked["region"][1]).status_code == 200


def put_in(app: AppTest, **said: str) -> None:
    labels = {"density": "Density", "right": "BI-RADS, right breast", "left": "BI-RADS, left breast"}
    for what, value in said.items():
        label = labels.get(what, what)
        next(box for box in app.selectbox if box.label.startswith(label)).set_value(value)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_signing_shows_it_beside_what_was_said_before(
    here: Installation, women: None, pages: OpenPage
) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="unread")
    put_in(app, right="2", left="1")
    press(app, "Sign")
    assert "Choose the density" in " ".join(warning.value for warning in app.warning)
    assert HERS.search(told(app)) is None
    put_in(app, density="C")
    press(app, "Sign")
    text = told(app)
    assert HERS.search(text)
    for said in (
        "You said",
        "BI-RADS 2 right, 1 left",
        "before the score was shown",
        "They differ.",
        "routine screening",
    ):
        assert said in text, said
    assert "Disease may have grown" in text, "its alerts are listed now"
    for role in (Role.STAFF, Role.ONCOLOGIST):
        assert HERS.search(told(pages(role, "patient", mrn="unread"))), "it is shown to everybody"


def test_a_second_version_says_that_it_came_after_the_reveal(
    here: Installation, women: None, pages: OpenPage
) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="unread")
    put_in(app, right="2", left="1", density="C")
    press(app, "Sign")
    put_in(app, right="4A")
    press(app, "Sign a new version")
    assert "Say why" in " ".join(warning.value for warning in app.warning)
    put_in(app, **{"Reason": "Another judgement after the score was shown"})
    press(app, "Sign a new version")
    record = record_of(here, "unread")
    assert record is not None
    first, second = record.visits[-1].assessment.versions
    assert (first.covered, first.bi_rads, second.covered, second.bi_rads) == (True, "2", False, "4A")
    assert first.revealed_at == first.at == second.revealed_at
    text = told(app)
    for said in (
        "right 2 → 4A",
        "management routine screening → biopsy",
        "recorded after the score was shown at",
        "Versions 2",
    ):
        assert said in text, said
    assert "You said <b>BI-RADS 2 right, 1 left</b> before the score was shown" in text, (
        "the first word stays"
    )


def test_the_management_follows_the_categories_and_can_be_changed(
    here: Installation, women: None, pages: OpenPage
) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="unread")

    def management() -> object:
        return next(box for box in app.selectbox if box.label == "Management").value

    assert next(box for box in app.selectbox if box.label == "Comparison").value == "2.25.1.1"
    put_in(app, right="0", left="1")
    app.run()
    assert management() == "additional_imaging"
    put_in(app, left="5")
    app.run()
    assert management() == "biopsy"
    put_in(app, Management="treatment")
    put_in(app, density="B")
    press(app, "Sign")
    record = record_of(here, "unread")
    assert record is not None
    said = record.visits[-1].assessment
    assert (said.management, said.compared_with) == ("treatment", PRIOR)


def test_it_is_shown_unread_for_a_reason_only(here: Installation, women: None, pages: OpenPage) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn="unread")
    press(app, "Show the score")
    assert "Say why the score is needed" in " ".join(warning.value for warning in app.warning)
    assert HERS.search(told(app)) is None
    next(box for box in app.text_input if box.label == "Reason").set_value("she bleeds")
    press(app, "Show the score")
    assert HERS.search(told(app))
    (entry,) = audit.latest(here, action="score_revealed_unread")
    assert "she bleeds" in entry.detail
    put_in(app, right="2", left="1", density="C")
    press(app, "Sign")
    assert "recorded after the score was shown at" in told(app)
    assert "before the score was shown" not in told(app)
