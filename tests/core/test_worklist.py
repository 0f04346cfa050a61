"""The worklist: its order, its groups, its filters."""

from datetime import date, timedelta

import pytest
from sqlalchemy import event

from core import patients, worklist
from core.access import Role, create_user
from core.installation import Installation
from core.worklist import Filter, Group
from db.tables import EventKind, StudyStatus
from tests import factories
from tests.factories import VisitPlan

TODAY = date(2026, 11, 21)
LAST = date(2026, 3, 1)


def mrns(here: Installation) -> list[str]:
    return [row.mrn for row in worklist.rows(here, today=TODAY)]


def one(here: Installation) -> worklist.Row:
    (row,) = worklist.rows(here, today=TODAY)
    return row


def test_what_speaks_of_disease_comes_before_what_speaks_of_risk(here: Installation) -> None:
    factories.woman(here, "steady", [VisitPlan(LAST, 0.05)])
    factories.woman(here, "high", [VisitPlan(LAST, 0.04, alerts=[("risk_high", "high")])])
    factories.woman(here, "refused", [VisitPlan(LAST, status=StudyStatus.REFUSED)])
    factories.woman(here, "suspicious", [VisitPlan(LAST, 0.01, alerts=[("malignancy", "left 31 %")])])
    assert mrns(here) == ["suspicious", "high", "refused", "steady"]


def test_the_change_is_since_the_scored_visit_before(here: Installation) -> None:
    visits = [VisitPlan(date(2020, 1, 1), 0.010), VisitPlan(date(2023, 1, 1), None), VisitPlan(LAST, 0.024)]
    factories.woman(here, "1", visits)
    row = one(here)
    assert row.change_since_prior == pytest.approx(0.014)
    assert (row.prior_on, row.scored_on) == (date(2020, 1, 1), LAST)


def test_a_single_visit_has_no_change(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, 0.01)])
    assert one(here).change_since_prior is None


def test_a_woman_without_studies_is_listed(here: Installation) -> None:
    factories.woman(here, "1", [], birth_date=None)
    row = one(here)
    assert (row.age_years, row.last_study, row.risk_5y, row.overdue, row.new) == (
        None,
        None,
        None,
        False,
        False,
    )


def test_overdue_is_after_the_interval_with_grace_and_not_after_a_diagnosis(here: Installation) -> None:
    factories.woman(here, "just", [VisitPlan(date(2024, 8, 21))])
    factories.woman(here, "late", [VisitPlan(date(2024, 8, 20))])
    found = (EventKind.DIAGNOSIS, date(2024, 9, 1), None, "left")
    factories.woman(here, "diagnosed", [VisitPlan(date(2020, 8, 20))], events=[found])
    listed = {row.mrn: row for row in worklist.rows(here, today=TODAY)}
    assert {mrn for mrn, row in listed.items() if row.overdue} == {"late"}
    assert (listed["late"].next_due, listed["diagnosed"].next_due) == (date(2026, 8, 20), None)
    record = patients.record_of(here, "diagnosed")
    assert record is not None
    assert (record.next_due, record.overdue) == (None, False), "her own page says what the worklist says"


def test_a_score_is_new_until_it_is_assessed_or_a_week_old(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST)])
    assert one(here).new
    later = patients.utc_now() + timedelta(days=8)
    assert not worklist.rows(here, today=TODAY, now=later)[0].new
    reader = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    patients.record_assessment(here, reader, "2.25.1.1", bi_rads="1", density="B")
    assert not one(here).new


def test_the_readers_density_goes_before_the_models(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, density="B")])
    assert (one(here).density, one(here).density_by_reader) == ("B", False)
    reader = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    patients.record_assessment(here, reader, "2.25.1.1", bi_rads="1", density="D")
    assert (one(here).density, one(here).density_by_reader) == ("D", True)


def test_filters_narrow_together(here: Installation) -> None:
    factories.woman(here, "0001", [VisitPlan(LAST, 0.01)], name="Ana Ruiz", birth_date=date(1980, 1, 1))
    factories.woman(
        here, "0002", [VisitPlan(LAST, 0.05, density="D")], name="Bea Roth", birth_date=date(1960, 1, 1)
    )
    rows = worklist.rows(here, today=TODAY)

    def kept(wanted: Filter) -> set[str]:
        return {row.mrn for row in worklist.choose(rows, wanted)}

    assert kept(Filter(text="ruiz")) == {"0001"}
    assert kept(Filter(text="0002")) == {"0002"}
    assert kept(Filter(age_to=50)) == {"0001"}
    assert kept(Filter(densities=("D",), bands=("high",))) == {"0002"}
    assert kept(Filter(densities=("D",), age_to=50)) == set()
    assert kept(Filter(group=Group.NEEDS_A_LOOK)) == set()
    assert worklist.counts(rows)[Group.ALL] == 2


def test_the_number_of_queries_does_not_grow_with_the_women(here: Installation) -> None:
    statements: list[str] = []
    event.listen(
        here.database.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text)
    )
    factories.cohort(here, 2)
    statements.clear()
    worklist.rows(here, today=TODAY)
    few = len(statements)
    for number in range(6):
        factories.woman(here, f"more {number}", [VisitPlan(LAST)])
    statements.clear()
    worklist.rows(here, today=TODAY)
    assert len(statements) == few
