"""Small files are written several in one transaction; what becomes of each is as if it had come alone."""

from contextlib import contextmanager

import pytest
from sqlalchemy import select

from core.care.verify import verify_objects
from core.incoming import IncomingFile, ahead, take_in
from core.outages import outage
from db.images import FolderStore
from db.tables import Image, ImportItem
from tests.pictures import breast, dicom


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However slow the machine is, the files of these tests are taken in together."""
    monkeypatch.setattr(ahead, "_WAIT_FOR_OTHERS", 60.0)


@pytest.fixture
def writes(here, monkeypatch):
    """How often something was committed."""
    made, write = [], here.database.write

    @contextmanager
    def counted(**how):
        with write(**how) as session:
            yield session
        made.append(how)

    monkeypatch.setattr(here.database, "write", counted)
    return made


def view(number: int, **said) -> bytes:
    film = breast("L", seed=number, rows=200, columns=150)
    return dicom(
        film, **({"PatientID": "W1", "StudyInstanceUID": "1.5", "SOPInstanceUID": f"1.5.{number}"} | said)
    )


def of_all_kinds() -> list[IncomingFile]:
    files = {
        "first": view(1),
        "same study": view(2),
        "first again": view(1),
        "another woman": view(3, PatientID="W2", StudyInstanceUID="1.6"),
        "of nobody": view(4, PatientID=None),
        "junk": b"junk",
        "another birth date": view(5, PatientBirthDate="19390101"),
        "another content": view(6, SOPInstanceUID="1.5.1"),
    }
    return [IncomingFile(name, data) for name, data in files.items()]


EXPECTED = {
    "first": ("accepted", None),
    "same study": ("accepted", None),
    "first again": ("duplicate", None),
    "another woman": ("accepted", None),
    "of nobody": ("quarantined", "no_identity"),
    "junk": ("quarantined", "unsupported_format"),
    "another birth date": ("quarantined", "identity_conflict"),
    "another content": ("quarantined", "uid_conflict"),
}


def ended(report) -> dict[str, tuple[str, str | None]]:
    return {item.path: (item.outcome, item.reason) for item in report.items}


def left_behind(here) -> list:
    return list(here.home.rglob(".incoming-*"))


def test_each_ends_as_it_would_alone_and_is_durable_when_it_is_answered(here, writes):
    def on_item(item):
        with here.database.read() as session:
            assert session.scalar(select(ImportItem.id).where(ImportItem.path == item.path)) is not None

    report = take_in(here, of_all_kinds(), statement=None, source="cli", at_once=2, on_item=on_item)
    assert ended(report) == EXPECTED
    assert len(writes) == 3, "the batch begins, eight files, it ends"
    found = verify_objects(here)
    assert (found.missing, found.damaged, found.records, left_behind(here)) == ([], [], [], [])
    with here.database.read() as session:
        lines = session.scalars(select(ImportItem).order_by(ImportItem.id)).all()
    assert [line.path for line in lines] == list(EXPECTED)
    for line in lines:
        assert (line.image_id is None) == (line.outcome.value == "quarantined")
        assert line.outcome.value != "quarantined" or here.quarantine.get(line.sha256)
    again = take_in(here, of_all_kinds(), statement=None, source="cli", at_once=2)
    assert {item.outcome for item in again.items[:4]} == {"duplicate"}


@pytest.mark.embedded("is about a disk that is full")
def test_where_one_cannot_be_written_those_before_it_are_in_and_nothing_is_left_of_the_others(
    here, writes, monkeypatch
):
    files = of_all_kinds()
    write_beside, full = FolderStore.write_beside, OSError(28, "No space left on device")

    def write_or_fail(self, sha256, data):
        if data == files[3].data:
            raise full
        return write_beside(self, sha256, data)

    monkeypatch.setattr(FolderStore, "write_beside", write_or_fail)
    report = take_in(here, files, statement=None, source="cli", at_once=2)
    assert ended(report) == dict(list(EXPECTED.items())[:3])
    assert report.cut_short == outage(full)
    assert left_behind(here) == []
    with here.database.read() as session:
        assert len(session.scalars(select(Image)).all()) == 2
    found = verify_objects(here)
    assert (found.missing, found.damaged, found.records) == ([], [], [])
    monkeypatch.undo()
    assert take_in(here, files, statement=None, source="cli").counts()["quarantined"] == 4
