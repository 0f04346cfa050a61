"""The report of an evaluation: words and figures, no network, verdicts said plainly."""

import re

import pandas as pd
import pytest

from core.evaluation.longitudinal_report import report_page
from core.evaluation.proof import targets
from tests.core.evaluation.test_proof import measured, women


@pytest.fixture(scope="module")
def page():
    said = measured()
    said["density"] |= {"kappa_ci": [0.8, 0.82], "kappa_linear_ci": [0.88, 0.92]}
    said["risk"] = {
        k: risk | {"auc_ci": [0.7, 0.9], "n": 100, "events": 20, "brier": 0.1}
        for k, risk in said["risk"].items()
    }
    said["controls"]["dates"] = {
        "5": {"auc": 0.7, "auc_ci": [0.65, 0.75], "gain": 0.1, "gain_ci": [0.0, 0.2]}
    }
    reader = {"last": 0.8, "last_ci": [0.7, 0.9], "history": 0.85, "history_ci": [0.8, 0.9]}
    for k in ("1", "2", "5"):
        said["oracles"]["readers"][k] = said["oracles"]["readers"][k] | reader
    each = {"said": 0.1, "low": 0.05, "high": 0.2, "seen": 0.12, "seen_ci": [0.05, 0.3], "n": 10}
    coverage = {"groups": 2, "covered": 0.5, "compatible": 1.0, "width": 0.1, "each": [each, each]}
    group = {"group": "A", "n": 90, "events": 30, "auc": 0.79, "auc_ci": [0.7, 0.85]}
    slope = {
        "n": 9,
        "percent_a_year": 1.0,
        "percent_a_year_ci": [0.5, 1.5],
        "times_a_year": 1.2,
        "times_a_year_ci": [1.1, 1.3],
    }
    said |= {
        "model": "m<1>", "title": "A model", "weights_sha256": "ab" * 32, "women": 400, "visits": 2000, "draws": 300,
        "images": {"used": 8000, "left_out": 2},
        "set": {"simulated": True, "statements": ["None of them real."], "seeds": [9], "risks_as": "as the model says them"},
        "malignancy": {"n": 9, "events": 2, "auc": 0.9, "auc_ci": [0.8, 0.95]},
        "interval_coverage": {"1": coverage, "5": coverage}, "c_index": 0.7, "c_index_ci": [0.6, 0.8],
        "slopes": {"cancer": slope, "none": slope}, "groups": {"density": {"1": [group], "5": [group]}},
        "pointing": {
            "n": 50, "hits": 0.8, "hits_ci": [0.7, 0.9], "malignant": {"n": 20, "hits": 0.9},
            "benign": {"n": 30, "hits": 0.7},
        },
        "sensitivity": [
            {"moved": "growth_speed", "value": value, "horizon_years": 5, "gain": 0.02, "gain_ci": [0.0, 0.04],
             "model_gain": None, "model_gain_ci": None}
            for value in (0.5, 1.0)
        ],
    }  # fmt: skip
    said["targets"] = [target.to_json() for target in targets(said)]
    table, _ = women(60)
    return report_page(said, table.assign(served_5=table["risk_5"]))


def test_simulated_women_are_called_simulated(page):
    assert "Simulated women." in page
    assert "Research software. Not for diagnosis." in page


def test_what_is_not_reached_is_said(page):
    assert "✗ not reached" in page
    assert "0 of 1 targets reached" in page


def test_every_row_of_the_proof_stands_in_the_table_of_targets(page):
    table = page.split("<h2>Every target")[1].split("<h2>What the words mean")[0]
    for words in (
        "Simulated women evaluated",
        "1-year AUC: all visits against the last visit alone",
        "2-year AUC: share of what history gives a perfect reader",
        "5-year AUC: with images against age, density and intervals alone",
        "5-year AUC of dates and visit counts alone",
        "share of the distance from 0.5 to the truth oracle",
        "Progression since the prior",
        "5-year risk: cancers seen over expected",
        "5-year risk: calibration slope",
        "C-index",
        "1-year risk: tenths of women whose mean interval",
        "5-year AUC by density",
        "Density A to D: accuracy",
        "Density A to D: kappa",
        "Slope of 5-year risk before a diagnosis",
    ):
        assert words in table


def test_figures_stand_in_tables_too(page):
    assert "+0.100 (+0.050 to +0.150)" in page  # the gain over the last visit alone
    assert (
        "<td>perfect reader, all visits</td><td class='n'>0.850 <small>(0.800 to 0.900)</small></td>" in page
    )
    assert "density: A" in page
    assert "growth speed" in page
    assert "again 300 times" in page


def test_nothing_is_fetched(page):
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["']""", outside)
    assert not re.search(r"<script[^>]+src=", page)


def test_names_cannot_write_into_the_page(page):
    assert "m&lt;1&gt;" in page
    assert "m<1>" not in page


def test_figures_are_drawn_and_no_raw_data_shown(page):
    assert page.count("plotly-graph-div") >= 6
    assert "<pre>" not in page
    assert "{&quot;" not in page


def test_a_set_of_real_women_is_not_called_simulated():
    nothing = {
        "model": "m", "title": "A model", "weights_sha256": "ab", "women": 3, "visits": 3, "draws": 20,
        "images": {"used": 12, "left_out": 0}, "risk": {}, "controls": {}, "slopes": {}, "interval_coverage": {},
        "set": {"simulated": False, "statements": [], "seeds": [], "risks_as": "as the model says them"},
    }  # fmt: skip
    nothing["targets"] = [target.to_json() for target in targets(nothing)]
    empty = pd.DataFrame(
        {"patient_id": ["a"], "day": [1.0], "years_to_cancer": [float("nan")], "served_5": [0.1]}
    )
    said = report_page(nothing, empty)
    assert "Simulated women." not in said
    assert "✓ reached" not in said
