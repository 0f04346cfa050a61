"""Lesions over time: what readers do with them, how it is undone, and that nothing of it is lost or overwritten unseen."""

import time
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from core.images import Registration
from core.people.accounts import Role, create_user
from core.people.roles import AccessDenied, Person
from core.records import (
    LesionChangedMeanwhile,
    LesionStatus,
    Sizing,
    add_measurement,
    are_being_aligned,
    course_of,
    describe_lesion,
    findings,
    join_lesions,
    lesions_of_patient,
    propose_place,
    record_of,
    remove_measurement,
    rename_lesion,
    set_lesion_status,
    split_lesion,
    undo_lesion_act,
)
from core.rules.response import Response
from db.tables import AuditEntry, EventKind, Image, Laterality, Lesion
from tests import factories
from tests.factories import VisitPlan

DAYS = (date(2024, 5, 1), date(2024, 11, 1), date(2025, 5, 1))
THERAPY = (EventKind.THERAPY, date(2024, 6, 1), None, "endocrine therapy")
SPACING_MM = 0.28
VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"))


@pytest.fixture
def oncologist(here) -> Person:
    return create_user(here, "onco", "a long password", Role.ONCOLOGIST)


@pytest.fixture
def images(here) -> dict[tuple[date, str], str]:
    """The SOP UIDs of a woman's images by day and view."""
    factories.woman(here, "00017", [VisitPlan(on, views=VIEWS) for on in DAYS], events=[THERAPY])
    record = record_of(here, "00017")
    return {
        (visit.on, image.view_name.code): image.sop_uid for visit in record.visits for image in visit.images
    }


@pytest.fixture
def finding(here, oncologist, images):
    """A lesion of the right breast, kept on the first study: 14 mm."""
    findings.keep(here, oncologist, images[DAYS[0], "R-CC"], (100, 200, 150, 220))
    return only(here)


def only(here):
    (lesion,) = lesions_of_patient(here, "00017")
    return lesion


def by_label(here) -> dict:
    return {lesion.label: lesion for lesion in lesions_of_patient(here, "00017")}


def measure(here, person, lesion, sop_uid, length_mm, **more):
    """Measure a long axis along a row of the image."""
    end = 100 + length_mm / SPACING_MM
    sizing = Sizing(long_axis=(100, 300, end, 300), **more)
    return add_measurement(here, person, lesion.lesion_id, sop_uid, sizing, version=lesion.version)


def actions(here) -> list[str]:
    with here.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [one.action for one in entries if (one.subject or "") == "patient:00017"]


def test_a_finding_is_a_lesion_and_its_size_that_of_the_box(here, finding):
    assert (finding.label, finding.laterality, finding.status) == ("Finding 1", "R", LesionStatus.FOLLOWED)
    assert finding.diameters == ((DAYS[0], pytest.approx(14.0)),)
    assert finding.growth is None


def test_axes_are_measured_between_their_ends_and_the_longest_of_a_day_counts(
    here, oncologist, images, finding
):
    measure(here, oncologist, finding, images[DAYS[1], "R-CC"], 16, short_axis=(120, 290, 120, 310))
    measure(here, oncologist, only(here), images[DAYS[1], "R-MLO"], 18)
    lesion = only(here)
    assert lesion.diameters == ((DAYS[0], pytest.approx(14)), (DAYS[1], pytest.approx(18)))
    assert lesion.sizes[1].short_mm == pytest.approx(20 * SPACING_MM)
    assert [view.code for view in lesion.sizes[1].views] == ["R-CC", "R-MLO"]
    assert lesion.growth.doubling_days == pytest.approx(184 * 0.6931 / (3 * 0.2513), rel=0.01)
    place = lesion.places[1]
    assert place.long_axis[:2] == (100, 300)
    assert place.box[1] < place.box[3]


def test_without_pixel_size_there_is_no_length_but_what_the_reader_says(here, oncologist, images, finding):
    with here.database.write() as session:
        session.scalars(
            select(Image).where(Image.sop_uid == images[DAYS[1], "R-CC"])
        ).one().pixel_spacing_mm = None
    measure(here, oncologist, finding, images[DAYS[1], "R-CC"], 16)
    assert only(here).sizes[1].long_mm is None
    sizing = Sizing(box=(1, 1, 50, 50), long_mm=12.0, short_mm=8.0)
    lesion = only(here)
    add_measurement(
        here, oncologist, lesion.lesion_id, images[DAYS[2], "R-CC"], sizing, version=lesion.version
    )
    assert only(here).sizes[2].long_mm == 12


IMPOSSIBLE = [
    (Sizing(long_axis=(0, 0, 9999, 1)), "does not lie in the image"),
    (Sizing(box=(10, 10, 10, 20), long_mm=5), "does not lie in the image"),
    (Sizing(), "does not lie in the image"),
    (Sizing(box=(0, 0, float("nan"), 9), long_mm=5), "does not lie in the image"),
    (Sizing(box=(0, 0, 9, 9), long_mm=-1), "between 0 and 500 mm"),
    (Sizing(box=(0, 0, 9, 9), long_mm=float("nan")), "between 0 and 500 mm"),
    (Sizing(box=(0, 0, 9, 9), long_mm=5, short_mm=6), "short axis is longer"),
]


def test_what_cannot_be_measured_is_refused(here, oncologist, images, finding):
    for sizing, said in IMPOSSIBLE:
        with pytest.raises(ValueError, match=said):
            add_measurement(
                here, oncologist, finding.lesion_id, images[DAYS[1], "R-CC"], sizing, version=finding.version
            )
    assert only(here) == finding


def test_a_lesion_is_measured_on_its_own_breast_and_once_an_image(here, oncologist, images, finding):
    with pytest.raises(ValueError, match="in the right breast"):
        measure(here, oncologist, finding, images[DAYS[1], "L-CC"], 10)
    factories.woman(here, "00018", [VisitPlan(DAYS[0], views=VIEWS[:1])])
    other = record_of(here, "00018").visits[0].images[0].sop_uid
    with pytest.raises(ValueError, match="another woman's"):
        measure(here, oncologist, finding, other, 10)
    with pytest.raises(ValueError, match="measured on this image already"):
        measure(here, oncologist, finding, images[DAYS[0], "R-CC"], 10)
    again = Sizing(long_axis=(100, 300, 150, 300))
    undo = add_measurement(
        here, oncologist, finding.lesion_id, images[DAYS[0], "R-CC"], again,
        version=finding.version, instead_of=finding.places[0].measurement_id,
    )  # fmt: skip
    assert [place.long_axis for place in only(here).places] == [(100, 300, 150, 300)]
    undo_lesion_act(here, oncologist, undo)
    assert only(here).places == finding.places


def test_two_findings_are_joined_parted_and_both_is_undone(here, oncologist, images, finding):
    findings.keep(here, oncologist, images[DAYS[1], "R-CC"], (100, 200, 160, 220))
    first, second = (by_label(here)[f"Finding {n}"] for n in (1, 2))
    versions = (second.version, first.version)
    undo = join_lesions(here, oncologist, second.lesion_id, first.lesion_id, versions=versions)
    assert [on for on, _ in only(here).diameters] == [DAYS[0], DAYS[1]]
    undo_lesion_act(here, oncologist, undo)
    assert set(by_label(here)) == {"Finding 1", "Finding 2"}
    first, second = by_label(here).values()
    join_lesions(
        here, oncologist, second.lesion_id, first.lesion_id, versions=(second.version, first.version)
    )
    lesion = only(here)
    undo = split_lesion(here, oncologist, [lesion.places[1].measurement_id], version=lesion.version)
    assert set(by_label(here)) == {"Finding 1", "Finding 3"}
    undo_lesion_act(here, oncologist, undo)
    assert len(only(here).places) == 2
    lesion = only(here)
    every = [place.measurement_id for place in lesion.places]
    with pytest.raises(ValueError, match="all that Finding 1 has"):
        split_lesion(here, oncologist, every, version=lesion.version)
    assert actions(here)[2:] == [
        "lesion_joined",
        "lesion_undone",
        "lesion_joined",
        "lesion_split",
        "lesion_undone",
    ]


def test_findings_of_two_breasts_or_on_one_image_are_not_joined(here, oncologist, images, finding):
    findings.keep(here, oncologist, images[DAYS[1], "L-CC"], (100, 200, 160, 220))
    findings.keep(here, oncologist, images[DAYS[0], "R-CC"], (10, 20, 60, 70))
    first, left, same = by_label(here).values()
    with pytest.raises(ValueError, match="two breasts"):
        join_lesions(
            here, oncologist, left.lesion_id, first.lesion_id, versions=(left.version, first.version)
        )
    with pytest.raises(ValueError, match="one image shows a lesion once"):
        join_lesions(
            here, oncologist, same.lesion_id, first.lesion_id, versions=(same.version, first.version)
        )
    with pytest.raises(ValueError, match="another lesion"):
        join_lesions(here, oncologist, first.lesion_id, first.lesion_id, versions=(1, 1))
    assert len(by_label(here)) == 3


def test_a_second_reader_overwrites_nothing_that_she_has_not_seen(here, oncologist, images, finding):
    other = create_user(here, "onco2", "a long password", Role.ONCOLOGIST)
    undo = rename_lesion(
        here, oncologist, finding.lesion_id, "Fibroadenoma 10 o'clock", version=finding.version
    )
    for act in (
        lambda: rename_lesion(here, other, finding.lesion_id, "Mass", version=finding.version),
        lambda: set_lesion_status(
            here, other, finding.lesion_id, LesionStatus.KNOWN_BENIGN, note="biopsy", version=finding.version
        ),
        lambda: measure(here, other, finding, images[DAYS[1], "R-CC"], 12),
        lambda: remove_measurement(here, other, finding.places[0].measurement_id, version=finding.version),
    ):
        with pytest.raises(LesionChangedMeanwhile, match="Fibroadenoma"):
            act()
    seen = only(here)
    assert (seen.label, seen.status, len(seen.places)) == (
        "Fibroadenoma 10 o'clock",
        LesionStatus.FOLLOWED,
        1,
    )
    set_lesion_status(
        here, other, seen.lesion_id, LesionStatus.KNOWN_BENIGN, note="biopsy 2023", version=seen.version
    )
    with pytest.raises(LesionChangedMeanwhile):
        undo_lesion_act(here, oncologist, undo)
    assert only(here).note == "biopsy 2023"


def test_a_name_is_one_lesions_and_says_something(here, oncologist, images, finding):
    findings.keep(here, oncologist, images[DAYS[0], "L-CC"], (10, 20, 60, 70))
    for label, said in ((" ", "1 to 64"), ("x" * 65, "1 to 64"), ("Finding  2", "Another lesion of hers")):
        with pytest.raises(ValueError, match=said):
            rename_lesion(here, oncologist, finding.lesion_id, label, version=finding.version)
    undo = rename_lesion(here, oncologist, finding.lesion_id, "<b>Mass</b>", version=finding.version)
    assert "<b>Mass</b>" in by_label(here)
    undo_lesion_act(here, oncologist, undo)
    assert "Finding 1" in by_label(here)


def test_known_benign_is_quiet_until_it_grows_by_more_than_measuring_errs(here, oncologist, images, finding):
    with pytest.raises(ValueError, match="how it is known"):
        set_lesion_status(
            here, oncologist, finding.lesion_id, LesionStatus.KNOWN_BENIGN, note=" ", version=finding.version
        )
    undo = set_lesion_status(
        here, oncologist, finding.lesion_id, LesionStatus.KNOWN_BENIGN, note="biopsy", version=finding.version
    )
    with here.database.write() as session:  # as if it had been said after the first study
        session.get(Lesion, finding.lesion_id).status_at = datetime(2024, 6, 1, tzinfo=UTC)
    measure(here, oncologist, only(here), images[DAYS[1], "R-CC"], 16)
    assert not only(here).has_outgrown
    measure(here, oncologist, only(here), images[DAYS[2], "R-CC"], 18)
    lesion = only(here)
    assert lesion.has_outgrown
    assert (lesion.note, lesion.status_by) == ("biopsy", "onco")
    with pytest.raises(LesionChangedMeanwhile):
        undo_lesion_act(here, oncologist, undo)


def test_a_measurement_on_a_view_that_was_corrected_away_is_kept_shown_and_not_counted(
    here, oncologist, images, finding
):
    measure(here, oncologist, finding, images[DAYS[1], "R-CC"], 20)
    with here.database.write() as session:
        image = session.scalars(select(Image).where(Image.sop_uid == images[DAYS[1], "R-CC"])).one()
        image.laterality, image.view = Laterality.LEFT, "MLO"
    lesion = only(here)
    assert [on for on, _ in lesion.diameters] == [DAYS[0]]
    assert lesion.places[1].corrected == "Measured on R CC; the image was corrected and is L MLO now."
    assert lesion.places[1].view.code == "R-CC"
    assert lesion.places[1].long_mm == pytest.approx(20)


def test_response_runs_from_the_last_study_before_therapy(here, oncologist, images, finding):
    measure(here, oncologist, finding, images[DAYS[1], "R-CC"], 9)
    measure(here, oncologist, only(here), images[DAYS[2], "R-CC"], 15)
    events = record_of(here, "00017").events
    course = course_of(lesions_of_patient(here, "00017"), events)
    assert course.baseline == DAYS[0]
    assert "before endocrine therapy began on 2024-06-01" in course.because
    assert [one.response for one in course.said] == [Response.BASELINE, Response.PR, Response.PD]
    assert [one.nadir_mm for one in course.said] == pytest.approx([14, 9, 9])
    assert course.targets == ("Finding 1",)


def test_a_new_lesion_is_progression_and_one_known_benign_is_not_counted(here, oncologist, images, finding):
    measure(here, oncologist, finding, images[DAYS[1], "R-CC"], 9)
    findings.keep(here, oncologist, images[DAYS[1], "L-CC"], (10, 20, 60, 70))
    lesions = lesions_of_patient(here, "00017")
    assert course_of(lesions, []).said[1].new == ("Finding 2",)
    new = by_label(here)["Finding 2"]
    set_lesion_status(
        here, oncologist, new.lesion_id, LesionStatus.KNOWN_BENIGN, note="oil cyst", version=new.version
    )
    assert course_of(lesions_of_patient(here, "00017"), []).said[1].response is Response.PR


def test_of_a_node_the_short_axis_counts(here, oncologist, images, finding):
    describe_lesion(
        here, oncologist, finding.lesion_id, kind="lymph node", node=True, version=finding.version
    )
    assert only(here).diameters == ()
    measure(here, oncologist, only(here), images[DAYS[1], "R-MLO"], 20, short_axis=(100, 300, 100, 360))
    assert only(here).diameters == ((DAYS[1], pytest.approx(60 * SPACING_MM)),)


def test_one_day_is_no_course(here, oncologist, images, finding):
    assert course_of(lesions_of_patient(here, "00017"), []) is None
    assert course_of([], []) is None


def test_only_an_oncologist_acts_on_lesions(here, images, finding):
    for role in (Role.STAFF, Role.ANALYST, Role.ADMIN):
        other = create_user(here, f"other-{role.value}", "a long password", role)
        for act in (
            lambda who: rename_lesion(here, who, finding.lesion_id, "x", version=finding.version),
            lambda who: describe_lesion(
                here, who, finding.lesion_id, kind="", node=True, version=finding.version
            ),
            lambda who: set_lesion_status(
                here, who, finding.lesion_id, LesionStatus.RESOLVED, note="", version=finding.version
            ),
            lambda who: measure(here, who, finding, images[DAYS[1], "R-CC"], 10),
            lambda who: remove_measurement(
                here, who, finding.places[0].measurement_id, version=finding.version
            ),
            lambda who: join_lesions(here, who, finding.lesion_id, 99, versions=(finding.version, 1)),
            lambda who: split_lesion(here, who, [1], version=finding.version),
        ):
            with pytest.raises(AccessDenied):
                act(other)
    assert only(here) == finding


def test_a_place_is_proposed_on_the_same_view_by_registration(here, images, finding):
    place = finding.places[0]
    proposal = propose_place(here, place.measurement_id, images[DAYS[1], "R-CC"])
    assert proposal.by == "registration"  # the two pictures are one and the same
    x0, y0, x1, y1 = proposal.box
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == (pytest.approx(125, abs=5), pytest.approx(210, abs=5))
    assert (x1 - x0, y1 - y0) == (pytest.approx(100), pytest.approx(40))
    assert propose_place(here, place.measurement_id, images[DAYS[1], "R-MLO"]) is None
    assert propose_place(here, place.measurement_id, images[DAYS[0], "R-CC"]) is None
    assert only(here) == finding


def test_where_nothing_can_be_registered_the_position_is_proposed_and_said_to_be_no_more(
    here, images, finding, monkeypatch
):
    monkeypatch.setattr(Registration, "is_usable", False)
    proposal = propose_place(here, finding.places[0].measurement_id, images[DAYS[1], "R-CC"])
    assert proposal.by == "position"
    assert "not registered" in proposal.said
    x0, y0, x1, y1 = proposal.box
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == (pytest.approx(125), pytest.approx(210))


def test_nobody_waits_for_two_images_to_be_aligned_and_a_moment_later_the_place_is_by_registration(
    here, images, finding
):
    place, pair = finding.places[0], (images[DAYS[0], "R-CC"], images[DAYS[1], "R-CC"])
    proposal = propose_place(here, place.measurement_id, pair[1], at_once=True)
    assert (proposal.by, proposal.aligning) == ("position", pair)
    assert "being aligned" in proposal.said
    deadline = time.monotonic() + 60
    while are_being_aligned(here, [pair]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    proposal = propose_place(here, place.measurement_id, pair[1], at_once=True)
    assert (proposal.by, proposal.aligning) == ("registration", None)
