"""Small files are written several in one transaction; what becomes of each is as if it had come alone."""

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from core.care.verify import verify_objects
from core.corrections import Merged, correct
from core.incoming import IncomingFile, ahead, intake, take_in
from core.installation import Installation
from core.outages import outage
from core.settings import Settings
from db.sessions import WITH_PUT_AWAY
from db.tables import Image, ImportItem, Patient, Study, StudyStatus
from tests import engines
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


def test_where_one_cannot_be_written_those_before_it_are_in_and_nothing_is_left_of_the_others(
    here, writes, monkeypatch
):
    files = of_all_kinds()

    def no_room(store, data):
        return engines.full(store) if data == files[3].data else None

    engines.let_writes_fail(monkeypatch, no_room)
    report = take_in(here, files, statement=None, source="cli", at_once=2)
    assert ended(report) == dict(list(EXPECTED.items())[:3])
    assert report.cut_short == outage(engines.full(here.images))
    assert left_behind(here) == []
    with here.database.read() as session:
        assert len(session.scalars(select(Image)).all()) == 2
    found = verify_objects(here)
    assert (found.missing, found.damaged, found.records) == ([], [], [])
    monkeypatch.undo()
    assert take_in(here, files, statement=None, source="cli").counts()["quarantined"] == 4


def all_rows(here) -> dict[str, list]:
    """What is stored, but for numbers and times; of a study whether it waits anew."""
    with here.database.read() as session:
        women, studies, images, lines = (
            session.scalars(select(kind).order_by(kind.id), execution_options=WITH_PUT_AWAY).all()
            for kind in (Patient, Study, Image, ImportItem)
        )
        sop_uid = {image.id: image.sop_uid for image in images} | {None: None}
        return {
            "women": [(w.mrn, w.name, w.birth_date, w.sex, w.merged_into_id is None) for w in women],
            "studies": [
                (s.uid, s.patient.mrn, s.study_date, s.status, s.inputs_changed_at == LONG_AGO)
                for s in studies
            ],
            "images": [
                (i.sop_uid, i.study.uid, i.view, [str(f) for f in i.quality_flags], i.file_says)
                for i in images
            ],
            "lines": [(i.path, i.outcome, i.reason, i.detail, sop_uid[i.image_id]) for i in lines],
        }


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_the_rows_of_files_taken_in_together_are_those_of_one_after_another(here, tmp_path, monkeypatch):
    early = {"StudyDate": "20200101", "StudyInstanceUID": "1.4"}
    before = [
        view(1),
        view(11, ViewPosition="MLO", **early),
        view(12, PatientID="OLD", StudyInstanceUID="1.7"),
    ]
    take_in(here, [IncomingFile("", data) for data in before], statement=None, source="cli", at_once=2)
    correct(here, Merged("OLD", "W1"), reason="one woman", confirmed=True)
    with here.database.write() as session:
        session.execute(update(Study).values(status=StudyStatus.SCORED, inputs_changed_at=LONG_AGO))
    new = {"PatientID": "W9", "PatientBirthDate": None}
    files = {
        "a view of a visit that is scored": view(2, ViewPosition="MLO"),
        "the same bytes": view(2, ViewPosition="MLO"),
        "the same picture by another name": view(1, SOPInstanceUID="1.5.77"),
        "an earlier visit": view(3, StudyDate="20210101", StudyInstanceUID="1.45"),
        "another number of hers": view(4, PatientID="OLD", StudyInstanceUID="1.8", StudyDate="20230101"),
        "a new woman": view(5, StudyInstanceUID="1.9", **new),
        "her birth date": view(6, PatientID="W9", StudyInstanceUID="1.9", ViewPosition="MLO"),
        "her next visit": view(7, StudyInstanceUID="1.91", StudyDate="20250101", **new),
    }
    incoming = [IncomingFile(name, data) for name, data in files.items()]
    here.close()
    shutil.copytree(here.home, tmp_path / "alone")
    alone = Installation.open(Settings(home=tmp_path / "alone", _env_file=None))
    take_in(here, incoming, statement=None, source="cli", at_once=2)
    monkeypatch.setattr(intake, "take_together", lambda *_: None)
    take_in(alone, incoming, statement=None, source="cli")
    together, one_by_one = all_rows(here), all_rows(alone)
    alone.close()
    assert together == one_by_one
    stands = {uid: as_it_was for uid, *_, as_it_was in together["studies"]}
    assert stands == {"1.5": False, "1.4": True, "1.7": False} | dict.fromkeys(
        ("1.45", "1.8", "1.9", "1.91"), False
    )
