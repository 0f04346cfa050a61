"""Measures of classifiers: by hand, and beside scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from models.measures.classes import compare_classes, measure_classes, sensitivity_at
from models.measures.metrics import auc, delong_difference


def cases(n, classes, seed=0):
    random = np.random.default_rng(seed)
    label = random.integers(0, classes, n)
    said = random.dirichlet(np.ones(classes), n) + 0.5 * np.eye(classes)[label]
    return label, said / said.sum(axis=1, keepdims=True)


def test_two_classes_agree_with_scikit_learn():
    label, said = cases(200, 2)
    got = measure_classes(label, said, ["benign", "malignant"], np.arange(200), times=20)
    called = said.argmax(axis=1)
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(label, called), abs=1e-12)
    assert got["precision"] == pytest.approx(reference.precision_score(label, called), abs=1e-12)
    assert got["recall"] == pytest.approx(reference.recall_score(label, called), abs=1e-12)
    assert got["f1"] == pytest.approx(reference.f1_score(label, called), abs=1e-12)
    assert got["specificity"] == pytest.approx(reference.recall_score(1 - label, 1 - called), abs=1e-12)
    assert got["auc"] == pytest.approx(reference.roc_auc_score(label, said[:, 1]), abs=1e-12)
    assert got["average_precision"] == pytest.approx(
        reference.average_precision_score(label, said[:, 1]), abs=1e-12
    )
    assert got["brier"] == pytest.approx(reference.brier_score_loss(label, said[:, 1]), abs=1e-12)
    assert got["confusion"] == reference.confusion_matrix(label, called).tolist()


def test_three_classes_are_averaged_over_classes():
    label, said = cases(300, 3)
    got = measure_classes(label, said, list("abc"), np.arange(300), times=20)
    called = said.argmax(axis=1)
    assert got["f1"] == pytest.approx(reference.f1_score(label, called, average="macro"), abs=1e-12)
    assert got["auc"] == pytest.approx(reference.roc_auc_score(label, said, multi_class="ovr"), abs=1e-12)
    assert got["kappa"] == pytest.approx(reference.cohen_kappa_score(label, called), abs=1e-12)


def test_intervals_hold_the_value_and_widen_when_women_have_several_images():
    label, said = cases(60, 2)
    label, said = np.repeat(label, 4), np.repeat(said, 4, axis=0)
    alone = measure_classes(label, said, ["a", "b"], np.arange(240), times=300)
    together = measure_classes(label, said, ["a", "b"], np.repeat(np.arange(60), 4), times=300)
    low, high = together["accuracy_ci"]
    assert low <= together["accuracy"] <= high
    assert high - low > 1.5 * np.ptp(alone["accuracy_ci"])


def test_what_cannot_be_measured_is_none():
    got = measure_classes(np.zeros(5, int), np.tile([0.8, 0.2], (5, 1)), ["a", "b"], np.arange(5), times=10)
    assert got["auc"] is None
    assert got["recall"] is None
    assert got["accuracy"] == 1


def test_two_classes_of_which_there_is_no_image_are_not_told_apart_by_any_figure():
    found = measure_classes(
        np.array([0, 0, 1, 1]), np.full((4, 4), 0.25), ("A", "B", "C", "D"), np.arange(4), times=20
    )
    assert found["pairs"]["C – D"] == {
        "n": 0, "auc": None, "auc_ci": None, "accuracy": None, "accuracy_ci": None
    }  # fmt: skip
    assert found["pairs"]["A – B"]["accuracy"] == 0.5


def test_sensitivity_at_a_specificity_by_hand():
    label = [0] * 10 + [1] * 4
    score = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8.5, 9.5, 7.5, 3.0]
    assert sensitivity_at(label, score, 0.9) == pytest.approx(2 / 4)
    assert sensitivity_at(label, score, 0.8) == pytest.approx(3 / 4)
    assert sensitivity_at(label, score, 1.0) == pytest.approx(1 / 4)


def test_sensitivity_is_told_by_density():
    label = np.array([0] * 20 + [1] * 8)
    score = np.concatenate([np.linspace(0, 0.5, 20), [0.9] * 4, [0.1] * 4])
    density = ["A"] * 10 + ["D"] * 10 + ["A"] * 4 + ["D"] * 4
    said = np.column_stack([1 - score, score])
    got = measure_classes(label, said, ["a", "b"], np.arange(28), density=density, times=20)["by_density"]
    assert got["A"]["sensitivity"] == 1
    assert got["D"]["sensitivity"] == 0
    assert got["dense (C, D)"]["n"] == 4


def test_a_better_run_is_told_from_a_worse_one():
    label, said = cases(200, 2)
    noise = np.random.default_rng(5).permutation(said)
    got = compare_classes(label, said, noise, np.arange(200), times=200)
    assert got["auc"]["difference"] > 0.2
    assert got["auc"]["p"] < 0.05
    assert got["delong"]["p"] < 1e-4
    assert got["delong"]["difference"] == pytest.approx(auc(label, said[:, 1]) - auc(label, noise[:, 1]))


def test_a_run_does_not_differ_from_itself():
    label, said = cases(100, 2)
    got = compare_classes(label, said, said, np.arange(100), times=50)
    assert got["auc"] == {"difference": 0, "ci": [0, 0], "p": 1}
    assert got["delong"]["p"] == 1


def test_delong_difference_by_hand():
    """Two cases, two others: placements of one score are (1, 1), of the other (1, 0) and (1/2, 1/2)."""
    label = [1, 1, 0, 0]
    value, _, _, p = delong_difference(label, [4, 3, 2, 1], [4, 1, 2, 3])
    # AUCs 1 and 1/2; differences over others (0, 1), under cases (1/2, 1/2): variance 0.5 / 2 + 0.
    assert value == pytest.approx(0.5)
    assert p == pytest.approx(2 * 0.15865525, abs=1e-6)


def test_of_two_classes_among_three_only_their_images_and_their_shares_count():
    label = np.array([0, 1, 2, 1, 2, 0])
    said = np.array(
        [[1, 0, 0], [0.8, 0.15, 0.05], [0.8, 0.05, 0.15], [0, 0.6, 0.4], [0, 0.3, 0.7], [0, 0, 1.0]]
    )
    pair = measure_classes(label, said, ["n", "b", "m"], np.arange(6), times=10)["pairs"]["b – m"]
    assert (pair["n"], pair["auc"], pair["accuracy"]) == (4, 1.0, 1.0)


def test_densities_that_are_not_told_apart_count_as_dense():
    label = np.array([0, 1] * 10)
    said = np.column_stack([1 - label * 0.8, label * 0.8])
    density = ["A", "A", "C+D", "C+D"] * 5
    found = measure_classes(label, said, ["n", "m"], np.arange(20), density=density, times=10)["by_density"]
    assert found["dense (C, D)"]["sensitivity"] == found["C+D"]["sensitivity"] == 1.0
    assert found["fatty (A, B)"]["n"] == 5
