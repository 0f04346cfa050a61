import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.sets.manifest import read_manifest
from seed_data.__main__ import app
from seed_data.women import cohort, films
from seed_data.women.backgrounds import backgrounds
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import OF_2026
from seed_data.women.plan import SetPlan

RICH = CaseMix(cancer_rate=0.6, treated_rate=0.0, detection_delay_mm=8)


def test_every_visit_is_another_picture_of_the_same_tissue(manifest, tmp_path):
    women = films.film_women([read_manifest(manifest)], 1)
    plan = SetPlan(
        patients=2,
        seed=3,
        mix=CaseMix(0.0001, 0.0, 0.0),
        spacing_mm=0.8,
        on_real=women.backgrounds,
        anew=True,
    )
    told = cohort.simulate(tmp_path, plan, jobs=1)
    assert "no course is real" in told["statement"]
    by_view = {}
    for row in read_manifest(tmp_path / "manifest.csv").rows:
        by_view.setdefault((row.patient_id, row.laterality, row.view), []).append(
            cv2.imread(str(row.path), -1)
        )
    for pictures in by_view.values():
        one, other = (cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 6) for picture in pictures[:2])
        assert (pictures[0] != pictures[1]).mean() > 0.2
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_the_same_seed_takes_the_same_picture(manifest):
    pixels = np.tile(np.arange(120, dtype=np.uint16), (90, 1))
    pixels[:, 100:] = 0
    one, same, other = (films.taken_anew(pixels, np.random.default_rng(seed), 0.5) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert one[:, 110:].max() < 15  # air stays dark


def test_films_makes_lives_that_say_whose_pictures_they_are_lived_in(manifest, tmp_path):
    out = tmp_path / "made"
    asked = [
        "films",
        "--data",
        str(manifest),
        "--out",
        str(out),
        "--lives",
        "2",
        "--seed",
        "5",
        "--jobs",
        "1",
    ]
    done = CliRunner().invoke(app, [*asked, "--pixel-spacing-mm", "0.8"])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((out / "manifest.csv").open(encoding="utf-8", newline="")))
    lives = {row["patient_id"]: row["background"] for row in rows}
    assert sorted(lives.values()) == sorted(
        2 * [one.patient_id for one in backgrounds(read_manifest(manifest))]
    )
    assert all(row["study_date"] for row in rows)
    assert not read_manifest(out / "manifest.csv").refused
    again = CliRunner().invoke(app, asked)
    assert again.exit_code == 2
    assert "holds a set already" in again.output


def test_a_picture_that_cannot_be_used_is_left_out_and_named(manifest, tmp_path):
    rows = list(csv.DictReader(manifest.open(encoding="utf-8", newline="")))
    (tmp_path / "black.png").write_bytes(cv2.imencode(".png", np.zeros((300, 200), np.uint8))[1].tobytes())
    rows[0]["path"] = str(tmp_path / "black.png")
    for row in rows[1:]:
        row["path"] = str(manifest.parent / row["path"])
    path = tmp_path / "manifest.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    women = films.film_women([read_manifest(path)], 1)
    assert ["black.png" in why for why in women.left_out] == [True]
    assert sum(len(one.rows) for one in women.backgrounds) == len(rows) - 1


def test_what_lies_in_the_tissue_is_not_drawn_into_films(manifest, tmp_path):
    women = films.film_women([read_manifest(manifest)], 1)
    with pytest.raises(ValueError, match="simulated tissue only"):
        cohort.simulate(
            tmp_path,
            SetPlan(patients=2, seed=1, mix=RICH, on_real=women.backgrounds, mechanisms=replace(OF_2026)),
        )
