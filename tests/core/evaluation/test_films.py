"""Whole films of women: beside the other breast, woman by woman, and where a model points."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.evaluation.films import measure_films, measure_pointing, other_breast
from core.sets import ImageCase

CLASSES = ("normal", "benign", "malignant")


def film(woman, side, label="normal", view="MLO"):
    return ImageCase(Path(f"{woman}{side}.png"), woman, label, "line", laterality=side, view=view)


def cases(women=24):
    """Every second woman has a malignant right breast; each is built in her own way, which both her breasts show."""
    random = np.random.default_rng(0)
    made, said = [], []
    for i in range(women):
        build = random.normal(0, 2)
        for side in "LR":
            bad = side == "R" and i % 2 == 0
            made.append(film(f"w{i}", side, "malignant" if bad else "normal"))
            malignant = 1 / (1 + np.exp(-(build + 2 * bad + random.normal(0, 0.3))))
            said.append([1 - malignant, 0.3 * malignant, 0.7 * malignant])
    return made, np.array(said)


def test_the_other_breast_is_the_same_view_of_the_other_side():
    made = [film("a", "L"), film("a", "R"), film("a", "R", view="CC"), film("b", "L")]
    assert other_breast(made).tolist() == [1, 0, -1, -1]
    drawn = replace(film("b", "R", "malignant"), practice=True)
    assert other_breast([*made, drawn]).tolist()[3] == -1, (
        "what was drawn into a picture is nobody's other breast"
    )


def test_beside_the_other_breast_what_she_is_built_like_counts_less():
    made, said = cases()
    measured = measure_films(made, said, CLASSES, times=50)
    abnormal = measured["abnormal"]
    assert measured["beside_another"] == len(made)
    assert (abnormal["film"]["n"], abnormal["film"]["events"]) == (48, 12)
    assert abnormal["beside_other"]["auc"] > abnormal["film"]["auc"]
    # Against women in whom nothing is: their films only, and each of them once.
    assert (abnormal["unaffected"]["n"], abnormal["women"]["n"]) == (12 + 24, 24)
    assert measured["malignant"]["women"]["events"] == 12
    for one in abnormal.values():
        assert one["auc_ci"][0] <= one["auc"] <= one["auc_ci"][1]


def test_without_sides_or_without_normal_films_nothing_is_measured():
    made, said = cases()
    assert measure_films([film("a", None), film("b", None)], said[:2], CLASSES) is None
    assert measure_films(made, said[:, 1:], CLASSES[1:]) is None
    normal = [film("a", "L"), film("a", "R")]
    assert measure_films(normal, said[:2], CLASSES) == {"beside_another": 2}


def test_pointing_counts_films_whose_highest_peaks_lie_on_a_lesion():
    hits = [[True, False, False], [False, True, False], [False, False, False], []]
    measured = measure_pointing(hits, ["a", "b", "c", "d"], times=50)
    assert (measured["n"], measured["highest"], measured["one_of_three"]) == (4, 0.25, 0.5)
    assert measured["highest_ci"][0] == pytest.approx(0, abs=0.3)
    assert measure_pointing([], []) == {"n": 0}
