"""``core correct``: each thing is put right from the command line, with what follows said first."""

import json

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.records import record_of
from tests.core.corrections.conftest import home_of_women, opened
from tests.core.corrections.making import score_what_waits

__all__ = ["home_of_women", "opened"]

WHY = ("--reason", "wrong at the machine", "--yes")


@pytest.fixture
def here(opened, monkeypatch):
    here = opened()
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    return here


def run(*arguments: str, code: int = 0, say: str = ""):
    result = CliRunner().invoke(app, ["correct", *arguments], input=say)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("side", "A/2021-06-01/R-CC", "--to", "L"), "R CC of 2021-06-01 becomes L CC."),
        (("view", "A/2021-06-01/R-CC", "--to", "ML"), "R CC of 2021-06-01 becomes R ML."),
        (("kind", "A/2021-06-01/R-CC", "--to", "spot_compression"), "becomes spot compression."),
        (("date", "A/2021-06-01", "--to", "2021-06-02"), "becomes that of 2021-06-02."),
        (("visits", "A/2021-06-01/R-CC=2020-01-01"), "becomes the study of 2020-01-01."),
        (("patient", "A/2021-06-01", "--to", "B"), "goes to Doe^Jane Mary, MRN B."),
        (("patient", "A/2021-06-01/R-CC", "--to", "C"), "goes to MRN C."),
        (("split", "A/2021-06-01", "A/2023-03-05", "--to", "N", "--name", "New"), "New, MRN N is new here."),
        (("name", "A", "--to", "Roe^Jane"), "Her name becomes Roe^Jane, and was Doe^Jane."),
        (("birth-date", "A", "--to", "1969-01-01"), "becomes 1969-01-01, and was 1968-03-02."),
        (("sex", "A", "--to", "F"), "Her sex becomes F, and was unknown."),
        (("film", "A/2021-06-01/R-CC"), "is set aside: kept, and shown nowhere."),
        (("merge", "A", "B"), "is merged into Doe^Jane, MRN A"),
        (
            ("event", "A/2021-07-01/biopsy", "--to", "B"),
            "The biopsy of 2021-07-01 goes to Doe^Jane Mary, MRN B.",
        ),
        (("event", "A/2021-07-01/biopsy", "--on", "2021-07-02"), "becomes that of 2021-07-02."),
    ],
)
def test_every_kind_is_foretold_made_listed_and_undone(here, arguments, says):
    before = record_of(here, "A")
    foretold = run(*arguments, "--dry-run").stdout
    assert says in foretold
    assert record_of(here, "A") == before
    made = json.loads(run(*arguments, *WHY, "--json").stdout)
    assert says in " ".join(made["says"])
    assert record_of(here, "A") != before
    listed = json.loads(run("list", "--patient", "A", "--json").stdout)
    assert (listed[0]["id"], listed[0]["reason"], listed[0]["by"]) == (
        made["correction"], "wrong at the machine", "command line",
    )  # fmt: skip
    assert (
        f"Correction {made['correction']} is undone." in run("undo", str(made["correction"]), "--yes").stdout
    )
    assert record_of(here, "A") == before


def test_a_film_comes_back_by_its_name(here):
    run("film", "A/2021-06-01/R-CC", *WHY)
    run("film", "A/2021-06-01/R-CC", "--restore", "--yes")
    assert len(record_of(here, "A").visits[1].images) == 4


def test_it_asks_and_no_leaves_all_as_it_is(here):
    before = record_of(here, "A")
    asked = run("sex", "A", "--to", "F", "--reason", "why", code=1, say="n\n")
    assert "Her sex becomes F" in asked.stderr
    assert record_of(here, "A") == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("side", "A/2021-06-01/R-CC", "--to", "L"), "--reason"),
        (("side", "A/2021-06-01/R-ML", "--to", "L", *WHY), "No film"),
        (("side", "A/yesterday/R-CC", "--to", "L", *WHY), "no date"),
        (("side", "A/2021-06-01/R-CC", "--to", "X", *WHY), "no side"),
        (("date", "A/2021-06-01", "--to", "1.6.2021", *WHY), "Write it as 2021-06-01"),
        (("date", "A/2021-06-02", "--to", "2021-06-01", *WHY), "no study"),
        (("visits", *WHY), "FILM=2021-06-01"),
        (("visits", "--by-file", "A/2021-06-01", *WHY), "No file of this study says another day"),
        (("name", "Z", "--to", "Roe", *WHY), "no patient Z"),
        (("event", "A/2021-07-01/biopsy", *WHY), "--to MRN"),
        (("event", "A/2021-07-01/surgery", "--to", "B", *WHY), "no event A/2021-07-01/surgery"),
        (("event", "A/2021-07-01/visit", "--to", "B", *WHY), "kinds are biopsy"),
        (("event", "9999", "--to", "B", *WHY), "no event 9999"),
        (("event", "A/2021-07-01/biopsy", "--to", "Z", *WHY), "no patient Z"),
        (("event", "A/2021-07-01/biopsy", "--end", "2021-08-01", *WHY), "Only a therapy has an end"),
        (("event", "A/2021-07-01/biopsy", "--on", "1950-01-01", *WHY), "is born 1968-03-02"),
        (("undo", "77", "--yes"), "no correction 77"),
        (("film", "A/2021-06-01/R-CC", "--restore", "--yes"), "No film"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_2(here, arguments, says):
    result = run(*arguments, code=2)
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_what_speaks_against_it_has_to_be_confirmed_and_is_exit_code_1(here):
    run("birth-date", "B", "--to", "1970-05-05", *WHY)
    score_what_waits(here)
    refused = run("merge", "A", "B", *WHY, code=1)
    assert "1970-05-05" in refused.stderr
    run("merge", "A", "B", *WHY, "--despite-conflicts")
    assert record_of(here, "B").mrn == "A"
