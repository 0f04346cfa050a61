"""The worklist: its order, its groups, its filters."""

from datetime import date

import pytest
from sqlalchemy import event, select

from core.installation import Installation
from core.people.accounts import Role, create_user
from core.records import ready, worklist, worklist_page
from core.records.assessments import record_assessment
from core.records.record import record_of
from core.records.worklist import Column, Filter, Group, Order
from db.tables import EventKind, Score, Study, StudyStatus, utc_now
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


def test_studies_of_one_day_are_one_visit(here: Installation) -> None:
    screening, work_up = VisitPlan(LAST, 0.050), VisitPlan(LAST, 0.051)
    factories.woman(here, "1", [VisitPlan(date(2023, 1, 1), 0.010), screening, work_up])
    row = one(here)
    assert row.change_since_prior == pytest.approx(0.041)
    assert (row.prior_on, row.scored_on, row.studies) == (date(2023, 1, 1), LAST, 3)
    assert [point.on for point in row.course] == [date(2023, 1, 1), LAST]
    assert row.course[-1].risk_5y == row.risk_5y == pytest.approx(0.051)


def test_what_a_reader_recorded_of_one_study_counts_for_the_day(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, 0.050), VisitPlan(LAST, 0.051)])
    assert (one(here).density_by_reader, one(here).unread) == (False, True)
    with here.database.write() as session:
        first = session.scalars(select(Study).order_by(Study.id).limit(1)).one()
        first.reader_density, first.bi_rads, first.assessed_at = "D", "2", utc_now()
    row = one(here)
    assert (row.density, row.density_by_reader, row.unread) == ("D", True, False)


@pytest.mark.parametrize(("what", "value"), [("weights_sha256", "0" * 64), ("calibration", "another")])
def test_scores_by_different_weights_or_calibrations_are_not_compared(
    here: Installation, what: str, value: str
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2023, 1, 1), 0.010), VisitPlan(LAST, 0.050)])
    with here.database.write() as session:
        setattr(session.scalars(select(Score).order_by(Score.id.desc()).limit(1)).one(), what, value)
    row = one(here)
    assert (row.change_since_prior, row.prior_on) == (None, date(2023, 1, 1))


def test_a_single_visit_has_no_change(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, 0.01)])
    assert one(here).change_since_prior is None


def test_a_woman_without_studies_is_listed(here: Installation) -> None:
    factories.woman(here, "1", [], birth_date=None)
    row = one(here)
    assert (row.age_years, row.last_study, row.risk_5y) == (None, None, None)
    assert [group for group in Group if row.belongs_to(group)] == [Group.ALL]


def test_overdue_is_after_the_interval_with_grace_and_not_after_a_diagnosis(here: Installation) -> None:
    factories.woman(here, "just", [VisitPlan(date(2024, 8, 21))])
    factories.woman(here, "late", [VisitPlan(date(2024, 8, 20))])
    found = (EventKind.DIAGNOSIS, date(2024, 9, 1), None, "left")
    factories.woman(here, "diagnosed", [VisitPlan(date(2020, 8, 20))], events=[found])
    listed = {row.mrn: row for row in worklist.rows(here, today=TODAY)}
    assert {mrn for mrn, row in listed.items() if row.overdue} == {"late"}
    assert (listed["late"].next_due, listed["diagnosed"].next_due) == (date(2026, 8, 20), None)
    record = record_of(here, "diagnosed")
    assert record is not None
    assert (record.standing.next_due(TODAY), record.standing.is_overdue(TODAY)) == (None, False), (
        "her own page says what the worklist says"
    )


@pytest.mark.parametrize(
    ("birth_date", "last", "next_due", "overdue"),
    [
        (date(1943, 5, 1), date(2024, 1, 1), None, False),  # 83 years old
        (date(1943, 5, 1), date(2014, 1, 1), None, False),  # due at 72, and 83 by now
        (date(1995, 5, 1), date(2024, 1, 1), None, False),  # 31 years old
        (date(1951, 11, 22), date(2024, 8, 20), date(2026, 8, 20), True),  # 74 for one day more
        (date(1951, 11, 21), date(2024, 8, 20), None, False),  # 75 today
        (date(1952, 6, 2), date(2025, 6, 1), date(2027, 6, 1), False),  # 74 on the day she is due
        (date(1952, 6, 1), date(2025, 6, 1), None, False),  # 75 on that day
        (date(1987, 6, 1), date(2025, 6, 1), date(2027, 6, 1), False),  # 40 on that day
        (date(1987, 6, 2), date(2025, 6, 1), None, False),  # 39 on that day
        (date(1976, 5, 1), date(2011, 1, 1), date(2016, 5, 1), True),  # seen at 34, then not since she was 40
        (date(1986, 10, 1), date(2021, 1, 1), date(2026, 10, 1), False),  # 40 for seven weeks
        (None, date(2024, 8, 20), date(2026, 8, 20), True),
    ],
)
def test_a_next_study_is_due_within_the_screening_ages_only(
    here: Installation, birth_date: date | None, last: date, next_due: date | None, overdue: bool
) -> None:
    factories.woman(here, "1", [VisitPlan(last)], birth_date=birth_date)
    row = one(here)
    assert (row.next_due, row.overdue) == (next_due, overdue)
    assert worklist.counts([row])[Group.OVERDUE] == overdue


def test_the_readers_density_goes_before_the_models(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, density="B")])
    assert (one(here).density, one(here).density_by_reader) == ("B", False)
    reader = create_user(here, "ada", "a long password", Role.ONCOLOGIST)
    record_assessment(here, reader, "2.25.1.1", right="1", left="1", density="D")
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
    assert kept(Filter(group=Group.CHANGED)) == set()
    assert worklist.counts(rows)[Group.ALL] == 2


def test_who_asks_for_c_or_for_d_finds_a_woman_of_whom_a_model_says_c_or_d(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST)])
    shares = {"A": 0.1, "B": 0.2, "C": 0.3, "D": 0.4}
    told = {"A": 0.1, "B": 0.2, "C": None, "D": None, "C+D": 0.7}
    factories.another_score(
        here,
        "2.25.1.1",
        trust_level="withheld",
        trust_doubt="unlike_pictures",
        density_of_views={"model": "m", "shares": shares, "told": told},
    )
    ready.rebuild(here)
    assert one(here).density == "C+D"
    for asked, found in (("C", 1), ("D", 1), ("B", 0)):
        narrowed = Filter(densities=(asked,))
        assert len(worklist.choose([one(here)], narrowed)) == found
        assert worklist_page.shown(here, narrowed, None, number=9, today=TODAY).number == found


def test_a_column_orders_all_and_what_is_not_known_stands_last_both_ways(here: Installation) -> None:
    factories.woman(
        here, "low", [VisitPlan(LAST, 0.01, density="D")], name="ana", birth_date=date(1980, 1, 1)
    )
    factories.woman(
        here, "high", [VisitPlan(LAST, 0.05, density="A")], name="Zoe", birth_date=date(1950, 1, 1)
    )
    factories.woman(here, "nothing", [], name="Bea", birth_date=None)
    rows = worklist.rows(here, today=TODAY)

    def by(column: Column, descending: bool) -> list[str]:
        return [row.mrn for row in worklist.ordered(rows, Order(column, descending))]

    for column in (Column.AGE, Column.RISK):
        assert by(column, True) == ["high", "low", "nothing"]
        assert by(column, False) == ["low", "high", "nothing"]
    assert by(Column.DENSITY, False) == ["high", "low", "nothing"]
    assert by(Column.PATIENT, False) == ["low", "nothing", "high"]
    assert by(Column.LAST_STUDY, True) == by(Column.LAST_STUDY, False) == [row.mrn for row in rows]
    assert all(sorted(by(column, down)) == sorted(mrns(here)) for column in Column for down in (True, False))


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


def test_a_change_within_noise_stands_between_those_that_rise_and_those_that_fall(here: Installation) -> None:
    before = date(2024, 1, 1)
    for mrn, was, now in (("rises", 0.01, 0.02), ("noise", 0.10, 0.13), ("falls", 0.02, 0.01)):
        visits = [VisitPlan(before, was, smallest_change=0.4), VisitPlan(LAST, now, smallest_change=0.4)]
        factories.woman(here, mrn, visits)
    found = worklist.rows(here, today=TODAY)
    by_change = worklist.ordered(found, Order(Column.CHANGE, True))
    assert [row.mrn for row in by_change] == ["rises", "noise", "falls"]
    assert {row.mrn: row.change_is_noise for row in found} == {"rises": False, "noise": True, "falls": False}


def test_the_small_course_says_which_steps_are_none(here: Installation) -> None:
    risks = ((2018, 0.010), (2020, 0.011), (2022, 0.030), (2024, 0.031))
    visits = [VisitPlan(date(year, 1, 1), risk, smallest_change=0.4) for year, risk in risks]
    factories.woman(here, "1", visits)
    with here.database.write() as session:
        last = session.scalars(select(Score).order_by(Score.id.desc()).limit(1)).one()
        last.weights_sha256 = "0" * 64
    steps = [(point.alike, point.within_noise) for point in one(here).course]
    assert steps == [(True, None), (True, True), (True, False), (False, None)]
