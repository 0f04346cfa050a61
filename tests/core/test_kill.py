"""Kill -9 at any moment: what was acknowledged is there, nothing is half-stored, and a restart goes on."""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select as select_rows

from core.care.verify import verify_objects
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile
from core.worker.progress import worker_seen
from db.tables import Image, Score, Study, StudyStatus
from tests.pictures import breast, dicom

PROJECT = Path(__file__).resolve().parents[2]

IMPORT = """
import sys
from pathlib import Path
from core.installation import Installation
from core.incoming import IncomingFile, take_in
from core.people import asking
from core.settings import Settings

asking.system_asks_in_this_process()
here = Installation.open(Settings(home=sys.argv[1], _env_file=None))
files = (IncomingFile(path.name, path.read_bytes()) for path in sorted(Path(sys.argv[2]).iterdir()))
take_in(
    here, files, statement=None, source="cli", at_once=2,
    on_item=lambda item: print(item.path, item.outcome, flush=True),
)
"""


def images_by_study(number: int) -> list[bytes]:
    """Files of women with one study of two views each."""
    return [
        dicom(
            breast("L", seed=n, rows=200, columns=150),
            ViewPosition=view,
            PatientID=f"W{n // 2}",
            StudyInstanceUID=f"1.2.{n // 2}",
            SOPInstanceUID=f"1.2.{n // 2}.{n % 2}",
        )
        for n in range(number)
        for view in [("CC", "MLO")[n % 2]]
    ]


@pytest.mark.slow
def test_an_import_killed_at_random_moments_loses_nothing_acknowledged(here, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for number, data in enumerate(images_by_study(40)):
        (folder / f"{number:02}.dcm").write_bytes(data)
    chance = random.Random(os.environ.get("LONGVIEW_TEST_SEED", "7"))
    acknowledged: set[str] = set()
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", IMPORT, str(here.home), str(folder)],
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        # Begin to count when the first file is answered, so that every kill falls into the work.
        lines = [child.stdout.readline()]
        time.sleep(chance.uniform(0, 0.5))
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.read().splitlines()
        child.wait()
        acknowledged |= {
            line.split()[0] for line in lines if line.strip().endswith(("accepted", "duplicate"))
        }
        with here.database.read() as session:
            images = session.scalars(select_rows(Image)).all()
            assert acknowledged <= {image.source_name for image in images}
            for image in images:
                for key in (image.sha256, image.rendition_sha256, image.thumbnail_sha256):
                    assert key in here.images
            assert all(study.images for study in session.scalars(select_rows(Study)))
        assert verify_objects(here).damaged == []
    assert acknowledged
    files = [IncomingFile(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    report = take_in(here, files, statement=None, source="cli")
    outcomes = Counter(item.outcome for item in report.items)
    assert outcomes["quarantined"] == 0
    assert outcomes["duplicate"] >= len(acknowledged)
    with here.database.read() as session:
        assert len(session.scalars(select_rows(Image)).all()) == 40
        assert len(session.scalars(select_rows(Study)).all()) == 20


def start_worker(here, tiny_model: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "LONGVIEW_HOME": str(here.home), "LONGVIEW_MODEL": str(tiny_model)}
    return subprocess.Popen(
        [sys.executable, "-m", "core", "worker"], cwd=PROJECT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(worker: subprocess.Popen[str], words: str, *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    said = ""
    while time.monotonic() < deadline:
        if select.select([worker.stderr], [], [], 1.0)[0]:
            line = worker.stderr.readline()
            said += line
            if words in line:
                return
            if not line:
                break
    pytest.fail(f"the worker never said {words!r}: {said[-2000:]}")


@pytest.mark.slow
def test_a_worker_killed_while_it_scores_is_followed_by_one_that_goes_on(here, tiny_model):
    files = [IncomingFile(f"{n}", data) for n, data in enumerate(images_by_study(30))]
    take_in(here, files, statement=None, source="cli")
    first = start_worker(here, tiny_model)
    wait_for(first, "study done")
    first.kill()
    first.wait()
    with here.database.read() as session:
        done = {score.id: score.computed_at for score in session.scalars(select_rows(Score))}
        left = session.scalars(select_rows(Study).where(Study.status == StudyStatus.PENDING)).all()
    assert done
    assert left, "the kill came too late to show anything"

    second = start_worker(here, tiny_model)
    wait_for(second, "worker is ready")
    assert worker_seen(here).warm
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with here.database.read() as session:
            if not session.scalars(select_rows(Study.id).where(Study.status == StudyStatus.PENDING)).all():
                break
        time.sleep(0.2)
    started = time.monotonic()
    second.terminate()
    assert second.wait(timeout=20) == 0
    assert time.monotonic() - started < 10
    with here.database.read() as session:
        scores = session.scalars(select_rows(Score)).all()
        studies = session.scalars(select_rows(Study)).all()
    assert {study.status for study in studies} == {StudyStatus.SCORED}
    assert {score.id: score.computed_at for score in scores if score.id in done} == done
    assert Counter(score.study_id for score in scores) == {study.id: 1 for study in studies}
    assert not (here.home / "worker.json").exists()


def test_a_heartbeat_is_whole_json(here):
    from core.worker.worker import _Heart

    heart = _Heart(here)
    heart.warm = True
    heart.beat()
    beat = json.loads((here.home / "worker.json").read_text())
    assert beat["pid"] == os.getpid()
    assert beat["model"] == here.settings.model
    assert worker_seen(here).warm
    heart.start()
    heart.stop()
    assert not worker_seen(here).running


def test_a_heartbeat_goes_on_after_the_disk_was_full_for_a_moment(here, monkeypatch):
    from core.worker.worker import _Heart

    class ShortOfDisk(_Heart):
        beats = 0

        def beat(self):
            self.beats += 1
            if self.beats == 1:
                raise OSError(28, "No space left on device")
            super().beat()

    monkeypatch.setattr("core.worker.worker.BEAT_SECONDS", 0.01)
    heart = ShortOfDisk(here)
    heart.start()
    deadline = time.monotonic() + 10
    while not worker_seen(here).running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker_seen(here).running
    heart.stop()
