"""Whose a page is: what it does when somebody else is signed in by now, or nobody."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import Role, accounts, sign_ins
from dashboard import owners, session
from db.tables import Alert, AuditEntry, Base, Event, Study
from tests import factories
from tests.dashboard.page_runs import words
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]
PAGES = ["worklist", "patient", "add_study", "read_image", "cohort", "models", "admin"]


@pytest.fixture
def other_token(here: Installation) -> Callable[[], str]:
    """Sign somebody else in, in the same browser."""

    def token() -> str:
        accounts.create_user(here, "bo", "a long password", Role.ONCOLOGIST, display_name="Bo")
        return sign_ins.sign_in(here, "bo", "a long password").token

    return token


def rows(here: Installation) -> dict[str, int]:
    with here.database.read() as reading:
        return {
            table.name: reading.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_that_somebody_else_is_signed_in_and_shows_and_writes_nothing(
    here: Installation,
    pages: OpenPage,
    other_token: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    page: str,
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 6, 1), 0.02, alerts=[("risk_high", "high")])])
    app = pages(Role.ADMIN, page, mrn="1")
    token = other_token()
    before = rows(here)
    monkeypatch.setattr(session, "token", lambda: token)
    app.run()
    assert not app.exception
    assert "Bo is signed in in this browser now, and this page was opened by test-admin" in words(app)
    assert "what was typed and not recorded is not saved" in words(app)
    assert not app.button
    assert "Sim-" not in words(app)
    assert rows(here) == before


def test_a_note_is_not_recorded_by_whoever_signed_in_meanwhile_and_stands_when_its_writer_is_back(
    here: Installation, pages: OpenPage, other_token: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 6, 1), 0.02)])
    app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    hers, token = session.token(), other_token()
    next(box for box in app.text_area if str(box.key).startswith("event_")).set_value("my note")
    monkeypatch.setattr(session, "token", lambda: token)
    press(app, "Add")
    assert "Bo is signed in" in words(app)
    with here.database.read() as reading:
        assert reading.scalars(select(Event)).all() == []
    monkeypatch.setattr(session, "token", lambda: hers)
    app.run()
    assert next(box for box in app.text_area if str(box.key).startswith("event_")).value == "my note"
    press(app, "Add")
    with here.database.read() as reading:
        event = reading.scalars(select(Event)).one()
        writer = reading.scalars(select(AuditEntry).where(AuditEntry.action == "event_added")).one()
    assert event.detail == "my note"
    assert writer.user_id == event.recorded_by_id


@pytest.mark.parametrize("act", ["Sign", "Acknowledge"])
def test_a_judgement_is_not_recorded_on_an_ended_sign_in(
    here: Installation, pages: OpenPage, act: str
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 6, 1), 0.02, alerts=[("risk_high", "high")])])
    app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    next(box for box in app.selectbox if box.label.startswith("BI-RADS")).set_value("2")
    sign_ins.sign_out(here, session.token())
    press(app, act)
    assert not app.exception
    assert "Your sign-in has ended. Sign in again in another tab" in words(app)
    with here.database.read() as reading:
        assert reading.scalars(select(Study.bi_rads)).one() is None
        assert reading.scalars(select(Alert.acknowledged_at)).one() is None


def test_a_page_stays_with_the_person_who_opened_it() -> None:
    owners.claim("a page of this test", 7)
    owners.claim("a page of this test", 8)
    assert owners.owner_of("a page of this test") == 7
    assert owners.owner_of("a page that nobody opened") is None
