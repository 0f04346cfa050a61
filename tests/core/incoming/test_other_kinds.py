"""Breast ultrasound and MR: kept with what shows that they are of the breast, shown and measured on, read by no model."""

from datetime import date

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from sqlalchemy import select

from core.corrections import CorrectionRefused, FilmIs, FilmsAre, correct, preview
from core.images import open_rendition, rendition
from core.incoming import IncomingFile, Statement, intake, other_kinds, take_in
from core.people.accounts import Role, create_user
from core.records import (
    Sizing,
    findings,
    lesions_of_patient,
    propose_place,
    record_of,
    start_lesion,
    worklist,
)
from core.rules.vocabulary import VIEWS
from core.worker import queue
from dashboard.patient import pictures
from db.tables import Image, Study, StudyStatus
from tests.pictures import breast, dicom, png

ULTRASOUND, MR = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.4.1"
DAY = date(2024, 3, 15)


def scan(seed=0, shade=0):
    """Draw layers and speckle, uint8; `shade` is added."""
    random = np.random.default_rng(seed)
    layers = 90 + 60 * np.sin(np.arange(240)[:, None] / 11) + random.normal(0, 18, (240, 320))
    return np.clip(layers + shade, 0, 255).astype(np.uint8)


def region(mm=0.2, **changed):
    item = Dataset()
    item.RegionSpatialFormat, item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection = 1, 3, 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = mm / 10
    for keyword, value in changed.items():
        setattr(item, keyword, value)
    return item


def ultrasound(pixels=None, **tags):
    said = {"SOPClassUID": ULTRASOUND, "Modality": "US", "ViewPosition": None, "BodyPartExamined": "BREAST",
            "SequenceOfUltrasoundRegions": Sequence([region()])}  # fmt: skip
    absent = {keyword for keyword, value in tags.items() if value is None} - {"ImageLaterality"}
    return dicom(
        scan() if pixels is None else pixels, **{k: v for k, v in {**said, **tags}.items() if k not in absent}
    )


def stack(shades, **tags):
    """Write a loop or a stack: frames of one shade more each."""
    frames = np.stack([scan(shade=shade) for shade in shades])
    rows, columns = frames.shape[1:]
    data = {"NumberOfFrames": len(shades), "Rows": rows, "Columns": columns, "PixelData": frames.tobytes()}
    return ultrasound(frames[0], **data, **tags)


def take(here, *files, statement=None, name="scan"):
    named = [IncomingFile(name if len(files) == 1 else f"{name}{n}", data) for n, data in enumerate(files)]
    return take_in(here, named, statement=statement, source="cli").items


def stated(name="scan", view="US", **more):
    return Statement("MRN-1", DAY, views={name: ("L", view)}, **more)


def image_of(here):
    with here.database.read() as session:
        return session.scalars(select(Image)).one()


def test_an_ultrasound_image_that_says_so_of_the_breast_is_kept_with_its_scale_and_waits_for_nothing(here):
    (item,) = take(here, ultrasound())
    assert (item.outcome, item.modality, item.laterality, item.view) == ("accepted", "US", "L", "US")
    assert item.flags == ["ultrasound"]
    assert image_of(here).pixel_spacing_mm == pytest.approx(0.2)
    assert queue.count_pending(here) == 0
    assert queue.queue_everything(here) == 0
    assert queue.retry_refused(here) == 0
    (visit,) = record_of(here, "MRN-1").visits
    assert (visit.other_kind, visit.missing_views, visit.images[0].flipped) == ("ultrasound", (), False)
    assert [one.outcome for one in take(here, ultrasound())] != ["quarantined"]


def test_of_a_loop_the_frame_that_the_file_names_stands_for_it_else_the_middle_one(here):
    shades = {}
    for named, data in ((True, {"RepresentativeFrameNumber": 2}), (False, {})):
        (item,) = take(here, stack((0, 20, 40, 60, 80), **data, PatientID=f"MRN-{named}"))
        assert item.outcome == "accepted", item.text
        with here.database.read() as session:
            sop_uid = session.scalars(select(Image.sop_uid).order_by(Image.id.desc())).first()
        shades[named] = float(open_rendition(rendition(here, sop_uid))[1].mean())
    assert shades[True] == pytest.approx(scan(shade=20).mean(), abs=1)
    assert shades[False] == pytest.approx(scan(shade=40).mean(), abs=1)


def test_colours_of_flow_are_no_reason_to_refuse_an_ultrasound_image(here):
    colours = np.repeat(scan()[..., None], 3, axis=2)
    colours[60:120, 60:120] = (200, 20, 20)
    (item,) = take(
        here, ultrasound(colours, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    )
    assert item.outcome == "accepted", item.text


@pytest.mark.parametrize(
    ("regions", "mm"),
    [
        ([region(0.1), region(0.1)], 0.1),
        ([region(0.1), region(0.2)], None),
        ([region(0.1, PhysicalUnitsXDirection=4)], None),
        ([region(0.1, PhysicalDeltaY=0.05)], None),
        ([region(0.1), region(9, RegionSpatialFormat=3)], 0.1),
        ([], None),
    ],
)
def test_millimetres_are_believed_only_where_all_calibrated_tissue_has_the_same(here, regions, mm):
    take(here, ultrasound(SequenceOfUltrasoundRegions=Sequence(regions)))
    assert image_of(here).pixel_spacing_mm == (None if mm is None else pytest.approx(mm))


def test_of_a_breast_mr_stack_the_middle_slice_is_kept_with_the_spacing_of_its_frames(here):
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = [0.7, 0.7]
    group.PixelMeasuresSequence = Sequence([measures])
    data = stack((0, 20, 40), SOPClassUID=MR, Modality="MR", BodyPartExamined=None, SeriesDescription="T1 breast dyn",
                 SequenceOfUltrasoundRegions=None, SharedFunctionalGroupsSequence=Sequence([group]))  # fmt: skip
    (item,) = take(here, data)
    assert (item.outcome, item.modality, item.view, item.flags) == (
        "accepted",
        "MR",
        "MR",
        ["magnetic_resonance"],
    ), item.text
    assert image_of(here).pixel_spacing_mm == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("tags", "reason", "said"),
    [
        ({"BodyPartExamined": None}, "not_a_mammogram", "does not say that it shows the breast"),
        ({"BodyPartExamined": "LIVER"}, "not_a_mammogram", "LIVER"),
        (
            {"BodyPartExamined": "HEAD", "Modality": "MR", "StudyDescription": "Breast and head"},
            "not_a_mammogram",
            "HEAD",
        ),
        ({"ImageLaterality": None}, "unknown_laterality", ""),
        ({"Modality": "CT"}, "not_a_mammogram", "CT"),
    ],
)
def test_what_is_not_said_to_be_of_the_breast_or_of_which_is_refused_with_the_reason(
    here, tags, reason, said
):
    (item,) = take(here, ultrasound(**tags))
    assert (item.outcome, item.reason) == ("quarantined", reason)
    assert said in (item.detail or "")


def test_a_person_may_say_that_it_is_the_breast_but_not_over_what_the_file_says_it_is(here):
    assert [i.outcome for i in take(here, ultrasound(BodyPartExamined=None), statement=stated())] == [
        "accepted"
    ]
    for tags, said in (
        ({"BodyPartExamined": "LIVER"}, "LIVER"),
        ({"Modality": "CT"}, "CT"),
        ({"Modality": "MR"}, "MR"),
        ({"Modality": "MG", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2"}, "MG"),
    ):
        (item,) = take(here, ultrasound(**tags), statement=stated())
        assert (item.outcome, item.reason) == ("quarantined", "not_a_mammogram")
        assert said in item.detail


def test_a_picture_is_an_ultrasound_image_where_a_person_says_so_and_no_mammogram_where_not(
    here, shared_data
):
    picture = next(iter(sorted((shared_data / "busi").glob("*.png")))).read_bytes()
    (item,) = take(here, picture, statement=stated(view="CC"))
    assert (item.outcome, item.reason) == ("quarantined", "not_a_mammogram")
    (item,) = take(here, picture, statement=stated())
    assert (item.outcome, item.view, item.modality) == ("accepted", "US", "US")


def test_what_looks_like_ultrasound_is_asked_before_anything_is_stored(here, shared_data):
    picture = next(iter(sorted((shared_data / "busi").glob("*.png")))).read_bytes()
    (asked,) = intake.examine(here, [IncomingFile("one.png", picture)])
    assert (asked.refusal, asked.looks_like, asked.view) == (None, "US", None)
    (known,) = intake.examine(here, [IncomingFile("two", ultrasound())])
    assert (known.refusal, known.view, known.laterality) == (None, "US", "L")
    (refused,) = intake.examine(
        here,
        [
            IncomingFile(
                "three.png", png(np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint8))
            )
        ],
    )
    assert refused.refusal.reason == "not_a_mammogram"


def test_the_modality_is_said_for_all_files_at_once_and_sides_come_from_the_files(here):
    (item,) = take(
        here,
        ultrasound(Modality="OT", BodyPartExamined=None),
        statement=Statement("MRN-1", DAY, modality="US"),
    )
    assert (item.outcome, item.laterality, item.view) == ("accepted", "L", "US")


def test_her_mammograms_are_neither_scored_anew_nor_counted_otherwise(here):
    take(
        here,
        *(
            dicom(breast("L", seed=n), ViewPosition=view, StudyInstanceUID="1.2.1")
            for n, view in enumerate(VIEWS[:2])
        ),
    )
    with here.database.write() as session:
        session.scalars(select(Study)).one().status = StudyStatus.SCORED
    before = record_of(here, "MRN-1")
    take(here, ultrasound(StudyDate="20240320", StudyInstanceUID="1.2.2"))
    after = record_of(here, "MRN-1")
    assert queue.count_pending(here) == 0
    assert (before.standing.last.on, after.standing.last.on) == (DAY, DAY)
    assert after.missing_views(after.visits[0]) == before.missing_views(before.visits[0])
    assert [(v.modality, v.on) for v in after.visits] == [("MG", DAY), ("US", date(2024, 3, 20))]
    (row,) = worklist.rows(here, today=date(2024, 6, 1))
    assert (row.studies, row.last_study) == (1, DAY)


def test_one_study_may_hold_both_whichever_comes_first(here):
    first = take(here, ultrasound(StudyInstanceUID="1.2.3"))
    second = take(here, dicom(StudyInstanceUID="1.2.3"))
    assert [(i.outcome, i.modality) for i in (*first, *second)] == [("accepted", "US"), ("accepted", "MG")]
    (visit,) = record_of(here, "MRN-1").visits
    assert (visit.modality, visit.status) == ("MG", StudyStatus.PENDING)
    assert [view.code for view in visit.missing_views] == ["R-CC", "R-MLO", "L-MLO"]
    (third,) = take(here, ultrasound(scan(5), StudyInstanceUID="1.2.3"))
    assert third.modality == "US"


def test_of_one_examination_no_more_pictures_are_kept_than_are_looked_at(here, monkeypatch):
    monkeypatch.setattr(other_kinds, "MOST_PICTURES", 2)
    items = take(here, *(ultrasound(scan(n), StudyInstanceUID="1.2.3") for n in range(3)))
    assert [(i.outcome, i.reason) for i in items][1:] == [
        ("accepted", None),
        ("quarantined", "too_many_pictures"),
    ]
    with here.database.read() as session:
        kept = session.scalars(select(Image.sha256)).all()
    assert len(kept) == 2
    assert len(list(here.images.keys())) == 6


def test_a_lesion_is_measured_on_it_in_millimetres_and_no_place_is_proposed_on_another(here):
    take(
        here,
        ultrasound(StudyInstanceUID="1.2.3"),
        ultrasound(scan(1), StudyDate="20250315", StudyInstanceUID="1.2.4"),
    )
    reader = create_user(here, "onco", "a long password", Role.ONCOLOGIST)
    record = record_of(here, "MRN-1")
    sop_uids = [visit.images[0].sop_uid for visit in record.visits]
    findings.keep(here, reader, sop_uids[0], (100, 100, 150, 130))
    (lesion,) = lesions_of_patient(here, "MRN-1")
    (place,) = lesion.places
    assert lesion.diameters == ((DAY, pytest.approx(10.0)),)
    assert propose_place(here, place.measurement_id, sop_uids[1]) is None


def test_a_loop_that_would_unfold_to_gigabytes_is_answered_by_its_one_frame_or_refused(here):
    (item,) = take(here, ultrasound(NumberOfFrames=10**6))
    assert (item.outcome, item.reason) == ("quarantined", "decompression_bomb")


def magnetic_resonance(**tags):
    said = {"SOPClassUID": MR, "Modality": "MR", "SequenceOfUltrasoundRegions": None, "ImageLaterality": None}
    return ultrasound(**(said | tags))


@pytest.mark.parametrize("side", [None, "B"])
def test_magnetic_resonance_of_both_breasts_is_kept_marked_and_read_by_no_model(here, side):
    data = magnetic_resonance(ImageLaterality=side)
    (item,) = take(here, data)
    assert (item.outcome, item.laterality, item.view) == ("accepted", "B", "MR"), item.text
    assert item.flags == ["magnetic_resonance", "side_not_said"]
    assert queue.count_pending(here) == 0
    (visit,) = record_of(here, "MRN-1").visits
    (image,) = visit.images
    assert (image.view_name.words, image.view_name.code) == ("both MR", "B-MR")
    pane = pictures.pane_of(image)
    assert (pane["side"], pane["label"]) == ("both", "magnetic resonance, both breasts, or side not said")
    assert pictures.panes_of(visit, ()) == [pane]
    assert [one.outcome for one in take(here, data)] == ["duplicate"]


def test_a_finding_on_a_picture_of_both_breasts_wants_the_side_and_is_kept_when_it_is_said(here):
    take(here, magnetic_resonance())
    reader = create_user(here, "ada", "four films before noon", Role.ONCOLOGIST)
    uid, sizing = image_of(here).sop_uid, Sizing(long_axis=(10, 10, 40, 10))
    with pytest.raises(ValueError, match="which breast"):
        start_lesion(here, reader, uid, sizing)
    ask = FilmsAre({uid: FilmIs("R")})
    correct(here, ask, reason="the coil was at the right")
    film = image_of(here)
    assert (film.laterality.value, film.quality_flags) == ("R", ["magnetic_resonance"])
    start_lesion(here, reader, uid, sizing)
    (lesion,) = lesions_of_patient(here, "MRN-1")
    assert lesion.laterality == "R"
    with pytest.raises(CorrectionRefused):
        preview(here, FilmsAre({uid: FilmIs("B")}))


def test_a_mammogram_and_an_ultrasound_image_of_no_side_are_not_kept_as_of_both(here):
    for data in (ultrasound(ImageLaterality="B"), dicom(breast(), ImageLaterality="B")):
        (item,) = take(here, data)
        assert (item.outcome, item.reason) == ("quarantined", "unknown_laterality")
