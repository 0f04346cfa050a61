"""The database: how connections are opened, and the one way to read and to write."""

import os
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

from db.files import PRIVATE_FILE, tighten
from db.sessions import RecordSession

# Imported with this module, not when the first database is opened: TensorFlow carries an SQLite of its own, and
# where it is loaded first, its older one answers in the place of this one.
try:
    from pysqlite3 import dbapi2 as _sqlite
except ImportError:
    from sqlite3 import dbapi2 as _sqlite

# The WAL-reset corruption race is fixed from this release on (sqlite.org/wal.html, 3.51.3).
WAL_SAFE_SQLITE = (3, 51, 3)

BUSY_SECONDS = 30.0
"""How long a connection waits for a lock that another one holds, where its `Database` does not say otherwise."""

HALTED_SECONDS = 30.0
"""How long PostgreSQL waits for the next word of a writer before it takes what it had done back, and its lock from it.

A process that is halted, or whose machine is gone, would keep all others from writing for hours.
"""

WRITERS_LOCK = 0x4C6F6E6776696577
"""The key of the advisory lock that writers queue for in PostgreSQL: "Longview" in ASCII."""

_WATCHFUL = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""By which a server that is gone without a word is noticed within a minute (libpq's connection parameters)."""

ENGINES = ("sqlite", "postgresql")
"""The database engines that Longview runs on, by SQLAlchemy's names."""


class DatabaseUnavailable(Exception):
    """The database cannot be used as it is set; the message says what lacks and what to do, and no password."""


def sqlite_module() -> types.ModuleType:
    """Return the DB-API module with the newest SQLite at hand: `pysqlite3` where installed, else the standard one."""
    return _sqlite


class Database:
    """One database of one installation; the only place where sessions are opened.

    A read sees the state of one moment. Writers queue for one lock instead of failing half-way, so what a write
    session has looked up still holds when it commits: in SQLite by ``BEGIN IMMEDIATE``, in PostgreSQL by an advisory
    lock that ends with the transaction. Both kinds of session keep loaded rows usable after they close. Errors name
    the statement but not its values, which may be a patient's.

    `busy_seconds` is how long connections wait for a lock and for each other (default `BUSY_SECONDS`); an error that
    the driver raises then says it in its attribute `busy_seconds`.

    Raises `DatabaseUnavailable` if the URL is none, names another engine, or the engine's driver is not installed.

    >>> database = Database("sqlite:////tmp/longview/longview.db")
    >>> with database.write() as session:
    ...     session.add(Patient(mrn="00017", birth_date=date(1968, 3, 2)))
    """

    def __init__(self, url: str, *, busy_seconds: float | None = None) -> None:
        self.url = _checked(url)
        self.before_commit: Callable[[Session], None] | None = None
        """Called at the end of each writing transaction, inside it: what is kept ready is written with what changed it."""
        self.busy_seconds = BUSY_SECONDS if busy_seconds is None else busy_seconds
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            module = sqlite_module()
            self.journal_mode = "WAL" if module.sqlite_version_info >= WAL_SAFE_SQLITE else "DELETE"
            self.engine = create_engine(
                self.url,
                module=module,
                pool_timeout=self.busy_seconds,
                connect_args={"timeout": self.busy_seconds},
                hide_parameters=True,
            )
            event.listen(self.engine, "do_connect", self._keep_private)
            event.listen(self.engine, "connect", self._set_up_sqlite_connection)
            event.listen(self.engine, "begin", _begin)
        else:
            self.journal_mode = ""
            try:
                self.engine = create_engine(
                    self.url,
                    pool_pre_ping=True,
                    pool_timeout=self.busy_seconds,
                    hide_parameters=True,
                    connect_args={"connect_timeout": max(1, int(self.busy_seconds)), **_WATCHFUL},
                )
            except (ImportError, NoSuchModuleError) as error:
                raise DatabaseUnavailable(
                    f"The driver for {self.shown_url} is not installed. "
                    "Run: pip install -r requirements-grown.txt"
                ) from error
            event.listen(self.engine, "begin", self._queue_for_writing)
        event.listen(self.engine, "handle_error", self._say_how_long)

    @property
    def shown_url(self) -> str:
        """Return the URL as people may see it: without the password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def files(self) -> list[Path]:
        """Return SQLite's files, the database first; some of those beside it exist only at times. None elsewhere."""
        name = self.url.database
        if not self.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
            return []
        return [Path(name + end) for end in ("", "-wal", "-shm", "-journal")]

    def _keep_private(self, *_about: object) -> None:
        # SQLite would make the file readable for everybody; those beside it get the mode of the database.
        for path in self.files[:1]:
            with suppress(OSError):  # there already, or SQLite says better why it cannot be made
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
        for path in self.files:
            tighten(path)

    def _set_up_sqlite_connection(self, connection: Any, _record: object) -> None:
        # Autocommit at the driver: transactions are opened by `_begin`, which knows reads from writes.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {self.busy_seconds * 1000:.0f}")
        self._set_journal_mode(cursor)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    def _set_journal_mode(self, cursor: Any) -> None:
        # While another process recovers the log or, as the last one, closes it, SQLite answers "locked" here at
        # once and does not wait as it does elsewhere (sqlite.org/wal.html, section 9).
        deadline = time.monotonic() + self.busy_seconds
        while True:
            try:
                cursor.execute(f"PRAGMA journal_mode = {self.journal_mode}")
                return
            except sqlite_module().OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _queue_for_writing(self, connection: Any) -> None:
        # Statements after this one see what the writer before has committed: the isolation level is READ COMMITTED.
        if connection.get_execution_options().get("longview_immediate", False):
            connection.exec_driver_sql(
                f"SET LOCAL lock_timeout = {self.busy_seconds * 1000:.0f};"
                f"SET LOCAL idle_in_transaction_session_timeout = {HALTED_SECONDS * 1000:.0f}"
            )
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")

    def _say_how_long(self, context: ExceptionContext) -> None:
        # Nobody who meets the error further up knows which database it came from.
        context.original_exception.busy_seconds = self.busy_seconds  # type: ignore[attr-defined]

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading; whatever it changes is rolled back."""
        with RecordSession(self._reading, expire_on_commit=False) as session:
            yield session  # closing discards changes; an explicit rollback would expire the loaded rows too

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Open a connection for questions that are answered with plain values: to make a session costs more than such an answer."""
        with self._reading.connect() as connection:
            yield connection

    @cached_property
    def _reading(self) -> Engine:
        # PostgreSQL's default lets each statement see another moment; SQLite's readers have one snapshot anyway.
        return (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )

    @contextmanager
    def write(self, *, ready: bool = True) -> Iterator[Session]:
        """Open a session that holds the write lock from its first statement on; commits on leaving, rolls back on an exception.

        Without `ready` what is kept ready is left stale, to a later transaction: one of many small ones in a row.
        """
        with (
            self.engine.connect().execution_options(longview_immediate=True) as connection,
            RecordSession(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
            if ready and self.before_commit is not None:
                session.flush()
                self.before_commit(session)

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def _begin(connection: Any) -> None:
    immediate = connection.get_execution_options().get("longview_immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _checked(url: str) -> URL:
    try:
        made = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnavailable(
            "The database's address is no SQLAlchemy URL, such as postgresql://user:password@host/longview."
        ) from error
    if made.get_backend_name() not in ENGINES:
        raise DatabaseUnavailable(
            f"Longview keeps its rows in SQLite or PostgreSQL, not in {made.get_backend_name()!r}."
        )
    return made


def postgres_settings(engine: Engine) -> dict[str, str]:
    """Return what a PostgreSQL server says of its version and of the settings that keep a commit through a power cut."""
    names = ("server_version", "fsync", "full_page_writes", "synchronous_commit")
    with engine.connect() as connection:
        return {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names}


def sqlite_version(engine: Engine) -> str:
    """Return the version of the SQLite library that this engine is linked with."""
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT sqlite_version()")).scalar_one())
