"""A whole evaluation on a few simulated women: what is written, and that the truth beside them is used."""

import json
from pathlib import Path

import pandas as pd
import pytest

from core.evaluation.longitudinal import evaluate_longitudinal
from core.sets.manifest import read_manifest
from seed_data.women.cohort import simulate
from seed_data.women.life import CaseMix
from seed_data.women.plan import SetPlan


@pytest.fixture(scope="module")
def evaluated(tiny_model, tmp_path_factory):
    """An untrained model on twelve women of whom half have cancer; there is little to measure, and much to write."""
    folder = tmp_path_factory.mktemp("set")
    simulate(
        folder, SetPlan(patients=8, seed=3, mix=CaseMix(cancer_rate=0.5), spacing_mm=0.8, repeats=1), jobs=1
    )
    out = folder / "out"
    said = evaluate_longitudinal(
        Path(tiny_model), [read_manifest(folder / "manifest.csv")], out, lambda *_: None, times=20
    )
    return folder, out, said


def test_metrics_predictions_and_report_are_written(evaluated):
    _, out, said = evaluated
    assert json.loads((out / "metrics.json").read_text("utf-8")) == json.loads(json.dumps(said))
    table = pd.read_csv(out / "predictions.csv")
    assert table["patient_id"].nunique() == 8
    assert set(table["standard_views"]) <= {2, 3, 4}
    assert "Simulated women." in (out / "report.html").read_text("utf-8")


def test_the_set_says_what_it_is_made_of(evaluated):
    _, _, said = evaluated
    assert said["set"]["simulated"]
    assert said["set"]["seeds"] == [3]
    assert said["case_mix"]["cancer_rate"] == 0.5
    assert said["set"]["risks_as"] == "as the model says them", "an uncalibrated model was moved nowhere"


def test_women_are_grouped_by_the_truth_beside_them(evaluated):
    _, _, said = evaluated
    assert {"density", "priors", "views", "vendor"} == set(said["groups"])
    assert sum(one["n"] for one in said["groups"]["vendor"]["1"]) == sum(
        one["n"] for one in said["groups"]["density"]["1"]
    )


def test_contributions_add_up_in_every_woman(evaluated):
    _, _, said = evaluated
    assert said["contributions"]["women"] == 8
    assert said["contributions"]["largest_difference"] < 1e-6


def test_why_scores_moved_sums_and_names_what_moves_them(evaluated):
    _, out, said = evaluated
    moved = said["moved"]
    assert 1 <= moved["women"] <= 8
    assert moved["largest_difference"] < 1e-6
    assert moved["rank_agreement"] > 0.2, "what a part is said to do is about what taking it back undoes"
    assert 0 <= moved["largest_first"] <= 1
    assert moved["shuffled"]["rank_correlation"] < 0.9
    assert "Why a score moved since the prior" in (out / "report.html").read_text("utf-8")


def test_it_is_said_of_whom_a_number_may_be_shown_and_that_numbers_agree(evaluated):
    _, out, said = evaluated
    assert [(one["level"], one["n"]) for one in said["trust"]] == [("withheld", 7)], (
        "one was diagnosed before"
    )
    assert "never held against" in said["trust"][0]["reason"]
    assert said["agreement"] == {
        "visits": said["visits"],
        "breast_above_woman": 0,
        "woman_above_both": 0,
        "falls": 0,
    }
    held = said["intervals"]["by_lack"]["no view"]
    assert 0 <= held["held"] <= 1
    assert held["width"] > 0
    assert said["intervals"]["taken_twice"] == 8
    page = (out / "report.html").read_text("utf-8")
    assert "Of whom may a number be shown?" in page
    assert "every view of a breast" in page


def test_every_target_has_a_verdict(evaluated):
    _, _, said = evaluated
    assert len(said["targets"]) > 5
    assert {one["verdict"] for one in said["targets"]} <= {
        "reached",
        "not reached",
        "cannot be told",
        "not measured",
        "shown",
    }


@pytest.mark.parametrize("text", ["not json", '{"moved": 1}', '[{"moved": "growth_speed"}]'])
def test_a_file_that_is_no_sensitivity_table_is_refused_before_anything_is_read(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(ValueError, match=r"s\.json is no"):
        evaluate_longitudinal(
            "no model", [], tmp_path / "out", lambda *_: None, sensitivity=tmp_path / "s.json"
        )


def test_a_repeat_says_the_same(evaluated, tiny_model):
    folder, out, said = evaluated
    again = evaluate_longitudinal(
        Path(tiny_model), [read_manifest(folder / "manifest.csv")], out, lambda *_: None, times=20
    )
    assert again == said


def test_a_perfect_reader_may_not_learn_from_the_women_it_is_asked_about(evaluated, tiny_model):
    folder, out, _ = evaluated
    with pytest.raises(ValueError, match="Sim-3-0001"):
        evaluate_longitudinal(
            Path(tiny_model),
            [read_manifest(folder / "manifest.csv")],
            out,
            lambda *_: None,
            oracle_data=[folder / "truth.csv"],
        )
