import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from seed_data.__main__ import Edition, app
from seed_data.women.mechanisms import EDITIONS


def _run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_simulate_writes_a_set_and_describes_it(tmp_path):
    done = _run(
        "simulate",
        "--patients",
        1,
        "--seed",
        2,
        "--pixel-spacing-mm",
        0.8,
        "--out",
        tmp_path / "set",
        "--json",
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["simulated"] is True
    assert told["images"] == len(list((tmp_path / "set").rglob("*.png")))


def test_simulate_writes_dicom_where_asked(tmp_path):
    done = _run(
        "simulate", "--patients", 1, "--pixel-spacing-mm", 0.8, "--format", "dicom", "--out", tmp_path / "set"
    )
    assert done.exit_code == 0, done.output
    files = list((tmp_path / "set").rglob("*.dcm"))
    assert files
    assert all(path.read_bytes()[128:132] == b"DICM" for path in files)


def test_a_set_is_never_overwritten(tmp_path):
    (tmp_path / "manifest.csv").write_text("precious")
    done = _run("simulate", "--patients", 1, "--out", tmp_path)
    assert done.exit_code == 2
    assert (tmp_path / "manifest.csv").read_text() == "precious"


@pytest.mark.parametrize("verb", ["simulate", "films", "lesions"])
@pytest.mark.parametrize("place", ["file", "file/in/it"])
def test_a_set_is_not_written_to_a_file_nor_below_one(tmp_path, verb, place):
    (tmp_path / "file").write_text("precious")
    data = ["--patients", 1] if verb == "simulate" else ["--data", tmp_path / "any.csv"]
    done = _run(verb, *data, "--out", tmp_path / place)
    assert done.exit_code == 2
    assert f"{tmp_path / 'file'} is no folder" in done.output
    assert (tmp_path / "file").read_text() == "precious"


def test_women_to_be_picked_who_are_not_of_the_set_are_wrong_use(tmp_path):
    (tmp_path / "drawn.csv").write_text("patient_id,stands_for\nSim-3-0009,2\n")
    done = _run(
        "simulate", "--patients", 2, "--seed", 3, "--only", tmp_path / "drawn.csv", "--out", tmp_path / "set"
    )
    assert done.exit_code == 2
    assert "Sim-3-0009" in done.output


def test_a_missing_manifest_of_backgrounds_is_told(tmp_path):
    done = _run("simulate", "--backgrounds", tmp_path / "no.csv", "--out", tmp_path / "set")
    assert done.exit_code == 2
    assert "no.csv" in done.output


@pytest.mark.parametrize(
    ("pixels", "says"),
    [(b"\x89PNG\r\n\x1a\nno picture", "The file ends before its image does"), (None, "No breast stands out")],
)
def test_a_picture_that_cannot_be_a_background_is_named_with_what_to_do(tmp_path, pixels, says):
    black = cv2.imencode(".png", np.zeros((400, 300), np.uint8))[1].tobytes()
    (tmp_path / "film.png").write_bytes(pixels or black)
    (tmp_path / "m.csv").write_text(
        "patient_id,study_date,laterality,view,path,finding\na,2020-01-01,L,CC,film.png,normal\n"
    )
    done = _run("simulate", "--patients", 1, "--backgrounds", tmp_path / "m.csv", "--out", tmp_path / "set")
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert "film.png cannot be a background" in told
    assert says in told
    assert "Take its row out of the manifest" in told


def test_a_row_of_a_manifest_of_backgrounds_that_is_refused_is_named_and_the_others_are_used(tmp_path):
    down, across = np.mgrid[:300, :240]
    breast = 100.0 * ((across / 190) ** 2 + ((down - 150) / 140) ** 2 < 1)
    cv2.imwrite(str(tmp_path / "film.png"), breast.astype(np.uint8))
    (tmp_path / "m.csv").write_text(
        "patient_id,study_date,laterality,view,path,finding\na,,L,CC,film.png,normal\na,,L,MLO,gone.png,normal\n"
    )
    asked = ["--backgrounds", tmp_path / "m.csv", "--pixel-spacing-mm", 0.8, "--out", tmp_path / "set"]
    done = _run("simulate", "--patients", 1, *asked)
    assert done.exit_code == 1, done.output
    assert f"{tmp_path / 'm.csv'}, line 3: There is no file gone.png." in done.output
    assert (tmp_path / "set" / "manifest.csv").is_file()


def test_a_manifest_without_any_background_says_why_its_rows_are_refused(tmp_path):
    (tmp_path / "m.csv").write_text(
        "patient_id,study_date,laterality,view,path\na,2020-01-01,L,CC,gone.png\n"
    )
    done = _run("simulate", "--patients", 1, "--backgrounds", tmp_path / "m.csv", "--out", tmp_path / "set")
    assert done.exit_code == 2
    assert "There is no file gone.png" in " ".join(done.output.split())


def test_the_report_sets_margins_beside_targets():
    done = _run("report", "--women", 1000, "--json")
    assert done.exit_code == 0, done.output
    margins = json.loads(done.stdout)
    topics = {margin["topic"] for margin in margins}
    assert {
        "density, %",
        "density tracking, r",
        "incidence per 100,000 a year",
        "sensitivity by size, %",
    } <= topics
    for margin in margins:
        if margin["topic"] in ("doubling time, days, mean", "5-year AUC of a control"):
            assert margin["met"] is True


def test_lives_of_another_edition_come_with_vectors_where_asked(tmp_path):
    out, vectors = tmp_path / "lives.csv", tmp_path / "vectors.csv"
    asked = ("lives", "--women", 4, "--mechanisms", "2026", "--jobs", 1, "--out", out, "--vectors", vectors)
    assert _run(*asked).exit_code == 0
    assert "texture,sign,grade,in_situ" in out.read_text().splitlines()[0]
    assert vectors.read_text().startswith("patient_id,months,e0,")
    again = _run(*asked)
    assert again.exit_code == 2
    assert "is there already" in " ".join(again.output.split())


@pytest.mark.parametrize(
    "asked",
    [
        ("simulate", "--mechanisms", "2026", "--findings-per-breast", 1, "--patients", 1),
        ("sensitivity", "--mechanisms", "--evaluated", "metrics.json"),
        ("sensitivity", "--mechanisms", "--only", "edition 1999"),
        ("sensitivity", "--only", "edition 2026"),
        ("lives", "--mechanisms", "1999"),
    ],
)
def test_what_does_not_go_with_mechanisms_is_wrong_use(asked, tmp_path):
    done = _run(*asked, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "mechanisms" in done.output
    assert not (tmp_path / "out").exists()


def test_every_edition_can_be_asked_for():
    assert {edition.value for edition in Edition} == set(EDITIONS)
