"""The audit trail on the admin's page: filtered, turned page by page, led to from a woman's page."""

from collections.abc import Callable
from datetime import date

from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import Role, audit
from core.trail import MOST_AT_ONCE
from tests import factories
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]
COURSE = [VisitPlan(date(2025, 3, 1), 0.01)]


def words(app: AppTest) -> str:
    assert not app.exception
    return " ".join(html.proto.body for html in app.get("html"))


def test_who_looked_at_a_woman_is_one_click_from_her_page(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "A-1", COURSE)
    factories.woman(here, "B-2", COURSE)
    pages(Role.ONCOLOGIST, "patient", mrn="A-1")
    audit.note(here, None, "exported", "patient:B-2", {"kind": "fhir"})
    app = pages(Role.ADMIN, "patient", mrn="A-1")
    said = words(app.button(key="who_looked").click().run())
    assert said.count("opened her record") == 2, "the oncologist and the admin"
    assert "B-2" not in said.replace("A-1, B-2", "")
    assert not any(
        button.key == "who_looked" for button in pages(Role.ONCOLOGIST, "patient", mrn="A-1").button
    )


def test_the_trail_is_turned_page_by_page_and_filtered(here: Installation, pages: OpenPage) -> None:
    for number in range(MOST_AT_ONCE + 5):
        audit.note(here, None, "exported", None, {"kind": f"no. {number};"})
    app = pages(Role.ADMIN, "admin", part="Audit")
    assert "no. 0;" not in words(app)
    app.button(key="audit_go_older").click().run()
    assert "no. 0;" in words(app)
    app.button(key="audit_newer").click().run()
    assert f"no. {MOST_AT_ONCE + 4};" in words(app)
    app.selectbox(key="audit_action").select("signed_in").run()
    assert "exported" not in words(app)
    app.text_input(key="audit_patient").input("Z-9").run()
    assert "No patient Z-9 is stored here" in words(app)


def test_a_page_that_a_role_does_not_open_is_in_the_trail_as_refused(
    here: Installation, pages: OpenPage
) -> None:
    pages(Role.ANALYST, "admin")
    with_refusals = pages(Role.ADMIN, "admin", part="Audit")
    with_refusals.selectbox(key="audit_outcome").select("refused").run()
    assert "asked for what her role does not include: “administer”" in words(with_refusals)
