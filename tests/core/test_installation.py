"""What an installation keeps is for the account that runs it, whatever that account's umask says."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from core.bulk import Arrivals, Batch
from core.care import doctor
from core.images import rendition, thumbnail_png, tile
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.people import Role, create_user
from core.records.export import export
from core.sets.exams import cache_views
from core.settings import Settings
from core.training.runs import same_plan, write_curves
from core.watching import Watch
from core.worker.worker import _Heart
from db.images import StoreUnavailable
from db.tables import Image, Outcome
from tests.pictures import breast, dicom

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Name what group or others have a right to, the folder itself included."""
    return [
        f"{stat.S_IMODE(path.lstat().st_mode):o} {path}"
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077
    ]


def test_all_that_an_installation_writes_is_closed_to_others_from_the_start(tmp_path, no_umask):
    here = Installation.open(Settings(home=tmp_path / "deep" / "home", _env_file=None))
    here.migrate()
    files = [IncomingFile("a", dicom(breast(rows=200, columns=150))), IncomingFile("junk", b"junk")]
    take_in(here, files, statement=None, source="cli")
    _Heart(here).beat()
    out = tmp_path / "out"
    out.mkdir(0o700)
    export(here, out / "tables")
    export(here, out / "all.json", kind="json")
    with here.database.write():
        assert open_to_others(tmp_path / "deep") == []
    here.close()
    assert open_to_others(out) == []


def test_files_that_wait_and_what_is_seen_in_them_are_closed_to_others(here, tmp_path, no_umask):
    person = create_user(here, "sam", "four films before noon", Role.STAFF)
    batch = Batch(here, Arrivals(here.home / "arrivals"), person.user_id)
    data = dicom(breast(rows=200, columns=150))
    batch.arrivals.append(batch.arrivals.begin(person.user_id, "one.dcm", len(data)), 0, [data])
    batch.look_on()
    batch.wait()
    assert [path.name for path in (here.home / "arrivals").rglob("*") if path.stat().st_size] != []
    # The fixture's own copy aside.
    assert [one for one in open_to_others(here.home) if not one.endswith(("var", "longview.db"))] == []
    (group,) = batch.groups()
    batch.take_in(person, [group], in_background=False)
    with here.database.read() as session:
        (sop_uid,) = session.scalars(select(Image.sop_uid))
    for make in (rendition, thumbnail_png, lambda *its: tile(*its, 0, 0, 0)):
        make(here, sop_uid)
    assert [one for one in open_to_others(here.home) if not one.endswith(("var", "longview.db"))] == []
    done = tmp_path / "done"
    watched = tmp_path / "watched"
    (watched / "deep").mkdir(parents=True, mode=0o700)
    (watched / "deep" / "one.dcm").write_bytes(data)
    (watched / "deep" / "one.dcm").chmod(0o600)
    watched.chmod(0o700)
    Watch(here, watched, done=done)._move(watched / "deep" / "one.dcm", Outcome.DUPLICATE)
    assert open_to_others(done) == []


def test_what_a_training_run_keeps_is_closed_to_others(tmp_path, no_umask):
    out = tmp_path / "new" / "model"
    assert len(cache_views([], out / "work" / "cache", lambda *_: None).transforms) == 0
    same_plan(out / "work" / "plan.json", {"seed": 1}, [], [])
    write_curves(out / "curves.csv", [{"stage": "encoder", "loss": 0.5}])
    assert (out / "curves.csv").read_text() == "stage,loss\nencoder,0.5\n"
    assert open_to_others(tmp_path / "new") == []


def opened_up(here: Installation) -> Installation:
    """Return the installation with the modes that earlier releases gave to what it keeps."""
    here.images.put(b"an image")
    here.close()
    for path in (here.home, *here.home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return here


def test_an_installation_of_an_earlier_release_is_closed_when_it_is_opened(here):
    opened_up(here)
    assert open_to_others(here.home)
    Installation.open(here.settings).close()
    assert open_to_others(here.home) == []


def test_doctor_tells_of_open_doors_before_anything_closes_them(here):
    opened_up(here)
    looked = Installation.open(here.settings, close_doors=False)
    check = next(check for check in doctor.examine(looked) if check.name == "privacy")
    assert check.state == "error"
    assert "--sweep" in check.said
    assert str(here.home) in check.items
    assert looked.close_doors(everywhere=True)
    looked.close()
    assert next(check for check in doctor.examine(here) if check.name == "privacy").state == "ok"


@pytest.mark.embedded(
    "is about a folder that holds nothing of an installation, where grown homes hold what tells of them"
)
def test_a_folder_that_was_not_made_for_an_installation_keeps_its_rights(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "report.txt").write_text("of somebody else")
    Installation.open(Settings(home=shared, _env_file=None)).close()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_the_commands_leave_nothing_open_under_any_umask(tmp_path):
    environment = {**os.environ, "LONGVIEW_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "core", "migrate"], cwd=PROJECT, env=environment, capture_output=True, umask=0
    )
    assert done.returncode == 0, done.stderr
    assert open_to_others(tmp_path / "home") == []


@pytest.mark.parametrize("home", ["file", "file/below", "x" * 300, "/proc/nowhere"])
def test_a_home_that_cannot_be_a_folder_is_said_with_what_to_do(tmp_path, home):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="Set LONGVIEW_HOME"):
        Installation.open(Settings(home=tmp_path / home, _env_file=None))
