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
    # Pages of Chromium's own that it loads for every window; and what Playwright names, for the last such switch stands alone.
    "--disable-features="
    + ",".join(
        (
            "AimEnabled",
            "AvoidCorsURLLoaderRestartOnRedirect",
            "AvoidUnnecessaryBeforeUnloadCheckSync",
            "DestroyProfileOnBrowserClose",
            "HttpsFirstBalancedModeAutoEnable",
            "HttpsUpgrades",
            "LensOverlay",
            "MediaRouter",
            "NetworkTimeServiceQuerying",
            "PaintHolding",
            "ThirdPartyStoragePartitioning",
            "OptimizationHints",
            "PreconnectToSearch",
            "PreloadTopChromeWebUI",
            "WebUIOmniboxAimPopup",
            "WebUIOmniboxFullPopup",
            "WebUIOmniboxPopup",
        )
    ),
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
    expect(page.locator("tbody tr").nth(7)).to_be_visible()
    page.get_by_placeholder("Search name or MRN").fill("Sim-0001")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody tr").click()

    expect(page.locator(".lv-identity")).to_contain_text("Sim-0001")
    expect(page).to_have_url(re.compile(rf"/patient\?patient={served.key('00001')}"))
    trend = page.locator(".js-plotly-plot").first
    expect(trend.locator(".scatterlayer .point").first).to_be_visible()
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()

    first = page.locator("button[role=option]").first
    day = first.get_attribute("data-date") or ""
    # Plotly catches clicks on a layer above its points, and draws anew while the page settles.
    expect(page.locator(".pane[data-ready=true]")).to_have_count(8)
    trend.locator(".scatterlayer .point").first.click(force=True)
    expect(first).to_have_attribute("aria-selected", "true")
    expect(page.locator(".pane .label small").first).to_have_text(day)

    page.locator("[data-testid=stMain]").get_by_role("link", name="Worklist").click()
    expect(page.locator("tr.focus")).to_contain_text("Sim-0001")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert not blocked
    assert not foreign


def test_the_viewer_zooms_both_sides_as_mirror_images_and_shows_its_keys(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    expect(page.locator(".pane[data-ready=true]")).to_have_count(8)
    pane = page.locator(".pane").first
    expect(page.locator(".pane .scale").last).to_contain_text("%")
    fitted = page.locator(".pane .scale").all_inner_texts()
    box, label = pane.bounding_box(), pane.locator(".label").bounding_box()
    assert box
    assert label
    # Films carry their own markers at the top.
    assert label["y"] > box["y"] + box["height"] / 3
    pane.click()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -1200)
    expect(page.locator(".pane .scale").nth(1)).not_to_have_text(fitted[1])
    zoomed = page.locator(".pane .scale").all_inner_texts()
    assert zoomed[0] == zoomed[1] != fitted[0]
    page.keyboard.press("?")
    expect(page.locator(".keys")).to_contain_text("invert")
    page.keyboard.press("Escape")
    expect(page.locator(".keys")).to_have_count(0)
    page.keyboard.press("r")
    expect(page.locator(".pane .scale").nth(1)).to_have_text(fitted[1])


def test_course_pictures_and_assessment_are_on_one_screen(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .point").first).to_be_visible()
    places = {
        "course": page.locator(".js-plotly-plot").first,
        "pictures": page.locator(".viewer"),
        "visits": page.locator(".strip"),
        "assessment": page.get_by_role("button", name="Sign", exact=True).first,
    }
    for name, place in places.items():
        # What stands above is drawn bit by bit, and the pictures take what is left of the window.
        expect(place).to_be_in_viewport(ratio=1)
        box = place.bounding_box()
        assert box, name
        assert box["y"] + box["height"] <= 900, name
    pictures = places["pictures"].bounding_box()
    assert pictures
    assert pictures["height"] >= 420
    # While what is said is scrolled, the pictures stay, and keep their size whatever is drawn anew.
    page.mouse.move(1300, 700)
    page.mouse.wheel(0, 160)
    page.evaluate("dispatchEvent(new Event('resize'))")
    expect(places["pictures"]).to_be_in_viewport(ratio=1)
    scrolled = places["pictures"].bounding_box()
    assert scrolled
    assert scrolled["height"] == pytest.approx(pictures["height"], abs=1)


def test_another_visit_is_shown_before_the_page_hears_of_it_and_the_rest_follows_in_one_run(
    page: Page, served: Served
) -> None:
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    expect(page.locator(".pane[data-ready=true]")).to_have_count(8)
    last, before = (page.locator("button[role=option]").nth(number) for number in (-1, -2))
    day, day_before = (chip.get_attribute("data-date") or "" for chip in (last, before))
    page.wait_for_load_state("networkidle")
    known = len(sent)
    before.click()
    shown = page.locator(".pane .label small").first.inner_text()
    assert (shown, len(sent)) == (day_before, known), (
        "the pictures are there, and nothing was asked of the page"
    )
    expect(page).to_have_url(re.compile("visit="))
    assert len(sent) == known + 1
    page.go_back()
    expect(page.locator(".pane .label small").first).to_have_text(day)


def test_comparing_fills_the_window_and_escape_leads_back(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    page.locator(".pane[data-ready=true]").first.click()
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile(rf"/compare\?patient={served.key('00001')}&visit=.*&prior="))
    expect(page.locator(".viewer.whole .pane[data-ready=true]")).to_have_count(8)
    box = page.locator(".viewer.whole").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 1440, "height": 900}
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/patient"))
    expect(page.locator(".lv-identity")).to_contain_text("Sim-0001")


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
