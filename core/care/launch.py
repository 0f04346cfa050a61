"""`python -m core up`: the parts of one installation, started together and kept running."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from core.logs import LEVEL

PROJECT = Path(__file__).resolve().parents[2]
# Address and sign-in have to stay in sight: the parts' own reports of every study come on request only.
QUIETLY = {LEVEL: "warning"}
# A part that stops by itself within this many seconds of its start is not restarted at once, so that a
# broken installation does not spin.
_RESTART_PAUSE_SECONDS = 5.0
_STOP_SECONDS = 10.0


class PortInUse(Exception):
    """Another program listens at the address that the dashboard should have."""


@dataclass
class Part:
    """One child process: the arguments after ``python``, and whether it is started again when it stops."""

    name: str
    arguments: tuple[str, ...]
    restarted: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started_at: float = 0.0

    def start(self, environment: dict[str, str]) -> None:
        """Start the child in the project's folder, its output in this terminal.

        A Ctrl-C reaches this process alone, which then asks each child to stop, once.
        """
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *self.arguments], cwd=PROJECT, env=environment, start_new_session=True
        )


def check_port(address: str, port: int) -> None:
    """Raise `PortInUse` if something already listens at the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise PortInUse(
                f"Port {port} at {address} is taken. Stop what runs there, or choose another: LONGVIEW_PORT={port + 1} make run"
            ) from error


def parts(address: str, port: int, *, demo: bool) -> list[Part]:
    """Return what runs in one installation, in the order of starting."""
    dashboard = (
        "-m",
        "streamlit",
        "run",
        "dashboard/app.py",
        "--server.address",
        address,
        "--server.port",
        str(port),
    )
    listed = [Part("dashboard", dashboard), Part("worker", ("-m", "core", "worker"))]
    if demo:
        listed.append(Part("demo cohort", ("-m", "seed_data", "demo"), restarted=False))
    return listed


def keep_running(
    children: list[Part],
    home: Path,
    *,
    until: threading.Event,
    log: Callable[[str], None],
    demo: bool = False,
) -> None:
    """Start the parts and restart what dies, until the event is set; then stop all of them.

    `demo` lets the demo accounts sign in, here and in no other dashboard of the installation.
    """
    environment = {**QUIETLY, **os.environ, "LONGVIEW_HOME": str(home), "LONGVIEW_DEMO": str(demo)}
    for child in children:
        child.start(environment)
    try:
        while not until.wait(0.5):
            for child in children:
                if child.process is None or child.process.poll() is None:
                    continue
                code = child.process.returncode
                if not child.restarted:
                    child.process = None
                    log(
                        f"The {child.name} stopped with exit code {code}."
                        if code
                        else f"The {child.name} is loaded."
                    )
                elif time.monotonic() - child.started_at > _RESTART_PAUSE_SECONDS:
                    log(f"The {child.name} stopped (exit code {code}); starting it again.")
                    child.start(environment)
    finally:
        log("Stopping …")
        _stop(children)
        log("Stopped.")


def _stop(children: list[Part]) -> None:
    running = [child.process for child in children if child.process and child.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for_page(address: str, port: int, *, seconds: float, until: threading.Event) -> bool:
    """Return whether the dashboard answers at ``/health`` within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not until.is_set():
        try:
            with urllib.request.urlopen(f"http://{address}:{port}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def stop_on_signals(event: threading.Event) -> None:
    """Set the event on Ctrl-C, on SIGTERM, and when the terminal is closed."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)
