"""Every page by keys, and readable by all: WCAG 2.2 AA by axe-core, the keys said, few Tab stops, in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from core.people import Role
from dashboard.web.gate import COOKIE
from tests.dashboard.conftest import PROJECT, Served
from tests.dashboard.test_browser import CHROMIUM, browser

__all__ = ["browser"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]

WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPTIONS = {
    "resultTypes": ["violations"],
    # Beside the standard, of axe's own: one heading of the first level, landmarks, heads of tables.
    "runOnly": {"type": "tag", "values": [*WCAG_22_AA, "best-practice"]},
}
STREAMLITS = {
    ("presentation-role-conflict", "stFileUploaderDropzone"): "a drop zone is no widget, but has a name; its button is one",
}
"""Violations of Streamlit's own parts: rule and a word of the element, and why it is left. Nothing of ours stands here."""

PAGES = sorted(file.stem.replace("_", "-") for file in (PROJECT / "dashboard" / "screens").glob("*.py"))
OF_A_WOMAN = {"patient", "compare"}
FOCUSED = """() => {
  let at = document.activeElement
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  return at
}"""
AXE = Axe()


def as_role(browser: Browser, served: Served, role: Role, *, width: int = 1440, height: int = 900) -> Page:
    """Open a window as somebody in a role."""
    context = browser.new_context(viewport={"width": width, "height": height})
    context.add_cookies([{"name": COOKIE, "value": served.token(role), "url": served.url}])
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    return context.new_page()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    opened = as_role(browser, served, Role.ONCOLOGIST)
    yield opened
    opened.context.close()


def open_page(page: Page, served: Served, name: str) -> None:
    page.goto(f"{served.url}/{name}{'?mrn=00001' if name in OF_A_WOMAN else ''}")
    expect(page.locator(".account .who")).not_to_be_empty()
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page has been run and drawn."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page as it stands, without what is Streamlit's own."""
    found = AXE.run(page, options=OPTIONS).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {json.dumps(node['target'])[-120:]} {node['html'][:160]}"
        for one in found
        for node in one["nodes"]
        if not any(rule == one["id"] and word in node["html"] for rule, word in STREAMLITS)
    ]


def open_all(page: Page) -> Iterator[str]:
    """Open one after another what is closed on a page: its expanders together, each tab and each popover by itself."""
    closed = page.locator("[data-testid=stExpander] details:not([open]) > summary")
    for _ in range(closed.count()):
        closed.first.click()
        settled(page)
    yield "as it comes"
    for tab in page.get_by_role("tab").all()[1:]:
        tab.click()
        settled(page)
        yield f"tab {tab.inner_text()}"
    for popover in page.get_by_test_id("stPopoverButton").all():
        if not popover.is_visible():
            continue
        popover.click()
        expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
        settled(page)
        yield f"opened {popover.inner_text()}"
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


@pytest.mark.parametrize("role", list(Role))
def test_no_page_of_a_role_has_a_barrier_of_ours(browser: Browser, served: Served, role: Role) -> None:
    page = as_role(browser, served, role)
    barriers = []
    for name in PAGES:
        open_page(page, served, name)
        states = open_all(page) if role is Role.ONCOLOGIST else iter(["as it comes"])
        for state in states:
            barriers += [f"{name}, {state}: {barrier}" for barrier in violations(page)]
        if page.get_by_test_id("stMain").get_by_role("heading", level=1).count() != 1:
            barriers.append(f"{name}: not one heading of the first level")
    page.context.close()
    assert not barriers, "\n".join(barriers)
