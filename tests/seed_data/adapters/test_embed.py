"""EMBED as published: images by file, findings by breast, pathology with dates, boxes drawn on mirrored pictures."""

from datetime import date

import pytest

from seed_data.adapters import CannotAdapt

IMAGES = (
    "empi_anon,acc_anon,anon_dicom_path,study_date_anon,FinalImageType,ImageLateralityFinal,ViewPosition,spot_mag,"
    "num_roi,ROI_coords"
)
FINDINGS = "empi_anon,acc_anon,study_date_anon,desc,tissueden,age_at_study,asses,numfind,side,bside,path_severity,procdate_anon"


def _image(woman, exam, day, name, side="L", view="CC", kind="2D", spot="", rois="()"):
    path = f"/mnt/NAS2/mammo/anon_dicom/cohort_1/{woman}/{exam}/{name}.dcm"
    return f'{woman},{exam},{path},{day} 00:00:00,{kind},{side},{view},{spot},0,"{rois}"'


def _finding(woman, exam, day, assessment, side, *, bside="", severity="", biopsy="", density="3.0"):
    return f"{woman},{exam},{day},MG Screen,{density},58.4,{assessment},1,{side},{bside},{severity},{biopsy}"


@pytest.fixture
def embed(folder):
    def write(images, findings, **tags):
        folder.table("tables/EMBED_OpenData_metadata.csv", IMAGES, *images)
        folder.table("tables/EMBED_OpenData_clinical.csv", FINDINGS, *findings)
        for image in images:
            tail = image.split(",")[2].split("anon_dicom/")[1]
            folder.mammogram(f"images/{tail}", **tags)
        return folder

    return write


def test_findings_belong_to_the_breast_they_name(embed):
    folder = embed(
        [
            _image(1, 10, "2015-01-02", "a"),
            _image(1, 10, "2015-01-02", "b", "R"),
            _image(1, 11, "2016-03-04", "c"),
            _image(1, 11, "2016-03-04", "d", "R"),
            _image(2, 20, "2015-01-02", "e"),
        ],
        [
            _finding(1, 10, "2015-01-02", "N", ""),
            _finding(1, 11, "2016-03-04", "A", "L", bside="L", severity="0.0", biopsy="2016-04-01"),
            _finding(1, 11, "2016-03-04", "N", "R"),
            _finding(2, 20, "2015-01-02", "A", "B"),
        ],
    )
    told = folder.adapt("embed")
    rows = folder.rows()
    assert [(r.path.stem, r.finding) for r in rows] == [
        ("a", "normal"),
        ("b", "normal"),
        ("c", "malignant"),
        ("d", "normal"),
        ("e", None),
    ]
    assert {r.density for r in rows} == {"C"}
    assert {r.age for r in rows} == {58.4}
    assert {(r.cancer_date, r.cancer_laterality) for r in rows if r.patient_id == "1"} == {
        (date(2016, 4, 1), "L")
    }
    assert {r.last_followup_date for r in rows} == {date(2016, 4, 1), date(2015, 1, 2)}
    assert told.account.left_out == []
    assert told.dated


@pytest.mark.parametrize(
    ("severity", "finding"), [("1", "malignant"), ("2", "benign"), ("5", "benign"), ("6", None), ("", None)]
)
def test_pathology_decides_before_the_assessment(embed, severity, finding):
    folder = embed(
        [_image(1, 10, "2015-01-02", "a")], [_finding(1, 10, "2015-01-02", "S", "L", severity=severity)]
    )
    folder.adapt("embed")
    assert folder.rows()[0].finding == finding


def test_an_undated_biopsy_is_dated_by_its_exam(embed):
    folder = embed(
        [_image(1, 10, "2015-01-02", "a")], [_finding(1, 10, "2015-01-02", "S", "L", severity="0")]
    )
    folder.adapt("embed")
    assert folder.rows()[0].cancer_date == date(2015, 1, 2)


def test_only_whole_2d_views_are_read_and_the_others_counted(embed):
    folder = embed(
        [
            _image(1, 10, "2015-01-02", "a"),
            _image(1, 10, "2015-01-02", "b", kind="cview"),
            _image(1, 10, "2015-01-02", "c", spot="1.0"),
        ],
        [_finding(1, 10, "2015-01-02", "N", "")],
    )
    told = folder.adapt("embed")
    assert told.images == 1
    assert sum(told.account.aside.values()) == 2
    assert told.account.left_out == []


@pytest.mark.parametrize(("orientation", "box"), [("P\\L", (28, 10, 38, 30)), ("A\\R", (10, 10, 20, 30))])
def test_boxes_are_mirrored_back_where_the_picture_was_mirrored(embed, orientation, box):
    folder = embed(
        [_image(1, 10, "2015-01-02", "a", rois="((10, 10, 30, 20),)")],
        [_finding(1, 10, "2015-01-02", "B", "L")],
        PatientOrientation=orientation.split("\\"),
    )
    folder.adapt("embed")
    assert folder.rows()[0].roi == box


def test_a_box_on_a_picture_that_does_not_say_how_it_lies_is_left_out(embed):
    folder = embed(
        [_image(1, 10, "2015-01-02", "a", rois="((10, 10, 30, 20), (1, 1, 3, 3))")],
        [_finding(1, 10, "2015-01-02", "B", "L")],
    )
    told = folder.adapt("embed")
    assert folder.rows()[0].roi is None
    assert sum(told.account.notes.values()) == 2


def test_boxes_in_pixels_of_the_dicom_are_taken_as_they_are(embed):
    folder = embed([_image(1, 10, "2015-01-02", "a")], [_finding(1, 10, "2015-01-02", "B", "L")])
    folder.table(
        "tables/EMBED_OpenData_metadata.csv",
        IMAGES + ",DCM_ROI_coords",
        _image(1, 10, "2015-01-02", "a") + ',"[[[11, 12, 21, 32]]]"',
    )
    folder.adapt("embed")
    assert folder.rows()[0].roi == (12, 11, 32, 21)


def test_missing_images_escaping_paths_and_lost_dates_are_left_out(embed):
    images = [_image(1, 10, "2015-01-02", "a"), _image(1, 12, "", "x")]
    folder = embed(images, [_finding(1, 10, "2015-01-02", "N", "")])
    escaping = images[0].replace("cohort_1/1/10/a.dcm", "cohort_1/../../../etc/passwd")
    gone = _image(1, 10, "2015-01-02", "gone")
    folder.table("tables/EMBED_OpenData_metadata.csv", IMAGES, *images, escaping, gone)
    told = folder.adapt("embed")
    assert told.images == 1
    assert sorted(why for _, why, _ in told.account.left_out) == [
        "its image file is missing",
        "its image file is missing",
        "study_date_anon is no date",
    ]


def test_a_missing_table_is_named(embed):
    folder = embed([_image(1, 10, "2015-01-02", "a")], [])
    (folder.src / "tables/EMBED_OpenData_clinical.csv").unlink()
    with pytest.raises(CannotAdapt, match="EMBED_OpenData_clinical"):
        folder.adapt("embed")
