"""A table of screens without images and dates becomes a cohort whose margins are those of the file."""

import csv
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from core.cohorts import VISITS, WOMEN, Definition, select
from core.cohorts.bcsc import TableRefused, read_exams
from core.cohorts.screens import by_density, measures
from core.cohorts.stored import frame_of_table, keep, remove, tables
from core.installation import Installation

HEADER = (
    "age_c,assess_c,cancer_c,compfilm_c,density_c,famhx_c,hrt_c,prvmam_c,biophx_c,mammtype,CaTypeO,bmi_c,ptid"
)
GOOD = "62,1,0,1,2,0,0,1,0,1,8,24.0,{woman}"


def written(folder: Path, *rows: str) -> Path:
    path = folder / "exams.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_the_files_margins_come_back(shared_data: Path) -> None:
    path = shared_data / "bcsc" / "exams.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    taken = read_exams(path)
    visits, women = taken.frame.visits, taken.frame.women
    assert len(visits) == len(rows) == 23_969
    assert len(women) == len({row["ptid"] for row in rows}) == 22_028
    letters = {"1": "A", "2": "B", "3": "C", "4": "D"}

    def margin(column: str) -> Counter[object]:
        return Counter(visits[column].cast(pl.String).to_list())

    assert margin("density") == Counter(letters[row["density_c"]] for row in rows)
    assert margin("bi_rads") == Counter(row["assess_c"] for row in rows)
    assert Counter(visits["age"].cast(pl.Int64).to_list()) == Counter(int(row["age_c"]) for row in rows)
    assert visits["cancer_within_year"].sum() == sum(row["cancer_c"] == "1" for row in rows) == 160
    assert visits["bmi"].null_count() == sum(float(row["bmi_c"]) == -99 for row in rows)
    assert visits["recall"].sum() == sum(row["assess_c"] in "045" for row in rows)
    assert Counter(women["visits"].to_list()) == Counter(Counter(row["ptid"] for row in rows).values())
    # Nothing is made up: no day, no score, no image.
    assert visits["on"].null_count() == len(visits)
    assert not visits["scored"].any()
    assert women["diagnosed_on"].null_count() == len(women)
    assert not women["simulated"].any()
    for table, columns in ((visits, VISITS), (women, WOMEN)):
        assert {name: table.schema[name] for name in columns} == {
            name: one.kind for name, one in columns.items()
        }


def test_screens_are_ordered_by_age_and_ties_are_left_unlinked_and_said(tmp_path: Path) -> None:
    rows = [GOOD.format(woman="a").replace("62", age, 1) for age in ("70", "60", "60", "65")]
    taken = read_exams(written(tmp_path, *rows, GOOD.format(woman="b")))
    hers = taken.frame.visits.filter(pl.col("woman") == 0)
    assert hers["age"].to_list() == [60, 60, 65, 70]
    assert hers["visit"].to_list() == [None, None, 2, 3]
    assert (taken.unlinked, taken.women_with_ties) == (2, 1)
    assert any("2 screens of 1 women" in note and "unlinked" in note for note in taken.notes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (GOOD.replace("62", "x", 1), "age_c in line 3"),
        (GOOD.replace("62", "7", 1), "age_c in line 3"),
        (GOOD.replace("62,1,0,1,2", "62,1,0,1,7"), "density_c in line 3"),
        (GOOD.replace("24.0", "fat"), "bmi_c in line 3"),
        (GOOD.replace("24.0", ""), "bmi_c in line 3"),
        (GOOD.replace("{woman}", ""), "ptid in line 3"),
        (GOOD.replace("62,1", "62,6"), "assess_c in line 3"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_named_and_nothing_is_read(
    tmp_path: Path, row: str, said: str
) -> None:
    with pytest.raises(TableRefused, match=said):
        read_exams(written(tmp_path, GOOD.format(woman="a"), row.format(woman="b")))


def test_what_is_no_such_table_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\xff\xfe\x00", b"a,b\n1,2\n", HEADER.encode() + b"\n"):
        path = tmp_path / "exams.csv"
        path.write_bytes(content)
        with pytest.raises(TableRefused):
            read_exams(path)
    with pytest.raises(TableRefused, match="no file"):
        read_exams(tmp_path / "nothing.csv")


def test_a_table_is_kept_found_again_and_taken_away(here: Installation, tmp_path: Path) -> None:
    taken = read_exams(written(tmp_path, *(GOOD.format(woman=number) for number in range(12))))
    kept = keep(here, None, "teaching", taken, "0" * 64)
    assert tables(here) == [kept]
    frame = frame_of_table(here, "teaching")
    assert frame.visits.equals(taken.frame.visits)
    assert frame.women.equals(taken.frame.women)
    assert not list(here.open_doors())
    for name in ("", "../up", "Ä", "x" * 60):
        with pytest.raises(TableRefused):
            keep(here, None, name, taken, "")
    with pytest.raises(TableRefused, match="teaching"):
        frame_of_table(here, "other")
    remove(here, None, "teaching")
    assert tables(here) == []


def test_a_cohort_of_a_table_is_defined_and_audited_as_any_other(shared_data: Path) -> None:
    frame = read_exams(shared_data / "bcsc" / "exams.csv").frame
    everybody = Definition.from_json({"format": "longview-cohort/1", "domain": "any"})
    selection = select(frame, everybody)
    assert selection.n == 22_028
    assert not selection.withheld
    audit = {row["measure"]: row for row in measures(selection).iter_rows(named=True)}
    assert audit["cancer within a year"]["per_1000"] == pytest.approx(1000 * 160 / 23_969, abs=0.01)
    assert audit["of the cancers, found (sensitivity)"]["per_1000"] == pytest.approx(
        1000 * 139 / 160, abs=0.01
    )
    assert audit["recalled"]["per_1000"] == pytest.approx(1000 * 1857 / 23_969, abs=0.01)
    assert by_density(selection)["density"].to_list() == list("ABCD")
    dense = select(frame, everybody.but(density=["C", "D"]))
    assert (
        dense.n
        == frame.visits.unique("woman", keep="first", maintain_order=True)["density"].is_in(["C", "D"]).sum()
    )


def test_of_few_cancers_no_measure_is_told(tmp_path: Path) -> None:
    rows = [GOOD.format(woman=number) for number in range(60)]
    rows += [GOOD.replace("62,1,0", "62,0,1").format(woman=f"c{number}") for number in range(4)]
    frame = read_exams(written(tmp_path, *rows)).frame
    selection = select(frame, Definition.from_json({"format": "longview-cohort/1", "domain": "any"}))
    # Only what nobody had.
    assert measures(selection)["per_1000"].to_list() == [0.0]
