"""Lesions drawn into real mammograms: where the manifest says they are, nowhere else, and marked for what they are."""

import csv
import json
from hashlib import sha256

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.sets import gather_cases, with_practice
from core.sets.manifest import read_manifest
from core.settings import Settings
from seed_data.__main__ import app
from seed_data.women.backgrounds import backgrounds, read_view
from seed_data.women.insertion import InsertedSet, inserted_views, write_set

RIM = 4
"""Pixels at the edges in which a positioned view shows the next row or column again."""


def lesions(*more):
    return CliRunner().invoke(app, ["lesions", *map(str, more)])


@pytest.fixture(scope="module")
def made(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesions") / "set"
    done = lesions("--data", manifest, "--out", folder, "--sets", 2, "--pixel-spacing-mm", 0.8, "--seed", 4)
    assert done.exit_code == 0, done.output
    return folder


def test_each_lesion_has_a_box_and_what_lies_far_from_all_is_the_film_as_it_was(manifest, made):
    rows = read_manifest(manifest).rows
    before = {row.laterality: row for row in rows if row.patient_id == rows[0].patient_id}
    boxes = {}
    for row in read_manifest(made / "manifest.csv").rows:
        if row.background == rows[0].patient_id:
            boxes.setdefault((row.path, row.laterality), []).append(row.roi)
    assert boxes
    for (path, side), drawn in boxes.items():
        film = cv2.imread(str(path), -1).astype(int)
        view = read_view(before[side], 0.8, Settings())
        real = view.grey[:, ::-1] if view.mirrored else view.grey
        changed = np.abs(film - 255 * real) > 8
        for x0, y0, x1, y1 in drawn:
            assert changed[int(y0) : int(y1), int(x0) : int(x1)].any()
        changed[:RIM], changed[-RIM:], changed[:, :RIM], changed[:, -RIM:] = False, False, False, False
        rows, columns = np.nonzero(changed)
        near = np.zeros(len(rows), bool)
        for x0, y0, x1, y1 in drawn:
            wide = 3 * max(x1 - x0, y1 - y0) + 20
            near |= (abs(columns - (x0 + x1) / 2) < wide) & (abs(rows - (y0 + y1) / 2) < wide)
        assert near.all()


def test_a_drawn_lesion_is_called_simulated_and_its_woman_is_named(made):
    rows = list(csv.DictReader((made / "manifest.csv").open(encoding="utf-8", newline="")))
    assert {row["simulated"] for row in rows} == {"1"}
    assert all(row["background"] and row["patient_id"] != row["background"] for row in rows)
    assert "No lesion is real" in json.loads((made / "simulation.json").read_text())["statement"]


def test_women_into_whose_films_nothing_was_put_are_not_counted(manifest, tmp_path):
    first, second = backgrounds(read_manifest(manifest))

    def views(woman, number):
        return inserted_views(woman, number, 4, 0.8, Settings()) if woman is first else iter(())

    for moved, says in (
        (False, "drawn lesions. No lesion is real."),
        (True, "from other women. No lesion is"),
    ):
        folder = tmp_path / str(moved)
        told = write_set(folder, [first, second], views, InsertedSet(1, 4, 0.8, moved))
        assert told == json.loads((folder / "simulation.json").read_text())
        assert {row.background for row in read_manifest(folder / "manifest.csv").rows} == {first.patient_id}
        assert told["women"] == 1
        assert f"{told['images']} real mammograms of 1 women with" in told["statement"]
        assert says in told["statement"]


def test_practice_on_a_womans_pictures_is_hers(manifest, made):
    both = with_practice(
        gather_cases([manifest], "finding"), gather_cases([made / "manifest.csv"], "finding")
    ).cases
    own = {case.group for case in both if not case.practice}
    assert {case.group for case in both if case.practice} <= own


def test_the_same_seed_gives_the_same_bytes_another_one_others(manifest, made, tmp_path):
    def digest(folder):
        return [
            sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*.*"))
            if path.suffix != ".json"
        ]

    for seed, same in ((4, True), (5, False)):
        out = tmp_path / str(seed)
        done = lesions(
            "--data", manifest, "--out", out, "--sets", 2, "--pixel-spacing-mm", 0.8, "--seed", seed
        )
        assert done.exit_code == 0, done.output
        assert (digest(out) == digest(made)) is same


def test_a_folder_that_holds_a_set_and_a_manifest_without_normal_films_are_refused(manifest, made, tmp_path):
    again = lesions("--data", manifest, "--out", made)
    assert again.exit_code == 2
    assert "holds a set already" in again.output
    sick = tmp_path / "sick.csv"
    sick.write_text(manifest.read_text().replace(",normal,", ",benign,"))
    none = lesions("--data", sick, "--out", tmp_path / "out")
    assert none.exit_code == 2
    assert "no mammogram without finding" in none.output
    assert not (tmp_path / "out").exists()


def test_a_name_from_a_manifest_is_no_path_and_two_women_of_one_name_are_refused(manifest, tmp_path):
    rows = manifest.read_text()
    woman = rows.splitlines()[1].split(",")[0]
    odd = manifest.with_name("odd.csv")
    odd.write_text(rows.replace(f"\n{woman},", "\n../../escaped,"))
    out = tmp_path / "a" / "b" / "set"
    assert lesions("--data", odd, "--out", out, "--sets", 1, "--pixel-spacing-mm", 0.8).exit_code == 0
    assert {path.relative_to(tmp_path).parts[:3] for path in tmp_path.rglob("*.png")} == {("a", "b", "set")}
    again = lesions("--data", manifest, "--data", manifest, "--out", tmp_path / "c")
    assert again.exit_code == 2
    assert "Two manifests have a woman called" in again.output
