"""The queue: who may take which study, for how long, and what becomes of one that fails or whose worker dies."""

import subprocess
import sys
import time
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from core.people import Person, Role, create_user
from core.people.audit import latest
from core.people.roles import AccessDenied
from core.worker import identity, queue
from core.worker.queue import LEASE, MOST_FAILURES, Pauses, Queue, queue_unscored, retry_refused
from db.tables import ImportBatch, Score, Study, StudyStatus, utc_now
from tests import factories
from tests.factories import VisitPlan


def waiting(day: date = date(2024, 1, 1)) -> VisitPlan:
    return VisitPlan(day, status=StudyStatus.PENDING, views=())


def refused(day: date = date(2024, 1, 1)) -> VisitPlan:
    return VisitPlan(day, status=StudyStatus.REFUSED, views=())


def the_study(here) -> Study:
    with here.database.read() as session:
        return session.scalars(select(Study)).one()


def change(here, **values: object) -> None:
    with here.database.write() as session:
        session.execute(update(Study).values(**values))


def day_of(here, claimed) -> date | None:
    if claimed is None:
        return None
    with here.database.read() as session:
        return session.get_one(Study, claimed.study_id).study_date


def score_another(here, number: int) -> None:
    factories.woman(here, f"another-{number}", [VisitPlan(date(2024, 1, 1), views=())])


def test_a_claimed_study_is_left_alone_until_its_lease_runs_out(here):
    factories.woman(here, "1", [waiting()])
    mine = Queue(here)
    change(here, claimed_by="elsewhere:1", claimed_until=utc_now() + LEASE)
    assert mine.take() is None
    change(here, claimed_until=utc_now() - timedelta(seconds=1))
    assert mine.take() is not None


def test_two_workers_never_take_the_same_study(here):
    factories.woman(here, "1", [waiting()])
    assert Queue(here).take() is not None
    assert Queue(here, "elsewhere:2").take() is None


def test_the_visits_of_one_woman_are_taken_one_after_another_by_any_number_of_workers(here):
    factories.woman(here, "1", [waiting(date(2020, 1, 1)), waiting(date(2022, 1, 1))])
    factories.woman(here, "2", [waiting(date(2021, 1, 1))])
    first, second = Queue(here, "elsewhere:1"), Queue(here, "elsewhere:2")
    days = [day_of(here, one.take()) for one in (first, second, second)]
    assert days == [date(2021, 1, 1), date(2020, 1, 1), None], "a jump is seen against the score of 2020"


def test_a_study_to_which_files_are_still_coming_waits(here):
    from core.incoming.intake import take_in
    from core.incoming.items import IncomingFile
    from tests.pictures import dicom

    take_in(here, [IncomingFile("x", dicom())], statement=None, source="cli")
    with here.database.write() as session:
        session.execute(update(ImportBatch).values(finished_at=None))
    change(here, inputs_changed_at=utc_now())  # however long the import took on a busy machine
    assert Queue(here).take() is None
    # A batch that was cut off does not hold its studies for ever, nor does one from a clock that was ahead.
    for moved in (timedelta(seconds=-4), timedelta(hours=3)):
        change(here, inputs_changed_at=utc_now() + moved, claimed_by=None, claimed_until=None)
        assert Queue(here).take() is not None


def test_a_lease_is_renewed_as_long_as_the_study_is_in_work(here, monkeypatch):
    monkeypatch.setattr(queue, "LEASE", timedelta(seconds=0.5))
    monkeypatch.setattr(queue, "RENEW_SECONDS", 0.05)
    factories.woman(here, "1", [waiting()])
    mine, other = Queue(here, "elsewhere:1"), Queue(here, "elsewhere:2")
    claimed = mine.take()
    first = the_study(here).claimed_until
    with mine.holding(claimed) as lost:
        deadline = time.monotonic() + 10
        while the_study(here).claimed_until < first + timedelta(seconds=0.6):
            assert other.take() is None, "two workers are at the same images"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not lost.is_set()
    with here.database.write() as session:
        assert mine.still_ours(session, claimed) is not None


def test_a_lost_lease_stops_the_write(here, monkeypatch):
    monkeypatch.setattr(queue, "RENEW_SECONDS", 0.02)
    factories.woman(here, "1", [waiting()])
    mine = Queue(here, "elsewhere:1")
    claimed = mine.take()
    change(here, claimed_by="elsewhere:2", claimed_until=utc_now() + LEASE)
    with mine.holding(claimed) as lost:
        assert lost.wait(10)
    assert the_study(here).claimed_by == "elsewhere:2", "nobody takes the other one's lease away"
    with here.database.write() as session:
        assert mine.still_ours(session, claimed) is None


def test_a_clock_that_was_ahead_leaves_no_lease_for_hours(here):
    factories.woman(here, "1", [waiting()])
    change(here, claimed_by="elsewhere:1", claimed_until=utc_now() + timedelta(hours=3))
    assert Queue(here).take() is not None
    change(here, claimed_by=None, claimed_until=utc_now() + timedelta(hours=3))
    assert Queue(here).seconds_to_next() == 0
    assert Queue(here).take() is not None


def test_pauses_grow_up_to_a_minute_and_begin_anew(here):
    pauses = Pauses()
    assert [pauses.longer() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    pauses.over()
    assert pauses.longer() == 1


def test_a_study_that_is_put_off_waits_longer_each_time(here, monkeypatch):
    factories.woman(here, "1", [waiting()])
    now = utc_now()
    monkeypatch.setattr(queue, "_now", lambda _session: now)  # whichever clock it is
    mine, paused = Queue(here), []
    for _ in range(9):
        mine.put_off(mine.take(), "The image store is away.")
        seconds = mine.seconds_to_next()
        assert mine.take() is None
        paused.append(round(seconds))
        now += timedelta(seconds=seconds + 0.0001)
    assert paused == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert the_study(here).attempts == 0


def test_a_study_whose_worker_dies_each_time_is_given_up_and_the_worker_lives_on(here):
    """It crashes the process, so nobody is left to say that it failed."""
    factories.woman(here, "1", [waiting()])
    for number in range(MOST_FAILURES):
        claimed = Queue(here, f"elsewhere:{number}").take()
        assert claimed.given_up is None
        change(here, claimed_until=utc_now() - timedelta(seconds=1))
        score_another(here, number)
    assert "worker ended" in Queue(here).take().given_up.detail


def test_a_worker_that_is_killed_again_and_again_from_outside_costs_no_study_its_place(here):
    factories.woman(here, "1", [waiting()])
    for number in range(3 * MOST_FAILURES):
        assert Queue(here, f"elsewhere:{number}").take().given_up is None
        change(here, claimed_until=utc_now() - timedelta(seconds=1))


def test_claims_of_a_dead_worker_of_this_machine_are_freed_at_once(here):
    factories.woman(here, "1", [waiting()])
    change(here, claimed_by=f"{identity.machine()}:4194999:17", claimed_until=utc_now() + LEASE)
    mine = Queue(here)
    assert mine.free_dead() == 1
    assert mine.take() is not None


def test_a_number_that_another_process_has_now_keeps_no_claim(here):
    """The worker died, and the system gave its number to somebody else."""
    factories.woman(here, "1", [waiting()])
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        change(here, claimed_by=f"{identity.machine()}:{other.pid}:17", claimed_until=utc_now() + LEASE)
        assert Queue(here).free_dead() == 1
        alive = f"{identity.machine()}:{other.pid}:{identity._start_of(other.pid)}"
        change(here, claimed_by=alive, claimed_until=utc_now() + LEASE)
        assert Queue(here).free_dead() == 0
    finally:
        other.communicate(b"\n")
    assert Queue(here).free_dead() == 1


def test_the_corpse_of_a_process_does_not_run():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    name = f"{identity.machine()}:{child.pid}:{identity._start_of(child.pid)}"
    deadline = time.monotonic() + 10
    while identity.runs(name) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not identity.runs(name), "it has ended, and nobody has asked how yet"
    child.wait()


def test_other_weights_put_scored_studies_back_in_the_queue(here):
    factories.woman(here, "1", [VisitPlan(date(2024, 1, 1), views=())])
    with here.database.read() as session:
        score = session.scalars(select(Score)).one()
    card = SimpleNamespace(
        name=score.model, weights_sha256=score.weights_sha256, calibration=score.calibration, files={}
    )
    assert queue_unscored(here, card) == 0
    card.weights_sha256 = "0" * 64
    assert queue_unscored(here, card) == 1
    assert the_study(here).status is StudyStatus.PENDING


def test_refused_studies_are_brought_back_by_study_by_woman_or_all(here):
    for mrn in ("1", "2", "3"):
        factories.woman(
            here, mrn, [refused(date(2022, 1, 1)), refused(), VisitPlan(date(2025, 1, 1), views=())]
        )
    with here.database.read() as session:
        uid = session.scalars(select(Study.uid).where(Study.status == StudyStatus.REFUSED)).first()
    admin = create_user(here, "admin", "a long password", Role.ADMIN)
    person = Person(admin.user_id, "admin", "admin", Role.ADMIN)
    assert retry_refused(here, study=uid, by=person) == 1
    assert retry_refused(here, study=uid, by=person) == 0
    assert retry_refused(here, patient="2") == 2
    assert retry_refused(here) == 3
    with here.database.read() as session:
        back = session.scalars(select(Study).where(Study.status == StudyStatus.PENDING)).all()
    assert len(back) == 6
    assert {(s.refusal_reason, s.refusal_detail, s.refused_at, s.attempts) for s in back} == {
        (None, None, None, 0)
    }
    entries = [(e.person, e.subject, e.detail) for e in latest(here, action="scoring_retried")]
    assert entries == [
        ("–", "studies", "studies 3"),
        ("–", "patient:2", "studies 2"),
        ("admin", f"study:{uid}", "studies 1"),
    ], "what changed nothing is no entry"
    for unknown in ({"study": "9.9"}, {"patient": "nobody"}):
        with pytest.raises(LookupError, match="There is no"):
            retry_refused(here, **unknown)


def test_only_who_may_add_studies_or_administer_brings_refused_ones_back(here):
    factories.woman(here, "1", [refused()])
    staff, analyst = (Person(1, role.value, role.value, role) for role in (Role.STAFF, Role.ANALYST))
    for person, which in ((analyst, {"patient": "1"}), (staff, {})):
        with pytest.raises(AccessDenied):
            retry_refused(here, by=person, **which)
    assert the_study(here).status is StudyStatus.REFUSED
