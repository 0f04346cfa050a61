"""A woman's visits made up for the viewer, the viewer mounted by itself, and what is seen on it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Locator, Page, Route, expect

from dashboard.components import VIEWER_PARTS
from tests.dashboard.test_components_browser import SITE, mount
from tests.factories import lvr1

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
