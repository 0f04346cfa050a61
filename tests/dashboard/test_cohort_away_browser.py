"""A figure of the cohort page is taken away in a real browser: as picture, page and table, and from no other machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.people import Role
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import browser as browser
from tests.dashboard.test_browser import pytestmark as in_a_browser
from tests.dashboard.test_browser import sign_in
from tests.dashboard.web.test_gate import as_role, ask

pytestmark = in_a_browser
BEGINS = {
    "Picture as PNG": (".png", b"\x89PNG"),
    "Picture as SVG": (".svg", b"<svg"),
    "Page with the figure (HTML)": (".html", b"<!doctype html>"),
    "Numbers as CSV": (".csv", b"# How old are the women?"),
    "Numbers as Parquet": (".parquet", b"PAR1"),
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield context.new_page()
    context.close()


def test_a_figure_comes_as_picture_page_and_table(page: Page, served: Served, tmp_path: Path) -> None:
    blocked: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda said: blocked.append(said.text) if "Security Policy" in said.text else None)
    page.on(
        "request",
        lambda asked: (
            foreign.append(asked.url)
            if not asked.url.startswith((served.url, "data:", "blob:", "ws:"))
            else None
        ),
    )
    sign_in(page, served, "analyst")
    page.locator(".account .who").wait_for()
    page.goto(f"{served.url}/cohort")
    card = page.locator(".st-key-cohort_figure_age")
    card.locator(".js-plotly-plot .main-svg").first.wait_for()
    card.locator("[data-testid=stPopoverButton]:visible").nth(1).click()
    for label, (suffix, begins) in BEGINS.items():
        button = page.get_by_role("button", name=label)
        button.wait_for()
        with page.expect_download() as coming:
            button.click()
        assert coming.value.suggested_filename == f"longview-age-simulated{suffix}"
        file = tmp_path / f"age{suffix}"
        coming.value.save_as(file)
        assert file.read_bytes().startswith(begins), label
    svg = (tmp_path / "age.svg").read_text(encoding="utf-8")
    for words in ("How old are the women?", "simulated women", "Research software, not for diagnosis"):
        assert words in svg, words
    assert not blocked
    assert not foreign
    # The page stands by itself: it draws without any network.
    page.goto((tmp_path / "age.html").as_uri())
    page.locator(".plot .main-svg").first.wait_for()
    expect(page.get_by_text("What it does not mean")).to_be_visible()


def test_the_drawing_library_is_for_those_who_are_signed_in(served: Served) -> None:
    assert ask(served, "/plotly.js").status == 401
    answer = ask(served, "/plotly.js", headers=as_role(served, Role.ANALYST))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/javascript")
