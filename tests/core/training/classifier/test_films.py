"""Classifiers of mammograms with boxes: a detector on whole films, what it practises on, and a lesion map around boxes."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.sets.cases import CaseError, gather_cases, with_practice
from core.training.classifier.heads import Material
from core.training.classifier.parts import LeakageError, assign_parts, check_leakage, join_twins
from core.training.classifier.plan import Measuring
from models.classifier.model import ImageModel
from models.classifier.preprocess import prepare
from models.film.maps import build_backbones
from models.store import save_weights
from models.store.registry import read_card
from models.view.encoder import EncoderConfig, build_encoder

SMALL = ["--size", "32x32", "--width", "0.25", "--epochs", "4", "--budget-minutes", "1"]


def write_films(folder, count=18):
    """Half-round breasts of one woman each: normal, a dull box or a bright one."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    rows = ["patient_id,study_date,modality,laterality,view,path,finding,roi_x0,roi_y0,roi_x1,roi_y1"]
    down, across = np.mgrid[0:256, 0:208]
    for i in range(count):
        image = 90 + 12 * cv2.GaussianBlur(random.normal(0, 4, (256, 208)).astype(np.float32), (0, 0), 2)
        finding, box = ("normal", "benign", "malignant")[i % 3], ",,,"
        if finding != "normal":
            x, y = int(random.integers(30, 80)), int(random.integers(90, 140))
            image[y : y + 24, x : x + 24] = 140 if finding == "benign" else 240
            box = f"{x},{y},{x + 24},{y + 24}"
        breast = (across / 150) ** 2 + ((down - 128) / 110) ** 2 < 1
        cv2.imwrite(str(folder / f"{i}.png"), np.where(breast, np.clip(image, 20, 255), 0).astype(np.uint8))
        rows.append(f"w{i},,MG,L,MLO,{i}.png,{finding},{box}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def drawn_into(manifest, lesion_of=""):
    """Lesions in the normal films of a set, as `seed_data lesions` tells of them: each in a film of its woman."""
    head, *rows = manifest.read_text(encoding="utf-8").splitlines()
    drawn = [f"{head},background,simulated,lesion_of"]
    for row in rows:
        woman, *rest = row.split(",")
        if "normal" in rest:
            place = Path(rest[4])
            image = cv2.imread(str(manifest.parent / place), cv2.IMREAD_GRAYSCALE)
            image[100:124, 50:74] = 220
            cv2.imwrite(str(manifest.parent / f"drawn-{place}"), image)
            rest[4:] = [f"drawn-{place}", "malignant", "50", "100", "74", "124"]
            drawn.append(",".join([f"{woman}-drawn", *rest, woman, "1", lesion_of]))
    path = manifest.parent / "drawn.csv"
    path.write_text("\n".join(drawn) + "\n", encoding="utf-8")
    return path


def test_what_is_drawn_into_a_womans_films_teaches_only_where_she_does(tmp_path):
    manifest = write_films(tmp_path / "films")
    cases = with_practice(
        gather_cases([manifest], "finding"), gather_cases([drawn_into(manifest)], "finding")
    ).cases
    held = np.array([case.group == "w3" and not case.practice for case in cases])
    material = Material(cases, np.arange(len(cases)), np.zeros((len(cases), 3), bool), (), None)
    teaching = material.teaching(held)
    assert [case.name for case, one in zip(cases, teaching, strict=True) if not one] == [
        "films/3.png",
        "films/drawn-3.png",
    ]
    parts = assign_parts(cases, Measuring(folds=3))
    twins = [(3, next(i for i, case in enumerate(cases) if case.practice and case.group == "w3"))]
    check_leakage(cases, parts, twins)
    stranger = next(i for i, case in enumerate(cases) if case.practice and case.group != "w3")
    with pytest.raises(LeakageError, match="near duplicates"):
        check_leakage(cases, parts, [(3, stranger)])


def test_a_moved_lesion_teaches_only_where_neither_of_its_women_is_measured(tmp_path):
    manifest = write_films(tmp_path / "films")
    own = gather_cases([manifest], "finding")
    moved = gather_cases([drawn_into(manifest, lesion_of="w2")], "finding")
    cases = with_practice(own, moved).cases
    material = Material(cases, np.arange(len(cases)), np.zeros((len(cases), 3), bool), (), None)
    practice = material.practice
    for woman, taught in (("w2", 0), ("w3", 5), ("w4", 6)):
        held = np.array([case.group == woman and not case.practice for case in cases])
        assert (material.teaching(held) & practice).sum() == taught
    with pytest.raises(CaseError, match="for practice only"):
        check_leakage(moved.cases, assign_parts(moved.cases, Measuring(folds=3)), [])


def test_women_joined_by_a_near_duplicate_hold_back_lesions_moved_from_either(tmp_path):
    manifest = write_films(tmp_path / "films")
    moved = gather_cases([drawn_into(manifest, lesion_of="w2")], "finding")
    cases, joined = join_twins(with_practice(gather_cases([manifest], "finding"), moved).cases, [(1, 2)])
    assert joined == 1
    assert {case.lesion_of for case in cases if case.practice} == {"w1"}


@pytest.fixture
def networks(tmp_path):
    """The networks that a detector reads, as one keeps them: of random weights."""
    for name, network in build_backbones().items():
        save_weights(tmp_path / f"{name}.npz", network.get_weights())
    return tmp_path


def test_a_detector_reads_whole_films_and_says_where_it_looks(tmp_path, networks):
    manifest = write_films(tmp_path / "films")
    asked = ["train", "image", "--task", "finding", "--data", str(manifest), "--cv", "2", "--json"]
    films = ["--head", "detector", "--weights", str(networks), "--size", "96x96"]
    films += ["--practice", str(drawn_into(manifest)), "--out", str(tmp_path / "film")]
    result = CliRunner().invoke(app, [*asked, *films])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert (measured["n"], measured["pointing"]["n"]) == (18, 12)
    assert set(measured["films"]["abnormal"]) == {"film", "beside_other", "unaffected", "women"}
    model = ImageModel.load(tmp_path / "film")
    image = cv2.imread(str(manifest.parent / "2.png"), cv2.IMREAD_GRAYSCALE)
    shown = prepare(image, model.config.input)
    (reading,) = model.read([shown])
    assert list(reading.probabilities) == ["normal", "benign", "malignant"]
    assert sum(reading.probabilities.values()) == pytest.approx(1)
    assert reading.heat_map.shape == (6, 6)
    x0, y0, x1, y1 = reading.marks[0]
    assert 0 <= x0 < x1 <= 96
    assert 0 <= y0 < y1 <= 96
    logits = model.logits(np.round(shown.pixels * 255).astype(np.uint8)[None])
    assert model.scaling(logits)[0] == pytest.approx(list(reading.probabilities.values()), abs=1e-5)


def test_a_lesion_map_reads_boxes(tmp_path):
    manifest = write_films(tmp_path / "films")
    build_encoder(EncoderConfig(shape=(64, 64))).save(tmp_path / "encoder.keras")
    asked = ["train", "image", "--task", "finding", "--data", str(manifest), "--cv", "2", "--json"]
    boxes = ["--region", "box", "--head", "kernel", "--lesion-map", str(tmp_path / "encoder.keras"), *SMALL]
    boxes += ["--weights", str(tmp_path / "encoder.keras"), "--width", "1", "--out", str(tmp_path / "box")]
    result = CliRunner().invoke(app, [*asked, *boxes])
    assert result.exit_code == 0, result.output
    assert "lesions.npz" in read_card(tmp_path / "box").files
    model = ImageModel.load(tmp_path / "box")
    image = cv2.imread(str(manifest.parent / "2.png"), cv2.IMREAD_GRAYSCALE)
    shown = prepare(image, model.config.input, (40.0, 100.0, 64.0, 124.0))
    (reading,) = model.read([shown])
    assert sum(reading.probabilities.values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="around a box"):
        model.read([replace(shown, around=None)])


def test_a_detector_needs_boxes(tmp_path):
    manifest = write_films(tmp_path / "films")
    lines = [
        ",".join([*line.split(",")[:7], "", "", "", ""]) for line in manifest.read_text().splitlines()[1:]
    ]
    manifest.write_text("\n".join([manifest.read_text().splitlines()[0], *lines]) + "\n", "utf-8")
    asked = [
        "--task",
        "finding",
        "--data",
        str(manifest),
        "--out",
        str(tmp_path / "out"),
        "--head",
        "detector",
        "--weights",
        "tumour-mg-film",
    ]
    result = CliRunner().invoke(app, ["train", "image", *asked, "--size", "96x96"])
    assert result.exit_code == 2
    assert "draws none" in result.stderr
