"""A batch and its entries in the audit trail; batches that the machine cuts short, and those that were left over."""

import errno
from contextlib import ExitStack
from datetime import timedelta
from functools import cache

import pytest
from sqlalchemy import event, select, update

from core.incoming import finish_left_over_batches, history
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.outages import MachineFailed, outage
from core.people import Role, accounts
from core.trail import Wanted, find
from db.images import StoreUnavailable
from db.tables import AuditEntry, Image, ImportBatch, ImportItem, Patient, utc_now
from tests import engines
from tests.core.incoming.test_intake import DAY, SHE
from tests.pictures import breast, dicom


def views(number: int) -> list[IncomingFile]:
    """The same files at each call."""
    films = [breast(seed=n, rows=200, columns=150) for n in range(number)]
    return [
        IncomingFile(f"{n}.dcm", dicom(film, StudyInstanceUID="1.2", SOPInstanceUID=f"1.2.{n}"))
        for n, film in enumerate(films)
    ]


def trail(here) -> list[tuple[int | None, str, str | None, dict]]:
    with here.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    return [(entry.user_id, entry.action, entry.subject, entry.detail) for entry in entries]


def full_after(monkeypatch, puts: int) -> None:
    """Let the stores take so many objects and no more."""
    done = []

    def no_room(store, _data) -> OSError | None:
        if len(done) >= puts:
            return engines.full(store)
        done.append(1)
        return None

    engines.let_writes_fail(monkeypatch, no_room)


def test_a_full_disk_ends_an_import_with_what_was_finished_and_what_to_do(here, monkeypatch):
    full_after(monkeypatch, 3)
    report = take_in(here, views(3), statement=None, source="cli")
    assert [(item.path, item.outcome) for item in report.items] == [("0.dcm", "accepted")]
    assert report.cut_short == outage(engines.full(here.images))
    assert report.to_json()["cut_short"] == report.cut_short
    with pytest.raises(MachineFailed, match="is full"):
        report.check_whole()
    with here.database.read() as session:
        assert len(session.scalars(select(Image)).all()) == 1, "what is answered is there"
        assert session.scalars(select(ImportBatch)).one().finished_at is not None
    assert {"accepted": 1, "quarantined": 0}.items() <= trail(here)[-1][3].items()
    assert trail(here)[-1][1] == "import_cut_short"

    monkeypatch.undo()
    again = take_in(here, views(3), statement=None, source="cli")
    assert [item.outcome for item in again.items] == ["duplicate", "accepted", "accepted"]
    assert again.cut_short is None


READ_ONLY = {
    engines.EMBEDDED: (
        OSError(errno.EROFS, "Read-only file system"),
        "The folder is read-only. Make it writable, then repeat.",
    ),
    engines.GROWN: (StoreUnavailable("The bucket may not be written."), "The bucket may not be written."),
}


def test_a_store_that_is_read_only_is_said_in_words_and_nothing_is_refused_for_it(here, kept_in, monkeypatch):
    error, said = READ_ONLY[kept_in]
    with monkeypatch.context() as patch:
        engines.let_writes_fail(patch, lambda *_about: error)
        for way in (1, 2):
            report = take_in(
                here, [*views(2), IncomingFile("junk", b"junk")], statement=None, source="cli", at_once=way
            )
            assert (report.items, report.cut_short) == ([], said)
    with here.database.read() as session:
        assert session.scalars(select(ImportItem)).all() == []
    assert take_in(here, views(2), statement=None, source="cli").count("accepted") == 2


def test_a_disk_that_is_too_full_for_the_quarantine_refuses_nothing(here, monkeypatch):
    full_after(monkeypatch, 0)
    report = take_in(here, [IncomingFile("junk", b"junk")], statement=None, source="cli")
    assert (report.items, bool(report.cut_short)) == ([], True)


@pytest.mark.parametrize("locked_before", [0, 1])
def test_a_locked_database_keeps_the_report_whenever_it_is_locked(here, locked_before):
    engines.waits(here.database, 0.1)
    holder = ExitStack()
    hold = cache(lambda: holder.enter_context(engines.held(here.database)))

    def files():
        if not locked_before:
            hold()
        yield from views(3)

    report = take_in(here, files(), statement=None, source="cli", on_item=lambda _item: hold())
    assert len(report.items) == locked_before
    assert "database is busy" in (report.cut_short or "")
    with here.database.read() as session:
        assert session.scalars(select(ImportBatch)).one().finished_at is None
    holder.close()
    again = take_in(here, views(3), statement=None, source="cli")
    assert again.counts() == {"accepted": 3 - locked_before, "duplicate": locked_before, "quarantined": 0}
    assert finish_left_over_batches(here, now=utc_now() + timedelta(hours=2)) == 1


def test_a_database_that_is_locked_from_the_first_is_an_empty_report(here):
    engines.waits(here.database, 0.1)
    with engines.held(here.database):
        report = take_in(here, views(1), statement=None, source="cli")
    assert (report.items, "busy" in (report.cut_short or "")) == ([], True)


def test_files_that_cannot_be_read_for_want_of_the_machine_are_not_refused(here):
    def files():
        yield from views(1)
        raise OSError(errno.ESTALE, "Stale file handle")

    report = take_in(here, files(), statement=None, source="cli")
    assert [item.outcome for item in report.items] == ["accepted"]
    assert "network folder is away" in (report.cut_short or "")


def test_an_error_of_our_own_is_not_called_the_machines(here):
    def files():
        yield from views(1)
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        take_in(here, files(), statement=None, source="cli")


def test_an_import_is_in_the_trail_with_who_from_where_for_whom_and_how_it_ended(here):
    person = accounts.create_user(here, "eve", "a long password 1", Role.STAFF)
    take_in(here, views(1), statement=SHE, source="web", person=person)
    take_in(here, [*views(1), IncomingFile("junk", b"junk")], statement=None, source="cli")
    said = {"study_date": DAY.isoformat()}
    ended = {"accepted": 0, "duplicate": 0, "quarantined": 0}
    assert [entry for entry in trail(here) if entry[1].startswith("import")] == [
        (person.user_id, "import_begun", "patient:MRN-1", {"batch": 1, "from": "page", **said}),
        (
            person.user_id,
            "import_finished",
            "patient:MRN-1",
            {"batch": 1, "from": "page", **said, **ended, "accepted": 1},
        ),
        (None, "import_begun", "batch:2", {"batch": 2, "from": "terminal"}),
        (
            None,
            "import_finished",
            "batch:2",
            {"batch": 2, "from": "terminal", **ended, "duplicate": 1, "quarantined": 1},
        ),
    ]
    hers = find(here, None, Wanted(patient="MRN-1"), noted=False).entries
    told = [(entry.action, entry.detail["batch"]) for entry in hers if entry.action.startswith("import")]
    # When the first began, she was not there yet.
    assert told == [("import_finished", 2), ("import_finished", 1)], "whoever sent it, it is filed under her"


def test_nothing_is_taken_in_whose_entry_cannot_be_written(here):
    def refuse(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO audit_entry"):
            raise RuntimeError("no entry")

    event.listen(here.database.engine, "before_cursor_execute", refuse)
    with pytest.raises(RuntimeError, match="no entry"):
        take_in(here, views(1), statement=None, source="cli")
    with here.database.read() as session:
        for table in (Patient, Image, ImportBatch, ImportItem):
            assert session.scalars(select(table)).all() == []


def test_a_history_and_its_entry_are_one(here):
    take_in(here, views(1), statement=None, source="demo")
    note = history.EventNote("biopsy", DAY)
    assert history.record_history(here, "MRN-1", events=[note]) == 1
    assert history.record_history(here, "MRN-1", events=[note]) == 0
    assert [entry[1:] for entry in trail(here)][2:] == [("history_recorded", "patient:MRN-1", {"entries": 1})]


def test_batches_that_were_left_over_are_finished_once_and_running_ones_are_left_alone(here):
    take_in(here, [*views(1), IncomingFile("junk", b"junk")], statement=None, source="cli")
    long_ago = utc_now() - timedelta(days=2)
    with here.database.write() as session:
        session.execute(update(ImportBatch).values(finished_at=None, started_at=long_ago))
    assert finish_left_over_batches(here) == 0, "a file of it has ended a moment ago"
    with here.database.write() as session:
        session.execute(update(ImportItem).values(created_at=long_ago))
        session.add(ImportBatch(source="cli", started_at=utc_now()))
        session.add(ImportBatch(source="web", started_at=long_ago, stated_mrn="MRN-1"))
    assert finish_left_over_batches(here) == 2
    assert finish_left_over_batches(here) == 0
    with here.database.read() as session:
        batches = session.scalars(select(ImportBatch).order_by(ImportBatch.id)).all()
    assert [batch.finished_at is None for batch in batches] == [False, True, False]
    cut = [entry[2:] for entry in trail(here) if entry[1] == "import_cut_short"]
    assert [subject for subject, _ in cut] == ["batch:1", "patient:MRN-1"]
    assert {"accepted": 1, "quarantined": 1}.items() <= cut[0][1].items()


def test_a_statement_that_does_not_fit_is_not_cut_to_be_kept_with_the_batch(here):
    said = Statement(mrn="7" * 65, study_date=DAY)
    assert take_in(here, views(1), statement=said, source="cli").count("quarantined") == 1
    with here.database.read() as session:
        assert session.scalars(select(ImportBatch)).one().stated_mrn is None
