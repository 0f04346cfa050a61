"""The course by keyboard, in a real browser: as a table, and on another axis."""

import re

from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import browser, page, pytestmark, sign_in

__all__ = ["browser", "page", "pytestmark"]


def test_the_course_is_a_table_by_keyboard_and_its_axis_stays_in_the_address(
    page: Page, served: Served
) -> None:
    sign_in(page, served, "oncologist")
    expect(page.locator("tbody tr").nth(7)).to_be_visible()  # other tests may have added women
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    ribbon = page.locator(".st-key-ribbon")
    expect(ribbon.locator(".ytick text").first).to_be_visible()
    opener = ribbon.get_by_role("button", name="Table, axis, years")
    opener.focus()
    page.keyboard.press("Enter")
    table = page.locator("table.lv-course")
    visits = table.get_by_role("rowheader")
    expect(visits.first).to_be_visible()
    assert visits.count() > 1
    expect(table.get_by_role("columnheader", name="5-year risk")).to_be_visible()
    expect(table.locator("tr[aria-current=true]")).to_have_count(1)
    expect(page.get_by_text("Cancer within 1 to 5 years")).to_be_visible()

    page.get_by_role("radiogroup").get_by_text("linear", exact=True).click()
    expect(page).to_have_url(re.compile("axis=linear"))
    expect(ribbon.locator(".ytick text").filter(has_text=re.compile(r"^0\s%$"))).to_be_visible()
    page.reload()
    expect(ribbon.locator(".ytick text").filter(has_text=re.compile(r"^0\s%$"))).to_be_visible()
