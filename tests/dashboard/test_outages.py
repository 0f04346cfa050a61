"""What pages and routes say where the machine fails them: never a stack trace, never a raw 500, nothing lost."""

import concurrent.futures
import html
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import Role
from core.records import key_of
from dashboard import house
from db.images import StoreUnavailable
from db.tables import AuditEntry, Event, Image, StudyStatus
from tests import engines, factories
from tests.dashboard.conftest import Served
from tests.dashboard.page_runs import words as markup
from tests.dashboard.web.test_gate import as_role, ask, sign_in, some_sop_uid
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]
BUSY = "something else has held it for more than"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "BUSY_SECONDS", 0.05)


def words(app: AppTest) -> str:
    return html.unescape(markup(app))


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def a_woman(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 6, 1), 0.02)])


def opened(here: Installation) -> int:
    with here.database.read() as session:
        return session.scalar(select(func.count()).where(AuditEntry.action == "patient_opened")) or 0


def test_a_patient_stays_closed_while_that_cannot_be_recorded_and_opens_when_it_can(
    here: Installation, pages: OpenPage
) -> None:
    a_woman(here)
    app = pages(Role.ONCOLOGIST, "worklist")
    with engines.held(here.database):
        app.query_params["patient"] = key_of(here, "1")
        app.switch_page("screens/patient.py").run()
        assert not app.exception
        assert BUSY in words(app)
        assert "it stays closed" in words(app)
        assert 'class="lv-identity' not in words(app)
        assert opened(here) == 0
    press(app, "Try again")
    assert 'class="lv-identity' in words(app)
    assert opened(here) == 1


def test_a_database_that_takes_no_writes_opens_no_patient_but_lists_them(
    here: Installation, pages: OpenPage
) -> None:
    a_woman(here)
    app = pages(Role.ONCOLOGIST, "models")

    engines.takes_no_writes(house.here().database)
    app.switch_page("screens/patient.py")
    app.query_params["patient"] = key_of(here, "1")
    app.run()
    assert not app.exception
    assert "it stays closed. The database is read-only." in words(app)
    assert "Worklist, cohort and models can still be read." in words(app)
    app.switch_page("screens/worklist.py").run()
    assert "1 of 1 patients" in words(app)


def test_an_event_that_cannot_be_recorded_says_so_and_stays_in_the_form(
    here: Installation, pages: OpenPage
) -> None:
    a_woman(here)
    app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    note = next(box for box in app.text_area if str(box.key).startswith("event_"))
    note.set_value("seen at the clinic")
    with engines.held(here.database):
        press(app, "Add")
    assert not app.exception
    assert "It is not recorded." in words(app)
    assert BUSY in words(app)
    assert 'class="lv-identity' in words(app)
    note = next(box for box in app.text_area if str(box.key).startswith("event_"))
    assert note.value == "seen at the clinic"
    press(app, "Add")
    with here.database.read() as session:
        assert session.scalars(select(Event.detail)).all() == ["seen at the clinic"]


def test_an_assessment_that_cannot_be_recorded_stays_a_draft(here: Installation, pages: OpenPage) -> None:
    a_woman(here)
    app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    for box in app.selectbox:
        if box.label.startswith(("BI-RADS", "Density")):
            box.set_value("A" if box.label == "Density" else "2")
    with engines.held(here.database):
        press(app, "Sign")
    assert not app.exception
    assert "The assessment is not recorded." in words(app)
    assert next(box for box in app.selectbox if box.label.startswith("BI-RADS")).value == "2"
    press(app, "Sign")
    assert "Sign a new version" in [button.label for button in app.button]


def test_an_account_that_cannot_be_made_keeps_what_was_put_in(here: Installation, pages: OpenPage) -> None:
    app = pages(Role.ADMIN, "admin", part="People")
    next(box for box in app.text_input if box.label == "User name").set_value("bo")
    next(box for box in app.text_input if box.label.startswith("First password")).set_value("a long password")
    with engines.held(here.database):
        press(app, "Add person")
    assert not app.exception
    assert "Nothing is saved." in words(app)
    assert next(box for box in app.text_input if box.label == "User name").value == "bo"


@pytest.mark.parametrize(
    "page", ["worklist", "patient", "add_study", "read_image", "cohort", "models", "admin"]
)
def test_every_page_says_in_words_that_the_database_cannot_be_read(
    here: Installation, pages: OpenPage, page: str
) -> None:
    app = pages(Role.ADMIN, "models")
    with engines.unreadable(house.here().database):
        app.switch_page(f"screens/{page}.py").run()
    assert not app.exception
    why = (
        "The database's file cannot be opened."
        if here.database.is_sqlite
        else "The database cannot be reached."
    )
    assert f"This page cannot be shown now. {why}" in words(app)
    assert [button.label for button in app.button] == ["Try again"]


def test_a_patient_is_shown_though_the_image_store_is_away(here: Installation, pages: OpenPage) -> None:
    a_woman(here)
    with engines.away(house.here().images):
        app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    assert not app.exception
    assert 'class="lv-identity' in words(app)


def test_an_image_says_that_the_store_is_away_and_not_that_it_is_lost(
    here: Installation, pages: OpenPage
) -> None:
    a_woman(here)
    with here.database.read() as session:
        sha256 = session.scalars(select(Image.thumbnail_sha256).limit(1)).one()
    here.images.get_kept(sha256)
    with pytest.raises(FileNotFoundError):
        here.images.get_kept("0" * 64)
    with engines.away(here.images), pytest.raises(StoreUnavailable, match="is away"):
        here.images.get_kept(sha256)


def test_a_study_that_waits_without_a_worker_says_why(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 6, 1), None, status=StudyStatus.PENDING)])
    # Where several machines share the database, one that runs none says nothing of the others.
    why = "The worker is not running" if here.database.is_sqlite else "No worker has been seen lately"
    for page, query in (("patient", {"mrn": "1"}), ("worklist", {})):
        assert why in words(pages(Role.ONCOLOGIST, page, **query))


def test_routes_answer_503_in_words_while_the_database_is_held(served: Served) -> None:
    browser = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    cookie = as_role(served, Role.STAFF)
    with engines.held(served.here.database), concurrent.futures.ThreadPoolExecutor() as pool:
        out = pool.submit(ask, served, "/sign-out", headers={**cookie, **browser})
        script = pool.submit(ask, served, "/sign-out", method="POST", headers=cookie)
        into = pool.submit(sign_in, served, "oncologist", "longview-demo-oncologist")
        answers = [out.result(), script.result(), into.result()]
    for answer in answers:
        assert answer.status == 503
        assert answer.headers["retry-after"] == "5"
        assert b"The database is busy" in answer.body
        assert b"Traceback" not in answer.body
    assert b"You are still signed in." in answers[0].body
    assert b"<h1>Longview</h1>" in answers[0].body
    assert answers[1].headers["content-type"] == "application/json"
    assert ask(served, "/signed-in", headers=cookie).status == 204
    assert ask(served, "/health").status == 200


@pytest.mark.embedded("moves the folder of images from under another process")
def test_images_answer_503_in_words_while_the_image_store_is_away(served: Served) -> None:
    cookie, uid = as_role(served, Role.STAFF), some_sop_uid(served)
    store = served.here.home / "images"
    store.rename(served.here.home / "unmounted")
    try:
        answers = [ask(served, f"/{kind}/{uid}", headers=cookie) for kind in ("img", "thumb")]
    finally:
        (served.here.home / "unmounted").rename(store)
    for answer in answers:
        assert answer.status == 503
        assert b"is away" in answer.body
    assert ask(served, f"/img/{uid}", headers=cookie).status == 200
