"""Calipers kept as a lesion's size, and heat maps, in a real browser: by the viewer alone, and on her page."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.records import lesions_of_patient
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import CHROMIUM, browser, page, sign_in
from tests.dashboard.test_components_browser import SITE
from tests.dashboard.viewing import drawn, hung, middle, open_viewer, pane, view, visit

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]
MRN = "00005"


def line(page: Page, x: float, y: float, dx: float, dy: float) -> None:
    page.mouse.move(x - dx, y - dy)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def test_one_line_or_two_that_cross_are_handed_on_and_other_ones_are_not(page: Page) -> None:
    data = hung(visit(1), current=1) | {"can_measure": True, "kept": None}
    open_viewer(page, data, ready=2)
    keep, said = page.get_by_role("button", name="Keep"), page.locator(".status-said")
    pane(page, 0).click()
    page.keyboard.press("k")
    expect(said).to_have_text("Draw the calipers first: key M.")
    page.keyboard.press("m")
    expect(keep).to_have_count(0)
    x, y = middle(pane(page, 0))
    line(page, x, y, 10, 12)
    line(page, x, y + 90, 30, 40)  # elsewhere: the longer one
    keep.click()
    expect(said).to_contain_text("do not cross")
    page.keyboard.press("Backspace")
    line(page, x, y, 30, -40)
    line(page, x, y, 5, 60)
    page.keyboard.press("k")
    expect(said).to_contain_text("Leave one or two lines")
    page.keyboard.press("Backspace")
    page.keyboard.press("k")
    ((event, asked),) = page.evaluate("asked")
    assert (event, asked["sop_uid"]) == ("measure", "1.R-CC")
    lengths = [((e[2] - e[0]) ** 2 + (e[3] - e[1]) ** 2) ** 0.5 for e in (asked["long"], asked["short"])]
    assert lengths[0] == pytest.approx(lengths[1] * 50 / (10**2 + 12**2) ** 0.5, rel=0.02)
    lines = re.compile(r"mm, .*mm")
    canvas = pane(page, 0).locator("canvas")
    page.evaluate("data => show(data)", data | {"kept": "another's wish"})
    expect(canvas).to_have_attribute("aria-label", lines)
    page.evaluate("data => show(data)", data | {"kept": asked["asked"], "whole": True})
    expect(canvas).to_have_attribute("aria-label", "R CC")
    expect(keep).to_have_count(0)


def test_who_may_not_assess_keeps_none(page: Page) -> None:
    open_viewer(page, hung(visit(1), current=1) | {"can_measure": False, "kept": None}, ready=2)
    pane(page, 0).click()
    page.keyboard.press("m")
    line(page, *middle(pane(page, 0)), 20, 20)
    expect(page.get_by_role("button", name="Keep")).to_have_count(0)
    page.keyboard.press("k")
    assert page.evaluate("asked") == []


def test_a_heat_map_is_asked_for_by_its_key_and_only_where_it_may_be_shown(page: Page) -> None:
    panes = [view("1.a", "R-CC", no_heat=""), view("1.b", "L-CC", no_heat="heat map covered until read")]
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_viewer(page, hung(visit(1, panes=panes), current=1), ready=2)
    heat = {"shape": [2, 2], "corners": [0, 0, 96, 128], "values": "/////w=="}  # as hot as can be, all over
    page.route(f"{SITE}/heatmap/**", lambda route: route.fulfill(json=heat))
    legend = page.locator(".heat-legend")
    expect(legend).to_be_hidden()
    assert not [url for url in requests if "/heatmap/" in url], "off until it is asked for"
    pane(page, 0).click()
    page.keyboard.press("h")
    expect(legend).to_contain_text("where the model looked")
    expect(pane(page, 0).locator("small")).to_contain_text("heat map")
    expect(pane(page, 1).locator("small")).to_contain_text("heat map covered until read")

    def colour(number: int) -> list[int]:
        drawn(page)
        return pane(page, number).locator("canvas").evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]"
        )  # fmt: skip

    page.wait_for_function("() => !document.querySelector('.pane small').textContent.includes('loading')")
    red, _, blue, _ = colour(0)
    assert red > blue + 40, "amber over grey"
    red, _, blue, _ = colour(1)
    assert red == blue, "grey as it was"
    assert [url for url in requests if "/heatmap/" in url] == [f"{SITE}/heatmap/1.a"]
    page.keyboard.press("h")
    expect(legend).to_be_hidden()
    red, _, blue, _ = colour(0)
    assert red == blue


def test_calipers_on_her_page_become_a_lesion_and_are_drawn_as_one(page: Page, served: Served) -> None:
    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key(MRN)}")
    first = page.locator(".pane[data-ready=true]").first
    expect(first).to_be_visible()
    expect(page.locator(".js-plotly-plot .point").first).to_be_visible()
    expect(page.get_by_text("Lesions", exact=True).first).to_be_visible()
    first.click()
    page.keyboard.press("m")
    canvas = page.locator(".pane canvas").first
    x, y = middle(first)
    line(page, x, y, 12, 16)
    line(page, x, y, 8, -6)
    expect(canvas).to_have_attribute("aria-label", re.compile(r"mm, .*mm"))
    page.keyboard.press("k")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("long × short axis")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    expect(canvas).to_have_attribute("aria-label", re.compile(r"Finding 1, \d+(\.\d)?\smm × \d"))
    (lesion,) = lesions_of_patient(served.here, MRN)
    (place,) = lesion.places
    assert place.long_axis
    assert place.long_mm == pytest.approx(2 * (place.short_mm or 0), rel=0.05)
    assert place.by == "Demo oncologist"

    # Measured again on the same picture: what was there before is kept aside.
    first.click()
    x, y = middle(first)
    line(page, x, y + 40, 12, 16)
    page.keyboard.press("k")
    dialog.get_by_text("replaces").click()
    dialog.get_by_role("button", name="Keep").click()
    expect(canvas).to_have_attribute("aria-label", re.compile(r"Finding 1, \d+(\.\d)?\smm$"))
    (again,) = lesions_of_patient(served.here, MRN)[0].places
    assert again.measurement_id != place.measurement_id
    assert again.short_axis is None
    page.get_by_role("button", name="Undo").click()
    expect(canvas).to_have_attribute("aria-label", re.compile(r"Finding 1, \d+(\.\d)?\smm × \d"))
