"""The worklist by keys alone, there and back, in a real browser."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from playwright.sync_api import Page, expect

from core.installation import Installation
from core.people import demo_accounts
from core.settings import Settings
from db.tables import EventKind
from tests import factories
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import CHROMIUM, browser, page, sign_in
from tests.factories import VisitPlan

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]
FOCUSED = """() => {
  let at = document.activeElement
  while (at?.shadowRoot) at = at.shadowRoot.activeElement
  return at?.dataset?.mrn ?? null
}"""
WOMEN = 24


@pytest.fixture(scope="module")
def women(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard with two dozen women who have changed, and one under treatment."""
    here = Installation.open(
        Settings(home=tmp_path_factory.mktemp("women") / "var", demo=True, _env_file=None)
    )
    here.migrate()
    today = date.today()
    alert = ("change", "Risk ×4.0 in 24 months: 0.6 % to 2.4 %, +1.8 points")
    for number in range(WOMEN):
        plans = [
            VisitPlan(today - timedelta(days=750 + number), 0.006, views=()),
            VisitPlan(today - timedelta(days=20 + number), 0.024, views=(), alerts=[alert]),
        ]
        factories.woman(here, f"{number:05d}", plans, name=f"Sim-{number:04d}")
    found = [(EventKind.DIAGNOSIS, today - timedelta(days=9), None, "left")]
    factories.woman(here, "known", [VisitPlan(today - timedelta(days=30), views=())], events=found)
    demo_accounts.ensure_demo_accounts(here)
    with serve(here) as running:
        yield running


def to_changed(page: Page, women: Served) -> None:
    sign_in(page, women, "oncologist")
    expect(page.locator("tbody tr")).to_have_count(WOMEN + 1)
    page.get_by_test_id("stMain").get_by_text(f"Changed {WOMEN}").click()
    expect(page.locator("tbody tr")).to_have_count(WOMEN)


def expect_focused(page: Page, mrn: str) -> None:
    page.wait_for_function(f"mrn => ({FOCUSED})() === mrn", arg=mrn)


def test_down_down_enter_and_back_to_the_same_row_group_and_scroll(page: Page, women: Served) -> None:
    to_changed(page, women)
    page.locator("tbody tr").nth(14).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect_focused(page, "00016")
    scrolled = page.get_by_test_id("stMain").evaluate("main => main.scrollTop")
    assert scrolled > 0
    page.keyboard.press("Enter")
    expect(page.locator(".lv-identity")).to_contain_text("Sim-0016")
    expect(page.locator(".lv-walk")).to_have_text(f"17 of {WOMEN} changed")
    page.locator("[data-testid=stMain]").get_by_role("link", name="Worklist").click()
    expect_focused(page, "00016")
    expect(page.locator("tbody tr")).to_have_count(WOMEN)
    expect(page).to_have_url(re.compile(rf"/worklist\?show=changed.*row={women.key('00016')}"))
    page.wait_for_function(
        "top => Math.abs(document.querySelector('[data-testid=stMain]').scrollTop - top) < 60", arg=scrolled
    )
    expect(page.locator("tr.focus")).to_be_in_viewport()


def test_the_next_patient_of_the_same_list_is_one_key_away(page: Page, women: Served) -> None:
    to_changed(page, women)
    page.locator("tbody tr").first.click()
    expect(page.locator(".lv-walk")).to_have_text(f"1 of {WOMEN} changed")
    before, after = page.locator(".st-key-walk_before button"), page.locator(".st-key-walk_after button")
    expect(before).to_be_disabled()
    after.click()
    expect(page.locator(".lv-identity")).to_contain_text("Sim-0001")
    expect(page).to_have_url(re.compile(rf"/patient\?patient={women.key('00001')}$"))
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator(".lv-identity")).to_contain_text("Sim-0002")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".lv-identity")).to_contain_text("Sim-0001")
    page.locator("[data-testid=stMain]").get_by_role("link", name="Worklist").click()
    expect_focused(page, "00001")


def test_the_table_is_one_tab_stop_and_its_heads_are_reached_by_arrows(page: Page, women: Served) -> None:
    to_changed(page, women)
    stops = 'table => table.querySelectorAll(\'[tabindex="0"], a:not([tabindex="-1"]), button:not([tabindex="-1"])\').length'
    assert page.locator("table").evaluate(stops) == 1
    page.locator("tbody tr").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    head = page.get_by_role("columnheader", name="Last study")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page).to_have_url(re.compile("order=last_study-down"))
    page.keyboard.press("ArrowDown")
    expect_focused(page, "00000")
    page.keyboard.press("End")
    expect_focused(page, f"{WOMEN - 1:05d}")
    page.keyboard.press("?")
    expect(page.locator(".list > .keys")).to_contain_text("open the patient")
    page.keyboard.press("Escape")
    expect(page.locator(".list > .keys")).to_have_count(0)
    assert page.locator("table").evaluate(stops) == 1


def test_an_active_filter_is_seen_taken_away_and_kept_as_a_view(page: Page, women: Served) -> None:
    sign_in(page, women, "oncologist")
    expect(page.locator("tbody tr")).to_have_count(WOMEN + 1)
    page.get_by_placeholder("Search name or MRN").fill("Sim-000")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(10)
    chip = page.locator(".st-key-chip_q button")
    expect(chip).to_contain_text("Sim-000")
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Name of this view").fill("The first ten")
    page.get_by_role("button", name="Save this view").click()
    kept = page.get_by_role("button", name="The first ten", exact=True)
    expect(kept).to_be_visible()
    page.keyboard.press("Escape")
    chip.click()
    expect(page.locator("tbody tr")).to_have_count(WOMEN + 1)
    expect(page).not_to_have_url(re.compile("q="))
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(WOMEN + 1)
    page.get_by_role("button", name="Saved views").click()
    kept.click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(chip).to_contain_text("Sim-000")
    expect(page).not_to_have_url(re.compile("Sim-000"))


def test_an_alert_is_acknowledged_with_a_note_and_opened_again(page: Page, women: Served) -> None:
    sign_in(page, women, "oncologist")
    page.goto(f"{women.url}/patient?patient={women.key('00023')}")
    expect(page.locator(".js-plotly-plot .scatterlayer .point").first).to_be_visible()
    alerts = page.locator(".st-key-alerts_open button, .st-key-alerts_ended button").first
    alerts.click()
    note = page.get_by_label("What explains it")
    note.fill("Known fibroadenoma, seen in clinic")
    note.press("Enter")
    ended = page.locator(".st-key-alerts_ended")
    expect(ended).to_have_count(1)
    again = page.get_by_role("button", name="Open again")
    if not again.is_visible():
        ended.get_by_role("button").first.click()
    row = page.locator(".lv-table tr").filter(has_text="Known fibroadenoma, seen in clinic")
    expect(row).to_contain_text("Demo oncologist")
    again.click()
    expect(page.locator(".st-key-alerts_open")).to_have_count(1)
    expect(page.locator(".st-key-alerts_ended")).to_have_count(0)
