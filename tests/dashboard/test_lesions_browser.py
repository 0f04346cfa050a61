"""A lesion found again on another study, in a real browser: proposed, confirmed, measured, undone."""

import pytest
from playwright.sync_api import Page, expect

from core.records import (
    LesionNote,
    Sizing,
    lesions_of_patient,
    propose_place,
    record_of,
    record_sourced_lesions,
)
from tests.dashboard.conftest import Served
from tests.dashboard.test_browser import CHROMIUM, browser, page, sign_in

__all__ = ["browser", "page"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium"),
]
MRN = "00003"


def test_a_lesion_is_found_again_on_another_study_and_that_is_undone(page: Page, served: Served) -> None:
    image = next(
        (visit.on, image.sop_uid)
        for visit in record_of(served.here, MRN).visits
        for image in visit.images
        if image.view_name.code == "R-CC"
    )
    sizing = Sizing((100, 200, 150, 240), long_mm=12.0, short_mm=9.0)
    record_sourced_lesions(served.here, MRN, lambda: [LesionNote("Mass", "R", [(image[1], sizing)])])

    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key(MRN)}")
    expect(page.get_by_role("cell", name="12 × 9.0")).to_be_visible()
    page.get_by_role("button", name="Measure").click()
    for crop in (page.locator(".lv-places img"), page.locator(".place img")):
        expect(crop).to_have_count(1)
        expect(crop).to_have_js_property("complete", True)
        assert crop.evaluate("crop => crop.naturalWidth") > 0
    expect(page.get_by_text("Proposed by")).to_be_visible()
    confirm = page.get_by_role("button", name="Confirm the place and keep")
    expect(confirm).to_be_disabled()
    length = page.get_by_label("Long axis (mm)")
    length.fill("15")
    length.press("Enter")
    expect(confirm).to_be_enabled()
    confirm.click()
    expect(page.get_by_text("Mass is measured on R CC of")).to_be_visible()
    (lesion,) = lesions_of_patient(served.here, MRN)
    assert [mm for _, mm in lesion.diameters] == [12, 15]
    assert lesion.places[1].proposed_by in {"registration", "position"}
    assert lesion.places[1].by == "Demo oncologist"
    expect(page.get_by_role("cell", name="15", exact=True).first).to_be_visible()

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: Mass is measured")).to_be_visible()
    assert [mm for _, mm in lesions_of_patient(served.here, MRN)[0].diameters] == [12]


def test_a_proposed_place_is_dragged_to_where_it_lies_before_it_is_confirmed(
    page: Page, served: Served
) -> None:
    mrn = "00007"
    hers = [image for visit in record_of(served.here, mrn).visits for image in visit.images]
    image = next(one for one in hers if one.view_name.code == "R-CC")
    sizing = Sizing((200, 200, 240, 230), long_mm=12.0, short_mm=9.0)
    record_sourced_lesions(served.here, mrn, lambda: [LesionNote("Cyst", "R", [(image.sop_uid, sizing)])])
    before = {place.measurement_id for place in lesions_of_patient(served.here, mrn)[0].places}

    sign_in(page, served, "oncologist")
    page.goto(f"{served.url}/patient?patient={served.key(mrn)}")
    page.get_by_role("button", name="Measure").click()
    page.get_by_text("Seen, not measured").click()
    confirm = page.get_by_role("button", name="Confirm the place and keep")
    expect(confirm).to_be_enabled()
    frame = page.locator(".place .frame")
    frame.scroll_into_view_if_needed()
    frame.press("Shift+ArrowDown")
    seen = frame.bounding_box()
    assert seen is not None
    x, y = seen["x"] + seen["width"] / 2, seen["y"] + seen["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 20, steps=4)
    page.mouse.up()
    expect(page.get_by_text("Moved by you; it was proposed")).to_be_visible()
    confirm.click()
    expect(page.get_by_text("Cyst is")).to_be_visible()
    (lesion,) = lesions_of_patient(served.here, mrn)
    (moved,) = (place for place in lesion.places if place.measurement_id not in before)
    assert moved.proposed_by == "moved"
    proposed = propose_place(served.here, lesion.places[0].measurement_id, moved.sop_uid)
    assert proposed is not None
    assert moved.box[1] > proposed.box[1] + 5, "further down"
    assert moved.box[0] == pytest.approx(proposed.box[0], abs=3)
    assert moved.box[3] - moved.box[1] == pytest.approx(proposed.box[3] - proposed.box[1], abs=0.5)
