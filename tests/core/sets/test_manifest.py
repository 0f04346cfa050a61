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
