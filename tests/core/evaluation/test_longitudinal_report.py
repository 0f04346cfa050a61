"""The report of an evaluation: words and figures, no network, verdicts said plainly."""

import re

import pandas as pd
import pytest

from core.evaluation.longitudinal_report import page_of, report_page
from core.evaluation.longitudinal_rows import Cell
from core.evaluation.targets import targets
from tests.core.evaluation.read_page import ReadPage
from tests.core.evaluation.test_proof import measured, women

HOSTILE = "<script>alert(1)</script><a href='//x'>\"&"


@pytest.fixture(scope="module")
def found():
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
    return said


@pytest.fixture(scope="module")
def table():
    rows, _ = women(60)
    return rows.assign(served_5=rows["risk_5"])


@pytest.fixture(scope="module")
def page(found, table):
    return report_page(found, table)


FROM_OUTSIDE = ("model", "title", "statements", "fitted_on", "group", "moved")
"""Keys of what was measured whose words come from a card, a set or a table."""


def with_words(said, change, key=""):
    """Return a copy in which every text is changed."""
    if isinstance(said, dict):
        return {name: with_words(one, change, name) for name, one in said.items()}
    if isinstance(said, list):
        return [with_words(one, change, key) for one in said]
    return change(key, said) if isinstance(said, str) else said


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
    reader = (
        "<td>perfect reader, all visits</td>" + 3 * '<td class="n">0.850 <small>(0.800 to 0.900)</small></td>'
    )
    assert reader in page
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


def test_no_word_from_outside_is_taken_for_html_or_for_a_link_in_a_figure(found, table):
    """Whatever a card, a set, a truth table or a sensitivity table holds stands on the page as written."""
    hostile = with_words(found, lambda key, words: words + HOSTILE if key in FROM_OUTSIDE else words)
    hostile["groups"] = {"density" + HOSTILE: hostile["groups"]["density"]}
    hostile["targets"] = [
        one | {"comment": HOSTILE, "topic": one["topic"] + HOSTILE} for one in hostile["targets"]
    ]
    page, innocent = ReadPage(report_page(hostile, table)), ReadPage(report_page(found, table))
    assert page.elements == innocent.elements
    for words in (
        "m<1>",
        "A model",
        "None of them real.",
        "others",
        "density",
        "growth speed",
        "Enough women",
    ):
        assert words + HOSTILE in page.text
    figures = "".join(page.scripts)
    assert HOSTILE not in figures
    assert "\\u003ca href" not in figures


def test_what_goes_into_the_page_is_said_as_it_is_read(found):
    said = page_of(found)
    assert [(row.name, row.cells[-1]) for row in said.auc_rows if "perfect" in row.name] == [
        ("perfect reader, last visit", Cell("0.800", "(0.700 to 0.900)")),
        ("perfect reader, all visits", Cell("0.850", "(0.800 to 0.900)")),
    ]
    (dates,) = [row for row in said.auc_rows if row.name == "dates and visit counts only"]
    assert dates.cells == (None, None, Cell("0.700", "(0.650 to 0.750)"))
    assert [(row.years, row.covered) for row in said.calibration] == [("1", "50%"), ("2", ""), ("5", "50%")]
    assert said.density is not None
    assert said.density.kappa == "0.81 (0.80 to 0.82)"
    assert [row.published for row in said.slopes] == ["1.13 (1.07 to 1.18)", "0.09"]
    assert said.sensitivity[0].gain == "+0.020 (+0.000 to +0.040)"
    assert said.sensitivity[0].model_gain == ""
    assert sum(count for _, count in said.verdicts) == len(said.targets)


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
