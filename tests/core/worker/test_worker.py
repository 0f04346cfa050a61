"""The worker waits while the world fails, and goes on by itself."""

import threading
import time
from datetime import date, timedelta

from sqlalchemy import select

from core.worker.scoring import Scorer
from core.worker.worker import run_worker
from db.tables import Study, StudyStatus
from tests import engines
from tests.core.worker.test_scoring import add_visit, model

__all__ = ["model"]  # a fixture


def until(true, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_store_that_is_away_for_a_while_costs_no_study_its_score(here, kept_in, model):
    add_visit(here, date(2024, 1, 1), views=("L-CC",))

    def study() -> Study:
        with here.database.read() as session:
            return session.scalars(select(Study)).one()

    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(here, stop), kwargs={"scorer": Scorer(here, model)})
    try:
        with engines.away(here.images):
            worker.start()
            until(lambda: study().put_off_because is not None)
            assert study().status is StudyStatus.PENDING
            said = "Mount its disk" if kept_in == engines.EMBEDDED else "there is no such bucket"
            assert said in (study().put_off_because or "")
        until(lambda: study().status is StudyStatus.SCORED)
        assert study().put_off_because is None
    finally:
        stop.set()
        worker.join(30)


def test_a_worker_starts_when_the_world_is_ready(here, model, monkeypatch):
    """A worker that ended whenever the machine is short would need somebody to start it again."""
    scorer, left = Scorer(here, model), [2]

    def short(self):
        if left[0]:
            left[0] -= 1
            raise MemoryError
        return self

    monkeypatch.setattr("core.images.reader.GuardedReader.start", short)
    monkeypatch.setattr("core.worker.queue.FIRST_PAUSE", timedelta(seconds=0.01))
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(here, stop), kwargs={"scorer": scorer})
    worker.start()
    until(lambda: left == [0])
    stop.set()
    worker.join(30)
    assert not worker.is_alive()
