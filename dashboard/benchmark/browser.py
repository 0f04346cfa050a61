"""What a person sees: from a click to pictures, in a real browser, where there is one."""

from __future__ import annotations

import math
import shutil
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING

from dashboard.benchmark.job import Job, Woman, spread
from dashboard.web.gate import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_PATIENCE_MS = 30_000
_STRIP = "button[role=option]"


def seen(job: Job) -> dict[str, float]:
    """Return milliseconds to the first picture and to another visit; nothing without Playwright and Chromium."""
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
            return _clocked(context.new_page(), job)
        finally:
            browser.close()


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
    begun = time.perf_counter()
    row.click()
    page.locator(".pane[data-ready=true]").first.wait_for(state="attached")
    return time.perf_counter() - begun


def _to_another_visit(page: Page) -> float:
    """Choose the visit before; it is there once it is the chosen one and its first picture is drawn."""
    other = page.locator(f"{_STRIP}[aria-selected=false]").last
    other.wait_for()
    day = other.get_attribute("data-date") or ""
    begun = time.perf_counter()
    other.click()
    page.locator(f'{_STRIP}[aria-selected=true][data-date="{day}"]').wait_for(state="attached")
    page.locator(".pane[data-ready=true]").first.wait_for(state="attached")
    return time.perf_counter() - begun
