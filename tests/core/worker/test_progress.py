"""What people see of the worker, the queue and what was not scored."""

import json
import os
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from core.installation import Installation
from core.worker import identity, progress
from db.tables import Score, Study, StudyStatus, utc_now
from tests import factories
from tests.factories import VisitPlan


def beat(here: Installation, **changed: object) -> None:
    said = {"pid": 1, "at": utc_now().isoformat(), "model": "longitudinal-sim", "warm": True, **changed}
    (here.home / progress.HEARTBEAT).write_text(json.dumps(said))


def test_a_worker_that_beats_is_running(here: Installation) -> None:
    beat(here)
    assert progress.worker_seen(here).running
    assert progress.worker_seen(here).warm


def test_a_worker_that_fell_silent_is_not_running_and_the_sentence_says_what_to_do(
    here: Installation,
) -> None:
    beat(here, at=(utc_now() - timedelta(minutes=5)).isoformat())
    worker = progress.worker_seen(here)
    assert not worker.running
    assert not worker.warm
    assert "python -m core worker" in worker.sentence


def test_a_sign_of_life_from_the_future_is_none(here: Installation) -> None:
    """The clock was ahead when the worker beat; it has been set since, and the worker is dead."""
    beat(here, at=(utc_now() + timedelta(hours=3)).isoformat())
    assert not progress.worker_seen(here).running
    beat(here, at=(utc_now() + timedelta(seconds=2)).isoformat())
    assert progress.worker_seen(here).running


@pytest.mark.skipif(identity.uptime() is None, reason="this system does not say how long it has been on")
def test_a_clock_that_is_set_neither_stops_a_worker_nor_brings_a_dead_one_back(here: Installation) -> None:
    boot, seconds = identity.uptime() or ("", 0.0)
    for hours in (-3, 3):
        at = (utc_now() + timedelta(hours=hours)).isoformat()
        beat(here, at=at, uptime=[boot, seconds], process=identity.own_name())
        assert progress.worker_seen(here).running
        beat(here, at=at, uptime=[boot, seconds - 60])
        assert not progress.worker_seen(here).running
    # What another run of the machine counted says nothing.
    beat(here, uptime=["another boot", seconds + 1e6])
    assert progress.worker_seen(here).running


def test_a_worker_whose_process_has_ended_or_is_another_one_now_is_not_running(here: Installation) -> None:
    beat(here, process=f"{identity.machine()}:4194999:17")
    assert not progress.worker_seen(here).running
    beat(here, process=f"{identity.machine()}:{os.getpid()}:17")
    assert not progress.worker_seen(here).running, "its number was given to another process"
    beat(here, process="another-machine:4194999:17")
    assert progress.worker_seen(here).running, "its processes cannot be looked at from here"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": null}', '{"at": "yesterday"}'])
def test_a_damaged_heartbeat_is_no_worker(here: Installation, content: str) -> None:
    (here.home / progress.HEARTBEAT).write_text(content)
    assert not progress.worker_seen(here).running


def test_a_worker_elsewhere_is_seen_by_the_study_it_holds_and_by_what_it_scored(here: Installation) -> None:
    now = utc_now()
    assert progress.last_work(here, now=now) is None
    pending = VisitPlan(date(2026, 1, 1), status=StudyStatus.PENDING)
    factories.woman(here, "1", [VisitPlan(date(2025, 1, 1)), pending])
    with here.database.write() as session:
        session.execute(update(Score).values(computed_at=now - timedelta(hours=1)))
    assert progress.last_work(here, now=now) == now - timedelta(hours=1)
    held = update(Study).where(Study.status == StudyStatus.PENDING)
    for by, until, at_work in (
        ("elsewhere:1", now + timedelta(seconds=30), now),
        ("elsewhere:1", now - timedelta(seconds=1), now - timedelta(hours=1)),  # a lease that ran out
        (None, now + timedelta(seconds=30), now - timedelta(hours=1)),  # put off, and in nobody's hands
    ):
        with here.database.write() as session:
            session.execute(held.values(claimed_by=by, claimed_until=until))
        assert progress.last_work(here, now=now) == at_work


def test_queue_and_refusals_are_counted_with_their_sentences(here: Installation) -> None:
    factories.woman(
        here, "1", [VisitPlan(date(2025, 1, 1), status=StudyStatus.PENDING), VisitPlan(date(2026, 1, 1))]
    )
    factories.woman(here, "2", [VisitPlan(date(2025, 1, 1), status=StudyStatus.REFUSED)])
    assert progress.queue(here) == {StudyStatus.PENDING: 1, StudyStatus.SCORED: 1, StudyStatus.REFUSED: 1}
    (refused,) = progress.refused_studies(here)
    assert (refused.whose, "Add a CC or MLO view" in refused.reason) == ("MRN 2", True)


def test_what_was_refused_last_stands_first_and_says_when(here: Installation) -> None:
    now = utc_now()
    for number, at in enumerate((now - timedelta(hours=1), now, None)):
        factories.woman(here, str(number), [VisitPlan(date(2025, 1, 1), status=StudyStatus.REFUSED)])
        with here.database.write() as session:
            uids = update(Study).where(Study.refused_at.is_(None), Study.patient_id == number + 1)
            session.execute(uids.values(refused_at=at))
    found = progress.refused_studies(here)
    assert [(one.whose, one.at) for one in found] == [
        ("MRN 1", now),
        ("MRN 0", now - timedelta(hours=1)),
        ("MRN 2", None),
    ]
