"""Starting an installation: a part that dies comes back, one that is done does not."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from core.care.launch import (
    ALLOWED_HOSTS,
    PROJECT,
    CannotListen,
    Part,
    PortInUse,
    Probe,
    _own_hosts,
    addresses_for_others,
    answers,
    check_port,
    keep_running,
    page_url,
    parts,
    wait_for_page,
)
from tests.grown.servers import free_port


def test_a_taken_port_is_refused_with_a_sentence_that_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse, match="LONGVIEW_PORT="):
            check_port("127.0.0.1", taken.getsockname()[1])


def test_a_free_port_is_accepted() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    check_port("127.0.0.1", port)


IPV6 = Path("/proc/net/if_inet6")


@pytest.mark.skipif(not (IPV6.exists() and IPV6.read_text()), reason="this machine has no IPv6")
def test_an_ipv6_address_is_free_or_taken_like_any_other() -> None:
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match="taken"):
            check_port("::1", port)
    check_port("::1", port)


def test_a_machine_without_ipv6_says_so_and_not_that_the_port_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.socket

    def without_ipv6(family: int = socket.AF_INET, *more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *more)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    with pytest.raises(CannotListen, match="no IPv6") as caught:
        check_port("::1", 8501)
    assert not isinstance(caught.value, PortInUse)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "no such place", "x" * 300, "fe80::1"])
def test_an_address_that_is_not_of_this_machine_is_not_called_a_taken_port(address: str) -> None:
    with pytest.raises(CannotListen) as caught:
        check_port(address, 8501)
    assert not isinstance(caught.value, PortInUse)
    assert address[:20] in str(caught.value)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501/health"),
        ("::1", "http://[::1]:8501/health"),
        ("::", "http://[::1]:8501/health"),
        ("0.0.0.0", "http://127.0.0.1:8501/health"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:8501/health"),
        ("localhost", "http://localhost:8501/health"),
    ],
)
def test_the_address_that_is_printed_is_one_that_a_browser_opens(address: str, url: str) -> None:
    assert page_url(address, 8501, "/health") == url


def test_what_a_part_writes_is_for_its_own_account(tmp_path: Path) -> None:
    written = tmp_path / "written"
    before = os.umask(0)
    try:
        part = Part("worker", ("-c", f"open({str(written)!r}, 'w')"))
        part.start(dict(os.environ))
    finally:
        os.umask(before)
    assert part.process is not None
    assert part.process.wait(60) == 0
    assert written.stat().st_mode & 0o777 == 0o600


def test_the_demo_cohort_runs_once_while_worker_and_dashboard_are_kept_running() -> None:
    kept = {part.name: part.restarted for part in parts("127.0.0.1", 8501, demo=True)}
    assert kept == {"dashboard": True, "worker": True, "demo cohort": False}


def test_a_killed_part_is_started_again_and_all_stop_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.care.launch._RESTART_PAUSE_SECONDS", 0.0)
    worker = Part("worker", ("-c", "import time; time.sleep(60)"))
    once = Part("demo cohort", ("-c", "pass"), restarted=False)
    lines: list[str] = []
    stopping = threading.Event()
    loop = threading.Thread(
        target=keep_running, args=([worker, once], tmp_path), kwargs={"until": stopping, "log": lines.append}
    )
    loop.start()
    deadline = time.monotonic() + 60
    while worker.process is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker.process is not None
    first = worker.process.pid
    os.kill(first, signal.SIGKILL)
    while worker.process.pid == first and time.monotonic() < deadline:
        time.sleep(0.05)
    second = worker.process
    assert second.pid != first
    assert second.poll() is None
    while once.process is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    stopping.set()
    loop.join(20)
    assert second.poll() is not None
    assert any("worker" in line for line in lines)
    assert "The demo cohort is loaded." in lines
    assert not any("exit code 0" in line for line in lines)


def child_told(tmp_path: Path, **how: bool) -> str:
    """Return what a part is told of the demo accounts."""
    said = tmp_path / "said"
    tell = "import sys, pathlib; from core.settings import Settings; pathlib.Path(sys.argv[1]).write_text(str(Settings().demo))"
    part = Part("demo cohort", ("-c", tell, str(said)), restarted=False)
    stopping = threading.Event()
    loop = threading.Thread(
        target=keep_running,
        args=([part], tmp_path),
        kwargs={"until": stopping, "log": lambda _line: None, **how},
    )
    loop.start()
    deadline = time.monotonic() + 60
    while part.process is not None or not said.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stopping.set()
    loop.join(20)
    return said.read_text()


def test_only_a_start_with_the_demo_lets_its_accounts_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert child_told(tmp_path, demo=True) == "True"
    monkeypatch.setenv("LONGVIEW_DEMO", "1")
    (tmp_path / "said").unlink()
    assert child_told(tmp_path) == "False"


@pytest.mark.parametrize(("asked", "level"), [({}, "warning"), ({"LONGVIEW_LOG_LEVEL": "info"}, "info")])
def test_parts_report_in_the_terminal_only_what_needs_a_look_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], level: str
) -> None:
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    said = tmp_path / "said"
    tell = "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(os.environ['LONGVIEW_LOG_LEVEL'])"
    part = Part("demo cohort", ("-c", tell, str(said)), restarted=False)
    stopping = threading.Event()
    loop = threading.Thread(
        target=keep_running, args=([part], tmp_path), kwargs={"until": stopping, "log": lambda _line: None}
    )
    loop.start()
    deadline = time.monotonic() + 20
    while part.process is not None or not said.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stopping.set()
    loop.join(20)
    assert said.read_text() == level


HANGING = """
import http.server, pathlib, signal, sys, time
said = pathlib.Path(sys.argv[1])
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        first = not said.exists()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")
        self.wfile.flush()
        if first:
            said.write_text("answered once")
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
    def log_message(self, *_): pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Page).serve_forever()
"""


def test_a_dashboard_that_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("_PROBE_SECONDS", 0.05),
        ("_PROBE_PATIENCE_SECONDS", 0.2),
        ("_START_SECONDS", 5.0),
    ):
        monkeypatch.setattr(f"core.care.launch.{name}", seconds)
    monkeypatch.setattr(Part.stop, "__defaults__", (0.3,))
    port = free_port()
    page = Part("dashboard", ("-c", HANGING, str(tmp_path / "said"), str(port)), page=("127.0.0.1", port))
    lines: list[str] = []
    stopping = threading.Event()
    loop = threading.Thread(
        target=keep_running, args=([page], tmp_path), kwargs={"until": stopping, "log": lines.append}
    )
    loop.start()
    deadline = time.monotonic() + 30
    while not any("does not answer any more" in line for line in lines):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while not answers("127.0.0.1", port, 0.2):
        assert time.monotonic() < deadline
    stopping.set()
    loop.join(20)
    assert page.process is not None
    assert page.process.poll() is not None


def test_a_part_that_never_answered_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be reached in another way than is asked here; one that is restarted again and again is no dashboard."""
    monkeypatch.setattr("core.care.launch._PROBE_SECONDS", 0.01)
    monkeypatch.setattr("core.care.launch._START_SECONDS", 0.0)
    until = threading.Event()
    probe = Probe(Part("dashboard", ("-c", "pass"), page=("127.0.0.1", free_port())), until)
    probe.start()
    time.sleep(0.3)
    assert not probe.hangs
    until.set()
    probe.join(5)


PARENT = """
import sys, threading
from pathlib import Path
from core.care.launch import Part, keep_running
code = "import os, sys, time, pathlib; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
parts = [Part(name, ("-c", code, f"{sys.argv[1]}/{name}")) for name in ("worker", "dashboard")]
keep_running(parts, Path(sys.argv[1]), until=threading.Event(), log=lambda _line: None)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it takes a signal that Linux alone has")
def test_a_part_that_is_halted_ends_too_when_what_started_it_is_killed(tmp_path: Path) -> None:
    """It would hold its port, and nobody could start the dashboard again."""
    the_parts_end(tmp_path, halted="dashboard")


def test_the_parts_end_when_what_started_them_is_killed(tmp_path: Path) -> None:
    the_parts_end(tmp_path)


def the_parts_end(tmp_path: Path, *, halted: str | None = None) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=PROJECT)
    deadline = time.monotonic() + 30
    told = [tmp_path / "worker", tmp_path / "dashboard"]
    while not all(path.exists() and path.read_text() for path in told):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = [psutil.Process(int(path.read_text())) for path in told]
    if halted:
        psutil.Process(int((tmp_path / halted).read_text())).suspend()
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_a_program_on_a_leash_runs_as_by_itself(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    said = subprocess.run(
        [sys.executable, "-m", "core.care.leash", str(reading), "-m", "core", "--help"],
        cwd=PROJECT, pass_fds=(reading,), capture_output=True, text=True, check=True,
    )  # fmt: skip
    os.close(reading)
    os.close(writing)
    assert "python -m core" in said.stdout


BEATING = """
import pathlib, signal, sys, time
beat = pathlib.Path(sys.argv[1])
while True:
    beat.write_text(str(time.time()))
    time.sleep(0.02)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be halted here")
def test_a_worker_that_is_halted_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.care.launch._PROBE_SECONDS", 0.3)
    monkeypatch.setattr("core.care.launch._START_SECONDS", 5.0)
    monkeypatch.setattr(Part.stop, "__defaults__", (0.3,))
    beat = tmp_path / "worker.json"
    worker = Part("worker", ("-c", BEATING, str(beat)), beat=beat)
    lines: list[str] = []
    stopping = threading.Event()
    loop = threading.Thread(
        target=keep_running, args=([worker], tmp_path), kwargs={"until": stopping, "log": lines.append}
    )
    loop.start()
    deadline = time.monotonic() + 30
    while not beat.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    assert worker.process is not None
    assert lines == []
    halted = worker.process
    halted.send_signal(signal.SIGSTOP)
    while worker.process is halted and time.monotonic() < deadline:
        time.sleep(0.05)
    seen = beat.stat().st_mtime_ns
    while beat.stat().st_mtime_ns == seen and time.monotonic() < deadline:
        time.sleep(0.05)
    assert beat.stat().st_mtime_ns != seen
    stopping.set()
    loop.join(20)
    assert any("worker does not answer any more" in line for line in lines)


def test_where_nothing_can_be_written_a_silent_worker_is_left_alone(tmp_path: Path, monkeypatch) -> None:
    beat = tmp_path / "worker.json"
    beat.write_text("{}")
    probe = Probe(Part("worker", ("-c", "pass"), beat=beat), threading.Event())
    assert probe._is_well()
    assert not probe._is_well()

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("core.care.launch.tempfile.NamedTemporaryFile", full)
    assert probe._is_well()


@pytest.mark.parametrize(
    ("address", "others"), [("127.0.0.1", []), ("::1", []), ("localhost", []), ("192.0.2.7", ["192.0.2.7"])]
)
def test_other_machines_are_told_an_address_only_where_one_is_listened_at(address, others) -> None:
    assert addresses_for_others(address) == others
    if others:
        assert _own_hosts([Part("dashboard", (), page=(address, 8501))]) == {
            ALLOWED_HOSTS: f"localhost 127.0.0.1 ::1 {others[0]}"
        }


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of machines, as a hospital's own server knows them."""
    at = {"longview.clinic.example": "192.0.2.7", "this-machine": "127.0.1.1"}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *_a, **_k: [(socket.AF_INET, 0, 0, "", (at[name], 0))]
    )


@pytest.mark.parametrize("address", ["127.0.0.2", "192.0.2.7", "0.0.0.0", "longview.clinic.example"])
def test_the_dashboard_answers_by_the_addresses_that_are_announced(names: None, address: str) -> None:
    announced = [urlsplit(page_url(address, 8501)).hostname, *addresses_for_others(address)]
    served = _own_hosts([Part("dashboard", (), page=(address, 8501))]).get(ALLOWED_HOSTS, "127.0.0.1")
    assert {*announced} <= {*served.split()}


def test_other_machines_are_told_a_name_unless_it_is_this_machines_alone(names: None) -> None:
    assert addresses_for_others("longview.clinic.example") == ["longview.clinic.example"]
    assert addresses_for_others("this-machine") == []


def test_everywhere_means_all_cards_but_loopback() -> None:
    assert not any(one.startswith("127.") for one in addresses_for_others("0.0.0.0"))


def test_a_dashboard_with_a_certificate_is_announced_with_https(tmp_path: Path) -> None:
    port = free_port()
    key, certificate = tmp_path / "key", tmp_path / "pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    code = (
        "import http.server, ssl, sys\n"
        "class Page(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200)\n"
        "        self.end_headers()\n"
        "    def log_message(self, *_): pass\n"
        "server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Page)\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "context.load_cert_chain(sys.argv[2], sys.argv[3])\n"
        "server.socket = context.wrap_socket(server.socket, server_side=True)\n"
        "server.serve_forever()\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(port), str(certificate), str(key)], stderr=subprocess.DEVNULL
    )
    try:
        assert wait_for_page("127.0.0.1", port, seconds=20, until=threading.Event()) == "https"
    finally:
        server.kill()
        server.wait()
