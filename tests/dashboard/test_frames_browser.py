"""Moving through a stack in a real browser, and a picture of both breasts in the middle; no server, no models."""

from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.test_browser import CHROMIUM, browser, page
from tests.dashboard.test_components_browser import SITE, mount
from tests.dashboard.viewing import COLUMNS, ROWS, VIEWER_PARTS, grey_at, hung, pane, view, visit
from tests.factories import lvr1

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]
FRAMES, STANDS_FOR_ALL = 9, 5


def grey(number: int) -> int:
    """Return how bright a frame is shown."""
    return round(320 * number / 3200 * 255)


def open_stack(page: Page) -> list[int]:
    """Show an MR of both breasts of nine frames, each of one grey of its own; return which are asked for, as they are."""
    asked: list[int] = []

    def answer(route: Route) -> None:
        number = int(parse_qs(urlsplit(route.request.url).query).get("frame", [str(STANDS_FOR_ALL)])[0])
        asked.append(number)
        pixels = np.full((ROWS, COLUMNS), 320 * number, np.uint16)
        said = {"frames": FRAMES, "frame": number}
        route.fulfill(body=lvr1(pixels, **said), content_type="application/octet-stream")

    mount(page, "viewer", VIEWER_PARTS)
    page.route(f"{SITE}/img/**", answer)
    stack = view("3.MR", "B-MR", label="magnetic resonance, both breasts", side="both", centred=True)
    page.evaluate("data => show(data)", hung(visit(3, panes=[stack]), current=3, opens_with="Every image"))
    expect(page.locator(".pane[data-ready=true]")).to_have_count(1)
    return asked


def shows(page: Page, number: int) -> None:
    """Wait until a frame is on the screen."""
    expect(page.locator(".frames output")).to_have_text(f"{number} / {FRAMES}")
    page.wait_for_function(
        "([x, grey]) => { const canvas = document.querySelector('.pane canvas');"
        " return Math.abs(canvas.getContext('2d').getImageData(canvas.width * x, canvas.height / 2, 1, 1).data[0] - grey) <= 1 }",
        arg=[0.5, grey(number)],
    )


def test_a_stack_is_moved_through_by_slider_and_keys_and_only_what_is_looked_at_is_fetched(
    page: Page,
) -> None:
    asked = open_stack(page)
    shows(page, STANDS_FOR_ALL)
    assert asked == [STANDS_FOR_ALL]
    pane(page, 0).click()
    page.keyboard.press("PageDown")
    shows(page, 6)
    page.keyboard.press("PageUp")
    shows(page, 5)
    slider = page.get_by_role("slider", name="Frame of magnetic resonance, both breasts")
    slider.fill("9")
    shows(page, 9)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    shows(page, 8)
    expect(page.locator(".pane .label span")).to_have_text("magnetic resonance, both breasts")
    page.keyboard.press("PageDown")
    assert set(asked) <= {5, 6, 7, 8, 9}, "of the others none"


def test_a_picture_without_a_chest_wall_stands_in_the_middle(page: Page) -> None:
    open_stack(page)
    shows(page, STANDS_FOR_ALL)
    edges = [grey_at(pane(page, 0), x, 0.5) for x in (0.02, 0.5, 0.98)]
    assert edges == [0, grey(STANDS_FOR_ALL), 0]
