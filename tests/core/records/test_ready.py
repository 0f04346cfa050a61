"""What is kept ready for the worklist is what the other tables say, whoever writes, and the page's SQL answers as Python does."""

import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update

from core.installation import Installation
from core.records import ready, shown, worklist, worklist_memory
from core.records.worklist import Column, Filter, Group, Order
from core.rules import thresholds
from core.settings import Settings
from db import migrate
from db.tables import Alert, Event, EventKind, Patient, Score, StaleStanding, Standing, Study, StudyStatus
from tests import factories
from tests.factories import VisitPlan

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Path:
    """The folder of an installation with a cohort, to copy from: making it takes longer than most of these tests."""
    home = tmp_path_factory.mktemp("cohort") / "var"
    home.mkdir()
    shutil.copyfile(migrated_database, home / "longview.db")
    here = Installation.open(Settings(home=home, _env_file=None))
    factories.cohort(here, 24, today=TODAY)
    here.close()
    return home


@pytest.fixture
def cohort(made: Path, tmp_path: Path) -> Iterator[Installation]:
    home = Path(shutil.copytree(made, tmp_path / "cohort", copy_function=linked))
    here = Installation.open(Settings(home=home, _env_file=None))
    yield here
    here.close()


def linked(source: str, copy: str) -> None:
    """Copy the database; an object, which nobody changes, is the same file."""
    (shutil.copyfile if Path(source).name.startswith("longview.db") else os.link)(source, copy)


def stale(here: Installation) -> int:
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(StaleStanding)) or 0


def assert_right(here: Installation) -> None:
    assert list(ready.differing(here)) == []
    with here.database.read() as session:
        women = session.scalar(select(func.count()).select_from(Patient))
        assert session.scalar(select(func.count()).select_from(Standing)) == women


FILTERS = [
    Filter(),
    Filter(text="Sim"),
    Filter(text="1"),
    Filter(text="%"),
    Filter(age_from=50),
    Filter(age_to=60),
    Filter(age_from=45, age_to=55, densities=("B", "C")),
    Filter(bands=(thresholds.risk_bands()[0].key,)),
]


@pytest.mark.parametrize(
    ("today", "women_in_memory"),
    [
        (TODAY, 5_000),
        (TODAY + timedelta(days=700), 5_000),
        (date(2028, 2, 29), 5_000),
        (date(2028, 2, 29), 0),
    ],
)
def test_groups_filters_and_orders_are_those_of_the_rows(
    cohort: Installation, today: date, women_in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    worklist_memory.forget()
    monkeypatch.setattr(worklist_memory, "READ_AT_ONCE", women_in_memory)
    everyone = worklist.rows(cohort, today=today)
    orders = [None, *(Order(column, way) for column, way in itertools.product(Column, (True, False)))]
    for group, narrow in itertools.product(Group, FILTERS):
        wanted = Filter(**{**narrow.__dict__, "group": group})
        chosen = worklist.choose(everyone, wanted)
        # Every order of all, and of what is narrowed the group's own.
        for order in orders if narrow == Filter() else orders[:2]:
            inorder = chosen if order is None else worklist.ordered(chosen, order)
            found = shown(cohort, wanted, order, number=5, today=today)
            assert found.walk == [row.mrn for row in inorder], (group, narrow, order)
            assert list(found.rows) == inorder[:5]
            assert found.number == len(chosen)
            assert found.counts == worklist.counts(everyone)


def test_what_is_written_by_whatever_way_is_kept_ready_in_the_same_transaction(cohort: Installation) -> None:
    assert_right(cohort)
    with cohort.database.write() as session:
        session.execute(
            update(Study).values(study_date=Study.study_date)
        )  # all of them, past the mapped rows
    assert (stale(cohort), list(ready.differing(cohort))) == (0, [])
    with cohort.database.write() as session:
        session.execute(text("UPDATE patient SET birth_date = '1970-02-28' WHERE id = 3"))
        session.execute(delete(Alert))
    assert_right(cohort)
    with cohort.database.write() as session:
        one, two = session.scalars(select(Patient).order_by(Patient.id).limit(2))
        moved = session.scalars(select(Study).where(Study.patient_id == one.id)).first()
        assert moved is not None
        moved.patient_id = two.id
    assert_right(cohort)
    with cohort.database.write() as session:
        session.execute(delete(Patient).where(Patient.id == 3))
    assert_right(cohort)


def test_a_queue_at_work_makes_nothing_stale(cohort: Installation) -> None:
    cohort.database.before_commit = None
    with cohort.database.write() as session:
        session.execute(update(Study).values(claimed_by="worker:1", attempts=1))
    assert stale(cohort) == 0
    with cohort.database.write() as session:
        session.execute(update(Study).where(Study.id == 1).values(status=StudyStatus.PENDING))
    assert stale(cohort) == 1


def test_what_failed_leaves_the_standing_as_it_was(cohort: Installation) -> None:
    def fail() -> None:
        with cohort.database.write() as session:
            session.execute(update(Patient).values(name="nobody"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert_right(cohort)


def test_other_rules_or_options_compute_anew(cohort: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with cohort.database.read() as session:
        assert ready.is_up_to_date(cohort, session)
    monkeypatch.setattr(ready, "_code", lambda: "another release")
    with cohort.database.read() as session:
        assert not ready.is_up_to_date(cohort, session)
    assert ready.bring_up_to_date(cohort) == 24
    assert ready.bring_up_to_date(cohort) == 0
    assert_right(cohort)


def test_a_changed_row_is_found_and_made_anew(cohort: Installation) -> None:
    with cohort.database.write() as session:
        session.execute(update(Standing).where(Standing.patient_id == 2).values(risk=0.5, unread=True))
        session.execute(delete(Standing).where(Standing.patient_id == 5))
    found = list(ready.differing(cohort))
    assert any("risk" in one for one in found)
    assert any("lack" in one for one in found)
    assert ready.rebuild(cohort) == 24
    assert_right(cohort)


def test_triggers_come_back_after_a_migration_that_lost_them(cohort: Installation) -> None:
    with cohort.database.engine.begin() as connection:
        on = "" if cohort.database.is_sqlite else " ON score"
        connection.exec_driver_sql(f"DROP TRIGGER stale_after_score_insert{on}")
    migrate.upgrade(cohort.database)
    triggers = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if cohort.database.is_sqlite
        else "SELECT tgname FROM pg_trigger"
    )
    with cohort.database.read() as session:
        names = session.scalars(text(triggers)).all()
    assert "stale_after_score_insert" in names


def test_where_nothing_can_be_written_the_worklist_is_read_all_the_same(
    cohort: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_here: Installation) -> int:
        raise OSError(28, "No space left on device")

    expected = shown(cohort, Filter(), None, number=10, today=TODAY)
    monkeypatch.setattr(ready, "bring_up_to_date", full)
    assert shown(cohort, Filter(), None, number=10, today=TODAY) == expected


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["study", "score", "event", "undo", "read", "born", "acknowledge", "gone"]),
        st.integers(0, 2),
        st.integers(0, 400),
    ),
    min_size=1,
    max_size=6,
)


@given(acts=ACTS)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_after_any_acts_what_is_kept_is_what_is_computed(
    here: Installation, acts: list[tuple[str, int, int]]
) -> None:
    ids = _patients(here)
    for number in range(3 - len(ids)):
        factories.woman(
            here,
            f"{len(ids) + number}-{id(acts)}",
            [VisitPlan(date(2022, 5, 1)), VisitPlan(date(2024, 5, 1))],
        )
    for what, which, days in acts:
        _act(
            here, what, _patients(here)[which % len(_patients(here))], date(2023, 1, 1) + timedelta(days=days)
        )
        assert list(ready.differing(here)) == []
        assert stale(here) == 0


def _patients(here: Installation) -> list[int]:
    with here.database.read() as session:
        return list(session.scalars(select(Patient.id).order_by(Patient.id)))


def _act(here: Installation, what: str, patient: int, on: date) -> None:
    with here.database.write() as session:
        her = session.get_one(Patient, patient)
        study = session.scalars(
            select(Study).where(Study.patient_id == patient).order_by(Study.id.desc())
        ).first()
        event = session.scalars(select(Event).where(Event.patient_id == patient)).first()
        if what == "study":
            session.add(
                Study(
                    uid=f"1.{patient}.{on.toordinal()}.{len(her.studies)}", patient_id=patient, study_date=on
                )
            )
        elif what == "event":
            session.add(Event(patient_id=patient, kind=EventKind.DIAGNOSIS, event_date=on))
        elif what == "undo" and event is not None:
            session.delete(event)
        elif what == "born":
            her.birth_date = on - timedelta(days=365 * 50)
        elif what == "read" and study is not None:
            study.bi_rads, study.reader_density = "4A", "C"
        elif what == "score" and study is not None:
            session.execute(
                update(Score).where(Score.study_id == study.id).values(risk_5y=on.toordinal() % 97 / 100)
            )
        elif what == "acknowledge":
            session.execute(delete(Alert).where(Alert.patient_id == patient))
        elif what == "gone" and study is not None and len(her.studies) > 1:
            session.execute(delete(Study).where(Study.id == study.id))


def test_the_worklist_in_memory_follows_what_is_written(
    cohort: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    worklist_memory.forget()
    # Every order that was asked for is carried over to the next change, with what changed put in its place.
    monkeypatch.setattr(worklist_memory, "_ORDERS_KEPT", 24)

    def mrns() -> list[str]:
        found = shown(cohort, Filter(), None, number=100, today=TODAY)
        expected = worklist.rows(cohort, today=TODAY)
        assert list(found.rows) == expected
        assert found.counts == worklist.counts(expected)
        for column, way in itertools.product(Column, (True, False)):
            by = Order(column, way)
            walk = shown(cohort, Filter(), by, number=100, today=TODAY).walk
            assert walk == [row.mrn for row in worklist.ordered(expected, by)], by
        return list(found.walk)

    before = mrns()
    assert worklist_memory.memory_of(cohort).is_read
    factories.woman(cohort, "0-new", [VisitPlan(date(2024, 5, 6), 0.9)], name="Somebody")
    assert set(mrns()) == {*before, "0-new"}
    with cohort.database.write() as session:
        session.execute(update(Study).where(Study.patient_id == 2).values(bi_rads="0"))
        session.execute(update(Patient).where(Patient.id == 4).values(name="Another"))
    mrns()
    with cohort.database.write() as session:
        session.execute(update(Score).where(Score.study_id.in_((2, 9, 11))).values(risk_5y=0.02))
    mrns()
    with cohort.database.write() as session:
        session.execute(delete(Patient).where(Patient.id.in_((1, 3))))
        session.execute(update(Patient).where(Patient.id == 5).values(mrn="changed"))
    assert "changed" in mrns()
    found = shown(cohort, Filter(text="ANOTHER"), None, number=10, today=TODAY)
    assert [row.name for row in found.rows] == ["Another"]
