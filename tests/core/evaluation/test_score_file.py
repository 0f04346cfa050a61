"""Files of scores: what each column allows to be measured, and which files are refused with their line."""

import numpy as np
import pandas as pd
import pytest

from core.evaluation.score_file import ScoreFileError, measure_scores

LABELS = "y_true,y_score\n1,0.9\n1,0.4\n0,0.5\n0,0.1\n"


def measured(tmp_path, text):
    path = tmp_path / "scores.csv"
    path.write_text(text, "utf-8")
    return measure_scores(path)


def test_labels_and_times_in_one_file_are_both_measured(tmp_path):
    both = measured(
        tmp_path,
        "y_true,time,event,y_score\n1,0.5,1,0.9\n1,2.5,1,0.4\n0,3,0,0.5\n0,6,0,0.1\n",
    )
    assert both["auc"] == measured(tmp_path, LABELS)["auc"] == 0.75
    times = measured(tmp_path, "time,event,y_score\n0.5,1,0.9\n2.5,1,0.4\n3,0,0.5\n6,0,0.1\n")
    assert times["auc"] is None
    assert both["c_index"] == times["c_index"] == pytest.approx(4 / 5)
    assert both["auc_by_time"] == times["auc_by_time"]
    assert times["auc_by_time"]["1"] == 1.0
    # By 3 years: cases score 0.9 and 0.4, the others 0.5 and 0.1.
    assert times["auc_by_time"]["3"] == 0.75


def test_the_bootstrap_interval_is_wider_where_one_woman_has_many_rows(tmp_path):
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 40)
    table = pd.DataFrame(
        {"y_true": label, "y_score": label + random.normal(size=40), "cluster": np.arange(40)}
    )
    path = tmp_path / "scores.csv"
    table.to_csv(path, index=False)
    low, high = measure_scores(path)["auc_ci_bootstrap"]
    pd.concat([table] * 6).to_csv(path, index=False)
    assert measure_scores(path)["auc_ci_bootstrap"] == pytest.approx([low, high], abs=0.02)
    pd.concat([table.drop(columns="cluster")] * 6).to_csv(path, index=False)
    naive_low, naive_high = measure_scores(path)["auc_ci_bootstrap"]
    assert naive_high - naive_low < 0.7 * (high - low)


def test_a_slope_without_end_is_not_told(tmp_path):
    parted = measured(tmp_path, "y_true,y_score\n1,0.9\n1,0.7\n0,0.2\n0,0.1\n")
    assert parted["auc"] == 1.0
    assert parted["calibration_slope"] is None
    assert parted["calibration_intercept"] is not None
    assert measured(tmp_path, LABELS)["calibration_slope"] is not None


def test_one_label_alone_is_measured_as_far_as_it_goes(tmp_path):
    alone = measured(tmp_path, "y_true,y_score\n0,0.5\n0,0.1\n")
    assert (alone["n"], alone["events"], alone["auc"], alone["auc_ci"]) == (2, 0, None, None)
    assert alone["brier"] == pytest.approx(0.13)


def test_spaces_and_blank_lines_do_no_harm(tmp_path):
    assert measured(tmp_path, "y_true, y_score\n1, 0.8\n\n0, 0.3\n\n")["n"] == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y_true,y_score\n", "no rows"),
        ("y_true,y_score\n1,0.5\n0,inf\n", "line 3: y_score is not a number"),
        ("y_true,y_score\n1,0.5\n\n0,\n", "line 4: y_score is not a number"),
        ("y_true,y_score,cluster\n1,0.5,a\n0,0.5,\n", "line 3: cluster is empty"),
        ("time,event,y_score\n1,1,0.5\n-2,0,0.5\n", "line 3: time is below 0"),
        ("time,event,y_score\n1,2,0.5\n", "event must be 0 or 1"),
        ("time,y_score\n1,0.5\n", "needs the columns"),
    ],
)
def test_a_file_that_cannot_be_measured_says_where(tmp_path, text, says):
    with pytest.raises(ScoreFileError, match=says):
        measured(tmp_path, text)
