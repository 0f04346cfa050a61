"""The viewer by itself in a real browser: visits, layouts and keys; no server, no models."""

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.test_browser import CHROMIUM, browser, page
from tests.dashboard.test_components_browser import brightest, set_window_by_hand
from tests.dashboard.viewing import THREE, dates, drawn, hung, open_viewer, pane, view, visit

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]


def test_another_visit_is_shown_at_once_and_the_page_hears_of_it(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    assert dates(page) == ["2023-05-04", "2023-05-04", "2022-05-04", "2022-05-04"]
    page.locator("button[role=option]").nth(0).click()
    assert dates(page) == ["2021-05-04", "2021-05-04"], "without a prior its places fall away"
    page.keyboard.press("ArrowRight")
    assert dates(page) == ["2022-05-04", "2022-05-04", "2021-05-04", "2021-05-04"]
    expect(page.locator("button[role=option]").nth(1)).to_be_focused()
    page.wait_for_function("asked.at(-1)?.[1].current === '2'")
    asked = page.evaluate("asked")
    assert asked[-1] == ["choose", {"current": "2", "prior": None, "number": len(asked)}]
    assert len(asked) <= 2, "at most one wish a pause of the person, on however slow a machine"


def test_what_the_page_says_late_does_not_take_back_what_was_chosen_since(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    page.locator("button[role=option]").nth(1).click()
    page.evaluate("data => show(data)", hung(*THREE, current=3, prior=2))  # a run that was under way
    assert dates(page)[0] == "2022-05-04"
    page.wait_for_function("asked.length === 1")
    page.evaluate("data => show(data)", hung(*THREE, current=3, prior=2, answered=0))
    assert dates(page)[0] == "2022-05-04"
    page.evaluate("data => show(data)", hung(*THREE, current=1, answered=1))
    assert dates(page) == ["2021-05-04", "2021-05-04"], "what the page says after it has heard is followed"
    page.evaluate("data => show(data)", hung(*THREE, current=1, answered=1))
    page.locator("button[role=option]").nth(2).click()
    chosen = page.locator("button[role=option][aria-selected=true]")
    expect(chosen).to_have_attribute("data-date", "2023-05-04")
    expect(page.locator("button.compared")).to_have_attribute("data-date", "2022-05-04")


def test_any_two_studies_are_compared(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    page.locator("button[role=option]").nth(0).click(modifiers=["Shift"])
    assert dates(page) == ["2023-05-04", "2023-05-04", "2021-05-04", "2021-05-04"]
    page.get_by_role("combobox", name="Visit").select_option("2")
    assert dates(page)[0::2] == ["2022-05-04", "2021-05-04"]
    page.get_by_role("combobox", name="Compared with").select_option("3")
    assert dates(page)[0::2] == ["2022-05-04", "2023-05-04"], "a later one too"
    page.wait_for_function("asked.at(-1)?.[1].current === '2' && asked.at(-1)[1].prior === '3'")


def test_layouts_are_chosen_by_key_and_no_image_is_out_of_reach(page: Page) -> None:
    whole = [view("3.R-CC", "R-CC"), view("3.spot", "L-CC", label="L CC · spot"), view("3.ML", "L-ML")]
    open_viewer(page, hung(visit(2), visit(3, prior=2, panes=whole), current=3, prior=2))
    expect(page.get_by_role("button", name="more")).to_have_count(
        0
    )  # a layout of one view hides the rest by intent
    pane(page, 0).click()
    page.keyboard.press("2")
    expect(page.locator(".pane")).to_have_count(2)
    page.keyboard.press("3")
    expect(page.locator(".pane .label span")).to_have_text(["R CC", "L CC · spot", "L ML"])
    page.keyboard.press("1")
    expect(page.locator(".pane")).to_have_count(4)
    page.keyboard.press("?")
    expect(page.locator(".keys")).to_contain_text("calipers")
    page.keyboard.press("Escape")
    expect(page.locator(".keys")).to_have_count(0)


def test_a_window_set_by_hand_goes_along_to_the_next_visit(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    expect(page.locator("select.window")).to_have_value("1")
    set_window_by_hand(page, pane(page, 0))
    expect(page.locator("select.window")).to_have_value("")
    page.locator("button[role=option]").nth(0).click()
    expect(page.locator(".pane[data-ready=true]")).to_have_count(2)
    drawn(page)
    assert brightest(pane(page, 0)) > 200, "the pictures of the next visit are black"
    expect(page.locator("select.window")).to_have_value("")
    pane(page, 0).click()
    page.keyboard.press("r")
    expect(page.locator("select.window")).to_have_value("1")
    page.keyboard.press("w")
    expect(page.locator("select.window")).to_have_value("2")


def test_enter_and_space_press_the_button_that_has_the_focus(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    invert = page.get_by_role("button", name="Invert")
    invert.focus()
    for key, pressed in (("Enter", "true"), ("Space", "false")):
        page.keyboard.press(key)
        expect(invert).to_have_attribute("aria-pressed", pressed)
        expect(invert).to_be_focused()
    page.get_by_role("button", name="Read this image").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("asked") == [["read", "3.L-CC"]]
    expect(page.locator(".grid.single")).to_have_count(0)


def test_each_view_can_be_reached_and_zoomed_by_keys_alone(page: Page) -> None:
    left_out = [view("3.R-CC", "R-CC"), view("", "L-CC", sop_uid=None, missing="L CC was not taken")]
    open_viewer(page, hung(visit(2), visit(3, prior=2, panes=left_out), current=3, prior=2), ready=3)
    first, missing, second, third = (pane(page, number) for number in range(4))
    expect(missing).to_contain_text("L CC was not taken")
    page.get_by_role("button", name="Link").focus()
    page.keyboard.press("Enter")
    third.focus()
    before = [one.locator(".scale").inner_text() for one in (first, second, third)]
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(third.locator(".scale")).not_to_have_text(before[2])
    page.keyboard.press("n")
    expect(first).to_be_focused()  # after the last comes the first
    page.keyboard.press("n")
    expect(second).to_be_focused()  # the view that was not taken is passed over
    page.keyboard.press("Enter")
    expect(third).to_be_hidden()
    page.keyboard.press("p")
    expect(first).to_be_focused()
    expect(second).to_be_hidden()
    page.keyboard.press("Enter")
    expect(third).to_be_visible()
    expect(first).to_be_focused()
    drawn(page)
    assert [one.locator(".scale").inner_text() for one in (first, second)] == before[:2]


def test_the_viewer_takes_three_stops_of_the_tab_key(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Visit")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("combobox", name="Compared with")).to_be_focused()
    expect(page.locator("select.current")).to_have_value("3")
    page.keyboard.press("Tab")
    expect(pane(page, 0)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("button[role=option]").last).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_count(0)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("combobox", name="Compared with")).to_be_focused()
