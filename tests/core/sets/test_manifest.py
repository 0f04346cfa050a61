"""Exam manifests: what is read, what is refused, and in which words."""

from datetime import date

import pytest

from core.sets.manifest import ManifestError, by_patient, read_manifest

HEADER = "patient_id,study_date,laterality,view,path"


@pytest.fixture
def write(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")

    def write(text):
        path = tmp_path / "manifest.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_full_row_is_read(write):
    optional = "modality,age,finding,density,roi_x0,roi_y0,roi_x1,roi_y1,lesion_mm,progression"
    dates = "cancer_date,cancer_laterality,last_followup_date"
    path = write(
        f"{HEADER},{optional},{dates}\n"
        "w1,2020-02-03,l,cc,a.png,mg,61.5,Malignant,c,1,2,30,40,12.5,1,2020-03-01,L,2022-01-01\n"
    )
    (row,) = read_manifest(path).rows
    assert row.study_date == date(2020, 2, 3)
    assert (row.laterality, row.view, row.modality) == ("L", "CC", "MG")
    assert row.finding == "malignant"
    assert row.density == "C"
    assert row.roi == (1, 2, 30, 40)
    assert row.progression is True
    assert row.age_years == 61.5
    assert row.line == 2


def test_an_undated_study_and_an_age_from_the_birth_date(write):
    path = write(f"{HEADER},birth_date\nw1,,R,MLO,a.png,\nw1,2020-01-01,R,MLO,a.png,1960-01-01\n")
    undated, dated = read_manifest(path).rows
    assert undated.study_date is None
    assert undated.age_years is None
    assert dated.age_years == pytest.approx(60, abs=0.01)


def test_unknown_columns_are_named_and_ignored(write):
    manifest = read_manifest(write(f"{HEADER},colour\nw1,,L,CC,a.png,red\n"))
    assert len(manifest.rows) == 1
    assert "colour" in manifest.notices[0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (",2020-01-01,L,CC,a.png", "patient_id"),
        ("w1,2020-13-01,L,CC,a.png", "study_date"),
        ("w1,2020-01-01,X,CC,a.png", "laterality"),
        ("w1,2020-01-01,,CC,a.png", "laterality"),
        ("w1,2020-01-01,L,,a.png", "view"),
        ("w1,2020-01-01,L,CC,", "path"),
        ("w1,2020-01-01,L,CC,none.png", "none.png"),
        pytest.param(
            f"w1,2020-01-01,L,CC,{'a' * 5000}", "path of a file", id="a path longer than any file's"
        ),
        ("w1,2020-01-01,L,CC,a.png,1,2,3", "fields"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_the_others_are_kept(write, row, says):
    manifest = read_manifest(write(f"{HEADER}\nw0,2020-01-01,L,CC,a.png\n{row}\nw2,2020-01-01,L,CC,a.png\n"))
    assert [good.patient_id for good in manifest.rows] == ["w0", "w2"]
    (bad,) = manifest.refused
    assert bad.line == 3
    assert says in bad.reason


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("age", "old"),
        ("age", "nan"),
        ("density", "E"),
        ("finding", "cyst"),
        ("progression", "yes"),
        ("cancer_date", "soon"),
        ("lesion_mm", "-3"),
        ("roi_x0", "3"),
    ],
)
def test_a_bad_value_is_refused_by_name(write, column, value):
    manifest = read_manifest(write(f"{HEADER},{column}\nw0,2020-01-01,L,CC,a.png,{value}\n"))
    (bad,) = manifest.refused
    assert column in bad.reason


MOVED_WHERE = (
    "lesion_of says whose lesion was moved into a picture: simulated must be 1 there, and background name the woman of the "
    "picture. Leave lesion_of empty where nothing was moved."
)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"study_date": "2020-13-01"}, "study_date is '2020-13-01', not a date such as 2026-05-31."),
        ({"birth_date": "1960"}, "birth_date is '1960', not a date such as 1961-05-31."),
        ({"birth_date": "2021-01-01"}, "birth_date lies after study_date."),
        ({"laterality": "B"}, "laterality is 'B', not one of L, R."),
        ({"laterality": ""}, "The row has no laterality: a mammogram needs L or R."),
        ({"view": ""}, "The row has no view: a mammogram needs CC, MLO or another."),
        ({"patient_id": " "}, "The row has no patient_id."),
        ({"path": ""}, "The row has no path."),
        ({"path": "b.png"}, "There is no file b.png."),
        ({"modality": "CT"}, "modality is 'CT', not one of MG, US, MR."),
        ({"age": "121"}, "age is '121', not a number of years from 0 to 120."),
        ({"age": "nan"}, "age is 'nan', not a number of years from 0 to 120."),
        ({"lesion_mm": "inf"}, "lesion_mm is 'inf', not a length in mm."),
        ({"progression": "true"}, "progression is 'true', not 0 or 1."),
        ({"simulated": "x" * 50}, f"simulated is '{'x' * 40}', not 0 or 1."),
        (
            {"roi_x0": "1", "roi_y0": "1", "roi_x1": "2"},
            "The roi lacks a corner: roi_x0, roi_y0, roi_x1 and roi_y1 are needed together.",
        ),
        (
            {"roi_x0": "1", "roi_y0": "1", "roi_x1": "1", "roi_y1": "2"},
            "The roi is empty: roi_x1 must exceed roi_x0, and roi_y1 roi_y0.",
        ),
        ({"roi_x0": "nan"}, "roi_x0 is 'nan', not a number of pixels."),
        ({"lesion_of": "w2", "simulated": "1"}, MOVED_WHERE),
        ({"lesion_of": "w2", "background": "w1"}, MOVED_WHERE),
        ({"lesion_of": "w2", "background": "w1", "simulated": "0"}, MOVED_WHERE),
    ],
)
def test_a_fault_is_said_in_one_sentence_of_its_column(write, cells, sentence):
    good = dict(zip(HEADER.split(","), ("w1", "2020-01-01", "L", "CC", "a.png"), strict=True))
    row = good | cells
    (bad,) = read_manifest(write(f"{','.join(row)}\n{','.join(row.values())}\n")).refused
    assert bad.reason == sentence


def test_all_cells_of_a_row_that_are_wrong_are_named_at_once(write):
    (bad,) = read_manifest(write(f"{HEADER},age,density\nw0,soon,X,CC,a.png,old,E\n")).refused
    assert [column for column in ("study_date", "laterality", "age", "density") if column in bad.reason] == [
        "study_date",
        "laterality",
        "age",
        "density",
    ]


def test_dates_and_numbers_are_read_as_text_and_never_guessed(write):
    """A day is never taken from a count of seconds; words in any case are taken for what they are."""
    header = f"{HEADER},age,roi_x0,roi_y0,roi_x1,roi_y1,simulated"
    path = write(f"{header}\nw0,20200229,r,mlo,a.png,1e1,-5,.5,2,+3.,1\nw1,1582934400,L,CC,a.png,,,,,,\n")
    manifest = read_manifest(path)
    (row,), (bad,) = manifest.rows, manifest.refused
    assert (row.study_date, row.laterality, row.view) == (date(2020, 2, 29), "R", "MLO")
    assert (row.age, row.roi, row.simulated) == (10.0, (-5.0, 0.5, 2.0, 3.0), True)
    assert bad.reason.startswith("study_date is '1582934400'")


def test_line_numbers_survive_a_field_that_spans_lines(write):
    path = write(f'{HEADER}\n"w\n0",2020-01-01,L,CC,a.png\nw1,2020-01-01,Q,CC,a.png\n')
    assert [bad.line for bad in read_manifest(path).refused] == [4]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_file_that_is_no_manifest_says_which_columns_it_lacks(write, text):
    with pytest.raises(ManifestError, match="patient_id"):
        read_manifest(write(text))


def test_a_missing_file_a_folder_and_another_encoding_are_answered_in_words(tmp_path):
    with pytest.raises(ManifestError, match="no manifest"):
        read_manifest(tmp_path / "none.csv")
    with pytest.raises(ManifestError, match="folder"):
        read_manifest(tmp_path)
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n\xe9,,L,CC,a.png\n")
    with pytest.raises(ManifestError, match="UTF-8"):
        read_manifest(tmp_path / "latin.csv")


def test_women_come_in_order_and_their_studies_oldest_first(write):
    path = write(f"{HEADER}\nb,2021-01-01,L,CC,a.png\na,2020-01-01,L,CC,a.png\nb,2019-01-01,L,CC,a.png\n")
    women = list(by_patient(read_manifest(path).rows))
    assert [patient for patient, _ in women] == ["a", "b"]
    assert [row.study_date.year for row in women[1][1]] == [2019, 2021]


def test_the_development_sets_have_good_manifests(shared_data):
    for name in ("mini_mias", "ffdm", "busi"):
        manifest = read_manifest(shared_data / name / "manifest.csv")
        assert manifest.rows
        assert not manifest.refused, manifest.refused[:3]


def test_what_rows_of_one_woman_contradict_each_other_in_is_told(write):
    header = "patient_id,study_date,laterality,view,path,cancer_date,split"
    rows = [
        "a,2020-01-01,L,CC,a.png,2021-01-01,train",
        "a,2021-01-01,L,CC,a.png,2021-06-01,train",
        "b,2020-01-01,L,CC,a.png,,train",
        "b,2021-01-01,L,CC,a.png,,test",
        "c,2020-01-01,L,CC,a.png,2022-01-01,test",
    ]
    notices = read_manifest(write("\n".join([header, *rows]))).notices
    assert notices == [
        "cancer_date is not the same in all rows of one woman (a). Correct those that are wrong.",
        "split is not the same in all rows of one woman (b). Correct those that are wrong.",
    ]
