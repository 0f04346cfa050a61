"""`python -m core up`: the parts of one installation, started together and kept running."""

from __future__ import annotations

import errno
import ipaddress
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
from db.files import OTHERS

PROJECT = Path(__file__).resolve().parents[2]
# Address and sign-in have to stay in sight: the parts' own reports of every study come on request only.
QUIETLY = {LEVEL: "warning"}
# A part that stops by itself within this many seconds of its start is not restarted at once, so that a
# broken installation does not spin.
_RESTART_PAUSE_SECONDS = 5.0
_STOP_SECONDS = 10.0


class CannotListen(Exception):
    """The dashboard cannot listen at the address that it should have; the message says why and what to do."""


class PortInUse(CannotListen):
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
            [sys.executable, *self.arguments],
            cwd=PROJECT,
            env=environment,
            start_new_session=True,
            umask=OTHERS,  # what a part writes is for the account that runs it alone
        )


def check_port(address: str, port: int) -> None:
    """Raise `PortInUse` if something already listens at the address, `CannotListen` if nothing can listen there."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise CannotListen(
            f"{address!r} is no address that this machine can listen at. Set LONGVIEW_ADDRESS to 127.0.0.1 for this "
            "machine alone, or to one of its addresses."
        ) from error
    for family, kind, protocol, _name, place in found[:1]:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            raise _cannot_listen(address, port, family, error) from error


def _cannot_listen(address: str, port: int, family: int, error: OSError) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return PortInUse(
            f"Port {port} at {address} is taken. Stop what runs there, or choose another: LONGVIEW_PORT={other} make run"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CannotListen(
            f"This account may not listen at port {port}. Choose one above 1023: LONGVIEW_PORT=8501"
        )
    if family == socket.AF_INET6 and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
        return CannotListen(
            f"{address} is an IPv6 address, and this machine has no IPv6 or not this address. Switch IPv6 on, or set "
            "LONGVIEW_ADDRESS=127.0.0.1"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return CannotListen(
            f"{address} is not an address of this machine. Set LONGVIEW_ADDRESS to 127.0.0.1 for this machine alone, or to "
            "one of its addresses."
        )
    return CannotListen(
        f"The dashboard cannot listen at port {port} of {address}: {error.strerror or error}."
    )


def page_url(address: str, port: int, path: str = "") -> str:
    """Return the URL at which a browser on this machine finds the dashboard; an IPv6 address stands in brackets.

    >>> page_url("::1", 8501)
    'http://[::1]:8501'
    """
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return f"http://{address}:{port}{path}"
    if at.is_unspecified:  # listens everywhere, but is no place to go to
        at = ipaddress.ip_address("127.0.0.1" if at.version == 4 else "::1")
    # What stands behind a % names a network card, and is written %25 in a URL (RFC 6874).
    host = f"[{str(at).replace('%', '%25')}]" if at.version == 6 else str(at)
    return f"http://{host}:{port}{path}"


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
            with urllib.request.urlopen(page_url(address, port, "/health"), timeout=2):  # noqa: S310 - always http
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
