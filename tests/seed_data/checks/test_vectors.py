"""Perfect study vectors, as an embeddings file."""

import pandas as pd
import pytest

from core.sets.truth import read_truth
from core.training import read_embeddings
from seed_data.checks import vectors
from seed_data.checks.sensitivity import write_lives
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import OF_2025, OF_2026


@pytest.mark.parametrize("edition", [OF_2025, OF_2026])
def test_vectors_are_those_of_the_lives_and_can_be_learned_from(tmp_path, edition):
    asked = {"women": 30, "seed": 4, "mix": CaseMix(), "mechanisms": edition}
    vectors.write_vectors(tmp_path / "v.csv", **asked)
    write_lives(tmp_path / "lives.csv", **asked)
    truth = read_truth(tmp_path / "lives.csv")
    women = read_embeddings(tmp_path / "v.csv")
    visits = {
        name: {breast.visit for breast in truth if breast.patient_id == name}
        for name in {breast.patient_id for breast in truth}
    }
    assert len(women) >= 25
    for woman in women:
        assert len(woman.months) == len(visits[woman.patient_id])
        assert woman.vectors.shape[1] == len(vectors.NAMES)
        assert woman.months[0] == 0


def test_a_vector_says_what_shows_in_which_breast_and_nothing_of_what_does_not(tmp_path):
    write_lives(tmp_path / "lives.csv", women=60, seed=4, mix=CaseMix())
    truth = read_truth(tmp_path / "lives.csv")
    table = vectors.vectors_of(truth)
    name = "L round, number"
    shown = table[f"e{vectors.NAMES.index(name)}"]
    counted = pd.Series(
        [
            sum(
                lesion.visible
                and lesion.kind in ("round mass", "cyst", "fibroadenoma", "lymph node")
                for lesion in breast.lesions
            )
            for breast in truth
            if breast.laterality == "L" and breast.patient_id in set(table["patient_id"])
        ]
    )  # fmt: skip
    assert shown.sum() == counted.sum() > 0
    assert (table[f"e{vectors.NAMES.index('L sign')}"] == 0).all()
