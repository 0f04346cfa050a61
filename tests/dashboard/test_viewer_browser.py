"""The viewer by itself in a real browser: layouts, visits, tools and keys; no server, no models."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dashboard.components import VIEWER_PARTS
from tests.dashboard.test_browser import CHROMIUM, browser, page
from tests.dashboard.test_components_browser import SITE, brightest, mount, set_window_by_hand
from tests.factories import lvr1

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]

ROWS, COLUMNS, SPACING_MM = 128, 96, 0.2
LAYOUTS = [
    {"name": "Both", "key": "1", "views": [["R-CC now", "L-CC now", "R-CC prior", "L-CC prior"]]},
    {"name": "Current", "key": "2", "views": [["R-CC now"], ["L-CC now"]]},
    {"name": "Every image", "key": "3", "views": []},
]
Pixels = Callable[[str], np.ndarray]


def view(uid: str, code: str, **other: Any) -> dict[str, Any]:
    side = "right" if code[0] == "R" else "left"
    return {
        "sop_uid": uid, "view": code, "side": side, "label": code.replace("-", " "), "note": "", "missing": "",
        "flipped": False, "rows": ROWS, "columns": COLUMNS, "spacing_mm": SPACING_MM, "measured": True, "findings": [],
    } | other  # fmt: skip


def visit(
    number: int, *, prior: int | None = None, panes: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Make the visit of a year with a right and a left CC, by default."""
    if panes is None:
        panes = [view(f"{number}.{code}", code) for code in ("R-CC", "L-CC")]
    return {
        "uid": f"{number}", "on": f"202{number}-05-04", "risk": "1.0 %", "told": True, "note": "4 views", "warns": False,
        "bi_rads": "", "hint": "", "step": "", "step_hint": "", "thumbs": {}, "panes": panes,
        "prior": f"{prior}" if prior else None,
    }  # fmt: skip


def hung(
    *visits: dict[str, Any],
    current: int,
    prior: int | None = None,
    answered: int = 0,
    opens_with: str = "Both",
) -> dict[str, Any]:
    layouts = [
        {
            "name": one["name"],
            "key": one["key"],
            "rows": [
                [dict(zip(("view", "study"), place.split(), strict=True)) for place in row]
                for row in one["views"]
            ],
        }
        for one in LAYOUTS
    ]
    return {
        "visits": list(visits), "layouts": layouts, "opens_with": opens_with, "current": f"{current}",
        "prior": f"{prior}" if prior else None, "whole": False, "answered": answered,
    }  # fmt: skip


THREE = (visit(1), visit(2, prior=1), visit(3, prior=2))


def open_viewer(page: Page, data: dict[str, Any], *, pixels: Pixels | None = None, ready: int = 4) -> None:
    """Mount the viewer and wait for its pictures; `pixels` gives those of a SOP UID, else all are a wedge of greys."""
    mount(page, "viewer", VIEWER_PARTS)
    if pixels is not None:

        def answer(route: Route) -> None:
            uid = urlsplit(route.request.url).path.split("/")[2]
            route.fulfill(body=lvr1(pixels(uid)), content_type="application/octet-stream")

        page.route(f"{SITE}/img/**", answer)
    page.route(f"{SITE}/registration/**", lambda route: route.fulfill(status=404, body=""))
    page.evaluate("data => show(data)", data)
    expect(page.locator(".pane[data-ready=true]")).to_have_count(ready)
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until what was asked for is on the screen."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pane(page: Page, number: int) -> Locator:
    return page.locator(".pane").nth(number)


def grey_at(pane: Locator, x: float, y: float) -> int:
    """Return the grey of a pane's canvas at a place, as parts of its width and height."""
    drawn(pane.page)
    return int(
        pane.locator("canvas").evaluate(
            "(canvas, [x, y]) => canvas.getContext('2d').getImageData(x * canvas.width, y * canvas.height, 1, 1).data[0]",
            [x, y],
        )
    )


def middle(pane: Locator) -> tuple[float, float]:
    box = pane.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def dates(page: Page) -> list[str]:
    return [text.removeprefix("prior ") for text in page.locator(".pane .label small").all_inner_texts()]


def test_another_visit_is_shown_at_once_and_the_page_hears_of_it_once(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    assert dates(page) == ["2023-05-04", "2023-05-04", "2022-05-04", "2022-05-04"]
    page.locator("button[role=option]").nth(0).click()
    assert dates(page) == ["2021-05-04", "2021-05-04"], "without a prior its places fall away"
    page.keyboard.press("ArrowRight")
    assert dates(page) == ["2022-05-04", "2022-05-04", "2021-05-04", "2021-05-04"]
    expect(page.locator("button[role=option]").nth(1)).to_be_focused()
    page.wait_for_function("asked.length > 0")
    assert page.evaluate("asked") == [["choose", {"current": "2", "prior": None, "number": 1}]]


def test_what_the_page_says_late_does_not_take_back_what_was_chosen_since(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    page.locator("button[role=option]").nth(1).click()
    page.evaluate("data => show(data)", hung(*THREE, current=3, prior=2))  # a run that was under way
    assert dates(page)[0] == "2022-05-04"
    page.wait_for_function("asked.length > 0")
    page.evaluate("data => show(data)", hung(*THREE, current=3, prior=2, answered=0))
    assert dates(page)[0] == "2022-05-04"
    page.evaluate("data => show(data)", hung(*THREE, current=1, answered=1))
    assert dates(page) == ["2021-05-04", "2021-05-04"], "what the page says after it has heard is followed"


def test_any_two_studies_are_compared(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    page.locator("button[role=option]").nth(0).click(modifiers=["Shift"])
    assert dates(page) == ["2023-05-04", "2023-05-04", "2021-05-04", "2021-05-04"]
    page.get_by_role("combobox", name="Visit").select_option("2")
    assert dates(page)[0::2] == ["2022-05-04", "2021-05-04"]
    page.get_by_role("combobox", name="Compared with").select_option("3")
    assert dates(page)[0::2] == ["2022-05-04", "2023-05-04"], "a later one too"
    page.wait_for_function("asked.length > 0")
    assert page.evaluate("asked.at(-1)[1]") == {"current": "2", "prior": "3", "number": 1}


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


def test_calipers_measure_millimetres_and_pixels_where_there_are_none(page: Page) -> None:
    panes = [view("1.a", "R-CC"), view("1.b", "L-CC", measured=False)]
    open_viewer(page, hung(visit(1, panes=panes), current=1), ready=2)
    for number, said in ((0, "R CC, 10.0 mm"), (1, "L CC, 50 px, magnified or unsure: no mm")):
        place = pane(page, number)
        place.click()
        page.keyboard.press("z")  # from here on a pixel of the screen is one of the image
        expect(place.locator(".scale")).to_contain_text("100 %")
        page.keyboard.press("m")
        x, y = middle(place)
        page.mouse.move(x - 30, y)
        page.mouse.down()
        page.mouse.move(x + 10, y + 30, steps=4)  # 40 and 30 pixels: 50
        page.mouse.up()
        canvas = place.locator("canvas")
        expect(canvas).to_have_attribute("aria-label", said)
        page.mouse.move(x + 10, y + 30)
        page.mouse.down()
        page.mouse.move(x + 30, y, steps=4)  # its end taken elsewhere
        page.mouse.up()
        expect(canvas).to_have_attribute("aria-label", said.replace("10.0", "12.0").replace("50", "60"))
        page.keyboard.press("Backspace")
        expect(canvas).to_have_attribute("aria-label", said.split(",")[0])
        page.keyboard.press("r")


def test_the_wheel_is_the_pages_until_the_viewer_is_taken_hold_of(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    page.evaluate("document.body.style.height = '4000px'")
    before = pane(page, 0).locator(".scale").inner_text()
    page.mouse.move(*middle(pane(page, 0)))
    page.mouse.wheel(0, 120)
    page.wait_for_function("scrollY > 0")
    assert pane(page, 0).locator(".scale").inner_text() == before
    page.evaluate("scrollTo(0, 0)")
    pane(page, 0).click()
    page.mouse.wheel(0, -240)
    expect(pane(page, 0).locator(".scale")).not_to_have_text(before)
    expect(pane(page, 3).locator(".scale")).not_to_have_text(before)  # linked
    assert page.evaluate("scrollY") == 0


def flat(uid: str) -> np.ndarray:
    """Make the prior dark, with a bright spot, and the current view middling."""
    pixels = np.full((ROWS, COLUMNS), 1600 if uid.startswith("2") else 600, np.uint16)
    if uid.startswith("1"):
        pixels[60:68, 20:28] = 3200
    return pixels


def test_flicker_swipe_and_difference_bring_the_prior_over_the_current_view(page: Page) -> None:
    open_viewer(page, hung(visit(1), visit(2, prior=1), current=2, prior=1), pixels=flat)
    left, prior = pane(page, 1), pane(page, 3)
    now, then = grey_at(left, 0.1, 0.4), grey_at(prior, 0.1, 0.4)
    assert now > then + 50
    left.click()
    page.keyboard.press("Space")
    assert grey_at(left, 0.1, 0.4) == then
    expect(left.locator("small")).to_have_text("prior 2021-05-04 · not registered")
    assert grey_at(prior, 0.1, 0.4) == then
    page.keyboard.press("Space")
    assert grey_at(left, 0.1, 0.4) == now
    page.keyboard.press("s")
    assert (grey_at(left, 0.1, 0.4), grey_at(left, 0.5, 0.4)) == (then, now)
    for _ in range(20):
        page.keyboard.press(".")  # the line goes to the right
    assert grey_at(left, 0.5, 0.4) == then
    page.keyboard.press("d")
    expect(left.locator("small")).to_have_text("less 2021-05-04 · not registered")
    assert grey_at(left, 0.1, 0.4) == pytest.approx(128, abs=4), (
        "what differs in brightness alone is no difference"
    )
    page.keyboard.press("Escape")
    assert grey_at(left, 0.1, 0.4) == now


def test_a_registered_prior_is_drawn_where_the_registration_says(page: Page) -> None:
    open_viewer(page, hung(visit(1), visit(2, prior=1), current=2, prior=1), pixels=flat)
    left = pane(page, 1)
    # The prior's spot lies 30 columns further to the right and 40 rows higher than in the prior.
    x, y = np.meshgrid(np.linspace(0, COLUMNS, 5) - 30, np.linspace(0, ROWS, 5) + 40)
    grid = {"columns": 5, "rows": 5, "x": x.ravel().tolist(), "y": y.ravel().tolist()}
    found = {"quality": 0.9, "usable": True, "said": "well registered", "grid": grid}
    page.route(f"{SITE}/registration/**", lambda route: route.fulfill(json=found))
    left.click()
    page.keyboard.press("Space")
    expect(left.locator("small")).to_have_text("prior 2021-05-04 · registered")
    box = left.bounding_box()
    assert box
    scale = min(box["width"] / COLUMNS, box["height"] / ROWS)
    top = (box["height"] - ROWS * scale) / 2

    def at(column: float, row: float) -> int:
        return grey_at(left, column * scale / box["width"], (top + row * scale) / box["height"])

    assert at(54, 24) > 200, "the spot's middle"
    assert at(24, 64) < 100, "and no longer where it was"


def test_full_resolution_comes_as_tiles_and_is_drawn_pixel_by_pixel(page: Page) -> None:
    big, asked = 1024, []
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3200, (big, big), dtype=np.uint16)

    def tile(route: Route) -> None:
        *_, level, x, y = urlsplit(route.request.url).path.split("/")
        asked.append((int(level), int(x), int(y)))
        part = truth[int(y) * 512 :, int(x) * 512 :][:512, :512]
        route.fulfill(body=lvr1(part), content_type="application/octet-stream")

    def rendition(route: Route) -> None:
        small = lvr1(np.zeros((256, 256), np.uint16)).replace(
            b'"source_rows": 256', b'"source_rows": %d' % big
        )
        body = small.replace(b'"source_columns": 256', b'"source_columns": %d' % big)
        size = body.index(b"}") + 1 - 8
        route.fulfill(body=body[:4] + size.to_bytes(4, "little") + body[8:])

    panes = [view("1.L", "L-CC", rows=big, columns=big)]
    mount(page, "viewer", VIEWER_PARTS)
    page.route(f"{SITE}/img/**", rendition)
    page.route(f"{SITE}/tile/**", tile)
    page.evaluate("data => show(data)", hung(visit(1, panes=panes), current=1, opens_with="Every image"))
    expect(page.locator(".pane[data-ready=true]")).to_have_count(1)
    place = pane(page, 0)
    place.click()
    page.keyboard.press("z")
    expect(place.locator(".scale")).to_have_text("10 mm · 100 %")  # and no longer: loading full resolution
    assert set(asked) <= {(1, 0, 0), *((0, x, y) for x in (0, 1) for y in (0, 1))}
    page.keyboard.press("?")  # nothing lies under the pointer
    page.keyboard.press("?")
    shown = place.locator("canvas").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(200, 200, 64, 64).data].filter((_, at) => at % 4 === 0)"
    )
    greys = np.floor(truth / 3200 * 255 + 0.5)
    seen = np.array(shown).reshape(64, 64)
    matches = np.lib.stride_tricks.sliding_window_view(greys, (1, 64))[:, :, 0]
    assert (np.abs(matches - seen[0]).max(axis=2) <= 1).sum() == 1, (
        "the first row is a row of the image itself"
    )


def test_an_overview_tells_where_a_zoomed_view_lies(page: Page) -> None:
    open_viewer(page, hung(*THREE, current=3, prior=2))
    blue = (
        "canvas => { const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, 90).data; let n = 0;"
    )
    blue += " for (let i = 0; i < d.length; i += 4) n += d[i] < 120 && d[i + 2] > 200; return n }"
    canvas = pane(page, 1).locator("canvas")
    drawn(page)
    assert canvas.evaluate(blue) == 0
    pane(page, 1).click()
    for _ in range(4):
        page.keyboard.press("+")
    drawn(page)
    assert canvas.evaluate(blue) > 20


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
    assert [one.locator(".scale").inner_text() for one in (first, second)] == before[:2]
