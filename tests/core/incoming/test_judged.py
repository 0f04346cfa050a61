"""The quality of what comes in: told with each file, kept with the image, made anew when the study changes."""

from datetime import date

import numpy as np
from sqlalchemy import select

from core.incoming import IncomingFile, Statement, intake, judge_study, measure_stored, take_in
from core.records import record_of
from core.rules.vocabulary import SIDES
from db.tables import Image, Study
from tests import engines
from tests.core.images.quality.degraded import again
from tests.pictures import breast, dicom, png

DAY = date(2024, 3, 15)
VIEWS = {"a.png": ("R", "CC"), "b.png": ("R", "MLO"), "c.png": ("L", "CC")}


def picture(side="R", seed=1):
    return breast(side, seed=seed, rows=640, columns=480) >> 4


def runs_off_above():
    """Draw a breast that a craniocaudal view would cut, and an oblique one would not."""
    return np.ascontiguousarray((breast("R", seed=1, rows=900, columns=640) >> 4)[290:])


def take(here, *files):
    said = Statement("MRN-1", DAY, views=VIEWS)
    return take_in(here, [IncomingFile(*file) for file in files], statement=said, source="cli").items


def flags(here):
    with here.database.read() as session:
        return {image.source_name: list(image.quality_flags) for image in session.scalars(select(Image))}


def test_a_picture_sent_twice_as_two_views_is_said_with_the_file_and_kept_with_both(here):
    first, second = take(here, ("a.png", png(picture())), ("b.png", png(again(picture()))))
    assert "same_picture" not in first.flags
    assert "same_picture" in second.flags
    assert all("same_picture" in said for said in flags(here).values())


def test_flags_follow_the_view_that_an_image_has_today(here):
    take(here, ("a.png", png(runs_off_above())))
    assert "cut_off" in flags(here)["a.png"]
    with here.database.write() as session:
        image = session.scalars(select(Image)).one()
        image.view, image.quality_flags = "MLO", ["implant", *image.quality_flags]
        session.flush()
        judge_study(session, session.scalars(select(Study)).one())
    assert flags(here)["a.png"][0] == "implant"
    assert "cut_off" not in flags(here)["a.png"]


def test_what_the_file_says_itself_stays_beside_what_was_measured(here):
    (item,) = take_in(
        here, [IncomingFile("one", dicom(breast(), BreastImplantPresent="YES"))], statement=None, source="cli"
    ).items
    assert item.flags[0] == "implant"
    assert "low_resolution" in item.flags


def test_a_look_at_files_measures_what_the_page_tells(here):
    (item,) = intake.examine(here, [IncomingFile("a.png", png(picture()))])
    assert item.measured["longest_side"] == 640
    assert flags(here) == {}


def test_images_of_before_are_measured_from_what_is_stored_once(here):
    take(here, ("a.png", png(runs_off_above())))
    with here.database.write() as session:
        image = session.scalars(select(Image)).one()
        now, image.measured, image.quality_flags = dict(image.measured), None, []
    assert measure_stored(here) == {"measured": 1, "flagged": 1, "unreadable": 0}
    assert "cut_off" in flags(here)["a.png"]
    with here.database.read() as session:
        then = session.scalars(select(Image)).one().measured
    assert then == now
    assert measure_stored(here) == {"measured": 0, "flagged": 0, "unreadable": 0}


def test_a_picture_that_is_lost_does_not_keep_the_others_from_being_measured(here):
    take(
        here,
        *(
            (f"{name}.png", png(picture(side, seed)))
            for seed, (name, side) in enumerate(zip("ac", SIDES[::-1], strict=True))
        ),
    )
    with here.database.write() as session:
        first, second = session.scalars(select(Image).order_by(Image.id))
        first.measured = second.measured = None
        lost = [first.rendition_sha256, first.sha256]
    for key in lost:
        engines.lose(here.images, key)
    counts = measure_stored(here)
    assert (counts["measured"], counts["unreadable"]) == (1, 1)


def test_her_record_says_what_is_amiss_and_what_to_do(here):
    take(here, ("a.png", png(runs_off_above())))
    (visit,) = record_of(here, "MRN-1").visits
    assert "upper edge" in visit.images[0].remarks[0]
    assert "Repeat the view" in visit.images[0].remarks[0]
