"""The components that show pictures, each by itself in a real browser: no server, no models."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.dashboard.test_browser import CHROMIUM, browser, page
from tests.factories import lvr1

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]

COMPONENTS = Path(__file__).resolve().parents[2] / "dashboard" / "components"
SITE = "http://longview.test"
RENDITION = lvr1(np.tile(np.linspace(0, 4095, 96, dtype=np.uint16), (128, 1)))
STYLE = ".pane { position: relative; width: 300px; height: 400px } canvas { position: absolute; inset: 0 }"


def mount(page: Page, name: str) -> None:
    """Open an empty page whose ``show(data)`` hands a component its data; every picture is the same wedge of greys."""
    script = "".join((COMPONENTS / f"{part}.js").read_text("utf-8") for part in ("pixels", "keys", name))
    shell = (
        f"<style>{STYLE}</style><body><script type=module>import component from '/component.js'\n"
        "window.show = (data) => component({ data, parentElement: document.body, setTriggerValue() {} })</script>"
    )

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path == "/":
            route.fulfill(body=shell, content_type="text/html")
        elif path == "/component.js":
            route.fulfill(body=script, content_type="text/javascript")
        elif path.startswith("/img/") or "/picture" in path:
            route.fulfill(body=RENDITION, content_type="application/octet-stream")
        else:
            route.fulfill(json={"tumour": {}, "density": {}, "spoke": []})

    page.route(f"{SITE}/**", answer)
    page.goto(f"{SITE}/")
    page.wait_for_function("Boolean(window.show)")


def set_window_by_hand(page: Page, pane: Locator) -> None:
    box = pane.bounding_box()
    assert box
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 105, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")


def brightest(pane: Locator) -> int:
    """Return the lightest grey, 0..255, that the pane's canvas shows."""
    return int(
        pane.locator("canvas").first.evaluate(
            "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
            ".reduce((most, value, place) => place % 4 < 3 && value > most ? value : most, 0)"
        )
    )


def visit(number: int) -> dict[str, Any]:
    pane = {
        "sop_uid": f"1.{number}",
        "side": "left",
        "label": "L CC",
        "note": "",
        "missing": "",
        "flipped": False,
    }
    return {"panes": [pane], "title": f"visit {number}", "height": 400}


def opened(number: int) -> dict[str, Any]:
    return {
        "token": f"t{number}", "name": "view", "rows": 128, "columns": 96, "spacing_mm": 0.2, "model": None,
        "findings": [], "can_keep": False, "can_take_back": False, "keep_hint": "", "answered": 0,
        "note": {"kind": "", "text": "", "finding": None},
    }  # fmt: skip


def test_a_visit_chosen_after_the_window_was_set_by_hand_shows_its_pictures(page: Page) -> None:
    mount(page, "viewer")
    page.evaluate("data => show(data)", visit(1))
    pane = page.locator(".pane[data-ready=true]")
    expect(pane).to_be_visible()
    assert brightest(pane) > 200
    set_window_by_hand(page, pane)
    expect(page.get_by_role("button", name="As recorded")).to_have_attribute("aria-pressed", "false")
    page.evaluate("data => show(data)", visit(2))
    expect(page.locator(".bar .title")).to_have_text("visit 2")
    expect(pane).to_be_visible()
    assert brightest(pane) > 200, "the pictures of the next visit are black"
    expect(page.get_by_role("button", name="As recorded")).to_have_attribute("aria-pressed", "true")


def test_an_image_opened_after_the_window_was_set_by_hand_is_shown(page: Page) -> None:
    mount(page, "reading")
    page.evaluate("data => show(data)", opened(1))
    expect(page.locator(".reading[data-ready=true]")).to_be_visible()
    pane = page.locator(".pane")
    assert brightest(pane) > 200
    set_window_by_hand(page, pane)
    expect(page.get_by_role("button", name="As recorded")).to_have_attribute("aria-pressed", "false")
    page.evaluate("data => show(data)", opened(2))
    expect(page.locator(".reading[data-ready=true]")).to_be_visible()
    assert brightest(pane) > 200, "the next image is black"
