"""``python -m tests.readme_pictures``: the README's pictures, of the pages as they are and the simulated women of the demo."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from core.installation import Installation
from core.people import asking
from core.people.demo_accounts import DEMO_ACCOUNTS
from core.records import Group, key_of
from core.settings import Settings
from core.worker.queue import count_pending
from dashboard import keys
from tests.dashboard.test_browser import CHROMIUM, FLAGS

PICTURES = Path(__file__).parents[1] / ".pictures"
PORT = 8655
VIEWPORT = {"width": 1440, "height": 900}
WIDTH, COLOURS = 960, 256
READ = "SIM0001"
"""A woman whose newest study is read, so that her whole course is shown."""
PATIENCE_SECONDS = 900.0
QUIET_SECONDS = 15.0
SETTLED_MS = 3000
"""Pages draw their figures and pictures in so long; they never stop asking for news."""


def main() -> None:
    """Load the demo cohort into a folder that is thrown away, score it, and take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LONGVIEW_HOME": folder, "LONGVIEW_PORT": str(PORT)}
        up = subprocess.Popen([sys.executable, "-m", "core", "up", "--demo"])
        try:
            _wait_until_scored(Settings(home=Path(folder)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
                for user, take in (("oncologist", _worklist), ("oncologist", _patient), ("analyst", _cohort)):
                    page = browser.new_context(viewport=VIEWPORT).new_page()
                    page.set_default_timeout(60_000)
                    _sign_in(page, user)
                    take(page)
                    _keep(page, take.__name__.strip("_"))
        finally:
            up.terminate()
            up.wait(30)


def _wait_until_scored(settings: Settings) -> None:
    """Wait until no study has come for a while and none waits to be scored."""
    end, studies, since = time.monotonic() + PATIENCE_SECONDS, 0, time.monotonic()
    while time.monotonic() < end:
        time.sleep(2)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/sign-in", timeout=5)
        except (urllib.error.URLError, OSError):
            continue
        here = Installation.open(settings)
        try:
            found, waiting = count_pending(here, everything=True), count_pending(here)
        finally:
            here.close()
        if found != studies or waiting:
            studies, since = found, time.monotonic()
        elif found and time.monotonic() - since > QUIET_SECONDS:
            return
    raise SystemExit("The demo cohort was not scored in time.")


def _sign_in(page: Page, user: str) -> None:
    page.goto(f"http://127.0.0.1:{PORT}/sign-in")
    page.fill("#username", user)
    page.fill("#password", DEMO_ACCOUNTS[user][2])
    page.click("button[type=submit]")
    page.locator(".account .who").wait_for()


def _worklist(page: Page) -> None:
    """Take all women; of those who are to be read first nothing is shown yet."""
    page.goto(f"http://127.0.0.1:{PORT}/worklist?{urlencode({keys.GROUP: Group.ALL.value})}")
    page.locator("tbody tr").first.wait_for()


def _patient(page: Page) -> None:
    page.goto(f"http://127.0.0.1:{PORT}/patient?{keys.PATIENT}={key_of(Installation.open(), READ)}")
    page.locator(".js-plotly-plot .point").first.wait_for()
    page.locator(".pane[data-ready=true]").first.wait_for()


def _cohort(page: Page) -> None:
    page.goto(f"http://127.0.0.1:{PORT}/cohort")
    page.locator(".js-plotly-plot").first.wait_for()


def _keep(page: Page, name: str) -> None:
    """Write what the page shows, small."""
    page.wait_for_timeout(SETTLED_MS)
    shot = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    small = shot.resize((WIDTH, round(shot.height * WIDTH / shot.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    asking.system_asks_in_this_process()
    main()
