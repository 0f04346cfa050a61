"""Two people in one browser, one tab each: what the first one's tab does once the second has signed in."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from core.people import Role, sign_ins
from core.people.demo_accounts import DEMO_ACCOUNTS
from dashboard.web.gate import COOKIE
from db.tables import Event
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import CHROMIUM, browser, page, sign_in

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]


def notes(served: Served) -> list[str | None]:
    with served.here.database.read() as session:
        return list(session.scalars(select(Event.detail).where(Event.detail.like("typed by%"))))


def sign_in_at_the_form(tab: Page, served: Served, username: str) -> None:
    tab.goto(f"{served.url}/sign-in")
    tab.fill("#username", username)
    tab.fill("#password", DEMO_ACCOUNTS[username][2])
    tab.click("button[type=submit]")
    expect(tab.locator(".account .who")).to_be_visible()


def test_a_note_is_neither_recorded_in_anothers_name_nor_lost(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    page.get_by_role("button", name="Add", exact=True).first.click()
    note = page.get_by_label("Note").last
    note.fill("typed by the oncologist")
    hers = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}[COOKIE]

    other = page.context.new_page()
    sign_in_at_the_form(other, served, "staff")
    assert sign_ins.who(served.here, hers) is None

    page.bring_to_front()
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    cover = page.locator("dialog.cover")
    expect(cover).to_contain_text("Demo clinical staff is signed in now")
    expect(cover).to_contain_text("This page was opened by Demo oncologist.")
    # What lies beneath cannot be reached, by mouse or keys; and what is forced all the same writes nothing.
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(cover).to_be_visible()
    page.evaluate(
        "[...document.querySelectorAll('button')].filter(b => b.innerText.trim() === 'Add').at(-1)?.click()"
    )
    page.wait_for_timeout(4000)
    expect(cover).to_be_visible()
    assert notes(served) == []

    sign_in_at_the_form(other, served, "oncologist")
    page.bring_to_front()
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(cover).to_be_hidden()
    expect(note).to_have_value("typed by the oncologist")
    page.get_by_role("button", name="Add", exact=True).last.click()
    expect(page.get_by_text("Recorded:")).to_be_visible()
    assert notes(served) == ["typed by the oncologist"]
    with served.here.database.read() as session:
        by = session.scalars(select(Event.recorded_by_id).where(Event.detail.like("typed by%"))).one()
    person = sign_ins.who(served.here, served.token(Role.ONCOLOGIST))
    assert person is not None
    assert by == person.user_id


def test_a_page_whose_sign_in_ended_is_covered_and_says_so(page: Page, served: Served) -> None:
    sign_in(page, served, "staff")
    expect(page.locator(".account .who")).to_be_visible()
    other = page.context.new_page()
    other.goto(f"{served.url}/worklist")
    other.get_by_text("Sign out").click()
    expect(other.locator("#username")).to_be_visible()
    page.bring_to_front()
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    cover = page.locator("dialog.cover")
    expect(cover).to_contain_text("Your sign-in has ended")
    cover.get_by_role("button").click()
    expect(page.locator("#username")).to_be_visible()


def test_a_sign_in_that_ended_just_after_it_was_asked_for_is_noticed_soon(page: Page, served: Served) -> None:
    sign_in(page, served, "staff")
    expect(page.locator(".account .who")).to_be_visible()
    page.wait_for_timeout(2000)
    with page.expect_response(lambda answer: "/signed-in" in answer.url):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    hers = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}[COOKIE]
    sign_ins.sign_out(served.here, hers)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.locator("dialog.cover")).to_contain_text("Your sign-in has ended", timeout=6000)
