"""Tables of measured lesions: what is read, and that every row that is not what it should be is named by its line."""

import csv
from datetime import date
from pathlib import Path

import pytest

from core.rules.response import LesionSize, responses
from core.sets.diameters import DiameterTableError, read_diameters

HEAD = "patient_id,months,lesion,diameter_mm"


def table_of(tmp_path: Path, text: str | bytes):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_diameters(path)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(DiameterTableError) as refused:
        table_of(tmp_path, text)
    return str(refused.value)


def test_visits_are_put_in_their_order_and_women_stay_in_theirs(tmp_path):
    table = table_of(tmp_path, f"{HEAD},node\nB,6,mass,10,0\nA,0,mass,12,\nB,0,mass,20,0\nB,0,axilla,16,1\n")
    assert list(table.women) == ["B", "A"]
    first, second = table.women["B"]
    assert (first.months, second.months) == (0, 6)
    assert first.lesions == (LesionSize("mass", 20), LesionSize("axilla", 16, node=True))
    assert not table.notices


def test_an_empty_cell_is_not_measured_and_0_is_gone(tmp_path):
    rows = "A,0,a,\nA,1,a,NE\nA,2,a,0\nA,3,a,too small to measure\nA,4,a,n/a\nA,5,a,-0.0\n"
    visits = table_of(tmp_path, f"{HEAD}\n{rows}").women["A"]
    assert [one.lesions[0].diameter_mm for one in visits] == [None, None, 0, 5, None, 0]


def test_days_become_months_since_the_first(tmp_path):
    text = "patient_id,study_date,lesion,diameter_mm\nA,2025-03-01,a,12\nA,2024-03-01,a,10\n"
    first, second = table_of(tmp_path, text).women["A"]
    assert (first.months, first.on) == (0, date(2024, 3, 1))
    assert (second.months, second.on) == (11.99, date(2025, 3, 1))


@pytest.mark.parametrize(
    "data",
    [
        f"\ufeff{HEAD}\nA,0,Tümör,12.5\n".encode(),
        f"{HEAD}\nA,0,Tümör,12.5\n".encode("utf-16"),
        f"{HEAD}\r\n\r\n A , 0 ,Tümör, 12.5 \r\n,,,\r\n".encode(),
        "Patient_ID;Months;Lesion;Diameter_mm\nA;0;Tümör;12,5\n".encode(),
        "patient_id\tmonths\tlesion\tdiameter_mm\nA\t0\tTümör\t12.5\n".encode(),
        f'{HEAD}\n"A","0","Tümör","12.5"\n'.encode(),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path, data):
    (visit,) = table_of(tmp_path, data).women["A"]
    assert visit.lesions == (LesionSize("Tümör", 12.5),)


def test_columns_that_are_not_used_and_lesions_beyond_two_are_told(tmp_path):
    table = table_of(tmp_path, f"{HEAD},modality\nA,0,a,12,MR\nA,0,b,12,MR\nA,0,c,12,MR\n")
    assert "modality" in table.notices[0]
    assert "No column organ" in table.notices[1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A,0,a,-1", "diameter_mm -1 is below 0"),
        ("A,0,a,big", "diameter_mm “big” is not a number"),
        ("A,0,a,nan", "is not a number"),
        ("A,0,a,inf", "is not a number"),
        ("A,0,a,1e999", "is not a number"),
        ("A,0,a,1_000", "is not a number"),
        ("A,0,a,١٢", "is not a number"),
        ("A,0,a,5000", "is it in mm?"),
        ('A,0,a,"1,5"', "is not a number"),
        (",0,a,10", "patient_id is empty"),
        ("A,,a,10", "months is empty"),
        ("A,0,,10", "lesion is empty"),
        ("A,soon,a,10", "months “soon” is not a number"),
        ("A,2024-01-01,a,10", "is not a number"),
        ("A,0,a", "3 cells, the header has 4"),
        ("A,0,a,10,1", "5 cells, the header has 4"),
        ("G,0.0,a,11", "the same lesion at the same time as in line 2"),
        ("G,0,a,10", "the same lesion at the same time as in line 2"),
    ],
)
def test_a_row_that_cannot_be_is_named_by_its_line(tmp_path, row, said):
    sentence = refusal(tmp_path, f"{HEAD}\nG,0,a,10\n{row}\n")
    assert "line 3: " in sentence
    assert said in sentence


def test_every_wrong_line_is_named_up_to_twenty(tmp_path):
    sentence = refusal(tmp_path, f"{HEAD}\n" + "A,x,a,10\n" * 30)
    assert "line 2: " in sentence
    assert "line 21: " in sentence
    assert "line 22: " not in sentence
    assert "and 10 more" in sentence


def test_a_lesion_is_a_node_everywhere_or_nowhere_and_of_one_organ(tmp_path):
    sentence = refusal(
        tmp_path,
        f"{HEAD},node,organ\nA,0,n,16,1,\nA,1,n,12,0,\nA,0,a,16,0,liver\nA,1,a,12,0,lung\nA,2,a,1,x,\n",
    )
    assert "line 3: another node than in line 2" in sentence
    assert "line 5: another organ than in line 4" in sentence
    assert "line 6: node “x” is neither 1 nor 0" in sentence


@pytest.mark.parametrize("day", ["2024-02-30", "2024-13-01", "01.02.2024", "20240201", "0"])
def test_a_day_that_is_none_is_refused(tmp_path, day):
    assert "line 2: study_date" in refusal(
        tmp_path, f"patient_id,study_date,lesion,diameter_mm\nA,{day},a,10\n"
    )


def test_the_time_stands_in_one_column_for_all_rows(tmp_path):
    head = "patient_id,months,study_date,lesion,diameter_mm\n"
    table = table_of(tmp_path, f"{head}A,0,2024-01-01,a,10\nA,6,,a,9\n")
    assert [one.months for one in table.women["A"]] == [0, 6]
    assert "months is used" in table.notices[0]
    mixed = refusal(tmp_path, f"{head}A,0,,a,10\nA,,2024-06-01,a,9\n")
    assert "line 3: " in mixed
    assert "say the time in one column" in mixed


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "lacks the column"),
        (b"patient_id,lesion,diameter_mm\n", "lacks the column months or study_date"),
        (f"{HEAD}\n".encode(), "has no rows"),
        (f"{HEAD},lesion\nA,0,a,1,b\n".encode(), "lesion stands there twice"),
        (f"{HEAD}\nA,0,T\xfc,1\n".encode("latin-1"), "line 2: this is not UTF-8"),
        (f"{HEAD}\nA,0,a\x00,1\n".encode(), "line 2: there is a NUL character"),
        (f'{HEAD}\nA,0,"a,1\n'.encode(), "line 2: this is no CSV"),
        (bytes(range(256)) * 4, "line 2: this is not UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_says_so(tmp_path, data, said):
    assert said in refusal(tmp_path, data)


def test_a_file_that_is_not_there_or_is_a_folder_says_so(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DiameterTableError, match="cannot be read"):
            read_diameters(path)


def test_real_women_under_chemotherapy_are_judged_as_by_hand(tmp_path, shared_data):
    real = shared_data / "ispy1" / "measurements.csv"
    if not real.is_file():
        pytest.skip("the measurements of I-SPY 1 are not on this machine")
    with real.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [f"{r['patient_id']},{r['months_nominal']},tumour,{r['longest_diameter_mm']}" for r in rows]
    table = table_of(tmp_path, "\n".join([HEAD, *lines]))
    told = {
        patient: [one.response.value for one in responses([visit.lesions for visit in visits])]
        for patient, visits in table.women.items()
    }
    assert (len(told), sum(map(len, told.values()))) == (166, 635)
    # 88 78 30 14 · 50 64 54 46 · 91 90 99 43 · 100 100 – 54: the third visit of the last is not in the table.
    assert told["ispy1-1001"] == ["baseline", "SD", "PR", "PR"]
    assert told["ispy1-1003"] == ["baseline", "PD", "SD", "SD"]
    assert told["ispy1-1004"] == ["baseline", "SD", "SD", "PR"]
    assert told["ispy1-1007"] == ["baseline", "SD", "PR"]
    # The set's own derived mark of progression agrees at every visit that has one.
    marked = [bool(int(float(row["recist_progression"]))) for row in rows if row["recist_progression"]]
    by_row = {
        (patient, visit.months): answer
        for patient, visits in table.women.items()
        for visit, answer in zip(visits, told[patient], strict=True)
    }
    answers = [
        by_row[row["patient_id"], float(row["months_nominal"])] == "PD"
        for row in rows
        if row["recist_progression"]
    ]
    assert answers == marked
    assert sum(marked) == 21
