"""Published facts as data, and simulated women beside them."""

import io
import math

import pytest
from pydantic import ValidationError
from rich.console import Console

from core.rules import RulesError, documents
from seed_data.checks import facts as facts_module
from seed_data.checks import mechanism_gains, published
from seed_data.checks.facts import Fact, facts
from seed_data.checks.measures import DRAWN, MEASURES
from seed_data.checks.published import Row, beside_facts
from seed_data.women.mechanisms import OF_2025, OF_2026

COUNTED = Fact(topic="t", what="w", measure="gain", source="s", counted=(281, 476), percent=True)


@pytest.fixture(scope="module")
def rows():
    return beside_facts(450, OF_2026, seed=7, times=12)


def test_every_fact_is_measured_and_every_measure_has_a_fact():
    assert {fact.measure for fact in facts()} == {*MEASURES, *DRAWN}


def test_every_fact_says_where_it_is_from_and_what_is_judged_has_bounds():
    for fact in facts():
        assert len(fact.source) > 5
        assert not fact.judged or fact.range() is not None


def test_counts_give_value_and_interval():
    assert COUNTED.published() == pytest.approx(59.03, abs=0.01)
    assert COUNTED.range() == pytest.approx((54.6, 63.4), abs=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"counted": (2, 1)},
        {"counted": (1, 2), "value": 3.0},
        {"value": 1.0, "low": 0.5},
        {"value": 1.0, "low": 2.0, "high": 1.0, "bounds": "chosen"},
        {"value": 1.0},
        {"counted": (1, 2), "colour": "red"},
        {"counted": (1, 2), "source": " "},
    ],
)
def test_half_a_fact_is_refused(wrong):
    with pytest.raises(ValidationError):
        Fact.model_validate({"topic": "t", "what": "w", "measure": "gain", "source": "s", **wrong})


def test_a_wrong_file_is_refused_by_name_and_key(tmp_path):
    (tmp_path / "facts.toml").write_text('edition = "x"\n[[fact]]\ntopic = "t"\n')
    with pytest.raises(RulesError, match=r"facts\.toml: \[\[fact\]\] 1, key \"what\" is missing"):
        documents.read("facts.toml", facts_module._Facts, folder=tmp_path)


@pytest.mark.parametrize(
    ("low", "high", "met"), [(50, 53, False), (50, 56, True), (64, 70, False), (math.nan, math.nan, None)]
)
def test_inside_means_that_the_intervals_meet(low, high, met):
    assert COUNTED.met(low, high) is met


def test_what_a_real_reader_reached_a_perfect_one_may_exceed():
    least = COUNTED.model_copy(update={"at_least": True})
    assert least.met(90, 95) is True
    assert least.met(10, 20) is False


def test_what_is_only_shown_is_never_said_to_be_met():
    gain = next(fact for fact in facts() if fact.measure == "gain")
    assert gain.met(0.05, 0.07) is None


def test_each_fact_has_its_row_with_an_interval_around_it(rows):
    assert [row.fact for row in rows] == list(facts())
    for row in rows:
        if row.simulated == row.simulated and row.low == row.low:
            assert row.low <= row.high
    by = {row.fact.measure: row for row in rows}
    assert by["in_situ_of_screened"].simulated > 5
    assert by["in_situ_of_interval"].simulated == 0
    assert 0.85 < by["tracking_2"].simulated < 0.98
    assert by["auc_last"].simulated > 0.6
    assert by["gain"].met is None


def test_the_table_sets_editions_side_by_side_and_marks_where_a_constant_came_from(rows):
    nothing = [Row(row.fact, OF_2025.edition, math.nan, math.nan, math.nan) for row in rows]
    console = Console(width=240, file=io.StringIO())
    console.print(published.printed([*nothing, *rows]))
    said = console.file.getvalue()
    assert "edition 2025" in said
    assert "edition 2026" in said
    assert said.count("none") >= 20
    line = next(one for one in said.splitlines() if "one in twenty is faster" in one)
    assert "0.1 (0.075–0.125)" in line
    assert "inside *" in line


def test_a_row_as_json_holds_no_number_that_json_has_not(rows):
    nothing = Row(rows[0].fact, "2025", math.nan, math.nan, math.nan).to_json()
    assert (nothing["simulated"], nothing["interval"], nothing["met"]) == (None, None, None)
    assert nothing["published_range"] == pytest.approx((54.6, 63.4), abs=0.1)


def test_gains_stand_beside_the_published_one(tmp_path):
    found = mechanism_gains.mechanism_gains(320, 5, settings={"edition 2026": OF_2026}, times=12)
    assert set(found[0].gains) == {1, 2, 5}
    mechanism_gains.write_table(tmp_path, mechanism_gains.rows_of(found))
    assert (tmp_path / "mechanisms.csv").read_text().count("\n") == 4
    console = Console(width=200, file=io.StringIO())
    console.print(mechanism_gains.printed(found))
    assert "published, a real model" in console.file.getvalue()
    assert "+0.06" in console.file.getvalue()


def test_each_mechanism_is_left_out_once_and_the_contested_one_put_in():
    without = {name: one for name, one in mechanism_gains.SETTINGS.items() if name.startswith("2026 without")}
    assert len(without) == 5
    assert mechanism_gains.SETTINGS["2026 with slower fall of density"].slower_fall
    assert not mechanism_gains.SETTINGS["edition 2026"].slower_fall
