"""An analyst judges the model in a browser: each view draws, and a thousand cohorts are drawn beside the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from core.installation import Installation
from core.people import Role, demo_accounts
from core.settings import Settings
from dashboard.web.gate import COOKIE
from tests.core.cohorts.judging.made import stored_women
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import CHROMIUM, browser, page

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]

DRAWN = {
    "Telling apart": 3,
    "Calibration": 2,
    "Threshold": 1,
    "Over time": 2,
    "Two models": 0,
}
"""Views, and how many charts each draws of these women."""


@pytest.fixture(scope="module")
def judged_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard with 150 simulated women, 40 of whom fall ill, scored by two versions."""
    home = tmp_path_factory.mktemp("judged") / "var"
    here = Installation.open(Settings(home=home, demo=True, _env_file=None))
    here.migrate()
    stored_women(here, 150, ill=40)
    demo_accounts.ensure_demo_accounts(here)
    with serve(here) as running:
        yield running


def test_each_view_draws_and_a_thousand_cohorts_are_drawn_beside_the_page(
    page: Page, judged_home: Served
) -> None:
    url = judged_home.url
    page.context.add_cookies([{"name": COOKIE, "value": judged_home.token(Role.ANALYST), "url": url}])
    page.goto(f"{url}/cohort?part=Judge")
    expect(page.get_by_text("women followed", exact=True)).to_be_visible()
    for view, charts in DRAWN.items():
        page.get_by_role("radio", name=view).click()
        expect(page.locator(".js-plotly-plot .main-svg:first-of-type")).to_have_count(charts)
        expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text("150 women scored by both at entry").first).to_be_visible()
    page.get_by_role("radio", name="Telling apart").click()
    draw = page.get_by_role("button", name="Draw 1,000 cohorts")
    shown = page.get_by_text("How far might chance move these figures?")
    expect(draw.or_(shown).first).to_be_visible()
    if draw.is_visible():  # a second try finds them drawn
        draw.click()
    expect(shown).to_be_visible()
