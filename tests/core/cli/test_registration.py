"""`register`: where points of a prior lie in the current image, and a sentence for everything that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from tests.pictures import breast, dicom, png


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "prior.png"
    path.write_bytes(png(breast(rows=640, columns=480)))
    return path


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))


def run(*words: object, code: int = 0):
    done = CliRunner().invoke(app, ["register", *map(str, words)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


def answer(*words: object) -> dict:
    return json.loads(run(*words, "--json").stdout)


POINTS = [[100.0, 200.0], [60.5, 400.0], [150.0, 320.25]]


@pytest.mark.parametrize(
    "text",
    [
        "100,200\n60.5,400\n150,320.25\n",
        "x,y\n100,200\n60.5,400\n150,320.25\n",
        "\ufeffX, Y\r\n100, 200\r\n\r\n60.5, 400\r\n150, 320.25",
        "name,y,x\na,200,100\nb,400,60.5\nc,320.25,150\n",
        "visit,reader,path,x,y\nprior,1,images/prior.png,100,200\ncurrent,1,images/now.png,9999,1\n"
        "prior,1,images/prior.png,60.5,400\nprior,1,images/prior.png,150,320.25\nprior,1,images/other.png,1,1\n",
    ],
    ids=["bare", "header", "Windows", "other columns", "readers' landmarks"],
)
def test_points_come_back_in_their_order(prior, tmp_path, text):
    (tmp_path / "points.csv").write_text(text)
    said = answer(prior, prior, "--points", tmp_path / "points.csv")
    assert np.abs(np.array(said["points"]) - POINTS).max() < 1
    assert said["quality"] > 0.9
    lines = run(prior, prior, "--points", tmp_path / "points.csv").stdout.splitlines()
    assert [[float(part) for part in line.split(",")] for line in lines] == said["points"]


def test_without_points_it_says_how_the_prior_is_moved(prior, tmp_path):
    assert answer(prior, prior)["points"] == []
    mirrored = tmp_path / "mirrored.png"
    mirrored.write_bytes(png(breast("R", rows=640, columns=480)))
    assert "mirrored" in run(mirrored, prior).stdout
    assert "Quality" in run(mirrored, prior).stdout


def test_files_of_another_breast_or_view_are_not_registered(tmp_path):
    for name, tags in {"l": {}, "r": {"ImageLaterality": "R"}, "m": {"ViewPosition": "MLO"}}.items():
        (tmp_path / name).write_bytes(dicom(**tags))
    for other, word in (("r", "breast"), ("m", "view")):
        said = answer(tmp_path / other, tmp_path / "l")
        assert (said["quality"], said["usable"]) == (0, False)
        assert word in said["said"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("100,200\n1,abc\n", "line 2"),
        ("100,200\n\n1\n", "line 3"),
        ("100,200\nnan,5\n", "line 2"),
        ("x,y\n10,20\n481,20\n", "line 3: the point 481,20 lies outside"),
        ("10,-1\n", "line 1: the point 10,-1 lies outside"),
        ("a,b\n1,2\n", "names the columns x and y"),
        ("x,y\n", "no points"),
        ("", "no points"),
        ("visit,x,y\ncurrent,1,2\n", "no points of the prior"),
        ('"1,2\n', "line 1"),
    ],
)
def test_points_that_cannot_be_used_end_in_a_sentence_with_the_line(prior, tmp_path, text, sentence):
    (tmp_path / "points.csv").write_text(text)
    done = run(prior, prior, "--points", tmp_path / "points.csv", "--json", code=2)
    assert sentence in done.stderr
    assert done.stdout == ""


def test_files_that_are_none_end_in_a_sentence(prior, tmp_path):
    no_picture = tmp_path / "text.png"
    no_picture.write_text("no picture")
    assert "text.png" in run(prior, no_picture, code=2).stderr
    assert "cannot be opened" in run(tmp_path / "absent.png", prior, code=2).stderr
    assert "cannot be opened" in run(prior, tmp_path, code=2).stderr
    assert "cannot be opened" in run(prior, prior, "--points", tmp_path / "absent.csv", code=2).stderr
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    assert "no text" in run(prior, prior, "--points", binary, code=2).stderr


def test_a_picture_that_is_no_mammogram_is_told(prior, tmp_path):
    noise = tmp_path / "noise.png"
    noise.write_bytes(png(np.random.default_rng(1).integers(0, 4000, (400, 300)).astype(np.uint16)))
    done = run(noise, prior, "--json")
    assert json.loads(done.stdout)["quality"] <= 0.3
    assert "no mammogram" in done.stderr
