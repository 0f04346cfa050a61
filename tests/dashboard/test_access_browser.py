"""Every page by keys, and readable by all: WCAG 2.2 AA by axe-core, the keys said, few Tab stops, in a real browser."""

import json
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

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
    (
        "presentation-role-conflict",
        "stFileUploaderDropzone",
    ): "a drop zone has a name and no role; its button is the widget",
    (
        "target-size",
        'role="spinbutton"',
    ): "the parts of a date stand close; a date can also be chosen in the calendar",
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
WINDOW: ViewportSize = {"width": 1440, "height": 900}


Windows = Callable[[Role], Page]


@pytest.fixture(scope="module")
def window_of(browser: Browser, served: Served) -> Iterator[Windows]:
    """A window of each role, signed in: what it has loaded once it keeps."""
    windows: dict[Role, Page] = {}

    def window(role: Role) -> Page:
        if role not in windows:
            context = browser.new_context(viewport=WINDOW)
            context.add_cookies([{"name": COOKIE, "value": served.token(role), "url": served.url}])
            context.set_default_timeout(20_000)
            expect.set_options(timeout=20_000)
            windows[role] = context.new_page()
        return windows[role]

    yield window
    for page in windows.values():
        page.context.close()


@pytest.fixture
def page(window_of: Windows) -> Page:
    return window_of(Role.ONCOLOGIST)


def open_page(page: Page, served: Served, name: str) -> None:
    whose = f"?patient={served.key('00001')}" if name in OF_A_WOMAN else ""
    page.goto(f"{served.url}/{name}{whose}")
    expect(page.locator(".account .who")).not_to_be_empty()
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page has been run and drawn."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def violations(page: Page, *, within: str | None = None) -> list[str]:
    """Return what axe-core finds on a page, or in a part of it, as it stands, without what is Streamlit's own."""
    found = AXE.run(page, context=within, options=OPTIONS).response["violations"]
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


def headings(page: Page) -> int:
    return page.get_by_test_id("stMain").get_by_role("heading", level=1).count()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_barrier_of_ours_says_its_keys_and_can_be_shown_twice_as_large(
    window_of: Windows, served: Served, name: str
) -> None:
    page = window_of(Role.ADMIN if name == "admin" else Role.ONCOLOGIST)
    open_page(page, served, name)
    assert headings(page) == 1
    barriers = the_keys_are_said_and_the_focus_goes_back(page, name)
    for state in open_all(page):
        barriers += [f"{state}: {barrier}" for barrier in violations(page)]
    assert not barriers, "\n".join(barriers)
    # 1280 px at 200 %
    page.set_viewport_size({"width": 640, "height": 450})
    settled(page)
    over = page.evaluate(
        "() => { const main = document.querySelector('[data-testid=stMain]'); return main.scrollWidth - main.clientWidth }"
    )
    page.set_viewport_size(WINDOW)
    assert over <= 0, "the page has to be moved sideways"


def the_keys_are_said_and_the_focus_goes_back(page: Page, name: str) -> list[str]:
    """Open the keys and close them again; return what axe-core finds on them."""
    page.keyboard.press("Tab")
    before = page.evaluate_handle(FOCUSED)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys of this page")
    expect(keys).to_contain_text("these keys")
    if name in OF_A_WOMAN:
        expect(keys).to_contain_text("invert")
    if name == "worklist":
        expect(keys).to_contain_text("open the patient")
    barriers = violations(page)
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    assert page.evaluate(f"before => ({FOCUSED})() === before", before)
    return barriers


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ONCOLOGIST])
def test_no_page_of_another_role_has_a_barrier_of_ours(
    window_of: Windows, served: Served, role: Role
) -> None:
    page, barriers = window_of(role), []
    for name in PAGES:
        open_page(page, served, name)
        assert headings(page) == 1
        barriers += [f"{name}: {barrier}" for barrier in violations(page)]
    assert not barriers, "\n".join(barriers)


def test_a_question_mark_that_is_written_opens_nothing(page: Page, served: Served) -> None:
    open_page(page, served, "worklist")
    search = page.get_by_placeholder("Search name or MRN")
    search.press("?")
    expect(search).to_have_value("?")
    expect(page.locator("dialog.keys")).to_have_count(0)


def test_the_assessment_is_few_tab_stops_away_and_the_pictures_too(page: Page, served: Served) -> None:
    open_page(page, served, "patient")
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    stops = 0
    while stops < 6:
        page.keyboard.press("Tab")
        stops += 1
        if page.evaluate(f"({FOCUSED})().innerText") == "Skip to assessment":
            page.keyboard.press("Enter")
            break
    within = f"({FOCUSED})().closest('.st-key-assessment_form') !== null"
    while stops < 6 and not page.evaluate(within):
        page.keyboard.press("Tab")
        stops += 1
    assert page.evaluate(within), "the first field of the assessment is not reached"

    page.reload()
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(f"({FOCUSED})().classList.contains('pane')")
    # The tools, the pictures and the strip of visits take one Tab stop each.
    page.keyboard.press("Tab")
    assert page.evaluate(f"({FOCUSED})().getAttribute('role')") == "option"
