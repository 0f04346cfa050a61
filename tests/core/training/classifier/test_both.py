"""What a model says of films, put together with what it says of the other breast, out of fold."""

from pathlib import Path

import numpy as np
import pytest

from core.sets import ImageCase
from core.training.classifier.both import LEAST_FILMS, put_together
from models.measures import auc


def films(women):
    """Every second woman has a malignant right breast; each is built in her own way, which both her breasts show."""
    random = np.random.default_rng(0)
    cases, said = [], []
    for i in range(women):
        build = random.normal(0, 2)
        for side in "LR":
            bad = side == "R" and i % 2 == 0
            label = "malignant" if bad else "normal"
            cases.append(
                ImageCase(Path(f"{i}{side}.png"), f"w{i}", label, "line", laterality=side, view="MLO")
            )
            malignant = 1 / (1 + np.exp(-(build + 2 * bad + random.normal(0, 0.3))))
            said.append([1 - malignant, malignant])
    truth = np.array([[case.label == "normal", case.label == "malignant"] for case in cases])
    return cases, np.array(said), truth, np.arange(len(cases)) // 2 % 4


def test_beside_the_other_breast_a_lesion_stands_out_and_each_fold_is_scaled_by_the_others():
    cases, said, truth, fold = films(60)
    together = put_together("finding", cases, said, truth, fold)
    assert together.places.tolist() == list(range(120))
    assert auc(truth[:, 1], together.shares[:, 1]) > auc(truth[:, 1], said[:, 1]) + 0.03
    assert together.shares[:, 1].mean() == pytest.approx(truth[:, 1].mean(), abs=0.05)
    # What a fold's women have says nothing of how they are scaled.
    other = truth.copy()
    other[fold == 0] = other[fold == 0][:, ::-1]
    again = put_together("finding", cases, said, other, fold)
    np.testing.assert_allclose(again.shares[fold == 0], together.shares[fold == 0])
    assert not np.allclose(again.shares[fold == 1], together.shares[fold == 1])


def test_without_enough_films_or_for_a_task_of_its_own_nothing_is_put_together():
    cases, said, truth, fold = films(LEAST_FILMS // 2 - 1)
    assert put_together("finding", cases, said, truth, fold) is None
    cases, said, truth, fold = films(60)
    assert put_together("kind", cases, said, truth, fold) is None
