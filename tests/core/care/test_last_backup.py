"""When the last backup was finished: what the trail tells of it, and whom the doctor warns."""

from __future__ import annotations

import errno
from datetime import timedelta

import pytest
from sqlalchemy import update

from core.care import doctor, write_backup
from core.care.backup import last_backup
from core.care.doctor import Check
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.people import audit
from db.tables import Patient, utc_now
from tests.pictures import breast, dicom

pytestmark = pytest.mark.embedded(
    "rows and images of another database and store are copied by their own tools"
)


def test_only_a_backup_that_was_finished_is_the_last_one(here, tmp_path, monkeypatch) -> None:
    before = last_backup(here)
    with monkeypatch.context() as patch:
        patch.setattr("core.care.backup.write_archive", _breaks_off)
        with pytest.raises(PermissionError):
            write_backup(here, tmp_path / "first.tar")
    assert last_backup(here) == before
    begun = utc_now()
    write_backup(here, tmp_path / "second.tar")
    assert begun <= last_backup(here) <= utc_now()


def test_a_finished_backup_stays_one_where_that_cannot_be_written_down(here, tmp_path, monkeypatch) -> None:
    note, before = audit.note, last_backup(here)

    def full(here, person, action, *more, **other) -> None:
        if action == "backup_finished":
            raise OSError(errno.ENOSPC, "No space left on device")
        note(here, person, action, *more, **other)

    monkeypatch.setattr(audit, "note", full)
    write_backup(here, tmp_path / "copy.tar")
    assert (tmp_path / "copy.tar").stat().st_size
    assert last_backup(here) == before


def _breaks_off(*_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_the_doctor_warns_where_real_women_have_no_backup_or_an_old_one(here, tmp_path, monkeypatch) -> None:
    def said() -> Check:
        return next(one for one in doctor.examine(here) if one.name == "backup")

    assert said().state == "ok", "nobody is here"
    take_in(here, [IncomingFile("a.dcm", dicom(breast("L")))], statement=None, source="cli")
    assert said() == Check(
        "backup",
        "warning",
        "No backup is known to have been finished here. Make one: python -m core backup FILE",
    )
    write_backup(here, tmp_path / "copy.tar")
    assert said().state == "ok"
    later = utc_now() + timedelta(days=8)
    monkeypatch.setattr(doctor, "utc_now", lambda: later)
    assert said().state == "warning"
    assert "8 days ago. Make one: python -m core backup FILE" in said().said
    with here.database.write() as session:
        session.execute(update(Patient).values(simulated=True))
    assert said().state == "ok", "simulated women are made again by their seed"
