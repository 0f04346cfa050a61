"""What a person sees: from a click to pictures, in a real browser, where there is one."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import TYPE_CHECKING

from dashboard.benchmark.job import Job, Woman, spread
from dashboard.web.gate import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_PATIENCE_MS = 30_000
_READY = ".pane[data-ready=true]"
EIGHT = 8
PAN_SECONDS = 3.0
_COUNT_FRAMES = """() => {
  const own = window.requestAnimationFrame.bind(window), begun = performance.now()
  let frames = 0, last = 0
  window.requestAnimationFrame = (draw) => own((at) => {
    draw(at)
    if (at !== last) frames += 1
    last = at
  })
  window.longviewFrames = () => (1000 * frames) / (performance.now() - begun)
}"""
"""Counts the frames in which something was drawn anew from now on."""
_STRIP = "button[role=option]"
LOOKS_MS = 1500
"""So long a person looks before she clicks: the shortest of `clicks.THINKS_SECONDS`."""
_WATCH = """(selectors) => {
  const roots = () => [...document.querySelectorAll("*")].map((one) => one.shadowRoot).filter(Boolean)
  const there = () => {
    const within = roots()
    return selectors.every((one) => within.some((root) => root.querySelector(one)))
  }
  window.longviewPainted = new Promise((done) => addEventListener("click", (event) => {
    const look = () => requestAnimationFrame(() => (there() ? setTimeout(() => done(performance.now() - event.timeStamp)) : look()))
    look()
  }, { capture: true, once: true }))
}"""
"""Waits for the next click, and then, frame by frame, for what components show; how long a driver takes to ask is no part of it."""


def seen(job: Job) -> dict[str, float]:
    """Return milliseconds to the first picture and to another visit; nothing without Playwright and Chromium.

    A person looks at what there is before each click.
    """
    return _in_a_browser(job, _clocked)


def compared(job: Job) -> dict[str, float]:
    """Return what comparing two studies takes; see `_beside`. Nothing without Playwright and Chromium."""
    return _in_a_browser(job, _beside)


def _in_a_browser(job: Job, measure: Callable[[Page, Job], dict[str, float]]) -> dict[str, float]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {}
    if chromium is None:
        return {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(_PATIENCE_MS)
        context.add_cookies([{"name": COOKIE, "value": job.tokens[0], "url": job.url}])
        try:
            return measure(context.new_page(), job)
        finally:
            browser.close()


def _beside(page: Page, job: Job) -> dict[str, float]:
    """Return seconds to the first picture of two studies beside each other, and frames a second in which all are panned.

    By the page's address, when nothing of the woman has been shown anywhere before (`cold`), and by a click on her page.
    """
    woman = job.women[0]
    page.goto(f"{job.url}/worklist")
    page.locator("tbody tr").first.wait_for()
    begun = time.perf_counter()
    page.goto(f"{job.url}/compare?patient={woman.key}", wait_until="commit")
    page.locator(_READY).first.wait_for(state="attached")
    cold = time.perf_counter() - begun
    page.goto(f"{job.url}/patient?patient={woman.key}")
    page.locator(_READY).nth(EIGHT - 1).wait_for(state="attached")
    begun = time.perf_counter()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url("**/compare?*")
    page.locator(_READY).first.wait_for(state="attached")
    first = time.perf_counter() - begun
    page.locator(_READY).nth(EIGHT - 1).wait_for(state="attached")
    return {
        "compare_first_picture_s": first,
        "compare_cold_first_picture_s": cold,
        "pan_frames_per_second": _panned(page),
    }


def _panned(page: Page) -> float:
    """Drag a picture to and fro, and return in how many frames a second it was another than before."""
    box = page.locator(_READY).first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(x, y)
    for _ in range(4):
        page.keyboard.press("+")  # what fits its pane whole has nowhere to go
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(_COUNT_FRAMES)
    begun, step = time.perf_counter(), 0
    while time.perf_counter() - begun < PAN_SECONDS:
        step += 1
        page.mouse.move(x + 60 * math.sin(step / 10), y + 60 * math.cos(step / 10))
    frames = page.evaluate("() => window.longviewFrames()")
    page.mouse.up()
    return float(frames)


def _clocked(page: Page, job: Job) -> dict[str, float]:
    pictures, switched = [], []
    for woman in islice(cycle(job.women), 1 + math.ceil(job.rounds / 4)):
        page.goto(f"{job.url}/worklist")
        pictures.append(_to_pictures(page, woman))
        if len(woman.studies) > 1:
            switched.append(_to_another_visit(page))
    measured = spread("browser_to_pictures", pictures[1:])
    return measured | (spread("browser_visit_switch", switched[1:]) if switched[1:] else {})


def _to_pictures(page: Page, woman: Woman) -> float:
    row = page.locator(f'tr[data-mrn="{woman.mrn}"]')
    row.wait_for()
    page.wait_for_timeout(LOOKS_MS)
    page.evaluate(_WATCH, [_READY])
    row.click()
    return _painted(page)


def _to_another_visit(page: Page) -> float:
    """Choose the visit before; it is there once it is the chosen one and its first picture is drawn."""
    other = page.locator(f"{_STRIP}[aria-selected=false]").last
    other.wait_for()
    page.wait_for_timeout(LOOKS_MS)
    day = other.get_attribute("data-date") or ""
    page.evaluate(_WATCH, [f'{_STRIP}[aria-selected=true][data-date="{day}"]', _READY])
    other.click()
    return _painted(page)


def _painted(page: Page) -> float:
    """Return the seconds from the click, as the browser felt it, to the end of the first frame in which all is there."""
    return float(page.evaluate("() => window.longviewPainted")) / 1000
