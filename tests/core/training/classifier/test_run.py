"""From labelled files to a model: parts by woman, leaks that stop the run, and the whole way on a tiny set."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.evaluation.classifier import compare_runs
from core.sets.cases import ImageCase, gather_cases
from core.sets.parts import TooFewWomen, fold_groups, part_groups
from core.training.classifier.parts import LeakageError
from core.training.classifier.plan import Duration, ImagePlan, Network, Pictures
from core.training.classifier.run import train_image
from core.training.runs import TrainingError
from models.classifier.kernel_head import KernelHead
from models.classifier.model import ImageModel
from models.classifier.preprocess import prepare
from models.store.registry import check_files, read_card

QUIET = lambda *_: None  # noqa: E731
PLAN = ImagePlan(
    Pictures("finding", shape=(32, 32)), network=Network(width=0.25), duration=Duration(1.0, epochs=3)
)
ONE_EPOCH = replace(PLAN, duration=Duration(1.0, epochs=1))
SMALL = ["--size", "32x32", "--width", "0.25", "--epochs", "4", "--budget-minutes", "1"]


def cases(labels, women=None):
    women = women or [f"w{i}" for i in range(len(labels))]
    return [
        ImageCase(f"{i}.png", w, y, f"line {i}") for i, (w, y) in enumerate(zip(women, labels, strict=True))
    ]


def write_set(folder, count=32, split=None, seed=0):
    """Blurred noise; every second image has a bright disc and is malignant; two images a woman."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    rows = ["patient_id,study_date,modality,laterality,view,path,finding,density,split"]
    for i in range(count):
        image = cv2.GaussianBlur(random.normal(0, 1, (48, 56)).astype(np.float32), (0, 0), 3)
        image = 110 * (image - image.min()) / np.ptp(image)
        bad = i // 2 % 2
        if bad:
            cv2.circle(image, (int(random.integers(20, 36)), int(random.integers(18, 30))), 9, 240, -1)
        cv2.imwrite(str(folder / f"{i}.png"), image.astype(np.uint8))
        part = split(i) if split else ""
        rows.append(f"w{i // 2},,US,,,{i}.png,{'malignant' if bad else 'benign'},{'AD'[i % 4 // 3]},{part}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_women_stay_whole_and_every_class_is_in_every_part():
    some = cases(["benign"] * 20 + ["malignant"] * 8, [f"w{i // 2}" for i in range(28)])
    parts = part_groups(some, {"train": 0.7, "validation": 0.15, "test": 0.15}, 0)
    by_woman = {}
    for case, part in zip(some, parts, strict=True):
        by_woman.setdefault(case.group, set()).add(part)
    assert all(len(where) == 1 for where in by_woman.values())
    for part in ("train", "validation", "test"):
        assert {case.label for case, one in zip(some, parts, strict=True) if one == part} == {
            "benign",
            "malignant",
        }
    assert (
        parts == part_groups(list(reversed(some)), {"train": 0.7, "validation": 0.15, "test": 0.15}, 0)[::-1]
    )


def test_folds_hold_whole_women_and_like_shares():
    some = cases(["a"] * 30 + ["b"] * 12, [f"w{i // 2}" for i in range(42)])
    folds = fold_groups(some, 3, 0)
    assert all(len({f for c, f in zip(some, folds, strict=True) if c.group == w.group}) == 1 for w in some)
    assert np.bincount(folds[30:]).tolist() == [4, 4, 4]


def test_too_few_women_of_a_class_are_named():
    with pytest.raises(TooFewWomen, match=r"'malignant' has 4 images of 2 women.*line 10"):
        part_groups(
            cases(["benign"] * 10 + ["malignant"] * 4, [f"w{i // 2}" for i in range(14)]),
            {"train": 0.7, "validation": 0.15, "test": 0.15},
            0,
        )


def test_a_class_with_one_image_is_named(tmp_path):
    gathered = gather_cases([write_set(tmp_path / "set")], "finding")
    gathered.cases[0] = replace(gathered.cases[0], label="normal")
    with pytest.raises(TrainingError, match="'normal' has one image only"):
        train_image(gathered, tmp_path / "out", PLAN, QUIET)


def test_a_woman_in_two_splits_stops_the_run_with_her_name(tmp_path):
    path = write_set(tmp_path / "set", split=lambda i: "test" if i in (5, 8, 9, 10, 11) else "train")
    with pytest.raises(LeakageError, match=r"w2 \(test and train\)"):
        train_image(gather_cases([path], "finding"), tmp_path / "out", PLAN, QUIET)


def test_near_duplicates_in_two_splits_stop_the_run_with_their_names(tmp_path):
    path = write_set(tmp_path / "set", split=lambda i: "test" if 8 <= i < 16 else "train")
    twin = cv2.resize(cv2.imread(str(path.parent / "2.png"), cv2.IMREAD_GRAYSCALE), (90, 77))
    cv2.imwrite(str(path.parent / "10.png"), twin)
    with pytest.raises(LeakageError, match=r"2\.png and .*10\.png"):
        train_image(gather_cases([path], "finding"), tmp_path / "out", PLAN, QUIET)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A run on a folder of two dozen pictures without women, and one of them mirrored; and what it told."""
    folder = tmp_path_factory.mktemp("few")
    manifest = write_set(folder / "set", 24)
    for case in gather_cases([manifest], "finding").cases:
        place = folder / "folder" / case.label
        place.mkdir(parents=True, exist_ok=True)
        (place / case.path.name).write_bytes(case.path.read_bytes())
    image = cv2.imread(str(folder / "folder" / "benign" / "0.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / "folder" / "benign" / "copy.png"), image[:, ::-1])
    gathered = gather_cases([folder / "folder"], "finding")
    train_image(gathered, folder / "out", ONE_EPOCH, QUIET)
    return folder / "out", gathered.notices


def test_near_duplicates_of_a_folder_without_women_stay_in_one_part(few):
    _, notices = few
    assert any("benign/0.png and benign/copy.png" in notice for notice in notices)


def test_too_few_pictures_make_a_model_that_is_withheld_and_says_so(few):
    out, notices = few
    assert any("too few to say which pictures a model knows" in notice for notice in notices)
    assert "domain.npz" not in read_card(out).files
    assert ImageModel.load(out).domain is None


def test_mixed_sizes_are_told_and_damaged_images_left_out_by_line(tmp_path):
    path = write_set(tmp_path / "set")
    image = cv2.imread(str(path.parent / "0.png"))
    cv2.imwrite(str(path.parent / "0.png"), cv2.resize(image, (200, 90)))
    (path.parent / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    asked = ["--task", "finding", "--data", str(path), "--out", str(tmp_path / "out"), *SMALL]
    result = CliRunner().invoke(app, ["train", "image", *asked, "--epochs", "1"])
    assert result.exit_code == 1, result.output
    said = " ".join(result.stderr.split())
    assert "2 sizes, from 56 × 48 to 200 × 90" in said
    assert "line 3:" in said


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    manifest = write_set(folder / "set", 48)
    command = ["train", "image", "--task", "finding", "--data", str(manifest), "--out", str(folder / "one")]
    result = CliRunner().invoke(app, [*command, *SMALL, "--json"])
    return folder, manifest, result


def test_train_image_writes_a_model_with_card_curves_and_metrics(run):
    folder, _, result = run
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured == json.loads((folder / "one" / "metrics.json").read_text("utf-8"))
    card = read_card(folder / "one")
    check_files(folder / "one", card)
    assert card.settings["kind"] == "image"
    assert card.metrics["auc"] == measured["auc"]
    curve = pd.read_csv(folder / "one" / "curves.csv")
    assert {"stage", "epoch", "loss", "validation_loss"} <= set(curve)
    report = (folder / "one" / "report.html").read_text("utf-8")
    assert "Confusion matrix" in report
    assert "src=" not in report.split("<script", 1)[0]


def test_another_plan_does_not_go_on_in_the_same_folder(run):
    folder, manifest, _ = run
    command = ["train", "image", "--task", "finding", "--data", str(manifest), "--out", str(folder / "one")]
    before = read_card(folder / "one")
    result = CliRunner().invoke(app, [*command, *SMALL, "--seed", "1"])
    assert result.exit_code == 2, result.output
    assert "seed" in result.stderr
    assert read_card(folder / "one") == before


@pytest.fixture(scope="module")
def again(run):
    """What evaluating the run's model on its own files answers, and writes into its folder as ``again``."""
    folder, manifest, _ = run
    command = ["evaluate", str(folder / "one"), "--data", str(manifest), "--out", str(folder / "again")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    return result


def test_evaluate_leaves_out_women_the_model_was_trained_on(run, again):
    folder, _, _ = run
    said, first = json.loads(again.stdout), json.loads((folder / "one" / "metrics.json").read_text("utf-8"))
    assert said["n"] == first["n"] < 48
    assert said["seen_in_training"] == 48 - said["n"]
    assert said["accuracy"] == first["accuracy"]
    assert said["auc"] == pytest.approx(first["auc"])
    predicted = pd.read_csv(folder / "again" / "predictions.csv")
    assert len(predicted) == said["n"]
    assert {"true", "predicted", "p_benign", "p_malignant", "group"} <= set(predicted)


def test_a_model_of_a_folders_own_classes_speaks_of_pictures_like_those_and_of_no_others(tmp_path):
    manifest = write_set(tmp_path / "set", 72)
    for case in gather_cases([manifest], "finding").cases:
        place = tmp_path / "folder" / {"benign": "clear", "malignant": "spot"}[case.label]
        place.mkdir(parents=True, exist_ok=True)
        (place / case.path.name).write_bytes(case.path.read_bytes())
    command = ["train", "image", "--task", "kind", "--data", str(tmp_path / "folder")]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "own"), *SMALL])
    assert result.exit_code == 0, result.output
    known = read_card(tmp_path / "own").settings["domain"]
    assert known["same_kind"]["cases_beyond"] <= 0.03 * known["same_kind"]["cases"] + 1
    others = write_set(tmp_path / "others", 24, seed=9).parent
    noise = np.random.default_rng(0).integers(0, 255, (48, 56)).astype(np.uint8)
    cv2.imwrite(str(others / "noise.png"), noise)
    paths = [str(others / f"{i}.png") for i in range(24)] + [str(others / "noise.png")]
    result = CliRunner().invoke(app, ["classify", *paths, "--model", str(tmp_path / "own"), "--json"])
    assert result.exit_code == 0, result.output
    *alike, odd = json.loads(result.stdout)
    assert sum(item["trust"]["level"] == "trusted" for item in alike) >= 22
    assert odd["trust"]["level"] == "withheld"
    assert odd["other"] == {"kind": None}


def test_evaluate_says_by_level_how_it_does(run, again):
    folder, _, _ = run
    measured = json.loads((folder / "again" / "metrics.json").read_text("utf-8"))
    assert {level: one["n"] for level, one in measured["by_trust"].items()}.keys() == {"trusted", "withheld"}
    assert sum(one["n"] for one in measured["by_trust"].values()) == measured["n"]
    assert set(pd.read_csv(folder / "again" / "predictions.csv")["trust"]) <= {"trusted", "withheld"}


def test_a_model_made_before_is_told_which_pictures_it_knows_and_its_networks_stay_as_they_are(run):
    folder, manifest, _ = run
    odd = folder / "odd"
    odd.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (48, 56)).astype(np.uint8)
    cv2.imwrite(str(odd / "noise.png"), noise)
    (odd / "manifest.csv").write_text(
        "patient_id,study_date,modality,laterality,view,path\nx,,US,,,noise.png\n", encoding="utf-8"
    )
    command = ["train", "domain", str(folder / "one"), "--data", str(manifest), "--against", str(odd)]
    result = CliRunner().invoke(app, [*command, "--out", str(folder / "known")])
    assert result.exit_code == 0, result.output
    assert "odd: 1 of 1 turned away" in result.output
    before, after = read_card(folder / "one"), read_card(folder / "known")
    check_files(folder / "known", after)
    assert {**before.files, "domain.npz": after.files["domain.npz"]} == after.files
    assert (after.weights_sha256, after.metrics) == (before.weights_sha256, before.metrics)
    new = after.settings["domain"]["new"]  # the test women, of whom it learned nothing
    assert new["cases"] == before.metrics["n"]


def test_collections_of_its_kind_are_counted_by_what_the_others_allow_and_widen_what_it_knows(run):
    folder, manifest, _ = run
    alike = write_set(folder / "alike", 12, seed=7)
    (folder / "there.json").write_text('{"n": 12, "women": 6, "auc": 0.7, "auc_ci": [0.4, 0.9]}', "utf-8")
    command = ["train", "domain", str(folder / "one"), "--data", str(manifest), "--like", str(alike)]
    command += ["--elsewhere", str(folder / "there.json"), "--out", str(folder / "wide")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "alike, by the limit of the others: " in result.output
    known = read_card(folder / "wide").settings["domain"]
    assert known["like"]["alike"]["cases"] == 12
    assert known["elsewhere"]["auc_ci"] == [0.4, 0.9]
    assert known["limit"] >= (known["usual_limit"] or 0)


def test_evaluate_names_a_class_the_model_does_not_know(run, tmp_path):
    folder, manifest, _ = run
    strange = manifest.parent / "strange.csv"
    strange.write_text(manifest.read_text("utf-8").replace(",benign,", ",normal,"), "utf-8")
    command = ["evaluate", str(folder / "one"), "--data", str(strange), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "'normal'" in " ".join(result.stderr.split())


def test_cross_validation_predicts_each_image_once_and_runs_can_be_compared(run):
    folder, manifest, _ = run
    command = ["train", "image", "--task", "finding", "--data", str(manifest), "--out", str(folder / "cv")]
    weights = ["--weights", str(folder / "one" / "network.keras"), "--cv", "2", "--epochs", "0"]
    result = CliRunner().invoke(app, [*command, *SMALL, *weights])
    assert result.exit_code == 0, result.output
    predicted = pd.read_csv(folder / "cv" / "predictions.csv")
    assert len(predicted) == predicted["path"].nunique() == 48
    assert predicted.groupby("group")["part"].nunique().max() == 1
    compared = compare_runs([folder / "cv", folder / "one"], folder / "compared", times=50)
    assert compared["n"] == json.loads((folder / "one" / "metrics.json").read_text("utf-8"))["n"]
    assert set(compared["pairs"][0]) >= {"one", "other", "accuracy", "auc", "delong"}
    assert "Differences" in (folder / "compared" / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def kernel(run):
    """A kernel head on the first run's backbone, cross-validated, with practice images, and labels that leave open."""
    folder, manifest, _ = run
    practice = write_set(folder / "practice", 16, seed=1)
    text = manifest.read_text("utf-8").replace(",view,", ",view,tissue,", 1)
    lines = text.splitlines()
    tissue = [line.replace(",US,,,", ",US,,," + "fd"[i // 2 % 2] + ",") for i, line in enumerate(lines[1:])]
    tissue = [",".join([*line.split(",")[:8], "", ""]) for line in tissue]
    manifest = manifest.parent / "tissue.csv"
    manifest.write_text("\n".join([lines[0], *tissue]) + "\n", "utf-8")
    (folder / "about.json").write_text('{"title": "A trial", "licence": "None"}', "utf-8")
    command = ["train", "image", "--task", "density", "--data", str(manifest), "--practice", str(practice)]
    command += [
        "--density-from",
        "tissue:f=A,d=C+D",
        "--classes",
        "A,C+D",
        "--about",
        str(folder / "about.json"),
    ]
    command += ["--weights", str(folder / "one" / "network.keras"), "--head", "kernel", "--cv", "2"]
    result = CliRunner().invoke(app, [*command, "--out", str(folder / "kernel"), *SMALL, "--json"])
    return folder, manifest, result


def test_a_kernel_head_learns_from_practice_images_and_is_measured_on_none(kernel):
    folder, _, result = kernel
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["n"] == 48
    assert measured["images"]["used"] > 48
    assert measured["auc"] > 0.6
    card = read_card(folder / "kernel")
    assert (card.title, card.licence) == ("A trial", "None")
    assert "practice" in card.trained_on
    assert set(card.files) == {"head.npz", "backbone.npz", "image.json", "seen.json", "domain.npz"}


def test_a_kernel_model_reads_images_and_shows_where(kernel):
    folder, manifest, _ = kernel
    model = ImageModel.load(folder / "kernel")
    image = cv2.imread(str(manifest.parent / "2.png"), cv2.IMREAD_GRAYSCALE)
    shown = prepare(image, model.config.input)
    (one,), (_, other) = model.read([shown]), model.read([shown, shown])
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    assert sum(one.probabilities.values()) == pytest.approx(1)
    assert 0 <= one.heat_map.min() <= one.heat_map.max() <= 1


def test_a_network_tuned_beside_a_kernel_head_speaks_with_it(run):
    folder, manifest, _ = run
    weights = str(folder / "one" / "network.keras")
    command = [
        "train",
        "image",
        "--task",
        "finding",
        "--data",
        str(manifest),
        "--head",
        "kernel",
        "--cv",
        "2",
    ]
    command += [
        "--weights",
        weights,
        "--beside",
        "compact",
        "--beside-weights",
        weights,
        "--beside-epochs",
        "1",
        "--beside-size",
        "32x32",
    ]
    small = [*SMALL, "--size", "64x64", "--json"]
    result = CliRunner().invoke(app, [*command, "--out", str(folder / "beside"), *small])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n"] == 48
    card = read_card(folder / "beside")
    assert "beside.npz" in card.files
    assert card.calibration.endswith("out of fold")
    assert card.settings["plan"]["beside_weights"] == "network.keras"
    assert card.settings["plan"]["beside_size"] == "32x32"
    model = ImageModel.load(folder / "beside")
    image = cv2.imread(str(manifest.parent / "2.png"), cv2.IMREAD_GRAYSCALE)
    shown = prepare(image, model.config.input)
    (one,), (_, other) = model.read([shown]), model.read([shown, shown])
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    alone = ImageModel(
        model.card, KernelHead(model.network, model.config, model.head.regression), model.scaling
    )
    assert alone.read([shown])[0].probabilities != pytest.approx(one.probabilities, abs=1e-4)
    assert one.heat_map.max() == pytest.approx(1, abs=1e-3)
    logits = model.logits(np.stack([shown.pixels]))
    assert model.scaling(logits)[0] == pytest.approx(list(one.probabilities.values()), abs=1e-5)


def test_evaluate_reads_density_as_the_training_did(kernel):
    folder, manifest, _ = kernel
    command = ["evaluate", str(folder / "kernel"), "--data", str(manifest), "--out", str(folder / "seen")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["classes"] == ["A", "C+D"]
    assert "flatters" in measured["notices"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--cv", "1"], "One fold"),
        (["--size", "50x50"], "multiples of 32"),
        (["--size", "big"], "rows x columns"),
        (["--backbone", "alexnet"], "alexnet"),
        (["--region", "arm"], "arm"),
        (["--preprocessing", "magic"], "magic"),
        (["--weights", "nowhere.keras"], "nowhere.keras"),
        (["--head", "magic"], "dense, kernel"),
        (["--head", "detector", "--size", "48x48"], "give --weights"),
        (
            ["--head", "detector", "--weights", "x", "--size", "48x48"],
            "tells normal, benign, malignant apart",
        ),
        (["--head", "detector", "--weights", "x", "--size", "64x64"], "multiples of 48"),
        (["--lesion-map", "longitudinal-sim"], "--head kernel and --region box"),
        (["--head", "kernel"], "--weights"),
        (["--beside", "compact"], "--beside-weights"),
        (["--beside", "compact", "--beside-size", "64"], "'64' is not rows x columns"),
        (["--beside", "compact", "--beside-size", "50x64"], "beside_size must be multiples of 32"),
        (["--beside", "compact", "--beside-size", "64x64"], "no finer than what is shown"),
        (["--beside-size", "32x32"], "give beside too"),
        (["--head", "kernel", "--weights", "x.keras", "--turns", "--size", "32x64"], "squares"),
        (["--density-from", "tissue"], "column:value=A"),
        (["--about", "nowhere.json"], "nowhere.json"),
        (["--classes", "malignant"], "one class"),
        (["--task", "colour"], "no column 'colour'"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--data", "[/odd] name.csv"], "[/odd] name.csv"),
    ],
)
def test_wrong_wishes_get_a_sentence_and_exit_2(run, tmp_path, change, says):
    _, manifest, _ = run
    asked = ["--task", "finding", "--data", str(manifest), "--out", str(tmp_path / "out"), *SMALL, *change]
    result = CliRunner().invoke(app, ["train", "image", *asked])
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_compare_refuses_folders_that_are_no_runs(tmp_path):
    result = CliRunner().invoke(app, ["compare", str(tmp_path), str(tmp_path)])
    assert result.exit_code == 2
    assert "predictions.csv" in " ".join(result.stderr.split())
