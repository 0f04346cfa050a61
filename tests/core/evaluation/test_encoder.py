"""What an encoder sees in labelled films: women stay together, the other breast helps, and words for what cannot be."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.evaluation.classifier import compare_runs
from core.evaluation.encoder import evaluate_encoder
from core.sets.cases import CaseError, gather_cases

WOMEN = 24


def silent(_stage, _done, _figures):
    return None


def film(path, *, right, gland):
    """Draw a breast whose bright part is `gland` of its radius."""
    image = np.zeros((512, 416), np.uint8)
    cv2.ellipse(image, (0, 256), (300, 200), 0, 0, 360, 90, -1)
    cv2.ellipse(image, (0, 256), (int(300 * gland), int(200 * gland)), 0, 0, 360, 230, -1)
    cv2.imwrite(str(path), image[:, ::-1] if right else image)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Women with more or less gland; every second has a little more of it in one breast, which is called malignant."""
    folder = tmp_path_factory.mktemp("films")
    lines = ["patient_id,study_date,laterality,view,path,finding,amount"]
    for number in range(WOMEN):
        gland = 0.3 + 0.5 * number / (WOMEN - 1)
        ill = number % 2
        for side in "LR":
            more = 0.06 if ill and side == "LR"[number // 2 % 2] else 0.0
            film(folder / f"{number}{side}.png", right=side == "R", gland=gland + more)
            finding = "malignant" if more else "normal"
            amount = "much" if number >= WOMEN // 2 else "little"
            lines.append(f"w{number},,{side},MLO,{number}{side}.png,{finding},{amount}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def out_of(films, name):
    """A run's folder; what the encoder sees in the same films is computed by the first and kept for all."""
    out, work = films.parent / name, films.parent / "work"
    for folder in (out, work):
        folder.mkdir(exist_ok=True)
    (out / "work").symlink_to(work)
    return out


@pytest.fixture(scope="module")
def both(films, tiny_model):
    out = out_of(films, "both")
    return out, evaluate_encoder(tiny_model, gather_cases([films], "finding"), out, silent, folds=3, times=20)


def test_what_plainly_shows_is_told(films, tiny_model):
    out = out_of(films, "amount")
    said = evaluate_encoder(
        tiny_model, gather_cases([films], "amount"), out, silent, folds=3, both_breasts=False, times=20
    )
    assert said["n"] == 2 * WOMEN
    assert said["auc"] > 0.95
    assert (out / "report.html").is_file()


def test_the_other_breast_shows_what_one_alone_does_not(films, tiny_model, both):
    out, said = both
    alone = evaluate_encoder(
        tiny_model, gather_cases([films], "finding"), out_of(films, "alone"), silent, folds=3,
        both_breasts=False, times=20,
    )  # fmt: skip
    assert said["auc"] > 0.9 > alone["auc"]
    assert said["notices"] == [f"{2 * WOMEN} of {2 * WOMEN} films are set beside the other breast's."]
    (pair,) = compare_runs([out, films.parent / "alone"], times=20)["pairs"]
    assert pair["auc"]["difference"] == pytest.approx(said["auc"] - alone["auc"], abs=1e-6)


def test_a_woman_is_in_one_fold_and_metrics_are_written(both):
    out, said = both
    table = pd.read_csv(out / "predictions.csv")
    assert (table.groupby("group")["part"].nunique() == 1).all()
    assert table["part"].nunique() == 3
    assert json.loads((out / "metrics.json").read_text("utf-8")) == json.loads(json.dumps(said))


def test_films_without_the_other_breast_are_measured_alone(films, tiny_model, tmp_path):
    cases = gather_cases([films], "amount")
    cases.cases = [case for case in cases.cases if case.laterality == "L"]
    said = evaluate_encoder(tiny_model, cases, tmp_path, silent, folds=3, times=20)
    assert said["notices"][0].startswith("0 of ")
    assert said["auc"] > 0.9


def test_women_of_whom_each_has_a_film_of_both_classes_can_be_measured(films, tiny_model, tmp_path):
    cases = gather_cases([films], "finding")
    ill = {case.group for case in cases.cases if case.label == "malignant"}
    cases.cases = [case for case in cases.cases if case.group in ill]
    said = evaluate_encoder(tiny_model, cases, tmp_path, silent, folds=3, times=20)
    assert (said["n"], said["women"]) == (WOMEN, WOMEN // 2)
    assert len(list((tmp_path / "work").glob("embedded-*"))) == 2, (
        "kept for a repeat: the films and their mirror images"
    )


def test_a_label_that_leaves_its_class_open_is_refused_before_anything_is_read(films, tiny_model, tmp_path):
    cases = gather_cases([films], "amount")
    cases.cases[3] = replace(cases.cases[3], label="little+much")
    with pytest.raises(CaseError, match=r"line 5: 'little\+much' leaves open"):
        evaluate_encoder(tiny_model, cases, tmp_path, silent, folds=3)
    assert not (tmp_path / "work").exists()


def test_ultrasound_and_too_few_women_are_refused_in_words(films, tiny_model, tmp_path):
    lines = films.read_text("utf-8").splitlines()
    other = films.parent / "other.csv"
    other.write_text(
        "\n".join([lines[0] + ",modality", *(line + ",US" for line in lines[1:])]) + "\n", "utf-8"
    )
    with pytest.raises(CaseError, match=r"line 2: .* does not read US"):
        evaluate_encoder(tiny_model, gather_cases([other], "finding"), tmp_path, silent)
    with pytest.raises(ValueError, match="12 women or groups"):
        evaluate_encoder(tiny_model, gather_cases([films], "finding"), tmp_path, silent, folds=20)


def test_the_verb_says_which_options_belong_together(films, tmp_path):
    def run(*more):
        return CliRunner().invoke(
            app, ["evaluate", *more, "--data", str(films), "--out", str(tmp_path / "o")]
        )

    assert "give both" in run("longitudinal-sim", "--classes", "normal,malignant").stderr
    assert "give both" in run("tumour-us", "--no-both-breasts").stderr
    assert "has its own task" in run("tumour-us", "--task", "finding").stderr
    unknown = run("longitudinal-sim", "--task", "colour")
    assert unknown.exit_code == 2
    assert "colour" in unknown.stderr
    assert not (tmp_path / "o").exists()
