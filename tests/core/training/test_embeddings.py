"""Embeddings files and the verb that trains on them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.training.embeddings import EmbeddingsError, read_embeddings, train_on_embeddings
from models.measures import DOMAIN, Domain
from tests.models.sequence.test_small import cohort


def as_table(women):
    rows = []
    for woman in women:
        for k, months in enumerate(woman.months):
            rows.append(
                {
                    "patient_id": woman.patient_id,
                    "months": months,
                    **{f"e{i}": value for i, value in enumerate(woman.vectors[k])},
                    "years_to_cancer": woman.years_to_cancer[k],
                    "years_followed": woman.years_followed[k],
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_in_any_order_make_women_with_visits_in_order(tmp_path, kind):
    women = cohort(0, n=6, ill=2, width=20)
    table = as_table(women).sample(frac=1, random_state=1)
    path = tmp_path / f"e.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    read = read_embeddings(path)
    assert [woman.patient_id for woman in read] == [woman.patient_id for woman in women]
    for one, other in zip(read, women, strict=True):
        np.testing.assert_allclose(one.vectors, other.vectors)
        np.testing.assert_allclose(one.years_to_cancer, other.years_to_cancer)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="months"), "months"),
        (lambda t: t.drop(columns="e3"), "without a gap"),
        (lambda t: t.assign(e0="x"), "row 1"),
        (lambda t: t.assign(e0=t["e0"].where(t.index != 3)), "row 4"),
        (
            lambda t: t.assign(patient_id=t["patient_id"].where(t.index != 2)),
            "row 3 of the data has no patient_id",
        ),
        (lambda t: t.assign(years_to_cancer="soon"), "row 1"),
        (lambda t: t.assign(years_to_cancer=np.inf), "row 1"),
        (lambda t: t.drop(columns="patient_id"), "lacks the column patient_id"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, change, says):
    path = tmp_path / "e.csv"
    change(as_table(cohort(0, n=5, ill=2, width=20))).to_csv(path, index=False)
    with pytest.raises(EmbeddingsError, match=says):
        read_embeddings(path)


def test_a_cancer_that_one_row_states_counts_at_every_visit(tmp_path):
    table = pd.DataFrame(
        {"patient_id": ["a", "a", "a", "b"], "months": [0, 12, 24, 0], "e0": 0.5, "years_followed": 5.0}
    )
    table["years_to_cancer"] = [3.5, np.nan, np.nan, np.nan]
    table.to_csv(tmp_path / "e.csv", index=False)
    ill, well = read_embeddings(tmp_path / "e.csv")
    np.testing.assert_allclose(ill.years_to_cancer, [3.5, 2.5, 1.5])
    assert np.isnan(well.years_to_cancer).all()


def test_ids_are_words_so_that_01_and_1_stay_two_women(tmp_path):
    women = [
        replace(w, patient_id=name)
        for w, name in zip(cohort(0, n=2, ill=1, width=20), ("01", "1"), strict=True)
    ]
    as_table(women).to_csv(tmp_path / "e.csv", index=False)
    assert [woman.patient_id for woman in read_embeddings(tmp_path / "e.csv")] == ["01", "1"]


def test_nobody_has_to_ask_for_the_cross_validation(tmp_path, monkeypatch):
    asked = []

    def crossed(women, mode, *, folds, repeats, seed, report):
        asked.append((mode, folds, repeats))
        scores = {woman.patient_id: float(place) for place, woman in enumerate(women)}
        return {"auc": 0.5, "ci": [0.4, 0.6], "n": len(women), "events": 7, "scores": scores}

    monkeypatch.setattr("core.training.embeddings.cross_validate", crossed)
    enough, few = cohort(1, n=20, ill=7, width=20), cohort(1, n=20, ill=6, width=20)
    assert set(train_on_embeddings(enough, tmp_path / "a", lambda *_: None)) == {
        "history",
        "last",
        "dates",
        "gain",
    }
    assert asked == [("history", 5, 5), ("last", 5, 5), ("dates", 5, 5)]
    assert train_on_embeddings(few, tmp_path / "b", lambda *_: None) == {}
    assert (tmp_path / "b" / "sequence.npz").is_file()


def test_the_verb_cross_validates_the_three_modes(tmp_path):
    path = tmp_path / "e.csv"
    as_table(cohort(1, n=50, ill=12, width=24, growth=1.0)).to_csv(path, index=False)
    run = CliRunner().invoke(
        app,
        [
            "train",
            "sequence",
            "--embeddings",
            str(path),
            "--cv",
            "3x1",
            "--out",
            str(tmp_path / "o"),
            "--json",
        ],
    )
    assert run.exit_code == 0, run.output
    measured = json.loads(run.stdout)
    assert set(measured) == {"history", "last", "dates", "gain"}
    gain = measured.pop("gain")
    assert gain["ci"][0] <= gain["value"] <= gain["ci"][1]
    assert gain["value"] == pytest.approx(measured["history"]["auc"] - measured["last"]["auc"])
    for reached in measured.values():
        assert reached["ci"][0] <= reached["auc"] <= reached["ci"][1]
    assert (tmp_path / "o" / "sequence.npz").is_file()
    assert len(pd.read_csv(tmp_path / "o" / "predictions.csv")) == 50


@pytest.mark.parametrize("cv", ["5", "1x5", "five", "5x0"])
def test_folds_are_checked(tmp_path, cv):
    path = tmp_path / "e.csv"
    as_table(cohort(1, n=8, ill=2, width=20)).to_csv(path, index=False)
    run = CliRunner().invoke(
        app, ["train", "sequence", "--embeddings", str(path), "--cv", cv, "--out", str(tmp_path / "o")]
    )
    assert run.exit_code == 2


def test_the_model_knows_which_readings_it_learned_from_or_says_that_they_are_too_few(tmp_path):
    many, few = cohort(1, n=200, ill=30, width=20), cohort(1, n=20, ill=6, width=20)
    train_on_embeddings(many, tmp_path / "many", lambda *_: None, folds=2)
    domain = Domain.load(tmp_path / "many" / DOMAIN)
    vectors = np.concatenate([woman.vectors for woman in many]).astype(np.float32)
    assert (domain.distances(vectors) <= domain.limit).mean() > 0.95
    assert (domain.distances(vectors + 20) > domain.limit).all()
    train_on_embeddings(few, tmp_path / "few", lambda *_: None)
    assert not (tmp_path / "few" / DOMAIN).is_file()
    assert "too few" in json.loads((tmp_path / "few" / "metrics.json").read_text())["domain"]["why"]
