"""The quarantine as a person works in it: a file is looked into, told what it lacks, sent in again; or set aside."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from core.incoming import IncomingFile, take_in
from core.installation import Installation
from core.people import Person, Role, ensure_demo_accounts
from core.quarantine import State, kept_files
from core.records import mrn_of
from core.settings import Settings
from dashboard import waiting
from db.database import DatabaseUnavailable
from db.tables import Patient
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import CHROMIUM, Page, browser, page, sign_in
from tests.pictures import dicom

__all__ = ["browser", "page"]

OpenPage = Callable[..., AppTest]


def send(here: Installation, *files: tuple[str, bytes]) -> None:
    take_in(here, [IncomingFile(*one) for one in files], statement=None, source="cli")


def choose(app: AppTest, *rows: int, round_: int = 0) -> AppTest:
    app.session_state[f"quarantine_table_waiting_{round_}"] = {
        "selection": {"rows": list(rows), "columns": []}
    }
    return app.run()


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def html(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def test_an_empty_quarantine_says_so_and_the_analyst_has_no_way_in(pages: OpenPage) -> None:
    assert "No file waits" in html(pages(Role.STAFF, "quarantine"))
    assert "does not include this page" in pages(Role.ANALYST, "quarantine").info[0].value


def test_a_file_that_lacks_its_day_goes_in_with_it(here: Installation, pages: OpenPage) -> None:
    send(here, ("late.dcm", dicom(StudyDate="", PatientComments="SIMULATED")))
    app = choose(pages(Role.STAFF, "quarantine"), 0)
    text = html(app)
    assert "does not say when the study was made" in text
    assert "Doe" in text
    assert "data:image/png" in text
    app.date_input[0].set_value(date(2024, 5, 17))
    app = press(app.run(), "Send in again")
    assert not app.exception
    assert "taken in:" in html(app)
    assert "2024-05-17" in html(app)
    assert "No file waits" in html(app)


def test_files_are_set_aside_with_a_reason_only(here: Installation, pages: OpenPage) -> None:
    send(here, ("one.dcm", b"nothing known"), ("two.dcm", b"nothing known either"))
    app = choose(pages(Role.STAFF, "quarantine"), 0, 1)
    assert "2 ×" in html(app)
    assert "Say in a few words" in press(app, "Set aside").warning[0].value
    next(box for box in app.text_input if box.label == "Why it is not wanted").set_value("sent by mistake")
    app = press(app.run(), "Set aside")
    assert "2 files set aside" in html(app)
    assert len(kept_files(here, state=State.SET_ASIDE)) == 2


def test_what_waits_is_told_on_the_worklist_to_who_sees_to_it_and_not_to_readers(
    here: Installation, pages: OpenPage
) -> None:
    assert "in quarantine for a person" not in html(pages(Role.STAFF, "worklist"))
    send(here, ("one.dcm", b"nothing known"), ("two.dcm", b"nothing known either"))
    waiting.count_anew()
    assert "2 files wait in quarantine for a person" in html(pages(Role.STAFF, "worklist"))
    assert "in quarantine for a person" not in html(pages(Role.ONCOLOGIST, "worklist"))
    numbers = {role: waiting.in_quarantine(Person(0, "x", "X", role)) for role in Role}
    assert numbers == {Role.STAFF: 2, Role.ADMIN: 2, Role.ONCOLOGIST: 2, Role.ANALYST: 0}
    assert (waiting.badge(0), waiting.badge(7), waiting.badge(4000)) == ("", " · 7", " · 999+")


def test_a_database_that_is_away_hides_the_number_and_nothing_else(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages(Role.STAFF, "quarantine")

    def away(_here: Installation) -> int:
        raise DatabaseUnavailable("The database cannot be reached.")

    monkeypatch.setattr(waiting, "count_waiting", away)
    waiting.count_anew()
    assert waiting.in_quarantine(Person(0, "x", "X", Role.STAFF)) == 0


def test_hostile_names_stay_text(here: Installation, pages: OpenPage) -> None:
    send(here, ("<img src=x onerror=alert(1)>.dcm", dicom(StudyDate="", PatientName="<b>bold</b>")))
    text = html(choose(pages(Role.STAFF, "quarantine"), 0))
    assert "<img src=x" not in text
    assert "<b>bold" not in text


def test_patients_alike_are_listed_and_said_to_be_two(here: Installation, pages: OpenPage) -> None:
    with here.database.write() as session:
        for mrn in ("A", "B"):
            session.add(Patient(mrn=mrn, name="Doe, Jane", birth_date=date(1961, 4, 12)))
    app = pages(Role.STAFF, "quarantine")
    app.session_state["quarantine_state"] = "alike"
    app = app.run()
    assert "same name, same birth date" in html(app)
    assert "No two patients" in html(press(app, "Not the same"))


def test_two_patients_alike_lead_to_the_form_that_merges_them(here: Installation, pages: OpenPage) -> None:
    with here.database.write() as session:
        for mrn in ("A", "B"):
            session.add(Patient(mrn=mrn, name="Doe, Jane", birth_date=date(1961, 4, 12)))
    app = pages(Role.STAFF, "quarantine")
    app.session_state["quarantine_state"] = "alike"
    app = press(app.run(), "One woman …")
    assert not app.exception
    other = next(box for box in app.text_input if box.label == "MRN of the other record that is hers")
    assert {other.value, mrn_of(here, "".join(app.query_params["patient"]))} == {"A", "B"}
    assert "is merged into" in html(app)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A dashboard of its own: the woman who comes in here would stand in the lists that other tests count."""
    here = Installation.open(Settings(home=tmp_path / "var", demo=True, _env_file=None))
    here.migrate()
    ensure_demo_accounts(here)
    with serve(here) as running:
        yield running


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium")
def test_staff_mend_a_file_in_the_browser(page: Page, served: Served) -> None:
    name, mrn = f"{uuid4().hex}.dcm", uuid4().hex[:12]
    send(served.here, (name, dicom(StudyDate="", PatientID=mrn, PatientComments="SIMULATED")))
    sign_in(page, served, "staff")
    page.goto(f"{served.url}/quarantine")
    expect(page.get_by_role("link", name="Quarantine · 1")).to_be_visible()
    box = page.get_by_label("File or MRN")
    box.fill(name)
    box.press("Enter")
    grid = page.locator("[data-testid=stDataFrame] canvas").first
    expect(grid).to_be_visible()
    expect(page.get_by_text("Choose a file")).to_be_visible()
    expect(page.locator("[data-testid=stDataFrame] [role=row]")).to_have_count(2)
    where = grid.bounding_box()
    assert where
    page.mouse.click(where["x"] + 15, where["y"] + 55)
    expect(page.get_by_text("does not say when the study was made").first).to_be_visible()
    expect(page.get_by_alt_text("the file’s picture, small")).to_be_visible()
    page.get_by_role("spinbutton", name="year, Day of the study").click()
    page.keyboard.type("20240517")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Send in again").click()
    expect(page.get_by_role("status").filter(has_text="taken in:")).to_contain_text("2024-05-17")
    expect(page.get_by_role("link", name="Quarantine", exact=True)).to_be_visible()
    assert [one for one in kept_files(served.here) if one.name == name] == []
    page.get_by_role("link", name=re.compile(f"MRN {mrn}")).click()
    expect(page.get_by_text(mrn).first).to_be_visible()
