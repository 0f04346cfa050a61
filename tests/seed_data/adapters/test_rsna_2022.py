"""RSNA 2022 as published: train.csv and train_images/PATIENT/IMAGE.dcm."""

import pytest

from seed_data.adapters import CannotAdapt

HEADER = (
    "site_id,patient_id,image_id,laterality,view,age,cancer,biopsy,invasive,BIRADS,implant,density,machine_id,"
    "difficult_negative_case"
)
ROWS = (
    "2,10006,462822612,L,CC,61.0,0,0,0,,0,,29,False",
    "1,10011,1,R,MLO,55.0,1,1,1,0,0,B,29,False",
    "1,10011,2,L,MLO,55.0,0,0,0,1,0,B,29,False",
    "1,10012,3,L,AT,55.0,0,1,0,0,0,C,29,True",
    "1,10012,4,L,CC,,0,1,0,0,0,C,29,True",
)


@pytest.fixture
def rsna(folder):
    for row in ROWS:
        _, patient, image, *_ = row.split(",")
        folder.mammogram(f"train_images/{patient}/{image}.dcm")
    return folder


def test_findings_density_age_and_side(rsna):
    rsna.table("train.csv", HEADER, *ROWS)
    told = rsna.adapt("rsna-2022")
    rows = rsna.rows()
    assert [(r.patient_id, r.laterality, r.view, r.finding, r.density, r.age) for r in rows] == [
        ("10006", "L", "CC", None, None, 61.0),
        ("10011", "R", "MLO", "malignant", "B", 55.0),
        ("10011", "L", "MLO", "normal", "B", 55.0),
        ("10012", "L", "CC", "benign", "C", None),
    ]
    assert all(r.study_date is None and r.cancer_date is None for r in rows)
    assert [c["cancer"] for c in rsna.cells()] == ["0", "1", "0", "0"]
    assert dict(told.account.aside) == {"views that are not read: AT": 1}
    assert told.account.left_out == []


def test_images_stay_where_they_lie(rsna):
    rsna.table("train.csv", HEADER, *ROWS)
    rsna.adapt("rsna-2022")
    assert next(c["path"] for c in rsna.cells()) == "../../set/train_images/10006/462822612.dcm"
    assert not [p for p in rsna.out.rglob("*") if p.suffix in (".dcm", ".png")]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_byte_order_mark_line_ends_and_blank_lines(rsna, ends):
    rsna.table("train.csv", HEADER, *ROWS, "", ",,,,,,,,,,,,,", bom=True, ends=ends)
    assert rsna.adapt("rsna-2022").images == 4


def test_missing_images_blank_sides_and_long_rows_are_named_and_the_rest_goes_on(rsna):
    rsna.table(
        "train.csv",
        HEADER,
        *ROWS,
        "1,777,999,L,CC,50,0,0,0,1,0,A,1,False",
        "1,10006,462822612,,CC,61,0,0,0,,0,,29,False",
        "1,../..,passwd,L,CC,50,0,0,0,1,0,A,1,False",
        "1,10012,4,L,CC,50,0,1,0,0,0,C,29,True,extra,extra",
    )
    told = rsna.adapt("rsna-2022")
    assert told.images == 4
    assert sorted(why for _, why, _ in told.account.left_out) == [
        "its image file is missing",
        "its image file is missing",
        "neither left nor right is said",
        "the row has more fields than the header",
    ]
    listed = (rsna.out / "left_out.csv").read_text("utf-8")
    assert "train.csv, line 7" in listed
    assert "777/999.dcm" in listed


def test_a_row_twice_counts_once_and_a_contradiction_is_left_out(rsna):
    rsna.table("train.csv", HEADER, ROWS[1], ROWS[1], ROWS[1].replace(",R,MLO", ",L,MLO"))
    told = rsna.adapt("rsna-2022")
    assert told.images == len(rsna.rows()) == 1
    assert told.account.aside["rows that say the same of the same image again"] == 1
    assert "another woman, date, side or view" in told.account.left_out[0][1]


def test_a_missing_column_is_named(rsna):
    rsna.table("train.csv", "patient_id,image_id,view", "1,2,CC")
    with pytest.raises(CannotAdapt, match="lacks the columns laterality, cancer"):
        rsna.adapt("rsna-2022")
    assert list(rsna.out.iterdir()) == []


def test_no_train_csv_is_told(folder):
    with pytest.raises(CannotAdapt, match=r"no train\.csv"):
        folder.adapt("rsna-2022")
