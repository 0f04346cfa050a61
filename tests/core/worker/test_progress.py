"""What people see of the worker, the queue and the quarantine."""

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from core.installation import Installation
from core.worker import progress
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
    assert progress.quarantine(here) == []
