"""One's own account and the page of the API in a real browser: a token made, shown once and ended; a call tried."""

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from core.people import Role
from dashboard.web.gate import COOKIE
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import browser as browser
from tests.dashboard.test_browser import pytestmark as in_a_browser

pytestmark = in_a_browser


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1024, "height": 768})
    context.add_cookies([{"name": COOKIE, "value": served.token(Role.ONCOLOGIST), "url": served.url}])
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield context.new_page()
    context.close()


def test_a_token_is_made_shown_once_and_ended(page: Page, served: Served) -> None:
    name = f"export {secrets.token_hex(4)}"
    page.goto(f"{served.url}/account?part=Tokens")
    page.get_by_label("What it is for").fill(name)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text(f"The token “{name}” is made.")).to_be_visible()
    mine = page.locator("[data-testid=stHorizontalBlock]").filter(has=page.get_by_text(name, exact=True))
    mine.get_by_role("button", name="End").click()
    expect(mine.get_by_role("button", name="End")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_of_the_api_makes_a_token_of_its_own_and_answers_a_call(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/api/v1/docs")
    expect(page.get_by_role("heading", name="GET /api/v1/me")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.get_by_role("button", name="Make the page's token").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".status")).to_contain_text("200")
    expect(page.locator("pre").first).to_contain_text("oncologist")
    page.get_by_label("Find a call").fill("alerts")
    expect(page.locator("#calls")).not_to_contain_text("/classify")
