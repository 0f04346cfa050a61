"""The verdicts on what an evaluation measured, and the model beside the truth."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from core.evaluation.proof import against_truth, index_groups
from core.evaluation.targets import targets
from core.sets.truth import TrueBreast, TrueLesion

START = date(2010, 1, 1)
SHOWN = "Shown beside what is known"


def measured(**said):
    """Metrics that reach every target."""
    control = {"auc": 0.55, "auc_ci": [0.5, 0.6], "gain": 0.1, "gain_ci": [0.05, 0.15]}
    reader = {"gain": 0.11, "gain_ci": [0.05, 0.2], "share": 0.9, "share_ci": [0.5, 1.3]}
    risk = {
        "auc": 0.8,
        "o_e": 1.0,
        "o_e_ci": [0.9, 1.1],
        "calibration_slope": 1.0,
        "calibration_slope_ci": [0.9, 1.1],
    }
    years = ("1", "2", "5")
    return {
        "risk": dict.fromkeys(years, risk),
        "controls": {mode: dict.fromkeys(years, control) for mode in ("last", "no_pixels", "dates")},
        "oracles": {
            "readers": {"fitted_on": "others", **dict.fromkeys(years, reader)},
            "malignancy": {
                "share": 0.9, "share_ci": [0.8, 0.95], "model": 0.9, "model_ci": [0.8, 0.95], "oracle": 0.95,
                "oracle_ci": [0.9, 0.98], "visible_only": 0.93, "visible_only_ci": [0.9, 0.96],
                "share_of_visible": 0.93,
            },
        },
        "progression_with_lesion": {"auc": 0.9, "auc_ci": [0.85, 0.93], "n": 100, "events": 20},
        "density": {"accuracy": 0.85, "kappa": 0.81, "kappa_linear": 0.9, "n": 100},
        "groups": {"density": {"5": [{"group": "A", "n": 90, "events": 30, "auc": 0.79, "auc_ci": [0.7, 0.85]}]}},
        "pointing": {"hits": 0.8, "hits_ci": [0.7, 0.9], "n": 50},
        "randomisation": {"views": 9, "shuffles": 3, "correlation": 0.1, "hits": 0.05},
        "contributions": {"women": 9, "largest_difference": 1e-9},
        "moved": {
            "women": 9, "largest_difference": 1e-12, "rank_agreement": 0.9, "largest_first": 0.9,
            "shuffled": {"women": 9, "shuffles": 3, "rank_correlation": 0.1, "size": 0.1},
        },
        "set": {"simulated": True, "seeds": [9]},
        "women": 2000,
        "c_index": 0.7,
        "c_index_ci": [0.65, 0.75],
        "interval_coverage": {k: {"groups": 10, "covered": 0.9, "compatible": 1.0} for k in years},
        "slopes": {k: {"percent_a_year": 1.0, "percent_a_year_ci": [0.5, 1.5]} for k in ("cancer", "none")},
        **said,
    }  # fmt: skip


def verdict(said, words):
    (found,) = [target.verdict for target in targets(said) if words in target.what]
    return found


def test_women_who_taught_the_model_prove_nothing():
    about = {"simulated": True, "seeds": [9]}
    unseen = measured(set=about | {"model_learned_from_seeds": [7, 8]})
    assert verdict(unseen, "women evaluated") == "reached"
    seen = measured(set=about | {"model_learned_from_seeds": [8, 9]})
    assert verdict(seen, "women evaluated") == "not reached"
    (comment,) = [target.comment for target in targets(seen) if "women evaluated" in target.what]
    assert comment.startswith("Seed 9 taught this model")


def test_all_is_reached_where_all_is_good():
    found = targets(measured())
    assert {target.verdict for target in found if target.topic != SHOWN} == {"reached"}
    assert all(target.topic for target in found)


def test_what_has_no_bound_is_shown_with_its_interval_and_never_called_reached():
    shown = [target for target in targets(measured()) if target.topic == SHOWN]
    assert {target.verdict for target in shown} == {"shown"}
    assert all(" to " in target.measured for target in shown)
    assert ["Published" in target.comment for target in shown if "Slope" in target.what] == [True, True]


def test_too_few_simulated_women_are_no_proof():
    assert verdict(measured(women=1999), "women evaluated") == "not reached"
    assert not [one for one in targets(measured(set={"simulated": False})) if "women evaluated" in one.what]


def test_a_gain_whose_interval_holds_nothing_is_not_reached():
    control = {"auc": 0.7, "auc_ci": [0.6, 0.8], "gain": 0.02, "gain_ci": [-0.01, 0.05]}
    said = measured()
    said["controls"]["last"] = {"5": control}
    assert verdict(said, "5-year AUC: all visits against the last") == "not reached"
    assert verdict(said, "2-year AUC: all visits against the last") == "not measured"


def test_a_share_of_next_to_nothing_is_not_claimed():
    said = measured()
    said["oracles"]["readers"]["5"] = {
        "gain": 0.0,
        "gain_ci": [-0.1, 0.1],
        "share": 3.0,
        "share_ci": [None, None],
    }
    assert verdict(said, "5-year AUC: share") == "cannot be told"
    (words,) = [one.measured for one in targets(said) if "5-year AUC: share" in one.what]
    assert words == "300% (no bound)"


def test_a_share_of_little_is_not_told_in_thousands_of_percent():
    said = measured()
    said["oracles"]["readers"]["5"] |= {"share": 42.0, "share_ci": [-31.0, 90.0]}
    (words,) = [one.measured for one in targets(said) if "5-year AUC: share" in one.what]
    assert words == "over 1000% (under -1000% to over 1000%)"


def test_dates_that_tell_the_outcome_are_not_reached():
    said = measured()
    said["controls"]["dates"] = {"5": {"auc": 0.65, "auc_ci": [0.6, 0.7], "gain": 0, "gain_ci": [0, 0]}}
    assert verdict(said, "5-year AUC of dates") == "not reached"


@pytest.mark.parametrize(
    ("o_e", "expected"), [(0.89, "not reached"), (0.9, "reached"), (1.1, "reached"), (1.2, "not reached")]
)
def test_calibration_is_reached_between_its_bounds(o_e, expected):
    said = measured()
    said["risk"] = {"5": said["risk"]["5"] | {"o_e": o_e}}
    assert verdict(said, "5-year risk: cancers seen over expected") == expected


def test_a_figure_just_outside_its_bounds_does_not_read_as_inside():
    said = measured()
    said["risk"] = {"5": said["risk"]["5"] | {"o_e": 1.1013}}
    (one,) = [one for one in targets(said) if "5-year risk: cancers seen" in one.what]
    assert (one.measured.split()[0], one.verdict) == ("1.101", "not reached")


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"auc": 0.6, "auc_ci": [0.5, 0.65]}, "not reached"),
        ({"auc": 0.6, "auc_ci": [0.4, 0.8]}, "cannot be told"),
        ({"auc": 0.6, "auc_ci": [0.5, 0.65], "reader_ratio": 0.75}, "reached"),
        ({"auc": 0.6, "auc_ci": [0.5, 0.65], "reader_ratio": 1.0}, "not reached"),
        ({}, "cannot be told"),
    ],
)
def test_a_low_group_needs_a_reason(group, expected):
    said = measured(groups={"vendor": {"5": [{"group": "X", "n": 9, "events": 3, **group}]}})
    assert verdict(said, "by vendor") == expected


def test_nothing_measured_is_never_called_reached():
    empty = {"risk": {}, "controls": {}}
    assert {target.verdict for target in targets(empty)} == {"not measured"}


def women(count):
    """A table and its truth: odd women have a cancer of 4 to 12 mm in the left breast, found within the year."""
    rows, truth = [], []
    for k in range(count):
        ill, name = k % 2 == 1, f"w{k}"
        for visit in (0, 1):
            on = START + timedelta(days=365 * visit)
            ahead = 0.5 + (1 - visit) if ill else np.nan
            rows.append(
                {
                    "patient_id": name, "visit": visit, "visits": 2, "index": visit == 1, "day": on.toordinal(),
                    "years_to_cancer": ahead, "years_followed": 6.0, "standard_views": 4 if k % 5 else 3,
                    **{f"risk_{h}": 0.1 + 0.5 * ill for h in range(1, 6)},
                    **{f"last_{h}": 0.1 + 0.01 * (k % 7) for h in range(1, 6)},
                    **{f"density_true_{side}": k % 4 for side in "LR"},
                    **{f"seen_{side}": True for side in "LR"},
                    "malignancy_L": 0.5 + 0.4 * ill, "malignancy_R": 0.5,
                    "malignancy_true_L": float(ill), "malignancy_true_R": 0.0,
                    "progression_L": 0.9 if ill else 0.1, "progression_R": 0.2,
                    "progression_true_L": float(ill) if visit else np.nan,
                    "progression_true_R": 0.0 if visit else np.nan,
                }
            )  # fmt: skip
            for side in "LR":
                size = (4.0 if visit == 0 else 12.0) if ill and side == "L" else 0.0
                held = (TrueLesion("M1", "round mass", True, size, visit == 1, {}),) if size else ()
                truth.append(
                    TrueBreast(
                        name, visit + 1, on, side, 55.0, "ABCD"[k % 4], 0.2, f"vendor {k % 3}", ("CC", "MLO"), held,
                        ahead if ill and side == "L" else None, 6.0,
                    )
                )  # fmt: skip
    return pd.DataFrame(rows), truth


def test_a_model_that_knows_as_much_as_the_oracle_covers_the_whole_distance():
    table, truth = women(60)
    found = against_truth(table, truth, times=50)
    assert found["malignancy"]["oracle"] == 1
    assert found["malignancy"]["share"] == pytest.approx(1)
    assert found["malignancy"]["share_of_visible"] == pytest.approx(1)
    assert found["readers"]["5"]["history"] > 0.9
    assert found["readers"]["5"]["model_gain"] == pytest.approx(0.5, abs=0.1)


def test_progression_is_judged_where_a_woman_has_a_lesion():
    table, truth = women(60)
    found = against_truth(table, truth, times=20)["progression"]
    assert (found["n"], found["events"]) == (
        60,
        30,
    )  # both breasts of the thirty ill women, at the second visit
    assert found["auc"] == 1


def test_women_are_grouped_by_what_the_table_and_the_truth_say():
    table, truth = women(20)
    index = table[table["index"]]
    groups = index_groups(index, truth)
    assert list(groups["density"][:4]) == ["A", "B", "C", "D"]
    assert set(groups["priors"]) == {"1 or 2"}
    assert list(groups["views"][:2]) == ["some missing", "all four"]
    assert list(groups["vendor"][:3]) == ["vendor 0", "vendor 1", "vendor 2"]
    assert "vendor" not in index_groups(index)
