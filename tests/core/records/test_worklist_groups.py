"""The worklist's groups: who stands where, by what can be done about her, and in which order."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, select, text

from core.installation import Installation
from core.people import audit
from core.people.accounts import Role, create_user
from core.people.roles import Person
from core.records import rates_of_alerts, worklist
from core.records.acknowledged import acknowledge
from core.records.events import EventResult, add_event
from core.records.record import record_of
from core.records.worklist import Column, Filter, Group, Order
from db.tables import Alert, EventKind, StudyStatus, utc_now
from tests import factories
from tests.factories import VisitPlan

TODAY = date(2026, 11, 21)
PRIOR, LAST = date(2024, 6, 1), date(2026, 6, 1)
CHANGE = ("change", "Risk ×4.0 in 24 months: 0.6 % to 2.4 %, +1.8 points")
JUMPED = [VisitPlan(PRIOR, 0.006), VisitPlan(LAST, 0.024, alerts=[CHANGE])]


@pytest.fixture
def reader(here: Installation) -> Person:
    return create_user(here, "ada", "a long password", Role.ONCOLOGIST, display_name="Dr Ada")


def stored(*visits: VisitPlan, **changed: object) -> list[VisitPlan]:
    """Return visits, the last one changed."""
    return [*visits[:-1], replace(visits[-1], **changed)]  # type: ignore[arg-type]


def groups(here: Installation, mrn: str = "1") -> set[Group]:
    row = next(row for row in worklist.rows(here, today=TODAY) if row.mrn == mrn)
    return {group for group in Group if row.belongs_to(group)} - {Group.ALL}


def listed(here: Installation, group: Group) -> list[str]:
    return [row.mrn for row in worklist.choose(worklist.rows(here, today=TODAY), Filter(group=group))]


def test_an_unread_study_is_to_read_and_its_open_alert_unexplained(here: Installation) -> None:
    factories.woman(here, "1", JUMPED)
    assert groups(here) == {Group.TO_READ, Group.CHANGED}
    factories.woman(here, "2", stored(*JUMPED, alerts=[], bi_rads="1"))
    assert groups(here, "2") == set()


@pytest.mark.parametrize(
    ("bi_rads", "assessed_after", "still"),
    [
        ("1", timedelta(days=-1), {Group.CHANGED}),
        ("1", timedelta(days=1), set()),
        ("4A", timedelta(days=-1), {Group.OPEN}),
        ("0", timedelta(days=1), {Group.OPEN}),
    ],
)
def test_a_change_stays_until_somebody_who_could_have_seen_it_has_said_what_it_is(
    here: Installation, bi_rads: str, assessed_after: timedelta, still: set[Group]
) -> None:
    factories.woman(here, "1", stored(*JUMPED, bi_rads=bi_rads))
    with here.database.write() as session:
        alert = session.scalars(select(Alert)).one()
        session.execute(
            text("UPDATE study SET assessed_at = :at WHERE bi_rads IS NOT NULL"),
            {"at": (alert.raised_at + assessed_after).replace(tzinfo=None)},
        )
    assert groups(here) == still


def test_an_acknowledged_alert_is_no_change_any_more(here: Installation, reader: Person) -> None:
    factories.woman(here, "1", JUMPED)
    record = record_of(here, "1")
    assert record is not None
    acknowledge(here, reader, record.alerts[0].alert_id, "Known fibroadenoma")
    assert groups(here) == {Group.TO_READ}


def test_a_diagnosed_woman_never_stands_among_screening_alerts(here: Installation, reader: Person) -> None:
    factories.woman(here, "1", stored(*JUMPED, bi_rads="2"))
    assert Group.CHANGED in groups(here)
    add_event(here, reader, "1", kind=EventKind.DIAGNOSIS, on=date(2026, 6, 20))
    assert groups(here) == {Group.UNDER_TREATMENT}
    growth = ("progression", "Probable progression: 70 %")
    found = [(EventKind.DIAGNOSIS, date(2020, 1, 1), None, "left")]
    factories.woman(here, "2", stored(*JUMPED, alerts=[CHANGE, growth], bi_rads="2"), events=found)
    row = next(row for row in worklist.rows(here, today=TODAY) if row.mrn == "2")
    assert [alert.rule for alert in row.alerts] == ["progression"], "growth is told after a diagnosis too"
    assert groups(here, "2") == {Group.UNDER_TREATMENT}


def test_a_malignant_biopsy_is_under_treatment_before_its_diagnosis_is_written(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "1", stored(*JUMPED, bi_rads="5"))
    assert groups(here) == {Group.OPEN}
    add_event(here, reader, "1", kind=EventKind.BIOPSY, on=date(2026, 6, 9), result=EventResult.MALIGNANT)
    assert groups(here) == {Group.UNDER_TREATMENT}
    (row,) = worklist.rows(here, today=TODAY)
    assert (row.next_due, row.overdue) == (None, False)


def test_a_biopsy_without_its_result_answers_nothing(here: Installation, reader: Person) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, bi_rads="4B")])
    add_event(here, reader, "1", kind=EventKind.BIOPSY, on=date(2026, 6, 9))
    assert groups(here) == {Group.OPEN}
    add_event(here, reader, "1", kind=EventKind.BIOPSY, on=date(2026, 6, 19), result=EventResult.BENIGN)
    assert groups(here) == set()


def test_a_short_follow_up_is_due_at_six_months(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, bi_rads="3")])
    (row,) = worklist.rows(here, today=TODAY)
    assert (row.next_due, groups(here)) == (date(2026, 12, 1), {Group.OPEN})


def test_what_has_no_number_is_read_as_usual(here: Installation) -> None:
    factories.woman(here, "refused", [VisitPlan(LAST, status=StudyStatus.REFUSED, bi_rads="1")])
    factories.woman(here, "withheld", [VisitPlan(LAST, trust=("withheld", "unlike_pictures"), bi_rads="1")])
    factories.woman(here, "views", [VisitPlan(LAST, views=factories.FOUR_VIEWS[:3], bi_rads="1")])
    assert listed(here, Group.NOT_SCORED) == ["refused", "withheld"]
    notices = {row.mrn: [one.message for one in row.notices] for row in worklist.rows(here, today=TODAY)}
    assert notices["refused"][0].startswith("Not scored: ")
    assert notices["views"] == ["Scored without L MLO"]
    assert notices["withheld"] == []


def test_what_is_to_read_comes_by_its_day_whatever_a_score_says(here: Installation) -> None:
    risks = (0.9, 0.001, 0.5, 0.02, 0.3)
    for number, risk in enumerate(risks):
        plan = VisitPlan(LAST - timedelta(days=number), risk, malignancy_left=risk, alerts=[CHANGE])
        factories.woman(here, str(number), [plan])
    assert listed(here, Group.TO_READ) == ["0", "1", "2", "3", "4"]


def test_overdue_is_as_of_today_and_stands_longest_first(here: Installation) -> None:
    factories.woman(here, "late", [VisitPlan(date(2024, 5, 1), bi_rads="1")])
    factories.woman(here, "later", [VisitPlan(date(2023, 5, 1), bi_rads="1")])
    factories.woman(here, "old", [VisitPlan(date(2023, 5, 1), bi_rads="1")], birth_date=date(1950, 1, 1))
    assert listed(here, Group.OVERDUE) == ["later", "late"]
    before = worklist.rows(here, today=date(2025, 5, 1))
    assert worklist.counts(before)[Group.OVERDUE] == 0
    row = worklist.choose(worklist.rows(here, today=TODAY), Filter(group=Group.OVERDUE))[0]
    assert [notice.message for notice in row.notices] == ["Overdue: was due 2025-05"]


def test_a_row_says_factor_slope_and_who_said_what(here: Installation, reader: Person) -> None:
    days = [date(2020, 1, 1), date(2022, 1, 1), date(2024, 1, 1), LAST]
    plans = [
        VisitPlan(on, risk, smallest_change=0.1)
        for on, risk in zip(days, (0.01, 0.014, 0.018, 0.024), strict=True)
    ]
    factories.woman(here, "1", plans)
    with here.database.write() as session:
        session.execute(
            text(
                "UPDATE study SET bi_rads = '2', assessed_by_id = :by, assessed_at = :at WHERE study_date = :on"
            ),
            {"by": reader.user_id, "at": datetime(2024, 1, 2), "on": "2024-01-01"},
        )
    (row,) = worklist.rows(here, today=TODAY)
    assert row.factor == pytest.approx(0.024 / 0.018)
    assert row.slope is not None
    assert 0.0015 < row.slope.per_year < 0.0025
    assert row.last_word is not None
    assert (row.last_word.category, row.last_word.by, row.last_word.on) == ("2", "Dr Ada", days[2])
    assert row.last_word.at == datetime(2024, 1, 2, tzinfo=UTC)
    assert row.unread
    by_slope = worklist.ordered([row], Order(Column.SLOPE, True))
    assert by_slope == [row]


@pytest.mark.embedded("is about SQLite's plans")
def test_who_has_looked_is_asked_by_an_index_however_long_the_trail_is(
    here: Installation, reader: Person
) -> None:
    eve = create_user(here, "eve", "a long password", Role.ONCOLOGIST)
    for person, mrn in ((reader, "1"), (eve, "1"), (reader, "1"), (eve, "2")):
        audit.note(here, person, "patient_opened", f"patient:{mrn}")
    audit.note(here, eve, "event_added", "patient:3")
    plans: list[str] = []

    def explain(connection, _cursor, statement, parameters, *_: object) -> None:
        if statement.startswith("SELECT audit_entry") and here.database.engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(str(row[3]) for row in rows)

    event.listen(here.database.engine, "before_cursor_execute", explain)
    found = audit.who_did(here, "patient_opened", ["patient:1", "patient:3"])
    event.remove(here.database.engine, "before_cursor_execute", explain)
    assert {subject: [one.person for one in looked] for subject, looked in found.items()} == {
        "patient:1": ["Dr Ada", "eve"]
    }
    assert any("ix_audit_entry_subject" in plan for plan in plans)
    assert not any(plan.startswith("SCAN audit_entry") and "INDEX" not in plan for plan in plans)


def test_how_often_a_rule_fires_counts_what_stands_or_a_person_closed(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "1", JUMPED)
    factories.woman(here, "2", JUMPED)
    factories.woman(here, "3", stored(*JUMPED, alerts=[]))
    factories.woman(here, "4", [VisitPlan(LAST, trust=("withheld", "unlike_pictures"))])
    factories.woman(here, "5", [VisitPlan(date(2020, 1, 1))])
    record = record_of(here, "1")
    assert record is not None
    acknowledge(here, reader, record.alerts[0].alert_id, "seen to")
    rates = {rate.rule.rule: rate for rate in rates_of_alerts(here, today=TODAY)}
    assert (rates["change"].women, rates["change"].of, rates["change"].per_hundred) == (2, 4, 50)
    assert (rates["overdue"].women, rates["overdue"].of) == (1, 5)
    with here.database.write() as session:
        for alert in session.scalars(select(Alert).where(Alert.acknowledged_at.is_(None))):
            alert.acknowledged_at = utc_now()  # as a newer score does
    rates = {rate.rule.rule: rate for rate in rates_of_alerts(here, today=TODAY)}
    assert rates["change"].women == 1


def test_a_woman_with_cancer_stays_under_treatment_without_breasts_but_not_after_her_death(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "1", stored(*JUMPED, bi_rads="2"))
    add_event(here, reader, "1", kind=EventKind.DIAGNOSIS, on=date(2026, 6, 20))
    add_event(here, reader, "1", kind=EventKind.MASTECTOMY, on=date(2026, 7, 20), laterality="both")
    assert groups(here) == {Group.UNDER_TREATMENT}
    add_event(here, reader, "1", kind=EventKind.DEATH, on=date(2026, 8, 20))
    assert groups(here) == set()
