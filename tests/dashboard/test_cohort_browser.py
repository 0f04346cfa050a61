"""The analyst's page in a real browser: choices in the address, figures that explain themselves, a cohort kept and shared."""

import time

import pytest
from playwright.sync_api import Page, expect

from core.people.accounts import Role
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import browser, page, sign_in  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser
SECONDS = 20_000


def test_an_analyst_defines_sees_and_shares_a_cohort(page: Page, served: Served) -> None:  # noqa: F811
    sign_in(page, served, Role.ANALYST.value)
    page.goto(f"{served.url}/cohort")
    expect(page.get_by_text("How old are the women?")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("n ≈ 10 simulated women").first).to_be_visible(timeout=SECONDS)

    page.get_by_role("button", name="70–74").click()
    expect(page.get_by_text("Nothing is shown of this group")).to_be_visible(timeout=SECONDS)
    assert "cohort_age=70" in page.url
    expect(page.locator(".stPlotlyChart")).to_have_count(0)
    page.get_by_role("button", name="70–74").click()
    expect(page.get_by_text("How old are the women?")).to_be_visible(timeout=SECONDS)

    page.locator(".st-key-cohort_figure_age button").first.click()
    expect(page.get_by_text("What it does not mean")).to_be_visible(timeout=SECONDS)
    page.keyboard.press("Escape")

    name = f"Everybody {time.time_ns()}"
    page.get_by_role("button", name="Saved cohorts").click()
    page.get_by_label("Save this one as").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"“{name}” is saved.")).to_be_visible(timeout=SECONDS)

    page.goto(f"{served.url}/cohort?part=See&see=Course")
    expect(page.get_by_text("How does risk run, by what became of the women?")).to_be_visible(timeout=SECONDS)
    expect(page.locator(".lv-risk-set").first).to_be_visible(timeout=SECONDS)
    assert "Sim-0" not in page.content()
