"""Reading first in a real browser: by keys, and nothing of the score in what the browser receives before."""

import re
from collections.abc import Iterator
from datetime import date

import pytest
from playwright.sync_api import Browser, Page, expect

from core.installation import Installation
from core.people import demo_accounts
from core.settings import Settings
from tests import factories
from tests.dashboard.conftest import Served, serve
from tests.dashboard.test_browser import browser, page, pytestmark, sign_in
from tests.factories import VisitPlan
from tests.figures import HERS

__all__ = ["browser", "page", "pytestmark"]  # fixtures and marks are taken from there

ODD = 0.0737


@pytest.fixture(scope="module")
def reading_first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The dashboard with reading first on: one woman who is read, one who is not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGVIEW_READ_FIRST", "1")
        home = tmp_path_factory.mktemp("reading_first") / "var"
        here = Installation.open(Settings(home=home, demo=True, _env_file=None))
        here.migrate()
        last = VisitPlan(
            date(2026, 3, 1),
            ODD,
            malignancy_left=ODD,
            alerts=[("risk_high", "5-year risk above 3.0 %: 7.4 %")],
        )
        factories.woman(here, "1", [VisitPlan(date(2024, 3, 1), 0.011), last], name="Sim-0001")
        factories.woman(here, "2", [VisitPlan(date(2026, 3, 1), 0.012, bi_rads="1")], name="Sim-0002")
        demo_accounts.ensure_demo_accounts(here)
        with serve(here) as running:
            yield running


def choose(page: Page, name: str, text: str, shown: str) -> None:
    """Choose by keys alone in one of the form's boxes, and wait until the page has it."""
    box = page.get_by_role("combobox", name=name)
    box.focus()
    page.keyboard.type(text)
    expect(page.get_by_role("option", name=re.compile(shown))).to_have_count(1)
    page.keyboard.press("Enter")
    expect(box).to_have_value(re.compile(shown))


def test_the_score_comes_when_the_assessment_is_signed_and_not_before(
    page: Page, browser: Browser, reading_first: Served
) -> None:
    received: list[bytes] = []
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda sent: received.append(sent if isinstance(sent, bytes) else sent.encode())
        ),
    )
    page.on(
        "response",
        lambda answer: (
            received.append(answer.body()) if "json" in answer.headers.get("content-type", "") else None
        ),
    )
    sign_in(page, reading_first, "oncologist")
    table = page.locator("table").first
    expect(table).to_contain_text("Sim-0001")
    expect(table).to_contain_text("covered")
    page.get_by_text("Sim-0001").first.click()
    expect(page.get_by_text("The score is covered until this study is read.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Visit", exact=True)).to_have_value("2.25.1.2")
    choose(page, "Density", "C ·", "heterogeneously")
    choose(page, "BI-RADS, right breast", "4B", "4B · moderate")
    choose(page, "BI-RADS, left breast", "2 ·", "2 · benign")
    # What follows the category, and the prior, stand there already.
    expect(page.get_by_role("combobox", name="Management")).to_have_value("biopsy")
    expect(page.get_by_role("combobox", name="Comparison")).to_have_value("2024-03-01")
    assert b"1.1" in b"".join(received), "what may be seen is found in what was received"
    assert HERS.search(b"".join(received).decode("latin-1")) is None
    page.get_by_role("button", name="Sign", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("before the score was shown; the model says")).to_contain_text("They agree.")
    expect(page.get_by_text("7.4").first).to_be_visible()
    assert HERS.search(b"".join(received).decode("latin-1"))
