"""What is kept ready for the analyst's tables is what the other tables say, whoever writes; and it is read anew as it changes."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update

from core.cohorts import compute_frame, frame_of, kept, live
from core.installation import Installation
from core.outages import outage
from core.records import shown, worklist
from core.settings import Settings
from db.tables import (
    Alert,
    CohortRow,
    Event,
    EventKind,
    Image,
    Patient,
    RiskFactors,
    Score,
    StaleCohortRow,
    Study,
)
from tests import factories
from tests.factories import VisitPlan
from tests.postgres import migrated_postgres, needs_postgres

TODAY = date(2026, 11, 21)


@pytest.fixture
def cohort(here: Installation) -> Installation:
    live.forget()
    some_women(here)
    return here


def some_women(here: Installation) -> None:
    """Store eight women of one to three visits, of whom few have pictures: they take longest to store."""
    for number in range(8):
        visits = [
            VisitPlan(
                TODAY - timedelta(days=800 * before + 3 * number),
                0.01 + 0.004 * before,
                views=[("R", "CC")] if number < 2 else (),
                bi_rads="1" if before else None,
                trust=("withheld", "unlike_pictures") if number == 4 else ("trusted", None),
                smallest_change=0.3,
                alerts=[("risk_level", "High")] if number == 5 else (),
            )
            for before in range(number % 3, -1, -1)
        ]
        diagnosis = [(EventKind.DIAGNOSIS, TODAY - timedelta(days=900), None, "")] if number == 6 else []
        factories.woman(here, f"W{number}", visits, events=diagnosis)


def comparable(table: pl.DataFrame, women: pl.DataFrame) -> list[dict[str, object]]:
    """Return rows by patient in the place of the number, which is another where women came and went."""
    names = dict(zip(women["woman"].to_list(), women["patient_id"].to_list(), strict=True))
    rows = [row | {"woman": names[row["woman"]]} for row in table.to_dicts()]
    return sorted(rows, key=lambda row: (row["woman"], row.get("visit", 0)))


def assert_right(here: Installation) -> None:
    """Say that what is kept, and what is in memory, is what would be computed now."""
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(StaleCohortRow)) == 0
    assert list(kept.differing(here)) == []
    now, computed = frame_of(here), compute_frame(here)
    assert comparable(now.women, now.women) == comparable(computed.women, computed.women)
    assert comparable(now.visits, now.women) == comparable(computed.visits, computed.women)
    assert now.women["woman"].to_list() == list(range(len(now.women)))
    assert now.visits.equals(now.visits.sort("woman", "visit"))


def test_whatever_is_written_by_whatever_way_is_kept_ready_in_the_same_transaction(
    cohort: Installation,
) -> None:
    assert_right(cohort)
    with cohort.database.write() as session:
        session.execute(update(Study).values(study_date=Study.study_date))
    assert_right(cohort)
    with cohort.database.write() as session:
        session.execute(text("UPDATE patient SET birth_date = '1970-02-28' WHERE id = 3"))
        session.execute(delete(Alert))
        session.execute(update(Image).where(Image.id < 3).values(manufacturer="Corvane"))
        session.add(RiskFactors(patient_id=2, recorded_on=TODAY, bmi=24.5, prior_biopsy=True))
    assert_right(cohort)
    assert frame_of(cohort).women.filter(pl.col("patient_id") == 2)["bmi"].item() == 24.5
    with cohort.database.write() as session:
        one, two = session.scalars(select(Patient).order_by(Patient.id).limit(2))
        moved = session.scalars(select(Study).where(Study.patient_id == one.id)).first()
        assert moved is not None
        moved.patient_id = two.id
    assert_right(cohort)
    with cohort.database.write() as session:
        session.execute(delete(Patient).where(Patient.id == 3))
    assert_right(cohort)


def test_nothing_is_read_again_where_nothing_has_changed(cohort: Installation) -> None:
    before = frame_of(cohort)
    assert frame_of(cohort) is before
    with cohort.database.write() as session:
        session.execute(update(Study).values(claimed_by="worker:1", attempts=1))
    assert frame_of(cohort) is before
    factories.woman(cohort, "new", [VisitPlan(date(2024, 1, 2))])
    after = frame_of(cohort)
    assert len(after.women) == len(before.women) + 1
    # Who holds the tables of before still has what she has looked at.
    assert len(before.women) == len(compute_frame(cohort).women) - 1


def test_who_goes_and_who_comes_at_once_is_noticed(cohort: Installation) -> None:
    frame_of(cohort)
    with cohort.database.write() as session:
        session.execute(delete(Patient).where(Patient.id == 5))
    factories.woman(cohort, "new", [VisitPlan(date(2024, 1, 2)), VisitPlan(date(2026, 1, 2))])
    assert_right(cohort)


def test_other_rules_or_options_compute_anew(cohort: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    frame_of(cohort)
    monkeypatch.setattr(kept, "_code", lambda: "another release")
    assert kept.bring_up_to_date(cohort) == 8
    assert_right(cohort)


def test_reading_first_leaves_no_score_of_an_unread_study(cohort: Installation) -> None:
    told = frame_of(cohort).visits["risk_5"].count()
    cohort.settings.read_first = True
    covered = frame_of(cohort)
    assert covered.visits["risk_5"].count() < told
    assert_right(cohort)


def test_a_changed_row_is_found_and_made_anew(cohort: Installation) -> None:
    with cohort.database.write() as session:
        session.execute(update(CohortRow).where(CohortRow.patient_id == 2).values(visits=b""))
        session.execute(delete(CohortRow).where(CohortRow.patient_id == 5))
    found = list(kept.differing(cohort))
    assert any("differ" in one for one in found)
    assert any("lack" in one for one in found)
    kept.rebuild(cohort)
    assert_right(cohort)


def test_where_nothing_can_be_written_the_tables_are_computed_all_the_same(
    cohort: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = comparable(frame_of(cohort).visits, frame_of(cohort).women)

    def full(_here: Installation) -> int:
        raise OSError(28, "No space left on device")

    assert outage(OSError(28, "")) is not None
    monkeypatch.setattr(kept, "bring_up_to_date", full)
    found = frame_of(cohort)
    assert comparable(found.visits, found.women) == expected


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["score", "event", "study", "read", "put_away", "back", "gone", "new"]),
        st.integers(1, 8),
    ),
    min_size=1,
    max_size=8,
)


@given(writes=WRITES)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_writes_memory_and_database_say_the_same(
    writes: list[tuple[str, int]], here: Installation
) -> None:
    live.forget()
    with here.database.write() as session:
        session.execute(delete(Patient))
    some_women(here)
    for step, (what, which) in enumerate(writes):
        do(here, what, which, step)
        if step % 3 == 0:
            frame_of(here)
    assert_right(here)


def do(here: Installation, what: str, which: int, step: int) -> None:
    with here.database.write() as session:
        ids = session.scalars(select(Patient.id).order_by(Patient.id)).all()
        if not ids or what == "new":
            session.add(Patient(mrn=f"new-{step}-{which}-{len(ids)}", simulated=True))
            return
        hers = ids[which % len(ids)]
        study = session.scalars(select(Study).where(Study.patient_id == hers).order_by(Study.id)).first()
        if what == "event":
            session.add(
                Event(patient_id=hers, kind=list(EventKind)[which % 5], event_date=TODAY - timedelta(900))
            )
        elif what == "gone":
            session.execute(delete(Patient).where(Patient.id == hers))
        elif study is not None and what == "score":
            of_study = Score.study_id == study.id
            session.execute(update(Score).where(of_study).values(risk_5y=0.4, trust_level="trusted"))
        elif study is not None and what == "read":
            study.bi_rads, study.reader_density = "4A", "D"
        elif study is not None and what == "put_away":
            study.put_away_by_id = 1
        elif what == "back":
            session.execute(text("UPDATE study SET put_away_by_id = NULL"))
        elif study is not None:
            study.study_date += timedelta(days=which)


def test_a_database_of_before_is_filled_by_who_asks_first(tmp_path: Path, here: Installation) -> None:
    from db import migrate

    some_women(here)
    migrate.downgrade(here.database, "0021")
    migrate.upgrade(here.database)
    assert len(frame_of(here).women) == 8
    assert_right(here)


@needs_postgres
def test_postgresql_keeps_and_reads_the_same(tmp_path: Path) -> None:
    with migrated_postgres() as url:
        here = Installation.open(Settings(home=tmp_path / "var", database_url=url, _env_file=None))
        live.forget()
        some_women(here)
        assert_right(here)
        with here.database.write() as session:
            session.execute(update(Study).where(Study.patient_id == 2).values(bi_rads="0"))
            session.execute(delete(Patient).where(Patient.id == 3))
        assert_right(here)
        expected = worklist.rows(here, today=TODAY)
        found = shown(here, worklist.Filter(), None, number=20, today=TODAY)
        assert (list(found.rows), found.counts) == (expected, worklist.counts(expected))
        here.close()
