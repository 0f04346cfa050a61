"""The evaluation of a table of predictions whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from models.evaluation import measure


def table(n=400, seed=0, *, doubled=False):
    """Women with a true yearly hazard; the model says it exactly, the controls know less or nothing."""
    random = np.random.default_rng(seed)
    hazard = random.gamma(0.7, 0.12, n)
    years = random.exponential(1 / hazard)
    followed = random.uniform(1, 9, n)
    seen = years <= followed
    columns = {
        "patient_id": [f"w{i}" for i in range(n)],
        "visit": 0,
        "visits": 1,
        "index": True,
        "day": 0.0,
        "years_to_cancer": np.where(seen, years, np.nan),
        "years_followed": followed,
    }
    for k in range(1, 6):
        risk = 1 - np.exp(-hazard * k)
        columns[f"risk_{k}"] = np.minimum(risk * (2 if doubled else 1), 0.999)
        columns[f"last_{k}"] = 1 - np.exp(-hazard * np.exp(random.normal(0, 1.2, n)) * k)
        columns[f"dates_{k}"] = random.random(n)
    for side in ("L", "R"):
        columns |= {
            f"malignancy_{side}": random.random(n),
            f"malignancy_true_{side}": np.where(seen & (years < 1), 1.0, 0.0),
            f"progression_{side}": 0.5,
            f"progression_true_{side}": np.nan,
            f"density_{side}": random.integers(0, 4, n),
            f"density_true_{side}": -1,
            f"seen_{side}": True,
        }
    return pd.DataFrame(columns)


def test_true_risks_are_found_calibrated_and_better_than_less():
    said = measure(table(1500), times=100)
    for k in ("1", "3", "5"):
        assert said["risk"][k]["o_e"] == pytest.approx(1, abs=0.15)
        assert said["risk"][k]["calibration_slope"] == pytest.approx(1, abs=0.25)
    assert said["controls"]["last"]["5"]["gain_ci"][0] > 0
    assert said["controls"]["dates"]["5"]["auc_ci"][0] < 0.5 < said["controls"]["dates"]["5"]["auc_ci"][1]
    assert said["c_index_ci"][0] < said["c_index"] < said["c_index_ci"][1]
    assert "no_pixels" not in said["controls"]
    assert "progression" not in said
    assert "density" not in said


def test_doubled_risks_are_told_from_true_ones():
    assert measure(table(doubled=True), times=10)["risk"]["5"]["o_e"] < 0.75


def test_women_with_cancer_before_their_visit_are_left_out_of_risk():
    made = table()
    treated = made.copy()
    treated.loc[:9, "years_to_cancer"] = -1.0
    assert measure(treated, times=10)["risk"]["1"]["n"] <= measure(made, times=10)["risk"]["1"]["n"]
    assert measure(treated, times=10)["women"] == 400


def test_too_few_cancers_give_no_figure_rather_than_a_wild_one():
    few = table(20)
    few["years_to_cancer"] = np.nan
    said = measure(few, times=10)
    assert said["risk"] == {}
    assert "c_index" not in said
