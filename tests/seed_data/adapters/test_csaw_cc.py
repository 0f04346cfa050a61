"""CSAW-CC as published: one table of years, flat image names, masks of tumours."""

from datetime import date

import pytest

from core.sets.exams import gather
from core.sets.manifest import read_manifest
from core.training.longitudinal.plan import split_women
from seed_data.adapters import CannotAdapt
from tests.seed_data.adapters.conftest import mask

HEADER = (
    "anon_patientid,exam_year,x_age,x_case,x_cancer_laterality,x_type,x_lymphnode_met,rad_timing,rad_r1,rad_r2,"
    "rad_recall,imagelaterality,viewposition,libra_percentdensity,anon_filename"
)
TABLE = "CSAW-CC_breast_cancer_screening_data.csv"


def _row(woman, year, number, side="Left", *, case=1, cancer="Left", timing="", recall=0):
    name = f"{woman}_20990909_{side[0]}_CC_{number}.dcm"
    return f"{woman},{year},1,{case},{cancer if case else ''},,,{timing},0,0,{recall},{side},CC,24.3,{name}"


@pytest.fixture
def csaw(folder):
    def write(*rows):
        folder.table(TABLE, HEADER, *rows)
        for row in rows:
            folder.mammogram(f"images/{row.rsplit(',', 1)[1]}")
        return folder

    return write


def test_years_become_the_first_of_july_and_say_so(csaw):
    folder = csaw(_row("00002", 2011, 1, case=0), _row("00002", "2013.0", 2, case=0))
    told = folder.adapt("csaw-cc")
    rows = folder.rows()
    assert [r.study_date for r in rows] == [date(2011, 7, 1), date(2013, 7, 1)]
    assert all(r.age is None and r.density is None for r in rows)
    assert {c["dates_known_to"] for c in folder.cells()} == {"year"}
    assert "1 July" in "\n".join(told.sentences())


def test_a_screen_detected_cancer_is_dated_at_its_exam(csaw):
    folder = csaw(
        _row("00003", 2010, 1, timing="3"),
        _row("00003", 2012, 2, timing="1.0", recall=1),
        _row("00003", 2012, 2, "Right", timing="1.0", recall=1),
    )
    folder.adapt("csaw-cc")
    rows = folder.rows()
    assert {r.cancer_date for r in rows} == {date(2012, 7, 1)}
    assert {r.cancer_laterality for r in rows} == {"L"}
    assert [r.finding for r in rows] == [None, "malignant", None]


def test_an_interval_cancer_is_dated_in_the_middle_of_60_to_729_days(csaw):
    folder = csaw(_row("00004", 2010, 1, timing="3"), _row("00004", 2012, 2, timing="2"))
    told = folder.adapt("csaw-cc")
    assert (folder.rows()[0].cancer_date - date(2012, 7, 1)).days == 394
    assert any("interval cancers" in note for note in told.account.notes)
    assert folder.rows()[1].finding is None


def test_a_cancer_found_long_after_the_last_exam_has_no_date_and_is_censored(csaw):
    folder = csaw(_row("00005", 2010, 1, timing="3"))
    folder.adapt("csaw-cc")
    (row,) = folder.rows()
    assert row.cancer_date is None
    assert (row.last_followup_date - row.study_date).days == 729


def test_women_without_cancer_are_followed_to_their_last_exam(csaw):
    folder = csaw(_row("00006", 2010, 1, case=0), _row("00006", 2012, 2, case=0, recall=1))
    folder.adapt("csaw-cc")
    rows = folder.rows()
    assert {r.last_followup_date for r in rows} == {date(2012, 7, 1)}
    assert [r.finding for r in rows] == ["normal", None]


def test_each_part_of_a_mask_is_a_box_and_specks_are_none(csaw):
    folder = csaw(_row("00003", 2012, 2, timing="1", recall=1))
    parts = mask(64, 48, (4, 4, 24, 24), (30, 40, 44, 60), (46, 2, 47, 3))
    folder.picture("annotations/00003_20990909_L_CC_2_mask.png", parts)
    told = folder.adapt("csaw-cc")
    assert [(r.finding, r.roi) for r in folder.rows()] == [
        ("malignant", (4, 4, 24, 24)),
        ("malignant", (30, 40, 44, 60)),
    ]
    assert told.images == 1


def test_unusable_rows_are_named(csaw):
    folder = csaw(_row("00002", 2011, 1, case=0))
    folder.table(
        TABLE,
        HEADER,
        _row("00002", 2011, 1, case=0),
        _row("00009", 2011, 9),
        _row("00008", "soon", 1),
        bom=True,
    )
    told = folder.adapt("csaw-cc")
    assert [(why, what) for _, why, what in told.account.left_out] == [
        ("exam_year is no year", "00008_20990909_L_CC_1.dcm"),
        ("its image file is missing", "00009_20990909_L_CC_9.dcm"),
    ]


def test_longitudinal_training_reads_the_manifest(csaw):
    folder = csaw(
        _row("00003", 2010, 1, timing="3"),
        _row("00003", 2012, 2, timing="1", recall=1),
        _row("00006", 2010, 1, case=0),
        _row("00006", 2012, 2, case=0),
    )
    folder.adapt("csaw-cc")
    exams = gather([read_manifest(folder.out / "manifest.csv")])
    assert [len(woman.dates) for woman in exams.women] == [2, 2]
    assert [woman.cancer_date for woman in exams.women] == [date(2012, 7, 1), None]
    assert len(split_women(exams.women, 0)) == 2


def test_another_folder_is_told(folder):
    with pytest.raises(CannotAdapt, match=TABLE):
        folder.adapt("csaw-cc")
