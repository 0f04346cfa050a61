"""Throw-away databases on a PostgreSQL server, for tests.

Where `LONGVIEW_TEST_POSTGRES_URL` names a database of a role that may create databases, such as
``postgresql+psycopg://longview@127.0.0.1/postgres``, they are made there. Elsewhere one server is started for all tests
of a run from the programs of Debian's package; without them these tests are skipped.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from db.database import Database
from db.migrate import upgrade
from tests.grown.servers import Postgres, postgres_programs, wait_for_postgres

_NAMED = "LONGVIEW_TEST_POSTGRES_URL"

needs_postgres = pytest.mark.skipif(
    not os.environ.get(_NAMED) and (postgres_programs() is None or find_spec("psycopg") is None),
    reason=f"PostgreSQL is not installed, and {_NAMED} names no server",
)

_FILLED_BY_MIGRATIONS = {"alembic_version", "kept_change"}

_numbers = itertools.count()
_started: list[Postgres] = []
_kept: list[ExitStack] = []


def begin() -> None:
    """Start the server for the workers of this run, and let them know; nobody waits for it here."""
    if os.environ.get(_NAMED) or postgres_programs() is None:
        return
    server = Postgres()
    server.begin()
    _started.append(server)
    os.environ[_NAMED] = server.url


def end() -> None:
    """Drop what this process has kept, and stop the server if it has started one."""
    while _kept:
        _kept.pop().close()
    while _started:
        _started.pop().end()
        os.environ.pop(_NAMED, None)


@cache
def _server() -> str:
    """Return the URL of the server, once it answers; started here where the run has not done so."""
    begin()
    wait_for_postgres(os.environ[_NAMED])
    return os.environ[_NAMED]


@contextmanager
def _database(server: str, like: str | None = None) -> Iterator[str]:
    name = f"longview_test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}" + (f" TEMPLATE {like}" if like else "")))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@contextmanager
def fresh_database() -> Iterator[str]:
    """Make an empty database and yield its URL; drop it at the end, whoever is still connected."""
    with _database(_server()) as url:
        yield url


@cache
def _migrated() -> str:
    """Return the name of a database with this release's tables, to copy from: migrating takes longer than most tests."""
    kept = ExitStack()
    database = Database(kept.enter_context(_database(_server())))
    upgrade(database)
    database.close()
    _kept.append(kept)
    return str(database.url.database)


@contextmanager
def migrated_postgres() -> Iterator[str]:
    """Make a database with this release's tables and yield its URL; drop it at the end."""
    like = _migrated()
    with _database(_server(), like) as url:
        yield url


@cache
def _reused() -> str:
    """Return the URL of a database that one test after another of this process has for itself."""
    kept = ExitStack()
    url = kept.enter_context(migrated_postgres())
    _kept.append(kept)
    return url


@contextmanager
def emptied_postgres() -> Iterator[str]:
    """Yield the URL of a database with this release's tables, emptied at the end: faster than `migrated_postgres`.

    It is for tests that leave no connection and no table behind; numbers of rows go on where the last test ended.
    """
    url = _reused()
    yield url
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("SET session_replication_role = replica")
        )  # neither triggers nor foreign keys
        for name in inspect(connection).get_table_names():
            if name not in _FILLED_BY_MIGRATIONS:
                connection.execute(text(f'DELETE FROM "{name}"'))
    engine.dispose()


@contextmanager
def migrated_copy(engine: str, migrated: Path, folder: Path) -> Iterator[Database]:
    """Open a database with this release's tables on SQLite (a copy of the file `migrated`) or on PostgreSQL."""
    with ExitStack() as stack:
        if engine == "postgresql":
            url = stack.enter_context(migrated_postgres())
        else:
            shutil.copyfile(migrated, folder / "longview.db")
            url = f"sqlite:///{folder / 'longview.db'}"
        database = Database(url)
        yield database
        database.close()
