"""The same installation on PostgreSQL: taken in, searched, claimed by several workers, looked after."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.care import BackupError, doctor, write_backup
from core.care.verify import verify_objects
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.people import (
    OwnAdminNeeded,
    Role,
    SignInRefused,
    create_user,
    ensure_demo_accounts,
    list_accounts,
    prepare_account,
    sign_ins,
)
from core.records import search
from core.settings import Settings
from core.worker import progress
from core.worker.queue import Queue, count_pending
from core.worker.scoring import Scorer
from db.tables import Embedding, Image, Patient, Score, SignInAttempt, Study, StudyStatus, utc_now
from tests import factories
from tests.factories import VisitPlan
from tests.pictures import breast, dicom
from tests.postgres import fresh_database, migrated_postgres, needs_postgres

pytestmark = needs_postgres


@pytest.fixture
def grown(tmp_path: Path) -> Iterator[Installation]:
    """An empty installation whose rows are kept in PostgreSQL."""
    with migrated_postgres() as url:
        here = Installation.open(Settings(home=tmp_path / "var", database_url=url, _env_file=None))
        yield here
        here.close()


def files(women: int) -> list[IncomingFile]:
    """Women with one study of two views each."""
    return [
        IncomingFile(
            f"{n}.dcm",
            dicom(
                breast("L", seed=n, rows=200, columns=150),
                ViewPosition=("CC", "MLO")[n % 2],
                PatientID=f"W{n // 2}",
                StudyInstanceUID=f"1.2.{n // 2}",
                SOPInstanceUID=f"1.2.{n // 2}.{n % 2}",
            ),
        )
        for n in range(2 * women)
    ]


def test_imports_at_once_make_each_woman_and_study_once(grown):
    halves = files(6)[::2], files(6)[1::2]
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(take_in, grown, half, statement=None, source="cli") for half in halves]
    assert [one.result().count("accepted") for one in taken] == [6, 6]
    with grown.database.read() as session:
        assert len(session.scalars(select(Patient)).all()) == 6
        assert [len(study.images) for study in session.scalars(select(Study))] == [2] * 6
    again = take_in(grown, files(6), statement=None, source="cli")
    assert again.count("duplicate") == 12
    assert verify_objects(grown).well


def test_search_knows_no_case_and_puts_the_exact_number_first(grown):
    with grown.database.write() as session:
        for mrn, name in (
            ("A-17", "Oest, Ada"),
            ("17", "Miller, Eve"),
            ("B", "OESTERREICH, Una"),
            ("C", "MÜLLER, Zoë"),
        ):
            session.add(Patient(mrn=mrn, name=name, birth_date=date(1970, 1, 1)))
    assert [found.mrn for found in search.find(grown, "17")] == ["17", "A-17"]
    assert {found.mrn for found in search.find(grown, "oest")} == {"A-17", "B"}
    assert [found.mrn for found in search.find(grown, "müller, ZOË")] == ["C"]
    assert search.find(grown, "%") == []


def test_a_worker_on_another_machine_counts_as_long_as_it_works(grown):
    now = utc_now()
    nobody = progress.worker_seen(grown, now=now)
    assert not nobody.running
    assert "No worker has been seen lately" in nobody.sentence
    pending = VisitPlan(date(2026, 1, 1), status=StudyStatus.PENDING)
    factories.woman(grown, "1", [VisitPlan(date(2025, 1, 1)), pending])
    with grown.database.write() as session:
        session.execute(update(Score).values(computed_at=now - timedelta(minutes=2)))
    assert progress.worker_seen(grown, now=now).running
    later = now + timedelta(minutes=10)
    assert not progress.worker_seen(grown, now=later).running
    with grown.database.write() as session:
        holding = update(Study).where(Study.status == StudyStatus.PENDING)
        session.execute(holding.values(claimed_by="elsewhere:1", claimed_until=later + timedelta(seconds=30)))
    assert progress.worker_seen(grown, now=later).running
    assert "another machine" in progress.worker_seen(grown, now=later).sentence


def test_the_heartbeat_of_this_machines_worker_goes_before_what_is_seen_of_others(grown):
    now = utc_now()
    beat = {"pid": 1, "model": "longitudinal-sim", "warm": True}
    (grown.home / progress.HEARTBEAT).write_text(json.dumps({**beat, "at": now.isoformat()}))
    assert progress.worker_seen(grown, now=now).sentence == "The worker is running."
    silent = progress.worker_seen(grown, now=now + timedelta(minutes=10))
    assert not silent.running
    assert silent.seen_at == now
    assert "No worker has been seen lately (last seen" in silent.sentence


def test_two_workers_score_no_study_twice(grown, tiny_model):
    from models.longitudinal.model import LongitudinalModel

    take_in(grown, files(5), statement=None, source="cli")
    model = LongitudinalModel.load(tiny_model)
    # Longer than any column for words of 64 characters: SQLite would not mind.
    model.card = replace(model.card, calibration="logistic per horizon, " * 8)
    one_at_a_time = threading.Lock()  # of the networks only: they are shared by the two threads

    class Shared:
        def __getattr__(self, name):
            return getattr(model, name)

        def encode(self, views):
            with one_at_a_time:
                return model.encode(views)

        def score(self, visits):
            with one_at_a_time:
                return model.score(visits)

    def work(name: str) -> list[str]:
        scorer = Scorer(grown, Shared(), name=name)
        done = []
        while (item := scorer.score_next(settled=False)) is not None:
            done.append(item.study_uid)
        scorer.close()
        return done

    with ThreadPoolExecutor(2) as pool:
        done = [uid for uids in pool.map(work, (f"{'host' * 16}:1", "other:2")) for uid in uids]
    assert Counter(done) == {f"1.2.{n}": 1 for n in range(5)}
    assert count_pending(grown) == 0
    assert progress.queue(grown)[StudyStatus.SCORED] == 5
    with grown.database.read() as session:
        assert Counter(session.scalars(select(Score.study_id))) == Counter(session.scalars(select(Study.id)))
        assert len(session.scalars(select(Embedding)).all()) == len(session.scalars(select(Image)).all())


def test_leases_go_by_the_servers_clock_whatever_a_workers_own_says(grown, monkeypatch):
    factories.woman(grown, "1", [VisitPlan(date(2026, 1, 1), status=StudyStatus.PENDING, views=())])
    assert Queue(grown, "elsewhere:1").take() is not None
    for hours in (-3, 3):
        wrong = utc_now() + timedelta(hours=hours)
        monkeypatch.setattr("core.worker.queue.utc_now", lambda wrong=wrong: wrong)
        assert Queue(grown, "elsewhere:2").take() is None


def test_doctor_looks_at_the_worker_of_a_database_without_tables(tmp_path):
    with fresh_database() as url:
        here = Installation.open(Settings(home=tmp_path / "var", database_url=url, _env_file=None))
        worker = next(finding for finding in doctor.examine(here) if finding.name == "worker")
        here.close()
    assert worker.state == "warning"


def test_doctor_names_the_server_and_backup_says_whose_task_it_is(grown, tmp_path):
    database = next(finding for finding in doctor.examine(grown) if finding.name == "database")
    assert database.said.startswith("PostgreSQL ")
    with pytest.raises(BackupError, match=r"with pg_dump first, then .*images"):
        write_backup(grown, tmp_path / "copy.tar")
    assert not (tmp_path / "copy.tar").exists()


def test_guesses_at_once_are_counted_and_the_first_real_patient_ends_the_demo(grown):
    create_user(grown, "bo", "seven quiet rivers", Role.STAFF)

    def guess(number):
        with pytest.raises(SignInRefused):
            sign_ins.sign_in(grown, "bo", f"wrong guess {number}", address="203.0.113.9")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(guess, number) for number in range(12)]:
            done.result()
    with grown.database.read() as session:
        assert len(session.scalars(select(SignInAttempt)).all()) == 5
    (told,) = [account.guessed for account in list_accounts(grown)]
    assert (told.failures, told.addresses, told.locked_until) == (5, 1, None), "bo herself is not locked out"
    ensure_demo_accounts(grown)
    with pytest.raises(OwnAdminNeeded):
        take_in(grown, files(1), statement=None, source="cli")

    def anna():
        return prepare_account(grown, "anna", "seven quiet rivers")

    assert take_in(grown, files(1), statement=None, source="cli", own_admin=anna).count("accepted") == 2
    assert {account.username for account in list_accounts(grown) if account.active} == {"anna", "bo"}
