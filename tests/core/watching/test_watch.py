"""A watched folder: every file is answered once, whatever ends the watch, and nothing half-written is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.incoming import ItemReport
from core.installation import Installation
from core.watching import Watch, WatchedTwice
from db.tables import Image, ImportBatch, ImportItem
from tests.core.bulk.brought import study, zipped

PROJECT = Path(__file__).resolve().parents[3]


def put(folder: Path, files: dict[str, bytes], *, age: float = 60) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time.time() - age,) * 2)


def items(here: Installation) -> int:
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(ImportItem)) or 0


def test_what_appears_is_taken_in_once_and_again_only_if_it_changes(
    here: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    put(folder, study("W-1", "20190312") | {"note.txt": b"no picture", ".hidden": b"x", "manifest.csv": b"x"})
    told: list[ItemReport] = []
    assert Watch(here, folder, on_item=told.append).once().counts() == {
        "accepted": 4,
        "duplicate": 0,
        "quarantined": 1,
    }
    assert len(told) == 5
    for _ in range(2):
        assert not Watch(here, folder).once().items  # another process of the same folder
    put(folder, {"note.txt": b"still no picture"}, age=30)
    assert Watch(here, folder).once().counts()["quarantined"] == 1
    with here.database.read() as session:
        assert set(session.scalars(select(ImportBatch.source))) == {"watch"}
    assert len(list(folder.rglob("*"))) == 9  # nothing was moved


def test_a_file_that_is_still_written_waits(here: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (name, data), *_ = study("W-1", "20190312").items()
    put(folder, {name: data[:5000]}, age=0)
    watch = Watch(here, folder, settle_seconds=0.3)
    assert not watch.once().items
    with (folder / name).open("ab") as file:
        file.write(data[5000:])
    assert not watch.once().items
    assert watch.waits()
    time.sleep(0.4)
    assert [item.outcome for item in watch.once().items] == ["accepted"]


def test_what_is_stored_is_moved_if_asked_and_never_over_another(here: Installation, tmp_path: Path) -> None:
    folder, done = tmp_path / "in", tmp_path / "in" / "done"
    files = study("W-1", "20190312")
    name = next(iter(files))
    put(folder, files | {"note.txt": b"no picture", "stick.zip": zipped(study("W-2", "20190312"))})
    put(done, {name: b"another one"})
    report = Watch(here, folder, done=done).once()
    assert report.counts() == {"accepted": 8, "duplicate": 0, "quarantined": 1}
    left = [path.name for path in folder.rglob("*") if path.is_file() and done not in path.parents]
    assert left == ["note.txt"]
    assert (done / name).read_bytes() == b"another one"
    moved = (done / name).with_name(f"{Path(name).stem} (2).dcm")
    assert moved.read_bytes() == files[name]
    assert not Watch(here, folder, done=done).once().items


def test_one_folder_is_watched_once(here: Installation, tmp_path: Path) -> None:
    with Watch(here, tmp_path).alone(), pytest.raises(WatchedTwice), Watch(here, tmp_path).alone():
        pass


def start(here: Installation, folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "core", "watch", str(folder), "--settle", "0", "--json", *more],
        cwd=PROJECT,
        env={**os.environ, "LONGVIEW_HOME": str(here.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_killed_in_the_middle_it_goes_on_and_ends_on_sigterm(here: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    files = {f"bad {n}.txt": f"no picture {n}".encode() for n in range(30)} | study("W-1", "20190312")
    put(folder, files)
    killed = start(here, folder)
    assert killed.stdout is not None
    first = [json.loads(killed.stdout.readline()) for _ in range(5)]
    killed.send_signal(signal.SIGKILL)
    killed.wait(20)
    again = start(here, folder)
    assert again.stdout is not None
    put(folder, study("W-2", "20190312"))
    told = []
    while len({item["path"] for item in told if item["outcome"] == "accepted"}) < 8 and (
        line := again.stdout.readline()
    ):
        told.append(json.loads(line))
        told += [one for one in first if one["outcome"] == "accepted" and one not in told]
    again.send_signal(signal.SIGTERM)
    assert again.wait(20) == 0
    with here.database.read() as session:
        paths = session.scalars(select(ImportItem.path)).all()
        assert session.scalar(select(func.count()).select_from(Image)) == 8
    # Every file is answered, and none twice.
    assert sorted(paths) == sorted(str(folder / name) for name in [*files, *study("W-2", "20190312")])
