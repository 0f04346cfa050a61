"""What reads files from strangers can open nothing else, connect to nothing and start nothing; and still reads every format."""

import copy
import io
import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from core.images import confined
from core.images.reader import GuardedReader
from core.settings import Settings
from tests.pictures import breast, dicom, jpeg, png

PROJECT = Path(__file__).resolve().parents[3]

TRIES = """
import json, os, socket, subprocess, sys, threading
from core.images.process import get_ready
import db, models

get_ready(4_000)
place, port, secret = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def connect():
    with socket.socket() as one:
        one.connect(("127.0.0.1", port))

def write():
    with open(f"{place}/made", "w") as file:
        file.write("x")

def in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(tried(lambda: open(secret).read())))
    thread.start()
    thread.join()
    if found[0] != "done":
        raise PermissionError(found[0])

def tried(do):
    try:
        do()
    except PermissionError:
        return "refused"
    except Exception as error:
        return type(error).__name__
    return "done"

print(json.dumps({name: tried(do) for name, do in {
    "passwd": lambda: open("/etc/passwd").read(),
    "secret": lambda: open(secret).read(),
    "in a thread": in_a_thread,
    "list": lambda: os.listdir(place),
    "self": lambda: open("/proc/self/environ").read(),
    "write": write,
    "remove": lambda: os.remove(secret),
    "truncate": lambda: os.truncate(secret, 0),
    "connect": connect,
    "pair": socket.socketpair,
    "start": lambda: subprocess.run(["/bin/true"]),
    "fork": os.fork,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "signal": lambda: os.kill(os.getppid(), 0),
    "read of its own code": lambda: open(os.__file__).read(),
    "thread": lambda: threading.Thread(target=lambda: None).start(),
    "import": lambda: __import__("colorsys"),
}.items()}))
"""

OFFLINE = """
import json, queue, socket, subprocess, sys, threading
from core.images import confined

asked, told = queue.Queue(), queue.Queue()

def connect():
    try:
        with socket.socket() as one:
            one.connect(("127.0.0.1", 1))
    except PermissionError:
        return "refused"
    except OSError as error:
        return type(error).__name__

threading.Thread(target=lambda: (asked.get(), told.put(connect())), daemon=True).start()
before = connect()
confined.stay_offline()
asked.put(None)
child = "import socket\\ntry: socket.socket()\\nexcept PermissionError: print('refused')"
print(json.dumps({
    "before": before, "now": connect(), "in a thread from before": told.get(timeout=20), "files": open(sys.argv[1]).read(),
    "of what it starts": subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip(),
}))
"""

ALLOWED = {"read of its own code", "thread", "import"}


@pytest.mark.skipif(bool(confined.lacking()), reason=f"this kernel: {confined.lacking()}")
def test_a_process_that_gave_it_up_opens_connects_to_and_starts_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hers")
    done = subprocess.run(
        [sys.executable, "-c", TRIES, str(tmp_path), "1", str(secret)],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert {name for name, outcome in said.items() if outcome == "done"} == ALLOWED
    assert {outcome for name, outcome in said.items() if name not in ALLOWED} == {"refused"}
    assert secret.read_text() == "hers"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.skipif(bool(confined.lacking()), reason=f"this kernel: {confined.lacking()}")
def test_a_process_that_stays_offline_opens_files_and_starts_programs_and_connects_to_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "weights").write_text("here")
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(tmp_path / "weights")],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "before": "ConnectionRefusedError",
        "now": "refused",
        "in a thread from before": "refused",
        "files": "here",
        "of what it starts": "refused",
    }


def test_every_encoding_is_read_by_the_process_that_gave_it_up() -> None:
    """Each codec is a library of its own, loaded when the first file asks for it."""
    film = pydicom.dcmread(io.BytesIO(dicom(breast(rows=256, columns=200), ViewPosition="CC")))
    files = {"deflated": dicom(breast(rows=256, columns=200), deflated=True), "png": png(), "jpeg": jpeg()}
    for syntax in (JPEG2000Lossless, JPEGLSLossless, RLELossless):
        data = copy.deepcopy(film)
        data.compress(syntax)
        file = io.BytesIO()
        pydicom.dcmwrite(file, data, enforce_file_format=True)
        files[syntax.name] = file.getvalue()
    with GuardedReader(Settings(_env_file=None)) as reader:
        for name, data in files.items():
            assert reader.read(data, name).rows > 0, name


def test_what_a_kernel_lacks_is_said_and_the_rest_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "_landlock_version", lambda: 0)
    monkeypatch.setattr(confined, "_has_filters", lambda: False)
    assert [one.partition(" (")[0] for one in confined.lacking()] == [
        "it could open files of this account",
        "it could make connections",
    ]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_every_machine_leads_somewhere(machine: str) -> None:
    """Every jump stays within the program, and its last line lets through."""
    refused = confined._CONNECTING[machine] + confined._STARTING[machine]
    program = confined._program(machine, refused, threads_only=True)
    lines = [program[at : at + 8] for at in range(0, len(program), 8)]
    for number, line in enumerate(lines):
        if line[0] & 7 == 5:  # a jump
            assert number + 1 + max(line[2], line[3]) < len(lines)
    assert lines[-1][4:] == (0x7FFF0000).to_bytes(4, "little")
