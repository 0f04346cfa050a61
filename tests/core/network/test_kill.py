"""Kill -9 while studies arrive: what was acknowledged to a sender is here, and what is sent again does no harm."""

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from core.care.verify import verify_objects
from core.network import held
from db.tables import Image, ImportItem, Study
from tests.core.network.conftest import mammogram
from tests.core.network.test_listening import MG, rows

PROJECT = Path(__file__).resolve().parents[3]
OPEN_ASSOCIATIONS: list[Association] = []

OPEN = """
import sys, time
from pathlib import Path
from core.installation import Installation
from core.people import asking
from core.settings import Settings
asking.system_asks_in_this_process()
here = Installation.open(Settings(home=sys.argv[1], _env_file=None))
"""
LISTEN = (
    OPEN
    + """
from core.network import Listener
listener = Listener(here, port=0)
listener.start()
print(listener.port, flush=True)
time.sleep(300)
"""
)
STORE = (
    OPEN
    + """
from core.network import Store
for path in sorted(Path(sys.argv[2]).iterdir()):
    store = Store(here, 'multipart/related; type="application/dicom"; boundary=x', sender="archive@10.0.0.9")
    store.feed(b"--x\\r\\nContent-Type: application/dicom\\r\\n\\r\\n" + path.read_bytes() + b"\\r\\n--x--\\r\\n")
    answer = store.end()
    print(path.name if answer.status == 200 else "", flush=True)
    store.close()
"""
)


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def files_of(sender: int, number: int) -> list[bytes]:
    # Each third is wrong in itself, and belongs into quarantine.
    return [
        mammogram(n % 2, mrn=f"S{sender}", on=f"20{10 + n // 2}0102", **({"ViewPosition": None} if n % 3 == 2 else {}))
        for n in range(number)
    ]  # fmt: skip


def sop_uid(file: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID)


def send_until_it_breaks(
    port: int, files: list[bytes], acknowledged: set[str], begun: threading.Event, patience: float = 20.0
) -> None:
    ae = AE("MAMMO1")
    ae.add_requested_context(MG, "1.2.840.10008.1.2.1")
    ae.dimse_timeout, ae.acse_timeout, ae.network_timeout = patience, 20, 20
    association = ae.associate("127.0.0.1", port)
    OPEN_ASSOCIATIONS.append(association)
    for file in files:
        if not association.is_established:
            break
        try:
            status = association.send_c_store(pydicom.dcmread(io.BytesIO(file)))
        except (RuntimeError, ValueError):
            break
        if "Status" in status and status.Status == 0x0000:
            acknowledged.add(sop_uid(file))
            begun.set()
    association.abort()


def assert_whole(here, acknowledged: set[str]) -> None:
    assert held(here, acknowledged) == acknowledged
    for image in rows(here, Image):
        assert image.rendition_sha256 in here.images
        assert image.thumbnail_sha256 in here.images
    with here.database.read() as session:
        assert all(study.images for study in session.query(Study))
    assert verify_objects(here).damaged == []


@pytest.mark.slow
def test_a_listener_killed_while_two_send_has_kept_all_that_it_acknowledged(here):
    chance = random.Random(os.environ.get("LONGVIEW_TEST_SEED", "14"))
    files = [files_of(sender, 9) for sender in range(2)]
    acknowledged: set[str] = set()
    for _ in range(2):
        child = started(LISTEN, str(here.home))
        port = int(child.stdout.readline())
        begun = threading.Event()
        senders = [
            threading.Thread(target=send_until_it_breaks, args=(port, some, acknowledged, begun))
            for some in files
        ]
        for sender in senders:
            sender.start()
        assert begun.wait(30)
        time.sleep(chance.uniform(0, 0.25))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        # Who waits for an answer does not look whether the connection is there still.
        while OPEN_ASSOCIATIONS:
            OPEN_ASSOCIATIONS.pop().dimse.msg_queue.put((None, None))
        for sender in senders:
            sender.join(30)
        assert_whole(here, acknowledged)
    assert acknowledged
    child = started(LISTEN, str(here.home))
    port = int(child.stdout.readline())
    for some in files:
        send_until_it_breaks(port, some, acknowledged, threading.Event(), patience=30)
    child.kill()
    child.wait()
    everything = {sop_uid(file) for some in files for file in some}
    assert acknowledged == everything
    assert_whole(here, everything)
    assert len(rows(here, Image)) == sum(len(some) - len(some) // 3 for some in files)


@pytest.mark.slow
def test_stow_killed_between_and_within_requests_has_kept_what_it_answered(here, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    files = files_of(0, 24)
    for number, data in enumerate(files):
        (folder / f"{number:02}").write_bytes(data)
    child = started(STORE, str(here.home), str(folder))
    lines = [child.stdout.readline()]
    time.sleep(0.15)
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.read().splitlines()
    child.wait()
    answered = {sop_uid(files[int(line)]) for line in lines if line.strip()}
    assert answered
    assert_whole(here, answered)
    again = started(STORE, str(here.home), str(folder))
    assert len(again.stdout.read().split()) == len(files)
    again.wait()
    outcomes = Counter(item.outcome.value for item in rows(here, ImportItem))
    assert outcomes["accepted"] == len(rows(here, Image)) == 16
