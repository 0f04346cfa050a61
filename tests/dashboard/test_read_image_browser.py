"""Reading one image in a real browser: drop it, draw a box, see what is said of it, keep it on a patient's study."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from core.records import findings
from db.tables import AuditEntry
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import CHROMIUM, Page, browser, page, sign_in
from tests.pictures import breast, dicom

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]


PATIENCE = 60_000
"""Milliseconds: the models are loaded beside the browser, on the same two cores."""


def shown_anyway(served: Served) -> int:
    """Return how often the trail says that withheld numbers of an image were shown."""
    with served.here.database.read() as session:
        return len(session.scalars(select(AuditEntry).where(AuditEntry.action == "withheld_shown")).all())


@pytest.mark.timeout(600)
def test_an_image_is_dropped_a_box_is_drawn_and_kept_as_a_finding(page: Page, served: Served) -> None:
    anonymous = {"PatientID": None, "PatientName": None, "PatientBirthDate": None}
    view = dicom(breast("L", seed=7, rows=640, columns=480), ImagerPixelSpacing=[0.2, 0.2], **anonymous)
    page.set_default_timeout(PATIENCE)
    sign_in(page, served, "oncologist")
    page.get_by_role("link", name="Read an image").click()
    page.set_input_files(
        "input[type=file]", {"name": "view.dcm", "mimeType": "application/dicom", "buffer": view}
    )
    # The models are loaded for the first image of this process.
    expect(page.locator(".reading[data-answered=true]")).to_be_visible(timeout=300_000)
    # The drawn breast is like no film that the models learned from: a sentence stands where numbers would.
    side = page.locator(".side")
    expect(side.get_by_text("unlike those that the model learned from").first).to_be_visible(timeout=PATIENCE)
    expect(side.get_by_text("python -m core train image").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".bars")).to_have_count(0)
    assert not re.search(r"%|malignant|benign", side.inner_text())
    before_it = shown_anyway(served)  # a second try finds what the first one left

    pane = page.locator(".pane")
    frame = pane.bounding_box()
    assert frame
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(middle[0] - 120, middle[1] - 30)
    page.mouse.down()
    page.mouse.move(middle[0] - 60, middle[1] + 30, steps=5)
    page.mouse.up()
    expect(page.locator(".card")).to_contain_text("Withheld", timeout=PATIENCE)
    assert not re.search(r"%|malignant|benign", side.inner_text())

    page.get_by_role("button", name="Show anyway").click()
    expect(page.locator(".bars.tumour.withheld .bar-row")).to_have_count(6, timeout=PATIENCE)
    expect(page.locator(".bars.density.withheld .bar-row")).to_have_count(4, timeout=PATIENCE)
    expect(page.locator(".bars:not(.withheld)")).to_have_count(0)
    expect(side.get_by_text("Not to be believed").first).to_be_visible(timeout=PATIENCE)
    assert shown_anyway(served) == before_it + 1
    page.get_by_role("button", name="Hide again").click()
    expect(page.locator(".bars")).to_have_count(0, timeout=PATIENCE)
    drawn = page.locator(".card .size").inner_text()
    assert "mm" in drawn

    # Moved by keys the box keeps its size, resized it does not.
    page.locator(".layer .box").focus()
    before = page.locator(".layer .box").bounding_box()
    page.keyboard.press("ArrowRight")
    moved = page.locator(".layer .box").bounding_box()
    assert before
    assert moved
    assert moved["x"] > before["x"]
    assert page.locator(".card .size").inner_text() == drawn
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator(".card .size")).not_to_have_text(drawn, timeout=PATIENCE)

    page.get_by_role("button", name="New box").click()
    expect(page.locator(".card")).to_have_count(2, timeout=PATIENCE)
    page.get_by_role("button", name="Remove box 2").click()
    page.get_by_role("button", name="Contrast").click()
    expect(page.locator(".line")).to_be_visible(timeout=PATIENCE)

    keep = page.get_by_role("button", name="Keep as finding")
    keep.click()
    expect(page.get_by_placeholder("Search MRN or name")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(keep).to_be_enabled(timeout=PATIENCE)  # thought better of it: she may ask again
    keep.click()
    page.get_by_placeholder("Search MRN or name").fill("00002")
    page.keyboard.press("Enter")
    expect(page.get_by_text("MRN 00002")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Add the image to her record").click()
    expect(page.get_by_text(re.compile(r"Finding \d is kept on Sim-0002"))).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".layer .finding").first).to_be_visible(timeout=PATIENCE)
    *_, kept = findings.of_patient(served.here, "00002")
    assert kept.diameter_mm
    assert kept.reading == {}

    page.get_by_role("link", name="Open the patient").click()
    expect(page.get_by_text("longest side")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Finding 1").first).to_be_visible(timeout=PATIENCE)
