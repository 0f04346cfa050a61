"""Starting an installation: a part that dies comes back, one that is done does not."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from core.care.launch import Part, PortInUse, check_port, keep_running, parts


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
    deadline = time.monotonic() + 20
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
