"""The components that show pictures, each by itself in a real browser: no server, no models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.dashboard.test_access_browser import violations
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
STYLE = (
    ".pane { position: relative; width: 300px; height: 400px } .pane.away { display: none }"
    " canvas { position: absolute; inset: 0 }"
)


def mount(page: Page, name: str, before: Sequence[str] = ("pixels", "keys", "heat")) -> None:
    """Open an empty page whose ``show(data)`` hands a component its data; every picture is the same wedge of greys.

    What the component asks of its page is kept in ``asked``.
    """
    script = "".join((COMPONENTS / f"{part}.js").read_text("utf-8") for part in (*before, name))
    style = (COMPONENTS / f"{name}.css").read_text("utf-8") if name != "worklist" else STYLE
    shell = (
        f"<style>{style}</style><body><script type=module>import component from '/component.js'\n"
        "window.asked = []\nconst setTriggerValue = (...asked) => window.asked.push(asked)\n"
        "window.show = (data) => component({ data, parentElement: document.body, setTriggerValue })</script>"
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


def opened(number: int) -> dict[str, Any]:
    return {
        "token": f"t{number}", "name": "view", "rows": 128, "columns": 96, "spacing_mm": 0.2, "model": None,
        "findings": [], "can_keep": False, "can_take_back": False, "keep_hint": "", "answered": 0,
        "note": {"kind": "", "text": "", "finding": None},
    }  # fmt: skip


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


def test_what_is_withheld_is_a_sentence_and_hatched_only_for_who_asks_for_it_anyway(page: Page) -> None:
    trust = {"level": "withheld", "reason": "This picture is unlike.", "distance": 3.0, "limit": 1.0}
    spoke = {
        "task": "finding",
        "model": "m",
        "title": "A model",
        "doubt": None,
        "trust": trust,
        "needed": "Train one.",
    }
    held = {"tumour": None, "density": None, "trust": trust, "density_trust": None, "spoke": [spoke]}
    untrusted = {"tumour": {"benign": 0.25, "malignant": 0.75}, "density": None}

    def answer(route: Route) -> None:
        route.fulfill(json=held | ({"untrusted": untrusted} if "anyway=1" in route.request.url else {}))

    mount(page, "reading")
    page.route(f"{SITE}/reading/*/whole*", answer)
    page.route(f"{SITE}/reading/*/region*", answer)
    page.evaluate("data => show(data)", opened(1))
    side = page.locator(".side")
    expect(side).to_contain_text("This picture is unlike. No number of it is shown. Train one.")
    page.get_by_role("button", name="New box").click()
    expect(page.locator(".card")).to_contain_text("Withheld. This picture is unlike.")
    assert "%" not in side.inner_text()
    page.get_by_role("button", name="Show anyway").click()
    expect(page.locator(".bars.withheld")).to_have_count(2)
    expect(page.locator(".bars:not(.withheld)")).to_have_count(0)
    expect(page.locator(".card")).to_contain_text("Not to be believed")
    # Another image: what was asked for of the last one is over.
    with page.expect_response(lambda answer: "/whole" in answer.url) as asked_anew:
        page.evaluate("data => show(data)", opened(2))
    assert "anyway" not in asked_anew.value.url
    expect(page.locator(".bars")).to_have_count(0)


def test_single_classes_that_are_not_told_are_hatched_only_for_who_asks_for_them_anyway(page: Page) -> None:
    trust = {"level": "trusted", "reason": "", "distance": 0.1, "limit": 1.0}
    spoke = {
        "task": "finding",
        "model": "m",
        "title": "A model",
        "doubt": None,
        "trust": trust,
        "needed": None,
    }
    told = {"normal": 0.2, "benign": None, "malignant": None, "benign+malignant": 0.8}
    said = {"tumour": told, "density": None, "trust": trust, "density_trust": None, "spoke": [spoke]}
    untrusted = {"tumour": {"normal": 0.2, "benign": 0.5, "malignant": 0.3}, "density": None}

    def answer(route: Route) -> None:
        more = {"untrusted": untrusted} if "anyway=1" in route.request.url else {}
        route.fulfill(json=said | {"held": True} | more)

    mount(page, "reading")
    page.route(f"{SITE}/reading/*/whole*", answer)
    page.evaluate("data => show(data)", opened(1))
    side = page.locator(".side")
    expect(side).to_contain_text("has no number by itself")
    expect(page.locator(".bars:not(.withheld) .bar-row")).to_have_count(2)
    expect(page.locator(".bars.withheld")).to_have_count(0)
    page.get_by_role("button", name="Show anyway").click()
    expect(page.locator(".bars.withheld .bar-row")).to_have_count(3)
    expect(page.locator(".bars:not(.withheld) .bar-row")).to_have_count(2)
    page.get_by_role("button", name="Hide again").click()
    expect(page.locator(".bars.withheld")).to_have_count(0)


def test_a_column_of_the_worklist_is_ordered_by_keys_and_says_how(page: Page) -> None:
    mount(page, "worklist", before=("pixels", "keys"))

    def shown(column: str, descending: bool) -> None:
        data = {"rows": [], "focus": None, "order": {"column": column, "descending": descending}}
        page.evaluate("data => show(data)", data)

    shown("", True)
    risk = page.get_by_role("columnheader", name="5-year risk")
    expect(risk).to_have_attribute("aria-sort", "none")
    risk.get_by_role("button").focus()
    for asks, says in (
        ({"column": "risk", "descending": True}, "descending"),
        ({"column": "risk", "descending": False}, "ascending"),
        ({"column": "", "descending": True}, "none"),
    ):
        page.keyboard.press("Enter")
        assert page.evaluate("asked.pop()") == ["order", asks]
        shown(asks["column"], asks["descending"])
        expect(risk).to_have_attribute("aria-sort", says)
        expect(risk.get_by_role("button")).to_be_focused()
    expect(page.get_by_role("columnheader", name="Course").get_by_role("button")).to_have_count(0)


def test_a_box_begins_anywhere_also_inside_another_and_is_moved_by_its_number(page: Page) -> None:
    mount(page, "reading")
    page.evaluate("data => show(data)", opened(1))
    expect(page.locator(".reading[data-ready=true]")).to_be_visible()
    place = page.locator(".pane").bounding_box()
    assert place
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2

    def drag(from_x: float, from_y: float, to_x: float, to_y: float) -> None:
        page.mouse.move(from_x, from_y)
        page.mouse.down()
        page.mouse.move(to_x, to_y, steps=3)
        page.mouse.up()

    drag(x - 80, y - 80, x + 80, y + 80)
    drag(x - 30, y - 30, x + 30, y + 30)
    boxes = page.locator(".box")
    expect(boxes).to_have_count(2)
    outer, inner = boxes.nth(0), boxes.nth(1)
    expect(inner).to_have_class("box chosen")
    was = outer.get_attribute("aria-label"), outer.bounding_box()
    page.mouse.click(x + 60, y + 60)
    expect(outer).to_have_class("box chosen")
    # The smaller one lies above: it can still be chosen, and taken hold of.
    page.mouse.click(x, y)
    expect(inner).to_have_class("box chosen")
    assert (outer.get_attribute("aria-label"), outer.bounding_box()) == was
    number = outer.locator(".tag").bounding_box()
    assert number
    assert number["width"] >= 24
    assert number["height"] >= 24
    drag(number["x"] + 8, number["y"] + 8, number["x"] + 28, number["y"] + 8)
    moved = outer.bounding_box()
    assert was[1]
    assert moved
    assert moved["x"] > was[1]["x"]
    assert moved["width"] == pytest.approx(was[1]["width"], abs=1)


def test_the_heat_map_is_off_until_it_is_asked_for(page: Page) -> None:
    mount(page, "reading")
    heat = {"shape": [1, 1], "corners": [0, 0, 96, 128], "values": "/w=="}
    whole = {"tumour": {"benign": 1.0}, "density": None, "heat": heat, "spoke": []}
    page.route(f"{SITE}/reading/*/whole*", lambda route: route.fulfill(json=whole))
    page.evaluate("data => show(data)", opened(1))
    expect(page.locator(".reading[data-answered=true]")).to_be_visible()
    button = page.get_by_role("button", name="Heat map")
    expect(button).to_have_attribute("aria-pressed", "false")
    canvas = page.locator(".pane canvas").first
    grey = (
        "canvas => { const { width, height } = canvas;"
        " const [r, , b] = canvas.getContext('2d').getImageData(width / 2, height / 2, 1, 1).data; return r === b }"
    )
    assert canvas.evaluate(grey)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert not canvas.evaluate(grey)


def test_an_image_is_read_by_keys_alone_without_barriers(page: Page) -> None:
    mount(page, "reading")
    page.evaluate("data => show(data)", opened(1) | {"can_keep": True, "knows": "Speaks of films."})
    expect(page.locator(".reading[data-answered=true]")).to_be_visible()
    invert = page.get_by_role("button", name="Invert")
    invert.focus()
    page.keyboard.press("Enter")
    expect(invert).to_have_attribute("aria-pressed", "true")
    expect(invert).to_be_focused()
    page.locator(".pane").focus()
    page.keyboard.press("n")
    box = page.locator(".box")
    expect(box).to_be_focused()
    before = box.get_attribute("aria-label")
    page.keyboard.press("Shift+ArrowRight")
    expect(box).not_to_have_attribute("aria-label", before or "")
    expect(page.locator(".said-aloud")).to_contain_text("Box 1: ")
    assert not violations(page, within=".reading")
    page.keyboard.press("Delete")
    expect(box).to_have_count(0)
    page.locator(".pane").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_role("button", name="As recorded")).to_have_attribute("aria-pressed", "false")
