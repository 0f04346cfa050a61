"""Lesions moved into real mammograms of other women: where the manifest says, nowhere else, and never one's own."""

import csv
import json
from hashlib import sha256

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.sets import gather_cases, with_practice
from core.sets.manifest import read_manifest
from seed_data.__main__ import app
from seed_data.women.moving import Movable, Turns, movable_lesions

SPACING_MM = 240 / 300
"""Of films of 300 rows, which are taken to be as high as a small detector."""
HEAD = "patient_id,study_date,modality,laterality,view,path,finding,roi_x0,roi_y0,roi_x1,roi_y1"


def film(shade, lesion=None, mirrored=False):
    """A half-round breast with a brighter spot, of films with noise that no two share."""
    down, across = np.mgrid[:300, :240]
    random = np.random.default_rng(shade)
    image = np.where(
        (across / 190) ** 2 + ((down - 150) / 140) ** 2 < 1, shade + random.normal(0, 2, (300, 240)), 0
    )
    if lesion is not None:
        image[(across - lesion[0]) ** 2 + (down - lesion[1]) ** 2 < 64] += 60
    image = np.clip(image, 0, 255).astype(np.uint8)
    return image[:, ::-1] if mirrored else image


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Three women: of two one breast has a lesion in a box and one has none, of the third both have none."""
    folder = tmp_path_factory.mktemp("films")
    rows = [HEAD]
    for number, finding in enumerate(("malignant", "benign", "normal")):
        for side in "LR":
            name, shade, mirrored = f"{number}{side}.png", 90 + 5 * number + (side == "R"), side == "R"
            ill = side == "R" and finding != "normal"
            cv2.imwrite(str(folder / name), film(shade, (80, 150) if ill else None, mirrored))
            box = "149,140,169,160" if ill else ",,,"
            rows.append(f"w{number},,MG,{side},MLO,{name},{finding if ill else 'normal'},{box}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def run(*asked):
    return CliRunner().invoke(app, [str(one) for one in asked])


def move(manifest, out, *more):
    return run(
        "lesions", "--moved", "--data", manifest, "--out", out, "--pixel-spacing-mm", SPACING_MM, *more
    )


@pytest.fixture(scope="module")
def made(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("moved") / "set"
    done = move(manifest, folder, "--sets", 2)
    assert done.exit_code == 0, done.output
    return folder


def test_a_lesion_is_brighter_in_its_box_and_nothing_has_changed_far_from_boxes(manifest, made):
    before = {(row.patient_id, row.laterality): row for row in read_manifest(manifest).rows}
    pictures = {}
    for row in read_manifest(made / "manifest.csv").rows:
        pictures.setdefault((row.path, row.background, row.laterality), []).append(row.roi)
    assert len(pictures) == 2 * 4
    for (path, woman, side), boxes in pictures.items():
        shown = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(int)
        was = cv2.imread(str(before[woman, side].path), cv2.IMREAD_GRAYSCALE).astype(int)
        was = was[:, was.shape[1] - shown.shape[1] :] if side == "R" else was[:, : shown.shape[1]]
        changed = np.abs(shown - was)
        far = np.ones(shown.shape, bool)
        for x0, y0, x1, y1 in (map(int, box) for box in boxes):
            middle = np.s_[(y0 + y1) // 2 - 3 : (y0 + y1) // 2 + 3, (x0 + x1) // 2 - 3 : (x0 + x1) // 2 + 3]
            assert (shown - was)[middle].mean() > 20
            reach = (x1 - x0) // 2 + 8
            far[max(0, y0 - reach) : y1 + reach, max(0, x0 - reach) : x1 + reach] = False
        assert changed[far].max() <= 1


def test_it_says_of_whom_the_picture_and_of_whom_the_lesion_is_and_never_gives_a_woman_her_own(
    manifest, made
):
    rows = list(csv.DictReader((made / "manifest.csv").open(encoding="utf-8", newline="")))
    assert all(row["simulated"] == "1" and row["lesion_of"] not in ("", row["background"]) for row in rows)
    kinds = {(row["lesion_of"], row["finding"]) for row in rows}
    assert kinds == {("w0", "malignant"), ("w1", "benign")}
    assert (
        "moved into them from other women" in json.loads((made / "simulation.json").read_text())["statement"]
    )
    practice = with_practice(
        gather_cases([manifest], "finding"), gather_cases([made / "manifest.csv"], "finding")
    ).cases
    assert all(len(case.groups) == 2 for case in practice if case.practice)


def test_the_same_seed_gives_the_same_bytes_another_one_others(manifest, made, tmp_path):
    def digest(folder):
        return [sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.png"))]

    for seed, same in ((0, True), (5, False)):
        done = move(manifest, tmp_path / str(seed), "--sets", 2, "--seed", seed)
        assert done.exit_code == 0, done.output
        assert (digest(tmp_path / str(seed)) == digest(made)) is same


def test_a_box_beside_the_breast_is_left_out_and_named(manifest, tmp_path):
    beside = manifest.with_name("beside.csv")
    beside.write_text(manifest.read_text().replace("149,140,169,160", "5,5,15,15", 1))
    done = move(beside, tmp_path / "none")
    assert done.exit_code == 2
    assert "two women at least" in done.output
    assert "0R.png: the box in line 3 does not lie in the breast" in done.output
    assert not (tmp_path / "none").exists()
    found, _ = movable_lesions([read_manifest(beside)], SPACING_MM)
    assert [one.woman for one in found] == ["w1"]


@pytest.mark.parametrize("verb", ["films", "lesions"])
def test_rows_that_are_refused_are_named_and_make_the_exit_code_1(manifest, tmp_path, verb):
    faulty = manifest.with_name("faulty[1].csv")
    faulty.write_text(
        manifest.read_text() + "w3,,MG,L,MLO,gone.png,normal,,,,\nw3,,MG,R,MLO,2R.png,cyst,,,,\n"
    )
    more = ["--moved", "--sets", 1] if verb == "lesions" else ["--lives", 1, "--jobs", 1]
    done = run(verb, "--data", faulty, "--out", tmp_path / "set", "--pixel-spacing-mm", SPACING_MM, *more)
    assert done.exit_code == 1, done.output
    assert f"{faulty}, line 8: There is no file gone.png." in done.output
    assert f"{faulty}, line 9: finding is 'cyst'" in done.output
    assert (tmp_path / "set" / "manifest.csv").is_file()


def test_a_woman_whose_lesion_moves_and_one_of_another_manifest_who_bears_her_name_are_refused(
    manifest, tmp_path
):
    """The other one's films are all with a finding, so that only her lesions would be used."""
    head, *rows = manifest.read_text().splitlines()
    ill = [row.replace("w1,", "w2,", 1) for row in rows if ",benign," in row]
    other = manifest.with_name("other.csv")
    other.write_text("\n".join([head, *ill, "w9,,MG,L,MLO,2L.png,normal,,,,"]) + "\n")
    done = move(manifest, tmp_path / "set", "--data", other)
    assert done.exit_code == 2
    assert "Two manifests have a woman called w2" in done.output
    assert not (tmp_path / "set").exists()


def test_lesions_take_turns():
    grey = np.zeros((4, 4), np.float32)
    lesions = [Movable(name, True, grey, grey > 0, 2, 2, 1, 1) for name in "abc"]
    turns = Turns(lesions, (1,))
    given = [turns.next("").woman for _ in range(6)]
    assert sorted(given[:3]) == sorted(given[3:]) == list("abc")
    assert {turns.next("a").woman for _ in range(9)} == {"b", "c"}
