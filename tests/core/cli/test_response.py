"""The verb `response`: the shape of its answer, and how it ends."""

import json

import pytest
from typer.testing import CliRunner

from core.__main__ import app

TABLE = "patient_id,months,lesion,diameter_mm,node\nA,0,mass,30,0\nA,0,axilla,16,1\nA,6,mass,12,0\nA,6,axilla,9,1\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "lesions.csv"
    path.write_text(TABLE + "A,9,mass,12,0\nA,9,axilla,9,1\nA,9,other,7,0\nB,0,mass,20,0\nB,3,mass,,0\n")
    return path


def test_the_answer_for_machines_has_a_line_a_visit(table):
    ended = CliRunner().invoke(app, ["response", str(table), "--json"])
    assert ended.exit_code == 0
    told = json.loads(ended.stdout)
    keys = ("patient", "months", "sum_mm", "nadir_mm", "response")
    assert [tuple(one[key] for key in keys) for one in told] == [
        ("A", 0, 46, 46, "baseline"),
        ("A", 6, 21, 21, "PR"),
        ("A", 9, 21, 21, "PD"),
        ("B", 0, 20, 20, "baseline"),
        ("B", 3, None, 20, "NE"),
    ]
    assert told[2]["new"] == ["other"]
    assert told[4]["unmeasured"] == ["mass"]


def test_the_answer_for_people_says_what_is_new_and_what_is_missing(table):
    ended = CliRunner().invoke(app, ["response", str(table)])
    assert ended.exit_code == 0
    lines = ended.stdout.splitlines()
    assert lines[0].split() == ["patient", "when", "sum", "mm", "nadir", "mm", "response"]
    assert lines[3].split(maxsplit=5)[5].split() == ["PD", "New", "lesion:", "other."]
    assert lines[5].endswith("NE  not measured: mass")


def test_a_wrong_table_ends_with_2_and_says_nothing_to_stdout(table):
    table.write_text(TABLE + "A,6,mass,-3,0\nA,7,mass,x,0\n")
    ended = CliRunner().invoke(app, ["response", str(table), "--json"])
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert "line 6: " in ended.stderr
    assert "line 7: " in ended.stderr
    assert "Traceback" not in ended.stderr
