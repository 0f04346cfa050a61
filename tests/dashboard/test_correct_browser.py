"""What went in wrong is put right from her page in a real browser, with what follows said before, and is undone."""

import re
import uuid
from collections.abc import Callable
from datetime import date

import pytest
from playwright.sync_api import Locator, Page, expect

from core.corrections import corrections_of
from core.records import EventKind, PatientRecord, record_of
from tests import factories
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import CHROMIUM, browser, page, sign_in
from tests.factories import VisitPlan

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]
PATIENCE = 40_000


def record(served: Served, mrn: str) -> PatientRecord:
    found = record_of(served.here, mrn)
    assert found is not None
    return found


def open_form(page: Page, name: str) -> Locator:
    page.get_by_role("button", name="Correct", exact=False).first.click()
    page.get_by_role("menuitem", name=name).or_(page.get_by_text(name, exact=True)).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Put right")).to_be_visible(timeout=PATIENCE)
    return dialog


def put_right_and_undo(
    page: Page, served: Served, mrn: str, dialog: Locator, becomes: Callable[[PatientRecord], bool]
) -> None:
    before = record(served, mrn)
    reason = dialog.get_by_label("Why (stays in the record", exact=False)
    reason.fill("wrong at the machine")
    reason.press("Tab")
    dialog.get_by_role("button", name="Put right").click()
    expect(page.get_by_role("status").filter(has_text="Corrected: ")).to_be_visible(timeout=PATIENCE)
    assert becomes(record(served, mrn))
    page.get_by_role("button", name=re.compile("Undo")).first.click()
    expect(page.get_by_role("status").filter(has_text="Undone. ")).to_be_visible(timeout=PATIENCE)
    assert record(served, mrn) == before


def test_the_main_corrections_are_foretold_made_and_undone_from_her_page(page: Page, served: Served) -> None:
    # Its own two women, so that a second try finds what the first found.
    mrn, other = (f"COR-{uuid.uuid4().hex[:8]}-{n}" for n in "AB")
    days = (date(2020, 5, 4), date(2022, 6, 7))
    biopsy = (EventKind.BIOPSY, date(2020, 6, 1), None, "core")
    factories.woman(served.here, mrn, [VisitPlan(day) for day in days], events=[biopsy])
    factories.woman(served.here, other, [VisitPlan(date(2021, 1, 2))], name="Other^Woman")
    sign_in(page, served, "staff")
    page.goto(f"{served.url}/patient?patient={served.key(mrn)}")

    dialog = open_form(page, "Side, view or kind of films")
    expect(dialog.locator(".lv-film img")).to_have_count(4)
    dialog.get_by_role("button", name="The other side").click()
    expect(dialog.get_by_text("R CC of 2022-06-07 becomes L CC.", exact=False)).to_be_visible(
        timeout=PATIENCE
    )
    expect(dialog.get_by_text("1 score is made anew: 2022-06-07.", exact=False)).to_be_visible()
    put_right_and_undo(
        page, served, mrn, dialog, lambda now: now.visits[1].images[0].laterality == "L" and not now.visits[1].score
    )  # fmt: skip

    dialog = open_form(page, "Date of a study")
    dialog.get_by_role("spinbutton", name="year", exact=False).click()
    page.keyboard.type("20210304")
    page.keyboard.press("Escape")
    expect(dialog.get_by_text("The study of 2022-06-07 becomes that of 2021-03-04.")).to_be_visible(
        timeout=PATIENCE
    )
    put_right_and_undo(page, served, mrn, dialog, lambda now: now.visits[1].on == date(2021, 3, 4))

    dialog = open_form(page, "Studies or films of another woman")
    whose = dialog.get_by_label("MRN of the woman whose they are")
    whose.fill(other)
    whose.press("Enter")
    expect(dialog.locator(".lv-who")).to_contain_text("Other^Woman", timeout=PATIENCE)
    expect(dialog.get_by_text(f"The study of 2022-06-07 goes to Other^Woman, MRN {other}.")).to_be_visible()
    put_right_and_undo(page, served, mrn, dialog, lambda now: [one.on for one in now.visits] == [days[0]])

    dialog = open_form(page, "Films that are not wanted")
    dialog.get_by_text("Set R MLO aside").click()
    expect(dialog.get_by_text("R MLO of 2022-06-07 is set aside", exact=False)).to_be_visible(
        timeout=PATIENCE
    )
    put_right_and_undo(page, served, mrn, dialog, lambda now: len(now.visits[1].images) == 3)

    dialog = open_form(page, "Event of another woman or day")
    whose = dialog.get_by_label("MRN of the woman whose it is")
    whose.fill(other)
    whose.press("Enter")
    expect(dialog.get_by_text(f"The biopsy of 2020-06-01 goes to Other^Woman, MRN {other}.")).to_be_visible(
        timeout=PATIENCE
    )
    put_right_and_undo(page, served, mrn, dialog, lambda now: now.events == ())

    assert [one.is_undone for one in corrections_of(served.here, mrn)] == [True] * 5
    page.get_by_role("button", name="Correct", exact=False).first.click()
    page.get_by_text("What was corrected").first.click()
    expect(page.locator(".lv-corrected.undone")).to_have_count(5, timeout=PATIENCE)
    expect(page.locator(".lv-corrected").first).to_contain_text("wrong at the machine")


def test_who_may_not_correct_is_not_offered_it(page: Page, served: Served) -> None:
    mrn = f"COR-{uuid.uuid4().hex[:8]}"
    factories.woman(served.here, mrn, [VisitPlan(date(2020, 5, 4))])
    sign_in(page, served, "analyst")
    page.goto(f"{served.url}/patient?patient={served.key(mrn)}")
    expect(page.get_by_text("Sign out")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Correct", exact=False)).to_have_count(0)
