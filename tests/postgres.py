"""Throw-away databases on a PostgreSQL server, for tests.

Where `LONGVIEW_TEST_POSTGRES_URL` names a database of a role that may create databases, such as
``postgresql+psycopg://longview@127.0.0.1/postgres``, they are made there. Elsewhere one server is started for all tests
of a run from the programs of Debian's package; without them these tests are skipped.
"""

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from db.database import Database
from db.migrate import upgrade
from tests.grown.servers import START_SECONDS, Postgres, postgres_programs, wait_for_postgres

_NAMED = "LONGVIEW_TEST_POSTGRES_URL"
_IN_USE = "55006"
"""PostgreSQL's code for a database that somebody is connected to."""


def is_there() -> bool:
    """Return whether a server is named or can be started, and can be spoken to."""
    named = bool(os.environ.get(_NAMED)) or postgres_programs() is not None
    return named and find_spec("psycopg") is not None


needs_postgres = pytest.mark.skipif(
    not is_there(),
    reason=f"PostgreSQL is not installed, and {_NAMED} names no server",
)

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
    if _engine.cache_info().currsize:
        _engine().dispose()
        _engine.cache_clear()
    while _started:
        _started.pop().end()
        os.environ.pop(_NAMED, None)


@cache
def _server() -> str:
    """Return the URL of the server, once it answers; started here where the run has not done so."""
    begin()
    wait_for_postgres(os.environ[_NAMED])
    return os.environ[_NAMED]


@cache
def _engine() -> Engine:
    return create_engine(_server(), isolation_level="AUTOCOMMIT")


def create(like: str | None = None) -> str:
    """Make a database, empty or as another one is that nobody works in any more, and return its name."""
    name = f"longview_test_{os.getpid()}_{next(_numbers)}"
    statement = text(f"CREATE DATABASE {name}" + (f" TEMPLATE {like}" if like else ""))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with _engine().connect() as connection:
                connection.execute(statement)
            return name
        except OperationalError as error:
            # On a busy machine the server may take longer than it waits to end who has left the other one.
            if getattr(error.orig, "sqlstate", None) != _IN_USE or time.monotonic() > deadline:
                raise


def drop(name: str) -> None:
    """Drop a database, whoever is still connected."""
    with _engine().connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def closed(name: str) -> Iterator[None]:
    """Let nobody into a database, nor stay in it, as long as the block."""
    with _engine().connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        inside = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(inside, {"name": name})
    try:
        yield
    finally:
        with _engine().connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))


def url_of(name: str) -> str:
    """Return the URL of a database on the server."""
    return make_url(_server()).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _database(like: str | None = None) -> Iterator[str]:
    name = create(like)
    try:
        yield url_of(name)
    finally:
        drop(name)


@contextmanager
def fresh_database() -> Iterator[str]:
    """Make an empty database and yield its URL; drop it at the end, whoever is still connected."""
    with _database() as url:
        yield url


@cache
def migrated() -> str:
    """Return the name of a database with this release's tables, to copy from: migrating takes longer than most tests."""
    kept = ExitStack()
    database = Database(kept.enter_context(_database()))
    upgrade(database)
    database.close()
    _kept.append(kept)
    return str(database.url.database)


@contextmanager
def migrated_postgres() -> Iterator[str]:
    """Make a database with this release's tables and yield its URL; drop it at the end."""
    with _database(migrated()) as url:
        yield url


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
