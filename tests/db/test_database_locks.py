"""Connecting while another process recovers or closes the write-ahead log."""

from pathlib import Path

import pytest

from db import database as module
from db.database import Database, sqlite_module


class LockedFor:
    """A cursor that answers "locked" so many times, as SQLite does during a recovery, without waiting."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.done: list[str] = []

    def execute(self, statement: str) -> None:
        if self.left:
            self.left -= 1
            raise sqlite_module().OperationalError("database is locked")
        self.done.append(statement)


def test_a_connection_waits_out_a_recovery_of_the_log(tmp_path: Path) -> None:
    cursor = LockedFor(3)
    Database(f"sqlite:///{tmp_path / 'longview.db'}")._set_journal_mode(cursor)
    assert len(cursor.done) == 1


def test_a_lock_that_never_ends_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with pytest.raises(sqlite_module().OperationalError, match="locked"):
        Database(f"sqlite:///{tmp_path / 'longview.db'}")._set_journal_mode(LockedFor(1000))
