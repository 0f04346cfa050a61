"""The viewer's tools by themselves in a real browser: calipers, what brings the prior over, tiles, fingers and wheel."""

from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from dashboard.components import VIEWER_PARTS
from tests.dashboard.test_browser import CHROMIUM, browser, page
from tests.dashboard.test_components_browser import SITE, mount
from tests.dashboard.viewing import (
    COLUMNS,
    ROWS,
    THREE,
    drawn,
    grey_at,
    hung,
    middle,
    open_viewer,
    pane,
    view,
    visit,
)
from tests.factories import lvr1

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]


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
        page.keyboard.press("Enter")  # and by keys alone
        for _ in range(4):
            page.keyboard.press("Shift+ArrowDown")
        for _ in range(10):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowDown")
        expect(canvas).to_have_attribute("aria-label", said)
        page.keyboard.press("r")


def test_two_fingers_zoom_and_one_moves(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    page = context.new_page()
    try:
        open_viewer(page, hung(*THREE, current=3, prior=2))
        touch = context.new_cdp_session(page)
        place, scale = pane(page, 1), pane(page, 1).locator(".scale")
        x, y = middle(place)
        before, seen = scale.inner_text(), grey_at(place, 0.5, 0.5)

        def fingers(kind: str, *points: tuple[float, float]) -> None:
            said = [{"x": px, "y": py, "id": number} for number, (px, py) in enumerate(points)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": said})

        place.tap()
        fingers("touchStart", (x - 20, y), (x + 20, y))
        for far in (30, 45, 60):
            fingers("touchMove", (x - far, y), (x + far, y))
        fingers("touchEnd")
        expect(scale).not_to_have_text(before)
        zoomed = scale.inner_text()
        seen = grey_at(place, 0.5, 0.5)
        fingers("touchStart", (x, y))
        for far in (10, 30, 60):
            fingers("touchMove", (x - far, y))
        fingers("touchEnd")
        assert grey_at(place, 0.5, 0.5) > seen, "further out on the wedge"
        assert scale.inner_text() == zoomed
    finally:
        context.close()


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
