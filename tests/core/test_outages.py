"""What the machine lacks is told apart from what a file or a study is wrong in."""

import errno
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from core.outages import outage
from core.refusals import Refusal
from db.database import Database, DatabaseUnavailable, sqlite_module
from db.images import StoreUnavailable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "/home/var"), "/home/var: The folder is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/home/var"), "rights"),
        (MemoryError(), "no memory"),
        (StoreUnavailable("The image store is away."), "is away"),
        (DatabaseUnavailable("No driver."), "No driver"),
        (TimeoutError("decoding took too long"), "too busy"),
        (OperationalError("SELECT", {}, sqlite3.OperationalError("database or disk is full")), "is full"),
        (OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked")), "busy"),
        (OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error")), "an error, or is full"),
    ],
)
def test_what_the_machine_lacks_is_said_in_words_with_what_to_do(error, said):
    assert said in (outage(error) or "")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no breast"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        Refusal("unreadable", "damaged"),
        KeyError("x"),
        OperationalError("SELECT", {}, sqlite3.OperationalError("no such column: x")),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE constraint failed")),
    ],
)
def test_what_the_work_is_wrong_in_is_no_outage(error):
    assert outage(error) is None


def test_an_outage_behind_another_error_is_found_but_never_behind_a_refusal():
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped, refused = RuntimeError("could not be kept"), Refusal("unreadable")
    wrapped.__cause__ = refused.__cause__ = full

    assert outage(wrapped) == outage(full)
    assert outage(refused) is None


def test_a_database_that_another_process_holds_is_an_outage(tmp_path, monkeypatch):
    monkeypatch.setattr("db.database.BUSY_SECONDS", 0.05)
    path = tmp_path / "longview.db"
    database = Database(f"sqlite:///{path}")
    holder = sqlite_module().connect(str(path), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(OperationalError) as caught, database.write() as session:
        session.execute(text("SELECT 1"))

    assert "busy" in (outage(caught.value) or "")
    holder.close()
    database.close()


def test_what_is_said_of_a_busy_database_is_how_long_this_one_was_waited_for(tmp_path):
    path = tmp_path / "longview.db"
    database = Database(f"sqlite:///{path}", busy_seconds=1)
    holder = sqlite_module().connect(str(path), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(OperationalError) as caught, database.write():
        pass

    assert "held it for more than 1 seconds" in (outage(caught.value) or "")
    holder.close()
    database.close()
