"""Is this change real? What the pages say of one within noise, of intervals, and of what newer weights changed."""

from datetime import date

import pytest
from playwright.sync_api import Page, expect

from core.installation import Installation
from core.people.accounts import Role
from core.records import key_of
from dashboard import look
from db.tables import EventKind
from tests import factories
from tests.dashboard.conftest import Served
from tests.dashboard.page_runs import OpenPage, given, no_error, words
from tests.dashboard.test_browser import browser, page, sign_in
from tests.dashboard.test_browser import pytestmark as in_browser
from tests.factories import VisitPlan

__all__ = ["browser", "page"]

DAYS = (date(2019, 5, 1), date(2021, 5, 1), date(2023, 5, 1))


def course(*risks: float, smallest_change: float | None = 0.4) -> list[VisitPlan]:
    plans = zip(DAYS, risks, strict=False)
    return [VisitPlan(on, risk, smallest_change=smallest_change) for on, risk in plans]


def header_of(shown: str) -> str:
    """Return the key figures at the head of a page, without what the course beneath tells of earlier visits."""
    return shown.split('<div class="lv-figures">')[1].split("<table")[0]


def test_a_change_within_noise_has_no_direction_anywhere(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "1", course(0.010, 0.011, 0.012))
    app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    assert no_error(app)
    header = header_of(words(app))
    assert '<span class="lv-noise">+0.1</span>' in header
    assert look.WITHIN_NOISE in header
    assert "▲ +" not in header
    steps = [visit["step"] for visit in given(app, "viewer")["visits"]]
    assert steps == ["", "≈", "≈"]
    (row,) = given(pages(Role.ONCOLOGIST, "worklist"), "worklist")["rows"]
    assert (row["change_text"], row["change_note"]) == ("+0.1", "within positioning")
    assert look.WITHIN_NOISE_WHY in row["change_hint"]
    assert [step for *_, step in row["course"]] == ["line", "noise", "noise"]


def test_a_real_change_and_one_whose_noise_was_not_measured_keep_their_direction(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "real", course(0.010, 0.011, 0.030))
    factories.woman(here, "old", course(0.010, 0.011, 0.012, smallest_change=None))
    for mrn, number in (("real", "▲ +1.9"), ("old", "▲ +0.1")):
        shown = words(pages(Role.ONCOLOGIST, "patient", mrn=mrn))
        assert number in shown
        assert look.WITHIN_NOISE not in header_of(shown)


def test_each_probability_stands_with_its_interval_and_older_ones_without_brackets(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "new", course(0.010, 0.011))
    factories.woman(here, "old", course(0.010, 0.011, smallest_change=None))
    shown = words(pages(Role.ONCOLOGIST, "patient", mrn="new"))
    assert shown.count("(1.0–3.9)") >= 4, "malignancy of both breasts, in the header and in the table"
    assert shown.count("(2.6–9.5)") >= 2, "progression"
    older = words(pages(Role.ONCOLOGIST, "patient", mrn="old"))
    assert "(1.0–3.9)" not in older
    assert "()" not in older


def test_growth_after_a_diagnosis_keeps_its_interval(here: Installation, pages: OpenPage) -> None:
    diagnosis = [(EventKind.DIAGNOSIS, date(2020, 1, 1), None, "left")]
    factories.woman(here, "1", course(0.010, 0.011), events=diagnosis)
    shown = words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    assert shown.count("(2.6–9.5)") >= 2
    assert "(1.0–3.9)" not in header_of(shown), "of a breast it is told up to the diagnosis only"


def test_the_models_page_lists_the_alerts_that_newer_weights_changed(
    here: Installation, pages: OpenPage
) -> None:
    empty = words(pages(Role.ONCOLOGIST, "models"))
    assert "No alert is another by the newer weights" in empty
    number = factories.woman(here, "a&b", course(0.010, 0.011, 0.041), name="<i>Doe</i>")
    last = f"2.25.{number}.3"
    factories.another_score(here, last, weights_sha256="6f" * 32, risk_5y=0.012)
    app = pages(Role.ONCOLOGIST, "models")
    assert no_error(app)
    shown = words(app)
    assert f'<a href="/patient?patient={key_of(here, "a&b")}&amp;visit={last}"' in shown
    assert "&lt;i&gt;Doe" in shown
    for cell in ("gone", look.percent(0.041), look.percent(0.012)):
        assert f">{cell}</td>" in shown
    assert "a%26b" not in words(pages(Role.ANALYST, "models")), "an analyst sees no patients"


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
@in_browser[0]
@in_browser[1]
def test_in_the_browser_a_change_within_noise_is_grey_and_says_why(
    page: Page, served: Served, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    sign_in(page, served, "oncologist")
    row = page.locator("tbody tr", has_text="within positioning").first
    expect(row).to_be_visible()
    cell = row.locator("td", has_text="within positioning")
    expect(cell).not_to_contain_text("▲")
    expect(cell).not_to_contain_text("▼")
    assert look.WITHIN_NOISE_WHY in (cell.get_attribute("title") or "")
    row.click()
    since = page.locator(".lv-figures > div", has_text="since ")
    expect(since).to_contain_text("within positioning" if size[0] < 1200 else look.WITHIN_NOISE)
    expect(since.locator(".lv-noise")).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer .point").first).to_be_visible()
    figures = page.locator(".lv-figures > div")
    tops = {round(one.bounding_box()["y"]) for one in figures.all()}  # type: ignore[index]
    assert len(tops) == 1, "the key figures stand in one line"
