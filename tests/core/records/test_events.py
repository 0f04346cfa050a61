"""What an event changes at once: the alerts of her newest score are judged anew, in the event's own transaction."""

from datetime import date

import pytest
from sqlalchemy import select, update

from core.installation import Installation
from core.people import Person, Role, accounts, sign_ins
from core.records import EventKind, add_event, cards, record_of, remove_event, worklist
from core.records import events as room
from core.rules import rules_in_force
from db.tables import Alert, Event, Score
from tests import factories
from tests.factories import VisitPlan

DAYS = [date(year, 3, 1) for year in (2020, 2022, 2024)]
KNOWN = rules_in_force().reference
DIAGNOSIS, SURGERY = EventKind.DIAGNOSIS, EventKind.SURGERY


@pytest.fixture
def reader(here: Installation) -> Person:
    accounts.create_user(here, "reader", "a long password", Role.ONCOLOGIST)
    return sign_ins.who(here, sign_ins.sign_in(here, "reader", "a long password").token)


@pytest.fixture
def woman(here: Installation) -> None:
    """A woman whose newest risk is above 3 % and was never below it, with no alert yet."""
    factories.woman(here, "1", [VisitPlan(day, 0.05, malignancy_left=0.2) for day in DAYS])
    with here.database.write() as session:
        session.execute(update(Score).values(model=cards.speaking(here)))


def open_rules(here: Installation) -> set[str]:
    with here.database.read() as session:
        return set(session.scalars(select(Alert.rule).where(Alert.acknowledged_at.is_(None))))


def test_a_diagnosis_that_is_taken_back_lets_her_score_speak_again(here, reader, woman):
    event = add_event(here, reader, "1", kind=DIAGNOSIS, on=date(2023, 1, 1))
    assert open_rules(here) == set(), "after a diagnosis nothing is told of risk"
    remove_event(here, reader, event.event_id)
    assert "malignancy" in open_rules(here)
    assert any(alert.rule == "malignancy" for alert in record_of(here, "1").open_alerts)
    assert worklist.rows(here, today=date(2024, 6, 1))[0].changed


def test_a_treatment_begins_her_slope_anew_and_taken_back_it_is_as_before(here, reader):
    risks = (0.004, 0.018, 0.032)
    factories.woman(here, "1", [VisitPlan(day, risk) for day, risk in zip(DAYS, risks, strict=True)])
    with here.database.write() as session:
        measured = {"weights_sha256": KNOWN.weights_sha256, "calibration": KNOWN.calibration}
        session.execute(update(Score).values(model=cards.speaking(here), smallest_change=0.1, **measured))
    note = add_event(here, reader, "1", kind=EventKind.NOTE, on=DAYS[-1], detail="judged")
    before = open_rules(here)
    assert "slope" in before
    event = add_event(here, reader, "1", kind=SURGERY, on=date(2021, 1, 1))
    assert "slope" not in open_rules(here), "two visits since the surgery make no slope"
    remove_event(here, reader, event.event_id)
    assert open_rules(here) == before
    remove_event(here, reader, note.event_id)
    assert open_rules(here) == before


def test_an_event_whose_alerts_cannot_be_judged_is_not_recorded(here, reader, woman, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(room, "judge_after_event", fail)
    with pytest.raises(RuntimeError):
        add_event(here, reader, "1", kind=SURGERY, on=date(2023, 1, 1))
    with here.database.read() as session:
        assert session.scalars(select(Event)).all() == []


def test_a_death_and_the_loss_of_both_breasts_end_risk_and_taken_back_they_do_not(here, reader, woman):
    """Nothing is told or due of a woman who has no breast at risk, and she stands in no group that asks for an act."""

    def row():
        return worklist.rows(here, today=date(2027, 1, 1))[0]

    add_event(here, reader, "1", kind=EventKind.NOTE, on=DAYS[-1], detail="judged")
    before = row()
    assert before.risk_5y is not None
    assert (before.changed, before.overdue) == (True, True)
    left = add_event(here, reader, "1", kind=EventKind.MASTECTOMY, on=date(2024, 5, 1), laterality="L")
    assert row().risk_5y is not None, "one breast is left"
    for ends in (
        {"kind": EventKind.MASTECTOMY, "laterality": "R"},
        {"kind": EventKind.MASTECTOMY, "laterality": "both"},
        {"kind": EventKind.DEATH},
    ):
        event = add_event(here, reader, "1", on=date(2025, 5, 1), **ends)
        ended = row()
        assert (ended.risk_5y, ended.slope, ended.band, ended.alerts) == (None, None, None, ())
        assert (ended.changed, ended.not_scored, ended.overdue, ended.next_due) == (False, False, False, None)
        assert "2025-05-01" in ended.withheld
        remove_event(here, reader, event.event_id)
    remove_event(here, reader, left.event_id)
    assert row().risk_5y == before.risk_5y


def test_what_a_mastectomy_and_an_end_of_follow_up_must_say(here, reader, woman):
    with pytest.raises(ValueError, match="left, right, or both"):
        add_event(here, reader, "1", kind=EventKind.MASTECTOMY, on=DAYS[-1])
    for kind in (EventKind.DEATH, EventKind.CONTACT):
        with pytest.raises(ValueError, match="future"):
            add_event(here, reader, "1", kind=kind, on=date(2999, 1, 1))
    both = add_event(here, reader, "1", kind=EventKind.MASTECTOMY, on=DAYS[-1], laterality="both")
    assert (both.laterality, both.side_words) == (None, "both")
