"""The evaluation of a table of predictions whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from models.longitudinal.evaluation import by_group, interval_coverage, measure, risk_slopes


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
        said = np.minimum(risk * (2 if doubled else 1), 0.999)
        columns |= {f"risk_{k}": said, f"low_{k}": 0.8 * said, f"high_{k}": np.minimum(1.2 * said, 1)}
        columns[f"last_{k}"] = 1 - np.exp(-hazard * np.exp(random.normal(0, 1.2, n)) * k)
        columns[f"dates_{k}"] = random.random(n)
    columns["served_5"] = columns["risk_5"]
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


def test_intervals_hold_what_comes_true_only_if_the_risks_are_right():
    right = interval_coverage(table(3000), groups=5)["5"]
    wrong = interval_coverage(table(3000, doubled=True), groups=5)["5"]
    assert right["compatible"] == 1
    assert wrong["covered"] <= 0.4
    assert right["covered"] > wrong["covered"]
    assert [one["n"] for one in right["each"]] == sorted((one["n"] for one in right["each"]), reverse=True)


def test_groups_are_measured_each_by_itself():
    made = table(600)
    group = np.array(["few", *["many"] * 599])
    few, many = by_group(made, group, 5)
    assert (few["group"], few["n"] <= 1, "auc" in few) == ("few", True, False)
    assert many["auc_ci"][0] < many["auc"] < many["auc_ci"][1]
    worse = by_group(made, group, 5, made["dates_5"].to_numpy())[1]
    assert worse["auc"] < many["auc"]


def course(name, risks, years_to_cancer=np.nan):
    """A woman's yearly visits with these 5-year risks; her cancer comes so long after the last."""
    n = len(risks)
    return pd.DataFrame(
        {
            "patient_id": name,
            "day": 365.25 * np.arange(n),
            "risk_5": risks,
            "years_to_cancer": years_to_cancer + np.arange(n)[::-1],
        }
    )


def test_slopes_by_hand():
    made = pd.concat(
        [
            course("a", [0.02, 0.04, 0.08], 1.0),
            course("b", [0.02, 0.04, 0.08], 1.0),
            course("c", [0.03, 0.03]),
            course("d", [0.03, 0.03]),
            course("e", [0.5]),
        ]
    )
    said = risk_slopes(made, times=20)
    assert (said["cancer"]["n"], said["none"]["n"]) == (2, 2)
    assert said["cancer"]["percent_a_year"] == pytest.approx(3)
    assert said["cancer"]["times_a_year"] == pytest.approx(2)
    assert said["none"]["percent_a_year"] == pytest.approx(0, abs=1e-9)
    assert said["none"]["times_a_year"] == pytest.approx(1)


def test_slopes_look_back_six_years_and_not_past_a_diagnosis():
    early = course("a", [0.9, 0.9, 0.02, 0.04], 5.0)  # the first two lie eight and seven years before
    after = course("b", [0.02, 0.04, 0.9], -0.5)  # the last lies after
    said = risk_slopes(pd.concat([early, after]), times=20)
    assert said["cancer"]["percent_a_year"] == pytest.approx(2)
    assert "none" not in said
