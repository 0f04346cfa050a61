"""Migrations: up, down, equal to the tables, and kind to databases of earlier releases."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from argon2 import PasswordHasher
from sqlalchemy import MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from db import migrate
from db.database import Database, DatabaseUnavailable
from db.stale import trigger_names
from db.tables import Base, LesionStatus, Measurement, Patient, Score, Study, StudyStatus, User
from tests.killed import run_killed, steps_of
from tests.postgres import fresh_database, needs_postgres

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sql"))


@contextmanager
def empty_database(engine: str, folder: Path) -> Iterator[Database]:
    if engine == "postgresql":
        with fresh_database() as url:
            database = Database(url)
            yield database
            database.close()
    else:
        database = Database(f"sqlite:///{folder / 'longview.db'}")
        yield database
        database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def database(request, tmp_path):
    with empty_database(request.param, tmp_path) as database:
        yield database


def constraints(database: Database) -> dict[str, set[str]]:
    """Names of all constraints and indexes, by table."""
    inspector = inspect(database.engine)
    found: dict[str, set[str]] = {table: set() for table in inspector.get_table_names()}
    for by_table in (
        inspector.get_multi_check_constraints(),
        inspector.get_multi_unique_constraints(),
        inspector.get_multi_foreign_keys(),
        inspector.get_multi_indexes(),
    ):
        for (_, table), parts in by_table.items():
            found[table] |= {str(part["name"]) for part in parts}
    found.pop("alembic_version", None)
    return found


def test_migrated_database_has_every_constraint_of_the_tables_by_name(database, tmp_path):
    migrate.upgrade(database)
    engine = database.url.get_backend_name()
    (tmp_path / "made").mkdir()
    with empty_database(engine, tmp_path / "made") as made:
        Base.metadata.create_all(made.engine)
        assert constraints(database) == constraints(made)


def test_autogenerate_finds_nothing_to_migrate(database):
    migrate.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_step_goes_down_and_up_again(database):
    script = ScriptDirectory.from_config(migrate.configuration())
    assert len(script.get_heads()) == 1
    for step in reversed(list(script.walk_revisions())):
        migrate.upgrade(database, step.revision)
        before = constraints(database)
        migrate.downgrade(database, step.down_revision or "base")
        migrate.upgrade(database, step.revision)
        assert constraints(database) == before
    migrate.downgrade(database, "base")
    assert set(inspect(database.engine).get_table_names()) == {"alembic_version"}


def test_upgrade_twice_changes_nothing(database):
    migrate.upgrade(database)
    migrate.upgrade(database)
    assert migrate.current(database) == migrate.head()


def test_a_database_of_a_newer_release_is_left_alone(database):
    migrate.upgrade(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(migrate.NewerDatabase, match="9999"):
        migrate.upgrade(database)
    assert migrate.current(database) == "9999"


def test_a_failing_step_leaves_the_database_as_it_was(database, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("power cut")

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        migrate.upgrade(database)
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}


def test_a_migration_killed_at_any_step_leaves_the_old_state_or_the_new_and_the_next_start_goes_on(tmp_path):
    earlier = "0028"  # the last without a key for each patient

    made = Database(f"sqlite:///{tmp_path / 'made.db'}")
    migrate.upgrade(made, earlier)
    with made.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO patient (mrn, simulated, created_at) VALUES ('W1', 0, '2026-01-01')")
        )
    made.close()

    def stock(number: int) -> Database:
        return Database(f"sqlite:///{shutil.copy(tmp_path / 'made.db', tmp_path / f'{number}.db')}")

    database = stock(0)
    total = run_killed(lambda: migrate.upgrade(database), steps_of(database))
    assert total > 20
    whole = constraints(database), set(trigger_names())
    for at in (1, total // 3, 2 * total // 3, total - 1, total):
        database = stock(at)
        run_killed(lambda database=database: migrate.upgrade(database), steps_of(database), at)
        stands = migrate.current(database)
        assert stands in (earlier, migrate.head()), at
        assert (stands == migrate.head()) == (constraints(database) == whole[0])
        migrate.upgrade(database)
        with database.engine.connect() as connection:
            triggers = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
            assert connection.scalars(text("SELECT mrn FROM patient")).all() == ["W1"]
        assert (constraints(database), triggers) == whole
        database.close()


def test_foreign_keys_are_enforced_after_an_upgrade(database):
    migrate.upgrade(database)
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Study(uid="1.2", patient_id=17, study_date=date(2024, 1, 1)))


def test_processes_that_start_at_once_migrate_once(database):
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate.upgrade, database) for _ in range(4)]:
            done.result()
    assert migrate.current(database) == migrate.head()


def test_a_database_that_cannot_be_reached_is_said_so_without_its_password():
    database = Database("postgresql://longview:secret@127.0.0.1:1/longview")
    with pytest.raises(DatabaseUnavailable, match="cannot be used") as caught:
        migrate.current(database)
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
    database.close()


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_database_of_an_earlier_release_keeps_every_row(release, tmp_path):
    path = tmp_path / "longview.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(release.read_text(encoding="utf-8"))
    database = Database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
        before = {
            name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in tables
        }
    assert all(before.values()), "every table of a frozen database holds a row"

    migrate.upgrade(database)

    assert migrate.current(database) == migrate.head()
    with database.read() as session:
        for name, count in before.items():
            assert (
                session.execute(select(func.count()).select_from(Base.metadata.tables[name])).scalar_one()
                == count
            )
        patient = session.execute(select(Patient)).scalar_one()
        assert (patient.mrn, patient.simulated) == ("00017", True)
        assert [study.status for study in patient.studies] == [StudyStatus.SCORED, StudyStatus.PENDING]
        score = session.execute(select(Score)).scalar_one()
        assert score.risk_5y == pytest.approx(0.05)
        assert session.get(Study, score.study_id).reader_density == "C"
        (measurement,) = session.scalars(select(Measurement)).all()
        assert measurement.view_code == f"{measurement.image.laterality.value}-{measurement.image.view}"
        assert (measurement.lesion.status, measurement.lesion.version) == (LesionStatus.FOLLOWED, 1)
        for mapper in Base.registry.mappers:
            session.scalars(select(mapper.class_)).all()
    database.close()


def test_accounts_of_the_demo_are_known_after_the_upgrade_by_the_password_they_still_have(database):
    migrate.upgrade(database, "0003")
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    passwords = {
        "staff": "longview-demo-staff",
        "admin": "one of her own",
        "oncologist": "longview-demo-staff",
        "eve": "longview-demo-staff",
    }
    with database.engine.begin() as connection:
        for name, password in passwords.items():
            connection.execute(
                text(
                    'INSERT INTO "user" (username, display_name, password_hash, role, active, failed_sign_ins, created_at) '
                    "VALUES (:name, :name, :hash, 'staff', true, 0, '2026-01-01')"
                ),
                {"name": name, "hash": cheap.hash(password)},
            )
    migrate.upgrade(database)
    with database.read() as session:
        assert dict(session.execute(select(User.username, User.demo)).all()) == {
            "staff": True,
            "admin": False,
            "oncologist": False,
            "eve": False,
        }


def test_what_ends_a_womans_risk_is_a_note_to_the_release_that_does_not_know_it(database):
    migrate.upgrade(database, "0022")
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO patient (id, mrn, simulated, created_at) VALUES (1, '1', true, '2026-01-01')")
        )
        for kind, detail in (("mastectomy", "prophylactic"), ("death", None), ("biopsy", "core")):
            connection.execute(
                text(
                    "INSERT INTO event (patient_id, kind, event_date, detail, created_at)"
                    " VALUES (1, :kind, '2025-01-01', :detail, '2026-01-01')"
                ),
                {"kind": kind, "detail": detail},
            )
    migrate.downgrade(database, "0021")
    with database.engine.connect() as connection:
        kept = connection.execute(text("SELECT kind, detail FROM event ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [
        ("note", "mastectomy both: prophylactic"),
        ("note", "death"),
        ("biopsy", "core"),
    ]


def test_what_the_rule_on_a_jump_raised_is_handed_to_the_rule_on_change(database):
    migrate.upgrade(database, "0009")
    rows = (
        "INSERT INTO patient (id, mrn, simulated, created_at) VALUES (1, '1', true, '2026-01-01')",
        "INSERT INTO study (id, uid, patient_id, study_date, modality, status, inputs_changed_at, attempts, created_at) "
        "VALUES (1, '1.1', 1, '2026-01-01', 'MG', 'scored', '2026-01-01', 0, '2026-01-01')",
    )
    with database.engine.begin() as connection:
        for row in rows:
            connection.execute(text(row))
        # The table as it was then: what came since has no column yet.
        then = Table("score", MetaData(), autoload_with=connection)
        known = {
            "study_id": 1,
            "model": "m",
            "weights_sha256": "w",
            "calibration": "c",
            "inputs": {},
            "computed_at": datetime(2026, 1, 1),
            "priors": 0,
            "trust_level": "trusted",
            "missing_views": [],
            "contributions": [],
            "left_out": [],
        }
        numbers = {column.key: 0.1 for column in then.columns if column.key.startswith(("risk_", "density_"))}
        made = connection.execute(then.insert().values(**known, **numbers)).inserted_primary_key[0]
        for rule in ("risk_jump", "risk_high"):
            connection.execute(
                text(
                    "INSERT INTO alert (patient_id, study_id, score_id, rule, message, raised_at) "
                    "VALUES (1, 1, :score, :rule, :rule, '2026-01-01')"
                ),
                {"rule": rule, "score": made},
            )
    migrate.upgrade(database)
    with database.read() as session:
        assert set(session.scalars(text("SELECT rule FROM alert"))) == {"change", "risk_high"}
    migrate.downgrade(database, "0009")
    with database.read() as session:
        assert set(session.scalars(text("SELECT rule FROM alert"))) == {"risk_jump", "risk_high"}


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_frozen_release_stands_at_a_known_revision(release):
    known = {
        f"'{path.name.split('_')[0]}'"
        for path in Path(migrate.__file__).parent.glob("migrations/versions/0*.py")
    }
    stamped = next(line for line in release.read_text().splitlines() if 'INTO "alembic_version"' in line)
    assert any(revision in stamped for revision in known)
