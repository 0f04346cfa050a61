"""Reports on classifiers of single images: what they say, and that no name from outside is taken for HTML."""

import copy

import numpy as np
import pandas as pd
import pytest

from core.evaluation.classifier_report import comparison_page, comparison_report, image_page, image_report
from models.measures import compare_classes, measure_classes
from tests.core.evaluation.read_page import ReadPage

HOSTILE = "<script>alert(1)</script><a href='//x'>\"&"
CURVE = [{"stage": "head", "epoch": 1, "loss": 0.7, "validation_loss": 0.8}]


def predictions(classes, seed):
    random = np.random.default_rng(seed)
    said = random.dirichlet(np.ones(len(classes)), 40)
    label = random.integers(0, len(classes), 40)
    table = pd.DataFrame({"true": [classes[k] for k in label]})
    for k, name in enumerate(classes):
        table[f"p_{name}"] = said[:, k]
    return table, label, said


def measured(classes, seed=1):
    _, label, said = predictions(classes, seed)
    density = ["ABCD"[k % 4] for k in range(40)]
    return measure_classes(label, said, classes, np.arange(40), density=density, times=20)


def compared(classes, names):
    (_, label, one), (_, _, other) = predictions(classes, 1), predictions(classes, 2)
    test = compare_classes(label, one, other, np.arange(40), times=20)
    return {
        "n": 40,
        "women": 40,
        "classes": list(classes),
        "runs": {name: measured(classes, seed) for seed, name in enumerate(names, start=1)},
        "pairs": [{"one": names[0], "other": names[1], **test}],
    }


@pytest.mark.parametrize("classes", [("normal", "tumour"), ("a", "b", "c")])
def test_names_of_classes_runs_and_files_cannot_write_into_the_page(classes):
    hostile = tuple(name + HOSTILE for name in classes)
    pages = []
    for names, after in ((classes, ""), (hostile, HOSTILE)):
        said = measured(names) | {"notices": [f"{after} are left out."], "measured_on": f"scan.png{after}"}
        curve = [one | {"stage": "head" + after} for one in CURVE]
        pages.append(ReadPage(image_report(predictions(names, 1)[0], said, f"Title{after}", curve)))
        runs = (f"one{after}", f"two{after}")
        tables = {run: predictions(names, seed)[0] for seed, run in enumerate(runs, start=1)}
        pages.append(ReadPage(comparison_report(tables, compared(names, runs))))
    innocent, innocent_pair, page, pair = pages
    assert page.elements == innocent.elements
    assert pair.elements == innocent_pair.elements
    for words in (*classes, "Title", "scan.png"):
        assert words + HOSTILE in page.text
    assert f"one{HOSTILE} – two{HOSTILE}" in pair.text
    for said in (page, pair):
        figures = "".join(said.scripts)
        assert HOSTILE not in figures
        assert "\\u003ca href" not in figures


def test_a_page_needs_no_network_and_brings_the_drawing_library_once():
    classes = ("normal", "tumour")
    page = image_report(predictions(classes, 1)[0], measured(classes), "T", CURVE)
    assert page.count("plotly-graph-div") == 4
    assert " src=" not in "".join(line for line in page.splitlines() if line.startswith("<"))
    assert len([one for one in ReadPage(page).scripts if len(one) > 1_000_000]) == 1


def test_the_tables_hold_every_measure_with_its_interval():
    said = measured(("normal", "tumour")) | {"accuracy": 0.5, "accuracy_ci": [0.25, 0.75], "auc": None}
    page = image_page(said, "T")
    measures, by_class, by_density = page.tables
    assert ("Accuracy", "0.500 (0.250 to 0.750)") in measures.rows
    assert ("ROC-AUC", "cannot be said") in measures.rows
    assert [row[0] for row in by_class.rows] == ["normal", "tumour"]
    assert by_density.heading == "Sensitivity for tumour by density"
    assert page.facts == "40 images of 40 women or groups."


def test_a_difference_that_was_not_measured_has_no_row():
    said = compared(("normal", "tumour"), ("one", "two"))
    said["pairs"][0]["brier"] = {"difference": None, "ci": None, "p": None}
    said["pairs"][0]["delong"] = {"difference": -0.1, "ci": [-0.2, 0.0], "p": 0.0004}
    _, differences = comparison_page(said).tables
    assert "Brier" not in [row[1] for row in differences.rows]
    assert differences.rows[-1] == (
        "one – two",
        "ROC-AUC by DeLong's test",
        "-0.100 (-0.200 to +0.000)",
        "0.000",
    )


def test_what_is_measured_is_not_changed_by_saying_it():
    said = measured(("normal", "tumour"))
    before = copy.deepcopy(said)
    image_page(said, "T")
    assert said == before
