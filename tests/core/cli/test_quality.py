"""`quality`: what is said of how pictures were taken, with measure, limit and criterion."""

import json

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from tests.core.images.quality.degraded import again
from tests.pictures import breast, png


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))


def run(*words, code=0):
    done = CliRunner().invoke(app, ["quality", *map(str, words)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


def test_every_file_is_answered_and_compared_with_the_others_of_its_study(tmp_path):
    one = breast("R", rows=640, columns=480) >> 4
    (tmp_path / "a.png").write_bytes(png(one))
    (tmp_path / "b.png").write_bytes(png(again(one)))
    (tmp_path / "manifest.csv").write_text(
        "patient_id,study_date,laterality,view,path\nW,2024-01-02,R,CC,a.png\nW,2024-01-02,R,MLO,b.png\n"
    )
    first, second = json.loads(run(tmp_path, "--json").stdout)
    assert (first["laterality"], first["view"], second["view"]) == ("R", "CC", "MLO")
    assert "same_picture" in first["flags"]
    (remark,) = [said for said in second["remarks"] if said["flag"] == "same_picture"]
    assert "R CC" in remark["sentence"]
    assert remark["criterion"]
    assert first["measured"]["longest_side"] == 640
    assert "look" not in first["measured"]
    assert "Take one of them away" in run(tmp_path).stdout


def test_what_is_no_mammogram_is_said_and_the_others_are_judged(tmp_path):
    (tmp_path / "L-CC.png").write_bytes(png(breast("L", rows=640, columns=480) >> 4))
    (tmp_path / "notes.txt").write_text("hello")
    judged, refused = json.loads(run(tmp_path, "--json", code=1).stdout)
    assert (judged["view"], judged["refused"]) == ("CC", None)
    assert refused["refused"]
    assert refused["flags"] == []


def test_wrong_use_is_said():
    assert "Say which files" in run(code=2).stderr
    assert "leave the paths out" in run("x.png", "--stored", code=2).stderr
    assert "There is no file" in run("nothing-there.png", code=2).stderr


def test_stored_images_are_counted():
    assert json.loads(run("--stored", "--json").stdout) == {"measured": 0, "flagged": 0, "unreadable": 0}
