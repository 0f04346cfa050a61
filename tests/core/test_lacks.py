"""A command that the machine fails says what lacks, ends with exit code 3, leaves nothing half-written, and can be repeated."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.__main__ import app as core_app
from core.care.backup import write_backup
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.people.accounts import create_user
from core.people.roles import Role
from core.settings import Settings
from core.worker.scoring import Scorer
from seed_data.__main__ import app as seed_app
from tests import engines
from tests.pictures import breast, dicom

PROJECT = Path(__file__).resolve().parents[2]
BACKUP = pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
PASSWORD = "a long enough pass phrase"

ON_A_HOME = [
    ("core", "backup", "copy.tar"),
    ("core", "user", "add", "bob", "--role", "staff", "--password-stdin"),
    ("core", "user", "password", "ada", "--password-stdin"),
    ("core", "export", "tables"),
    ("core", "export", "all.json"),
]
ON_NOTHING = [
    ("core", "migrate"),
    ("core", "user", "demo"),
    ("core", "up", "--demo"),
    pytest.param(("core", "restore", "made.tar"), marks=BACKUP),
    ("seed_data", "demo", "--women", "1", "--jobs", "1"),
    ("seed_data", "simulate", "--patients", "1", "--jobs", "1", "--out", "set"),
    ("seed_data", "lives", "--women", "2", "--jobs", "1", "--out", "lives.csv"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory, migrated_database) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "home").mkdir()
    shutil.copyfile(migrated_database, folder / "home" / "longview.db")
    here = Installation.open(Settings(home=folder / "home", _env_file=None))
    files = [IncomingFile("a", dicom(breast(rows=200, columns=150)))]
    take_in(here, files, statement=None, source="cli")
    create_user(here, "ada", PASSWORD, Role.ADMIN)
    here.close()
    return folder


@pytest.fixture(scope="module")
def backed_up(made, tmp_path_factory) -> Path:
    """A backup of it."""
    file = tmp_path_factory.mktemp("backup") / "made.tar"
    here = Installation.open(Settings(home=made / "home", _env_file=None))
    write_backup(here, file)
    here.close()
    return file


@pytest.fixture
def place(request, tmp_path, monkeypatch) -> Path:
    """A working folder, with a backup in it where the command names one, and the name of a home that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("db.database.BUSY_SECONDS", 0.05)
    if "made.tar" in request.node.name:
        shutil.copy(request.getfixturevalue("backed_up"), tmp_path)
    return tmp_path


@pytest.fixture
def home(made, place) -> Path:
    return Path(shutil.copytree(made / "home", place / "home"))


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to write more than so many bytes to a file, as a quota does; root is no exception."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(program: str, *arguments: str):
    return CliRunner().invoke(
        {"core": core_app, "seed_data": seed_app}[program], list(arguments), input=f"{PASSWORD}\n"
    )


def failed(result) -> str:
    """See that a command ended as one does that the machine failed; return what was said."""
    assert result.exit_code == 3, result.output + repr(result.exception)
    assert isinstance(result.exception, SystemExit)
    assert "The machine failed:" in result.stderr
    assert "epeat" in result.stderr
    assert "Traceback" not in result.output
    return result.stderr


def named(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


@pytest.mark.embedded("is about this machine's disk, which a server's is not")
@pytest.mark.parametrize("size", [0, 20_000])
@pytest.mark.parametrize("command", ON_A_HOME, ids=" ".join)
def test_a_disk_that_takes_no_more(home, place, command, size):
    before = named(place)
    with no_file_larger_than(size):
        result = run(*command)
    if size and result.exit_code == 0:
        return  # it fitted
    failed(result)
    assert named(place) == before
    assert not list(place.rglob(".*"))
    assert run(*command).exit_code == 0


@pytest.mark.embedded("is about this machine's disk, which a server's is not")
@pytest.mark.parametrize("size", [0, 20_000])
@pytest.mark.parametrize("command", ON_NOTHING, ids=" ".join)
def test_a_disk_that_takes_no_more_at_the_very_start(place, monkeypatch, command, size):
    if command[1] == "up":
        monkeypatch.setattr("core.care.launch.keep_running", lambda *_a, **_k: pytest.fail("it was started"))
    with no_file_larger_than(size):
        result = run(*command)
    if size and result.exit_code == 0:
        return
    failed(result)
    assert not list(place.rglob(".*"))
    assert not (place / "set" / "manifest.csv").exists()
    assert not (place / "lives.csv").exists()
    if command[1] == "restore":
        assert not (place / "home").exists()
    if command[1] != "up" and (command[1] != "demo" or size):
        assert run(*command).exit_code == 0


@pytest.mark.parametrize("command", [ON_A_HOME[1], ON_A_HOME[3], ON_NOTHING[4]], ids=" ".join)
def test_a_database_that_another_process_holds(home, place, command):
    here = Installation.open(Settings(home=home, _env_file=None))
    before = named(place)
    with engines.held(here.database):
        assert "busy" in failed(run(*command))
    here.close()
    assert named(place) == before
    if command[0] == "core":
        assert run(*command).exit_code == 0


def test_a_first_start_while_another_process_holds_the_empty_database(place):
    (place / "home").mkdir()
    here = Installation.open(Settings(home=place / "home", _env_file=None))
    with engines.held(here.database):
        assert "busy" in failed(run("core", "migrate"))
    here.close()
    assert run("core", "migrate").exit_code == 0


@pytest.mark.skipif(
    not Path("/sys/kernel").is_dir(), reason="no folder here that even root cannot write into"
)
@pytest.mark.parametrize("command", [*ON_NOTHING[:4], ON_A_HOME[0]], ids=" ".join)
def test_a_home_that_may_not_be_made(place, monkeypatch, command):
    monkeypatch.setenv("LONGVIEW_HOME", "/sys/longview")
    assert "/sys/" in failed(run(*command))


@pytest.mark.parametrize("verb", [pytest.param("backup", marks=BACKUP), "export"])
def test_a_backup_or_an_export_into_a_folder_that_may_not_be_written(home, verb):
    assert "/sys/" in failed(run("core", verb, "/sys/longview.tar"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_answer_that_does_not_fit_is_a_failure_without_a_traceback(home):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "core", "user", "list", "--json"],
            cwd=PROJECT, env={**os.environ, "LONGVIEW_HOME": str(home)}, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 3
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_score_answers_for_what_it_finished_before_the_machine_failed(home, monkeypatch, tiny_model):
    monkeypatch.setenv("LONGVIEW_MODEL", str(tiny_model))
    monkeypatch.setattr("core.worker.scoring.PATIENCE_SECONDS", 0.5)
    one_more = Scorer.score_next

    def then_the_disk_is_full(scorer, **how):
        monkeypatch.setattr(Scorer, "score_next", full)
        return one_more(scorer, **how)

    def full(_scorer, **_how):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Scorer, "score_next", then_the_disk_is_full)
    result = run("core", "score", "--json")
    assert "The disk is full" in failed(result)
    assert len(json.loads(result.stdout)["scored"]) == 1
