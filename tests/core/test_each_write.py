"""Whatever way studies come, and whichever of its writes fails: what was answered is here, the rest comes when it is repeated."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pydicom
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from core.bulk import Arrivals, Batch
from core.care.verify import verify_objects
from core.incoming import IncomingFile, take_in
from core.installation import Installation
from core.network import Listener, Store
from core.people import Person, Role, create_user
from db.database import sqlite_module
from db.tables import Image, ImportItem, Outcome, Study
from tests import engines
from tests.core.network.conftest import mammogram
from tests.core.network.test_listening import rows, send
from tests.core.network.test_stow import TYPE, body

GOOD, GOOD_TOO, OF_NOBODY = mammogram(0), mammogram(1), mammogram(2, PatientID=None)
FILES = {"a.dcm": GOOD, "b.dcm": GOOD_TOO, "c.dcm": OF_NOBODY}
Answered = dict[str, str]
"""How each file was answered, by its name; one that was not answered is not in it."""


def by_folder(here: Installation, _person: Person) -> Answered:
    answered: Answered = {}

    def on_item(item) -> None:
        answered[item.path] = item.outcome

    files = [IncomingFile(name, data) for name, data in FILES.items()]
    try:
        take_in(here, files, statement=None, source="cli", on_item=on_item)
    except OperationalError:
        assert not answered, "what is taken in by then is said"
    return answered


def by_c_store(here: Installation, _person: Person) -> Answered:
    listener = Listener(here, port=0)
    listener.start()
    try:
        statuses = send(listener.port, *FILES.values())
    finally:
        listener.stop()
    assert set(statuses) <= {0x0000, 0xA700}
    return {
        name: "accepted or quarantined"
        for name, status in zip(FILES, statuses, strict=True)
        if status == 0x0000
    }


def by_stow(here: Installation, _person: Person) -> Answered:
    answered: Answered = {}
    for name, data in FILES.items():
        asked = Store(here, TYPE, sender="archive@10.0.0.9")
        try:
            asked.feed(body(data))
            status = asked.end().status
        finally:
            asked.close()
        assert status in (200, 503)
        if status == 200:
            answered[name] = "accepted or quarantined"
    return answered


def by_batch(here: Installation, person: Person) -> Answered:
    arrivals = Arrivals(here.home / "arrivals")
    for name, data in FILES.items():
        if name != "c.dcm":  # what a batch cannot tell of whom it is waits for an answer
            arrival = arrivals.begin(person.user_id, name, len(data))
            arrivals.append(arrival, arrival.arrived, [data][: not arrival.is_whole])
    batch = Batch(here, arrivals, person.user_id)
    batch.look_on()
    batch.wait()
    waiting = {one.name for one in batch.looked()}
    batch.take_in(person, batch.groups())
    batch.wait()
    answered = {one.path: one.outcome for one in batch.told().values()}
    assert answered or batch.progress.lacking
    assert {one.name for one in arrivals.of(person.user_id)} >= waiting - {*answered}, "the rest waits"
    return answered


WAYS: dict[str, Callable[[Installation, Person], Answered]] = {
    "folder": by_folder,
    "C-STORE": by_c_store,
    "STOW-RS": by_stow,
    "batch": by_batch,
}


def cannot(here: Installation, kind: str) -> OperationalError:
    """What a write to the database fails with where it is locked by another, or full."""
    if here.database.is_sqlite:
        words = {"locked": "database is locked", "full": "database or disk is full"}[kind]
        return OperationalError("", None, sqlite_module().OperationalError(words))
    errors = importlib.import_module("psycopg").errors
    raised = {
        "locked": errors.LockNotAvailable("canceling statement due to lock timeout"),
        "full": errors.DiskFull("could not extend file: No space left on device"),
    }
    return OperationalError("", None, raised[kind])


class Failing:
    """Lets one write of an installation fail: the `at`-th of its kind. `seen` is how many there were.

    A store that is full takes nothing from then on. If it did, all would be in after the first round: what cannot be taken in
    together is tried again one by one, and a bucket is sent only what it has not got.
    """

    def __init__(self, here: Installation, kind: str, at: int) -> None:
        self.here, self.kind, self.at, self.seen = here, kind, at, 0

    def _fails(self) -> bool:
        self.seen += 1
        return self.seen == self.at

    def _is_full(self) -> bool:
        self.seen += 1
        return self.seen >= self.at

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            if self.kind == "store":
                engines.let_writes_fail(
                    patch, lambda store, _data: engines.full(store) if self._is_full() else None
                )
            else:
                patch.setattr(self.here.database, "write", self._write(self.here.database.write))
            yield

    def _write(self, write):
        @contextmanager
        def failing(**how):
            fails = self._fails()
            if fails and self.kind == "locked":
                raise cannot(self.here, "locked")
            with write(**how) as session:
                yield session
                if fails:  # all is written but the commit
                    raise cannot(self.here, "full")

        return failing


@pytest.mark.parametrize(
    ("way", "kind"),
    [("folder", "store"), ("C-STORE", "locked"), ("STOW-RS", "store"), ("batch", "full")],
)
def test_whichever_write_fails_nothing_answered_is_lost_and_nothing_is_half_there(here, way, kind):
    person = create_user(here, "sam", "four films before noon", Role.STAFF)
    at = 0
    while True:
        at += 1
        failing = Failing(here, kind, at)
        with failing():
            answered = WAYS[way](here, person)
        _check(here, answered)
        if failing.seen < at:
            break
        assert at < 40, "it never ends"
    assert at > 2, "nothing failed"
    answered = WAYS[way](here, person)
    assert {*answered} == ({"a.dcm", "b.dcm"} if way == "batch" else {*FILES})
    _check(here, answered)
    assert len(rows(here, Image)) == 2


def _check(here: Installation, answered: Answered) -> None:
    with here.database.read() as session:
        stored = {image.sop_uid for image in session.scalars(select(Image))}
        waiting = session.scalars(select(ImportItem).where(ImportItem.outcome == Outcome.QUARANTINED)).all()
        assert all(study.images for study in session.scalars(select(Study)))
    for name in answered:
        if name == "c.dcm":
            assert any(here.quarantine.get(item.sha256) for item in waiting)
        else:
            assert _sop_uid(FILES[name]) in stored, name
    found = verify_objects(here)
    assert (found.missing, found.damaged, found.records) == ([], [], [])


def _sop_uid(file: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True).SOPInstanceUID)
