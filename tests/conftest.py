"""Fixtures that every folder of tests shares."""

import gc
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest
from argon2 import PasswordHasher

from core.installation import Installation
from core.people import asking
from core.settings import Settings
from core.trail.phrases import unphrased
from core.trail.words import WORDS
from db import chain
from db.database import Database
from db.migrate import upgrade
from tests import engines, postgres

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MEMORY = Path("/dev/shm")


def keep_files_in_memory(config: pytest.Config) -> None:
    """Keep what tests write in memory where there is room: waiting for a disk took a large part of their time.

    That everything is flushed in time is what tests that kill processes tell; that the disk keeps what was flushed
    none can.
    """
    if config.option.basetemp is None and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 8 * 2**30:
        for left in MEMORY.glob("longview-tests-*"):  # by a run that was killed
            if not psutil.pid_exists(int(left.name.rpartition("-")[2])):
                shutil.rmtree(left, ignore_errors=True)
        folder = MEMORY / f"longview-tests-{os.getpid()}"
        folder.mkdir(mode=0o700)
        config.option.basetemp = folder / "pytest"
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


# Python looks for what can be thrown away after every 700 objects made, which took a seventh of the processor's time.
gc.set_threshold(50_000, 20, 100)

# How long an example takes says how busy the machine is, and no more.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# What a test calls, it calls as a command would; pages and routes ask for whoever is signed in.
asking.system_asks_in_this_process()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller say what installations are kept in."""
    parser.addoption(
        "--on",
        choices=[engines.EMBEDDED, engines.GROWN],
        default=engines.EMBEDDED,
        help="Keep the installations of tests in SQLite and folders, or in PostgreSQL and an S3 that are started here.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before workers are started: one PostgreSQL for all of them. A run without workers starts it when it needs it."""
    if hasattr(config, "workerinput"):
        return
    keep_files_in_memory(config)
    if config.getoption("numprocesses", None):
        postgres.begin()


def pytest_collection_finish() -> None:
    """What was imported to find the tests stays: Python need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Hand files out whole, whatever `--dist` says."""
    from tests.distribution import ByFile

    return ByFile(config, log)


def pytest_unconfigure() -> None:
    """After the last test, in the process that has started it."""
    postgres.end()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Grown, leave out the rooms whose tests open no installation: they would tell nothing new."""
    if config.getoption("--on") != engines.GROWN:
        return None
    return any(collection_path == config.rootpath / room for room in engines.WITHOUT_A_HOME) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a test in a real browser try once more: on a busy machine a page may take longer than it waits.

    A fault fails twice; the summary counts what was run again. Grown, tests of what only SQLite or a folder has are
    skipped.
    """
    grown = config.getoption("--on") == engines.GROWN
    if grown and (lacks := engines.lacking()):
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"not installed here: {lacks}"))
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if grown and (mark := item.get_closest_marker("embedded")):
            item.add_marker(pytest.mark.skip(reason=mark.args[0]))


@pytest.fixture(scope="session", autouse=True)
def scores_of_unread_studies_are_shown() -> Iterator[None]:
    """Most tests are of scores, and of nobody who reads: those of reading first switch it on again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGVIEW_READ_FIRST", "0")
        yield


@pytest.fixture(scope="session", autouse=True)
def kept_in(request: pytest.FixtureRequest) -> Iterator[str]:
    """What installations are kept in, as `--on` says."""
    on = request.config.getoption("--on")
    with engines.grown() if on == engines.GROWN else engines.embedded():
        yield on


@pytest.fixture(autouse=True)
def homes_are_forgotten(kept_in: str) -> Iterator[None]:
    """What the homes of one test were kept in is gone after it."""
    if kept_in == engines.EMBEDDED:
        yield
        return
    with engines.forgotten_at_the_end():
        yield


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_cheaply() -> Iterator[None]:
    """What Argon2 costs is not what tests are about; what is hashed here a dashboard that is started verifies as quickly."""
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.people.passwords.hasher", lambda: cheap)
        yield


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite database with this release's tables, to copy from, whatever installations are kept in."""
    path = tmp_path_factory.mktemp("migrated") / "longview.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    engines.settled(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def migrated_database(request: pytest.FixtureRequest, kept_in: str) -> Path:
    """The `longview.db` of an empty, migrated home, to copy from: migrating takes longer than most tests."""
    if kept_in == engines.GROWN:
        folder: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        return engines.migrated_elsewhere(folder.mktemp("migrated"))
    path: Path = request.getfixturevalue("migrated_sqlite")
    return path


@pytest.fixture
def quickly_migrated(migrated_database: Path) -> Iterator[None]:
    """New homes are brought to this release's tables by a copy of the file."""
    with engines.migrated_by_a_copy(migrated_database):
        yield


@pytest.fixture
def here(tmp_path: Path, migrated_database: Path) -> Iterator[Installation]:
    """An empty installation of its own."""
    settings = Settings(home=tmp_path / "var", _env_file=None)
    settings.root.mkdir()
    shutil.copyfile(migrated_database, settings.root / "longview.db")
    installation = Installation.open(settings)
    yield installation
    installation.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model with random weights: real in every path, and knowing nothing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from models.longitudinal.model import untrained

    folder = tmp_path_factory.mktemp("model") / "untrained"
    model = untrained(1, width=0.25, members=2)
    # It speaks of real women, as most of those are that tests take in; of simulated ones its scores are withheld.
    model.card = replace(model.card, simulated_training=False)
    model.save(folder)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data sets; tests that need them are skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development data sets are not on this machine")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def every_entry_of_the_trail_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test lets the program write to the audit trail has a phrase for each thing that it holds."""
    append, without = chain.append, []

    def looked_at(session: Any, before: Any, entry: Any, patients: Any) -> None:
        if entry["action"] in WORDS:
            without.extend((entry["action"], key) for key in unphrased(entry["action"], entry["detail"]))
        append(session, before, entry, patients)

    monkeypatch.setattr(chain, "append", looked_at)
    yield
    assert not without, f"the audit page would show these by the program's own names: {without}"
