"""Care: doctor says what is wrong, verify finds what lacks, a backup comes back whole."""

import errno
import json
import os
import tarfile
from dataclasses import replace

import pytest
from sqlalchemy import select

from core.care import doctor
from core.care.archive import BACKUP_FORMAT, BackupError
from core.care.backup import write_backup
from core.care.restore import restore_backup
from core.care.verify import verify_objects
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.settings import Settings
from db.database import Database, postgres_settings
from db.tables import Image, ImportItem
from tests import engines
from tests.pictures import breast, dicom


@pytest.fixture
def stocked(here):
    files = [IncomingFile(str(n), dicom(breast(seed=n), ViewPosition=v)) for n, v in enumerate(("CC", "MLO"))]
    take_in(here, [*files, IncomingFile("junk", b"junk")], statement=None, source="cli")
    return here


def states(here) -> dict[str, str]:
    return {finding.name: finding.state for finding in doctor.examine(here)}


def test_doctor_finds_a_migrated_home_well_but_no_worker(here, tiny_model):
    here.settings.model = str(tiny_model)
    found = states(here)
    assert found.pop("worker") == "warning"
    database = next(f for f in doctor.examine(here) if f.name == "database")
    if here.database.is_sqlite:
        assert "SQLite 3." in database.said
        assert "WAL" in database.said or "DELETE" in database.said
    else:
        # A server that tests have started is quick, and a power cut would cost what it holds.
        off = {name for name, value in postgres_settings(here.database.engine).items() if value == "off"}
        assert found.pop("database") == ("error" if off else "ok")
        assert "PostgreSQL" in database.said
        assert all(name in database.said for name in off)
    assert set(found.values()) == {"ok"}


def test_doctor_says_what_to_do(here, tmp_path, tiny_model):
    bare = replace(here, database=Database(f"sqlite:///{tmp_path / 'bare.db'}"))
    assert states(bare)["migrations"] == "error"
    assert any("python -m core migrate" in finding.said for finding in doctor.examine(bare))
    here.settings.model = "no-such-model"
    assert states(here)["weights"] == "error"


def test_doctor_notices_weights_that_are_not_those_of_the_card(here, tmp_path, tiny_model):
    import shutil

    copy = tmp_path / "model"
    shutil.copytree(tiny_model, copy)
    (copy / "encoder.keras").write_bytes(b"something else")
    here.settings.model = str(copy)
    assert states(here)["weights"] == "error"


@pytest.mark.embedded("is about the folder of images")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_notices_a_folder_that_cannot_be_written(here):
    here.images.root.mkdir(exist_ok=True)
    here.images.root.chmod(0o500)
    assert states(here)["folders"] == "error"
    here.images.root.chmod(0o700)


def test_verify_finds_all_well_after_an_import(stocked):
    found = verify_objects(stocked)
    assert found.well
    assert (found.images, found.quarantined, found.objects) == (2, 1, 7)
    assert found.orphans == []


def test_verify_finds_missing_damaged_and_orphaned_objects(stocked):
    with stocked.database.read() as session:
        first, second = session.scalars(select(Image.sha256)).all()
    engines.lose(stocked.images, first)
    engines.damage(stocked.images, second, b"other bytes")
    orphan = stocked.images.put(b"left over")
    found = verify_objects(stocked)
    assert (found.missing, found.damaged, found.orphans) == ([first], [second], [orphan])
    assert not found.well


@pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
def test_a_backup_comes_back_whole(stocked, tmp_path):
    file = tmp_path / "copies" / "longview.tar"
    write_backup(stocked, file)
    settings = Settings(home=tmp_path / "second", _env_file=None)
    restore_backup(settings, file)
    second = Installation.open(settings)
    assert verify_objects(second).well
    with stocked.database.read() as one, second.database.read() as other:
        for table in (Image, ImportItem):
            rows = [[r.id, r.sha256] for r in one.scalars(select(table))]
            assert [[r.id, r.sha256] for r in other.scalars(select(table))] == rows
    # What was there is known there too.
    again = take_in(second, [IncomingFile("0", stocked.images.get(next(stocked.images.keys())))],
                    statement=None, source="cli")  # fmt: skip
    assert len(again.items) == 1
    second.close()


@pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
def test_a_backup_does_not_overwrite_and_leaves_nothing_half_written(stocked, tmp_path, monkeypatch):
    file = tmp_path / "longview.tar"
    write_backup(stocked, file)
    with pytest.raises(BackupError, match="exists"):
        write_backup(stocked, file)

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("core.care.backup.read_archive", fail)
    with pytest.raises(OSError, match="no space"):
        write_backup(stocked, tmp_path / "second.tar")
    assert [path.name for path in tmp_path.glob("*.tar*")] == ["longview.tar"]
    assert list(tmp_path.glob(".second*")) == []


@pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
def test_restore_refuses_to_fill_a_folder_that_the_settings_would_not_look_into(stocked, tmp_path):
    file, home = tmp_path / "longview.tar", tmp_path / "second"
    write_backup(stocked, file)
    elsewhere = Settings(home=home, database_url=f"sqlite:///{tmp_path / 'elsewhere.db'}", _env_file=None)
    with pytest.raises(BackupError, match="without LONGVIEW_DATABASE_URL"):
        restore_backup(elsewhere, file)
    assert not home.exists()


def test_doctor_says_that_the_database_cannot_be_reached_and_looks_at_the_rest(here, tiny_model):
    here.settings.model = str(tiny_model)
    away = replace(here, database=Database("postgresql://longview:secret@127.0.0.1:1/longview"))
    found = doctor.examine(away)
    assert {finding.name for finding in found if finding.state == "error"} == {"database"}
    assert {"weights", "folders", "disk"} <= {finding.name for finding in found}
    assert not any("secret" in finding.said for finding in found)


@pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
def test_restore_refuses_a_home_that_holds_something(stocked, tmp_path):
    file = tmp_path / "longview.tar"
    write_backup(stocked, file)
    before = verify_objects(stocked).to_json()
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(stocked.settings, file)
    assert verify_objects(stocked).to_json() == before


@pytest.mark.embedded("a backup is of SQLite and a folder: of others it is their own task")
@pytest.mark.parametrize("damage", ["cut", "changed", "other", "no tar", "slip"])
def test_a_damaged_backup_is_refused_and_nothing_is_written(stocked, tmp_path, damage):
    file = tmp_path / "longview.tar"
    write_backup(stocked, file)
    data = bytearray(file.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "changed":
        data[len(data) // 2] ^= 0xFF
    elif damage == "no tar":
        data = bytearray(b"hello")
    file.write_bytes(data)
    if damage in ("other", "slip"):
        with tarfile.open(file, "w") as archive:
            other = tmp_path / "manifest.json"
            form = BACKUP_FORMAT if damage == "slip" else "another"
            other.write_text(
                json.dumps({"format": form, "database_sha256": "", "images": [], "quarantine": []})
            )
            archive.add(other, "manifest.json")
            if damage == "slip":
                archive.add(other, "../escaped")
    home = tmp_path / "second"
    with pytest.raises(BackupError):
        restore_backup(Settings(home=home, _env_file=None), file)
    assert not home.exists() or not any(home.iterdir())
    assert not (tmp_path.parent / "escaped").exists()
