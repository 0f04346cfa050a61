"""The verbs import, score, doctor, verify, backup, restore: exit codes, and JSON on stdout with nothing beside it."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.installation import Installation
from core.settings import Settings
from models.store import backend
from tests import engines
from tests.loaded_once import networks_loaded_once
from tests.pictures import breast, dicom, png

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def loaded_once():
    with networks_loaded_once():
        yield


@pytest.fixture
def home(tmp_path, monkeypatch, tiny_model, loaded_once, quickly_migrated):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LONGVIEW_MODEL", str(tiny_model))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def run(*arguments: str, code: int = 0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def run_json(*arguments: str, code: int = 0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


def write(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def test_import_then_score_on_a_fresh_home(home, tmp_path):
    one = write(tmp_path / "one.dcm", dicom(StudyInstanceUID="1.2.3"))
    report = run_json("import", one)
    assert (report["accepted"], report["duplicate"], report["quarantined"]) == (1, 0, 0)
    (item,) = report["items"]
    assert set(item) >= {
        "path", "outcome", "reason", "detail", "patient", "study_uid", "study_date", "modality", "laterality", "view",
    }  # fmt: skip
    assert item["path"] == one
    scored = run_json("score")
    assert [s["study_uid"] for s in scored["scored"]] == ["1.2.3"]
    assert set(scored["scored"][0]["risk"]["5"]) == {"value", "low", "high"}
    assert run_json("score") == {"scored": [], "refused": []}
    assert len(run_json("score", "--all")["scored"]) == 1


def test_an_import_that_the_machine_cuts_short_answers_what_it_finished(home, tmp_path, monkeypatch):
    files = [write(tmp_path / f"{n}.dcm", dicom(breast(seed=n), StudyInstanceUID="1.2")) for n in range(3)]
    others = {Path(file).read_bytes() for file in files[1:]}

    def full_after_one_image(store, data):
        return engines.full(store) if data in others else None

    engines.let_writes_fail(monkeypatch, full_after_one_image)
    result = run("import", *files, "--json", code=3)
    report = json.loads(result.stdout)
    assert [(item["path"], item["outcome"]) for item in report["items"]] == [(files[0], "accepted")]
    assert "is full" in report["cut_short"]
    assert "1 of 3 files were finished" in result.stderr
    assert "Traceback" not in result.output

    said = run("import", *files, code=3)
    assert "duplicate" in said.stdout
    assert f"The machine failed: {report['cut_short']}" in said.stderr
    monkeypatch.undo()
    monkeypatch.setenv("LONGVIEW_HOME", str(home))
    report = run_json("import", *files)
    assert (report["accepted"], report["duplicate"], report["cut_short"]) == (2, 1, None)


def test_an_import_into_a_home_that_cannot_be_opened_answers_too(home, tmp_path, monkeypatch):
    file = write(tmp_path / "a.dcm", dicom())

    def read_only(*_arguments, **_named):
        raise OSError(errno.EROFS, "Read-only file system", str(home))

    monkeypatch.setattr(Path, "mkdir", read_only)
    result = run("import", file, "--json", code=3)
    assert json.loads(result.stdout)["items"] == []
    assert "read-only" in json.loads(result.stdout)["cut_short"]


def test_a_name_that_is_no_utf_8_is_answered_in_valid_json(home, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / os.fsdecode(b"a\xff.dcm")).write_bytes(dicom())
    (folder / "b.dcm").write_bytes(b"junk")
    program = "import sys; from core.__main__ import app; app(['import', sys.argv[1], '--json'])"
    done = subprocess.run([sys.executable, "-c", program, str(folder)], cwd=PROJECT, capture_output=True)
    assert done.returncode == 1, done.stderr
    items = json.loads(done.stdout.decode("utf-8"))["items"]
    assert [(Path(item["path"]).name, item["outcome"]) for item in items] == [
        (r"a\xff.dcm", "accepted"),
        ("b.dcm", "quarantined"),
    ]


def test_some_quarantined_is_exit_code_1_and_says_why(home, tmp_path):
    good, bad = write(tmp_path / "a.dcm", dicom()), write(tmp_path / "b.dcm", b"")
    report = run_json("import", good, bad, code=1)
    assert [item["reason"] for item in report["items"]] == [None, "empty_file"]
    assert report["items"][1]["detail"] == "The file is empty. Export it again."
    said = run("import", bad, code=1).stdout
    assert "empty_file" in said
    assert "Export it again." in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "nowhere.dcm"),
        ("import", "here.dcm", "--patient", "P"),
        ("import", "here.dcm", "--study-date", "2020-01-01"),
        ("import", "here.dcm", "--patient", "P", "--study-date", "yesterday"),
        ("import", "here.dcm", "--patient", "P", "--study-date", "2190-01-01"),
        ("import", "here.dcm", "--patient", " ", "--study-date", "2020-01-01"),
        ("import", "here.dcm", "--patient", "P", "--study-date", "2020-01-01", "--name", "A\x1b[31m"),
        ("import", "here.dcm", "--patient", "P", "--study-date", "2020-01-01", "--name", "A" * 257),
        ("import", "here.dcm", "--views", "here.dcm=L-CC"),
        ("import", "here.dcm", "--patient", "P", "--study-date", "2020-01-01", "--views", "here.dcm"),
        ("import", "here.dcm", "--patient", "P", "--study-date", "2020-01-01", "--views", "here.dcm=L-UP"),
        ("import",),
    ],
)
def test_wrong_use_is_exit_code_2_and_touches_nothing(home, tmp_path, arguments):
    write(tmp_path / "here.dcm", dicom())
    run(*arguments, code=2)
    assert not (home / "longview.db").exists()


def test_with_a_patient_views_come_from_the_option_or_from_plain_names(home, tmp_path):
    write(tmp_path / "s" / "L-CC.png", png(breast("L")))
    write(tmp_path / "s" / "r_mlo.png", png(breast("R", seed=1)))
    write(tmp_path / "s" / "scan3.png", png(breast("R", seed=2)))
    write(tmp_path / "s" / "scan4.png", png(breast("L", seed=3)))
    said = ("--patient", "P", "--study-date", "2020-01-01", "--views", "scan3.png=R-CC")
    report = run_json("import", str(tmp_path / "s"), *said, code=1)
    found = {Path(i["path"]).name: (i["laterality"], i["view"], i["reason"]) for i in report["items"]}
    assert found == {
        "L-CC.png": ("L", "CC", None),
        "r_mlo.png": ("R", "MLO", None),
        "scan3.png": ("R", "CC", None),
        "scan4.png": (None, None, "unknown_laterality"),
    }
    assert len({i["study_uid"] for i in report["items"] if i["study_uid"]}) == 1


def test_without_a_patient_a_name_says_nothing(home, tmp_path):
    report = run_json("import", write(tmp_path / "L-CC.png", png()), code=1)
    assert report["items"][0]["reason"] == "no_identity"


def test_a_refused_study_is_exit_code_1(home, tmp_path):
    run("import", write(tmp_path / "raw.dcm", dicom(PresentationIntentType="FOR PROCESSING")))
    report = run_json("score", code=1)
    assert [r["reason"] for r in report["refused"]] == ["no_usable_view"]


def test_a_model_that_is_not_there_is_exit_code_2(home, tmp_path, monkeypatch):
    run("import", write(tmp_path / "a.dcm", dicom()))
    monkeypatch.setenv("LONGVIEW_MODEL", "no-such-model")
    assert "no-such-model" in run("score", code=2).stderr


@pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
def test_care_of_a_home(home, tmp_path, monkeypatch):
    run("import", write(tmp_path / "a.dcm", dicom()))
    assert run_json("doctor")["migrations"]["state"] == "ok"
    assert run_json("verify")["well"]
    copy = str(tmp_path / "copy.tar")
    assert run_json("backup", copy)["objects"] == 3
    run("backup", copy, code=2)
    run("restore", copy, code=2)
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "second"))
    assert run_json("restore", copy)["objects"] == 3
    assert run_json("verify")["images"] == 1
    next((tmp_path / "second" / "images").glob("*/*")).unlink()
    assert not run_json("verify", code=1)["well"]


def test_the_command_line_starts_without_the_heavy_libraries():
    program = "import sys, core.__main__; print(*({'tensorflow', 'keras', 'pydicom', 'cv2', 'pandas'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_taking_in_never_loads_the_networks(home, tmp_path):
    program = (
        "import sys; from typer.testing import CliRunner; from core.__main__ import app\n"
        "result = CliRunner().invoke(app, ['import', sys.argv[1]])\n"
        "print(result.exit_code, *({'tensorflow', 'keras', 'pydicom'} & set(sys.modules)))"
    )
    path = write(tmp_path / "a.dcm", dicom())
    done = subprocess.run(
        [sys.executable, "-c", program, path], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0"]


def test_a_log_level_that_there_is_not_is_said_before_anything_is_done(home, monkeypatch):
    monkeypatch.setenv("LONGVIEW_LOG_LEVEL", "loud")
    said = run("user", "list", code=2).stderr
    assert "LONGVIEW_LOG_LEVEL is 'loud'. It can be debug, info, warning or error." in said
    assert not home.exists()


def test_a_setting_that_cannot_be_meant_is_named_with_what_it_can_be(home, monkeypatch):
    monkeypatch.setenv("LONGVIEW_PORT", "abc")
    said = run("user", "list", code=2).stderr
    assert "LONGVIEW_PORT is 'abc'" in said
    assert "integer" in said
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "image", "--task", "finding", "--data", "nowhere.csv", "--out", "o"),
        ("train", "longitudinal", "--data", "nowhere.csv", "--out", "o"),
        ("evaluate", "longitudinal-sim", "--data", "nowhere.csv", "--out", "o"),
        ("evaluate", "no-such-model", "--data", "nowhere.csv", "--out", "o"),
    ],
)
def test_what_is_missing_is_said_before_the_networks_are_loaded(home, monkeypatch, arguments):
    def loaded():
        raise AssertionError("the networks were loaded")

    monkeypatch.setattr(backend, "load", loaded)
    said = run(*arguments, code=2).stderr
    assert ("no-such-model" if "no-such-model" in arguments else "nowhere.csv") in said


@pytest.mark.embedded("is about the folder of images")
def test_a_store_that_is_away_ends_scoring_with_exit_code_3_and_the_study_comes_back(
    home, tmp_path, monkeypatch
):
    monkeypatch.setattr("core.worker.scoring.PATIENCE_SECONDS", 0.0)
    run("import", write(tmp_path / "one.dcm", dicom(StudyInstanceUID="1.2.3")))
    (home / "images").rename(home / "elsewhere")
    (home / "images").mkdir()
    result = run("score", "--json", code=3)
    report = json.loads(result.stdout)
    assert (report["scored"], report["refused"]) == ([], [])
    assert "Mount its disk" in report["stopped"]
    assert "stays in the queue" in result.stderr
    (home / "images").rmdir()
    (home / "elsewhere").rename(home / "images")
    monkeypatch.setattr("core.worker.scoring.PATIENCE_SECONDS", 60.0)  # it was put off for some seconds
    assert [s["study_uid"] for s in run_json("score")["scored"]] == ["1.2.3"]


def test_refused_studies_are_tried_again(home, tmp_path):
    one = write(tmp_path / "one.dcm", dicom(StudyInstanceUID="1.2.3", PatientID="P"))
    run("import", one)
    here = Installation.open(Settings(home=home, _env_file=None))
    objects = {key: here.images.get(key) for key in list(here.images.keys())}
    (image,) = [key for key, data in objects.items() if data[128:132] == b"DICM"]
    engines.lose(here.images, image)
    assert [r["reason"] for r in run_json("score", code=1)["refused"]] == ["image_unreadable"]
    assert run_json("score") == {"scored": [], "refused": []}
    here.images.put(objects[image])
    assert run_json("retry", "--study", "1.2.3") == {"retried": 1}
    assert run_json("retry", "--patient", "P") == {"retried": 0}
    assert run_json("retry", "--all") == {"retried": 0}
    here.close()
    assert [s["study_uid"] for s in run_json("score")["scored"]] == ["1.2.3"]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ((), "Say which studies"),
        (("--all", "--patient", "P"), "Say which studies"),
        (("--study", "9.9"), "no study 9.9"),
        (("--patient", "nobody"), "no patient nobody"),
    ],
)
def test_retry_says_what_is_not_there(home, which, said):
    assert said in run("retry", *which, code=2).stderr
