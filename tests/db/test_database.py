"""Reading and writing, the same on both engines; and what is said of a database that cannot be."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from core.outages import outage
from db import database as module
from db.database import Database, DatabaseUnavailable
from db.tables import AuditEntry, Patient
from tests.postgres import migrated_copy, migrated_postgres, needs_postgres


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def database(request, tmp_path, migrated_sqlite):
    with migrated_copy(request.param, migrated_sqlite, tmp_path) as made:
        yield made


def patients(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Patient)) or 0


def test_what_a_writer_looked_up_still_holds_when_it_commits(database):
    def add_if_missing(_number: int) -> None:
        with database.write() as session:
            if session.scalar(select(Patient.id).where(Patient.mrn == "00017")) is None:
                session.add(Patient(mrn="00017"))

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(add_if_missing, range(24)):
            pass
    assert patients(database) == 1


def test_a_read_sees_one_moment(database):
    with database.read() as session:
        before = session.scalar(select(func.count()).select_from(Patient))
        with ThreadPoolExecutor(1) as pool:  # another connection commits while this one reads
            pool.submit(_add, database, "00017").result()
        assert session.scalar(select(func.count()).select_from(Patient)) == before == 0
    assert patients(database) == 1


def test_a_read_does_not_wait_for_a_writer(database):
    with database.write() as session:
        session.add(Patient(mrn="00017"))
        session.flush()
        assert patients(database) == 0


def test_a_failing_write_leaves_nothing(database):
    def fail() -> None:
        with database.write() as session:
            session.add(Patient(mrn="00017"))
            session.flush()
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    assert patients(database) == 0


def test_changes_of_a_read_are_not_kept(database):
    _add(database, "00017")
    with database.read() as session:
        session.scalars(select(Patient)).one().name = "changed"
        session.flush()
    with database.read() as session:
        assert session.scalars(select(Patient)).one().name is None


@needs_postgres
def test_a_writer_that_waits_too_long_says_so(monkeypatch):
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.2)
    with migrated_postgres() as url:
        database, holding, done = Database(url), threading.Event(), threading.Event()

        def hold() -> None:
            with database.write() as session:
                session.scalar(select(func.count()).select_from(Patient))
                holding.set()
                done.wait(20)

        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(hold)
            assert holding.wait(20)
            with pytest.raises(OperationalError, match="lock timeout"), database.write() as session:
                session.add(AuditEntry(id=1, action="too late", digest=""))
            done.set()
            held.result()
        database.close()


@needs_postgres
def test_a_writer_that_is_halted_lets_the_others_in_and_is_told_so(monkeypatch):
    """Its process is halted, or its machine is gone: the server takes back what it had not finished."""
    monkeypatch.setattr(module, "HALTED_SECONDS", 0.3)
    with migrated_postgres() as url:
        halted, other = Database(url), Database(url)

        def write_and_stop() -> None:
            with halted.write() as session:
                session.add(Patient(mrn="halted"))
                session.flush()
                time.sleep(1.0)
                session.add(Patient(mrn="too late"))

        with pytest.raises(DBAPIError) as told:
            write_and_stop()
        assert "The database cannot be reached" in str(outage(told.value))
        with other.write() as session:
            session.add(Patient(mrn="other"))
        with halted.read() as session:
            assert session.scalars(select(Patient.mrn)).all() == ["other"]
        halted.close()
        other.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root:secret@localhost/longview", "SQLite or PostgreSQL, not in 'mysql'"),
        ("postgresql+nodriver://root:secret@localhost/longview", "not installed"),
        ("server.example", "no SQLAlchemy URL"),
    ],
)
def test_a_database_that_there_cannot_be_is_refused_in_a_sentence(url, said):
    with pytest.raises(DatabaseUnavailable, match=said) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def _add(database: Database, mrn: str) -> None:
    with database.write() as session:
        session.add(Patient(mrn=mrn))
