"""A report out of the patient page: a file in each format, the address of the view, and the page itself on paper."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.people import Role, audit
from core.reports import Format
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import browser as browser
from tests.dashboard.test_browser import pytestmark as in_a_browser
from tests.dashboard.test_browser import sign_in
from tests.dashboard.web.test_gate import as_role, ask

BEGINS = {
    Format.PDF: b"%PDF-",
    Format.HTML: b"<!doctype html>",
    Format.FHIR: b"{",
    Format.SR: b"\0" * 128 + b"DICM",
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("format", list(Format))
def test_each_format_comes_as_a_file_that_no_cache_keeps(served: Served, format: Format) -> None:
    answer = ask(
        served, f"/report/{format}?patient={served.key('00001')}", headers=as_role(served, Role.STAFF)
    )
    assert answer.status == 200
    assert answer.body.startswith(BEGINS[format])
    assert answer.headers["content-type"] == format.media_type
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(
        rf'attachment; filename="report-00001-\d{{4}}-\d\d-\d\d\{format.suffix}"',
        answer.headers["content-disposition"],
    )
    newest = audit.latest(served.here, action="report_made")[0]
    assert (newest.person, newest.subject) == ("staff", "patient:00001")
    assert hashlib.sha256(answer.body).hexdigest() in newest.detail


def test_who_may_not_and_what_there_is_not_get_none(served: Served) -> None:
    hers = as_role(served, Role.ONCOLOGIST)
    before = len(audit.latest(served.here, action="report_made"))
    assert ask(served, f"/report/pdf?patient={served.key('00001')}").status == 401
    assert (
        ask(
            served, f"/report/pdf?patient={served.key('00001')}", headers=as_role(served, Role.ANALYST)
        ).status
        == 403
    )
    assert (
        ask(
            served,
            f"/report/pdf?patient={served.key('00001')}",
            headers=hers | {"sec-fetch-site": "cross-site"},
        ).status
        == 403
    )
    for path in (
        f"/report/docx?patient={served.key('00001')}",
        "/report/pdf",
        "/report/pdf?patient=no",
        f"/report/pdf?patient={served.key('00001')}&visit=2.25.2.1",
    ):
        assert ask(served, path, headers=hers).status == 404, path
    assert len(audit.latest(served.here, action="report_made")) == before


def test_a_report_may_be_had_that_does_not_tell_whose_it_is(served: Served) -> None:
    hers = as_role(served, Role.STAFF)
    answer = ask(
        served, f"/report/html?patient={served.key('00001')}&visit=2.25.1.2&deidentified=1", headers=hers
    )
    text = re.sub(r"base64,[\w+/=]+", "", answer.body.decode())
    for told in ("00001", "Sim-0001", "2.25.1.2", served.url):
        assert told not in text
        assert told not in answer.headers["content-disposition"]
    assert "P-" in answer.headers["content-disposition"]
    newest = audit.latest(served.here, action="report_made")[0]
    assert newest.subject == "patient:00001"
    assert "deidentified" in newest.detail


@in_a_browser[0]
@in_a_browser[1]
def test_the_menu_hands_out_the_chosen_study_and_its_address(
    page: Page, served: Served, tmp_path: Path
) -> None:
    sign_in(page, served, "oncologist")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.goto(f"{served.url}/patient?patient={served.key('00001')}&visit=2.25.1.2")
    page.get_by_role("button", name="Report").click()
    links = page.locator(".lv-formats a")
    expect(links).to_have_count(len(Format))
    expect(page.get_by_role("dialog").locator("code")).to_contain_text(
        f"{served.url}/patient?patient={served.key('00001')}&visit=2.25.1.2"
    )
    with page.expect_download() as download:
        links.filter(has_text="HTML").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    text = file.read_text()
    assert "2.25.1.2" in text
    page.get_by_text("De-identified").click()
    expect(links.first).to_have_attribute("href", re.compile("deidentified=1"))
    assert f"{served.url}/patient?patient={served.key('00001')}&amp;visit=2.25.1.2" in text
    shown = page.context.new_page()
    shown.goto(file.as_uri())
    assert shown.locator("h1").inner_text().startswith("Sim-0001")
    assert shown.locator("script").count() == 0
    assert shown.evaluate("[...document.images].every(one => one.naturalWidth > 0 && one.alt)")
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


@in_a_browser[0]
@in_a_browser[1]
def test_the_page_prints_whole_and_without_navigation(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    expect(page.locator(".main-svg").first).to_be_visible()
    expect(page.locator(".pane[data-ready=true]").first).to_be_visible()
    pdf = page.pdf(prefer_css_page_size=True)
    # More than what fits the window, and landscape A4.
    assert len(re.findall(rb"/Type /Page\b", pdf)) >= 2
    assert re.search(rb"/MediaBox \[0 0 84[12][\d.]* 59[45]", pdf)
    page.emulate_media(media="print")
    expect(page.locator(".lv-identity")).to_be_visible()
    for gone in (".stAppHeader", ".st-key-account"):
        expect(page.locator(gone).first).to_be_hidden()
    expect(page.get_by_role("button", name="Report")).to_be_hidden()
    sheet = page.locator(".stMainBlockContainer").evaluate("one => one.getBoundingClientRect().width")
    assert sheet <= 277 / 25.4 * 96, "as wide as A4 is between its margins"
    figures = page.locator(".js-plotly-plot").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().right)"
    )
    assert figures
    assert max(figures) <= 277 / 25.4 * 96
