"""What was left half-written is named by doctor and taken away on request; what is young or in work never is."""

import json
import os
import time
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.care import doctor
from core.care.left_overs import find_left_overs, sweep
from core.care.verify import verify_objects
from core.incoming import count_left_over_batches
from db.files import held, whole_file
from db.tables import ImportBatch, utc_now

LONG_AGO = time.time() - 3 * 3600


@pytest.fixture
def littered(here, tmp_path):
    """An installation in which every kind of work was cut off three hours ago; all that is left of it."""
    key = here.images.put(b"an object")
    home = here.home
    files = [
        home / "images" / key[:2] / ".incoming-ab12cd34",
        home / "quarantine" / "ab" / ".incoming-zz",
        home / ".worker.json.4711.140000000000000",
        home / ".worker.json.0a1b2c3d.partial",
        home / ".backup-q1w2e3r4" / "longview.db",
        tmp_path / ".var-restore-x1y2z3" / "images" / key[:2] / key,
        tmp_path / ".copy.tar.0a1b2c3d.partial",
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    left = [*files[:4], home / ".backup-q1w2e3r4", tmp_path / ".var-restore-x1y2z3", files[-1]]
    for path in (*files, *left, *(tmp_path / ".var-restore-x1y2z3").rglob("*")):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return here, set(left)


@pytest.mark.embedded("is about what lies in folders")
def test_doctor_names_what_was_left_half_written_with_size_and_age(littered):
    here, left = littered
    check = next(check for check in doctor.examine(here) if check.name == "left-overs")
    assert check.state == "warning"
    assert "--sweep" in check.said
    for path in left:
        assert any(str(path) in item and "MB" in item and "3 h" in item for item in check.items), path


@pytest.mark.embedded("is about what lies in folders")
def test_a_sweep_takes_away_what_was_left_and_nothing_else(littered, tmp_path):
    here, left = littered
    others = [tmp_path / ".other.partial", tmp_path / ".vars-restore-1", here.home / "notes.txt"]
    for path in others:
        path.write_bytes(b"somebody's")
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert {one.path for one in sweep(here)} == left
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)
    assert verify_objects(here).objects == 1
    assert find_left_overs(here) == []


@pytest.mark.embedded("is about what lies in folders")
def test_what_is_young_or_in_work_is_left_alone(here, tmp_path):
    young = here.home / ".worker.json.1.2"
    young.write_bytes(b"{")
    working = here.home / ".backup-1"
    working.mkdir()
    in_two_hours = time.time() + 7200
    with held(working), whole_file(here.home / "copy.tar") as file:
        file.write(b"half")
        assert find_left_overs(here) == []
        assert [one.path for one in find_left_overs(here, now=in_two_hours)] == [young]
    assert [one.path for one in find_left_overs(here, now=in_two_hours)] == [working, young]


def test_a_link_is_taken_away_and_not_followed(here, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_bytes(b"kept")
    (here.home / ".backup-link").symlink_to(elsewhere)
    os.utime(here.home / ".backup-link", (LONG_AGO, LONG_AGO), follow_symlinks=False)
    assert [one.path.name for one in sweep(here)] == [".backup-link"]
    assert (elsewhere / "kept").exists()


def test_imports_that_were_cut_off_are_counted_but_not_those_at_work(here):
    earlier = utc_now() - timedelta(hours=2)
    with here.database.write() as session:
        session.add(ImportBatch(source="cli", started_at=earlier))
        session.add(ImportBatch(source="cli", started_at=utc_now()))
        session.add(ImportBatch(source="cli", started_at=earlier, finished_at=utc_now()))
    assert count_left_over_batches(here) == 1
    assert next(check for check in doctor.examine(here) if check.name == "imports").state == "warning"


@pytest.mark.embedded("is about what lies in folders")
def test_the_command_sweeps_and_then_finds_all_well(littered, monkeypatch):
    here, left = littered
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    said = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert len(said["left-overs"]["items"]) == len(left)
    result = CliRunner().invoke(app, ["doctor", "--sweep", "--json"])
    said = json.loads(result.stdout)
    assert said["left-overs"] == {"state": "ok", "said": "Nothing was left half-written."}
    assert result.stderr.count("Taken away") == len(left)
