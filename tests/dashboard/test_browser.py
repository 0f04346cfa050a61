"""An oncologist's first minute, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.people.demo_accounts import DEMO_ACCOUNTS
from tests.dashboard.conftest import Served

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)  # as patient as the clicks: the machine may be busy
    yield context.new_page()
    context.close()


def sign_in(page: Page, served: Served, username: str) -> None:
    page.goto(served.url)
    page.fill("#username", username)
    page.fill("#password", DEMO_ACCOUNTS[username][2])
    page.click("button[type=submit]")


def test_from_signing_in_to_the_trend_and_back_to_the_same_filters(page: Page, served: Served) -> None:
    blocked: list[str] = []
    page.on(
        "console", lambda message: blocked.append(message.text) if "Security Policy" in message.text else None
    )
    foreign: list[str] = []
    page.on(
        "request",
        lambda r: None if r.url.startswith((served.url, "data:", "blob:")) else foreign.append(r.url),
    )

    sign_in(page, served, "oncologist")
    expect(page.locator("tbody tr")).to_have_count(8)
    page.get_by_placeholder("Search name or MRN").fill("Sim-0001")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody tr").click()

    expect(page.locator(".lv-identity")).to_contain_text("Sim-0001")
    expect(page).to_have_url(re.compile(r"/patient\?mrn=00001"))
    trend = page.locator(".js-plotly-plot").first
    expect(trend.locator(".scatterlayer .point").first).to_be_visible()
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()

    first = page.locator("button[role=option]").first
    day = first.get_attribute("data-date") or ""
    # Plotly catches clicks on a layer above its points.
    trend.locator(".scatterlayer .point").first.click(force=True)
    expect(first).to_have_attribute("aria-selected", "true")
    expect(page.locator(".bar .title")).to_have_text(day)

    page.locator("[data-testid=stMain]").get_by_role("link", name="Worklist").click()
    expect(page.locator("tr.focus")).to_contain_text("Sim-0001")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert not blocked
    assert not foreign


def test_the_viewer_zooms_both_sides_as_mirror_images_and_shows_its_keys(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?mrn=00001")
    pane = page.locator(".pane[data-ready=true]").first
    pane.scroll_into_view_if_needed()
    fitted = page.locator(".pane .scale").all_inner_texts()
    box, label = pane.bounding_box(), pane.locator(".label").bounding_box()
    assert box
    assert label
    # Films carry their own markers at the top.
    assert label["y"] > box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -1200)
    expect(page.locator(".pane .scale").nth(1)).not_to_have_text(fitted[1])
    zoomed = page.locator(".pane .scale").all_inner_texts()
    assert zoomed[0] == zoomed[1] != fitted[0]
    pane.click()
    page.keyboard.press("?")
    expect(page.locator(".keys")).to_contain_text("invert")
    page.keyboard.press("Escape")
    expect(page.locator(".keys")).to_have_count(0)
    page.keyboard.press("r")
    expect(page.locator(".pane .scale").nth(1)).to_have_text(fitted[1])


def test_an_analyst_begins_with_the_cohort_and_sees_no_patients(page: Page, served: Served) -> None:
    sign_in(page, served, "analyst")
    expect(page.get_by_text("How old are the women?")).to_be_visible()
    expect(page.get_by_role("link", name="Worklist")).to_have_count(0)
    assert "Sim-0" not in page.content()


def test_signing_out_leads_to_the_sign_in_page_and_closes_the_pages(page: Page, served: Served) -> None:
    sign_in(page, served, "staff")
    page.get_by_text("Sign out").click()
    expect(page.locator("#username")).to_be_visible()
    page.goto(f"{served.url}/worklist")
    expect(page.locator("#username")).to_be_visible()
