"""`python -m core up`: the parts of one installation, started together and kept running."""

from __future__ import annotations

import errno
import http
import http.client
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]

from core.care.leash import STOP_SECONDS
from core.logs import LEVEL
from core.worker.progress import HEARTBEAT
from db.files import OTHERS

ALLOWED_HOSTS = "STREAMLIT_SERVER_ALLOWED_HOSTS"
"""The variable that names the hosts by which the dashboard may be asked for."""
_HOSTS_AS_SET = ("localhost", "127.0.0.1", "::1")
"""By which it may be asked for without that variable (`dashboard/.streamlit/config.toml`)."""
PROJECT = Path(__file__).resolve().parents[2]
# Address and sign-in have to stay in sight: the parts' own reports of every study come on request only.
QUIETLY = {LEVEL: "warning"}
# Each run of a page is a thread, and glibc lets threads keep memory in up to eight places a core, each of which is as large
# as the largest run was. With two the web process stays at what it needs; a setting of the machine's own goes before it.
_FEW_PLACES = {"MALLOC_ARENA_MAX": "2"}
# A part that stops by itself within this many seconds of its start is not restarted at once, so that a
# broken installation does not spin.
_RESTART_PAUSE_SECONDS = 5.0
# A page is asked for often enough that a hang is noticed within a minute, and patiently enough that a machine busy
# with training is not taken for one.
_PROBE_SECONDS, _PROBE_PATIENCE_SECONDS, _MOST_SILENCES = 10.0, 10.0, 3
# A first start compiles and warms much: until the page has answered once, silence is nothing unusual for so long.
_START_SECONDS = 180.0


class CannotListen(Exception):
    """The dashboard cannot listen at the address that it should have; the message says why and what to do."""


class PortInUse(CannotListen):
    """Another program listens at the address that the dashboard should have."""


@dataclass
class Part:
    """One child process: the arguments after ``python``, and whether it is started again when it stops.

    `page` is where it answers at ``/health`` as long as it is well, address and port; None for one without pages.
    `beat` is a file that it writes anew every few seconds instead. `own` is what it finds in its environment alone.
    """

    name: str
    arguments: tuple[str, ...]
    restarted: bool = True
    page: tuple[str, int] | None = None
    beat: Path | None = None
    own: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started_at: float = 0.0
    _held: int | None = field(default=None, repr=False)

    def start(self, environment: dict[str, str]) -> None:
        """Start the child in the project's folder, its output in this terminal.

        A Ctrl-C reaches this process alone, which then asks each child to stop, once.
        """
        self.started_at = time.monotonic()
        self._let_go()
        # It ends when the pipe does, whose end here nobody but this process holds (`core.care.leash`).
        theirs, self._held = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "core.care.leash", str(theirs), *self.arguments],
                cwd=PROJECT,
                env={**(_FEW_PLACES if self.page else {}), **environment, **self.own},
                start_new_session=True,
                pass_fds=(theirs,),
                umask=OTHERS,  # what a part writes is for the account that runs it alone
            )
        finally:
            os.close(theirs)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask the child to stop, and end it where it does not within the time."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


class Probe(threading.Thread):
    """Asks a part's page, or looks at its sign of life, every few seconds, beside the loop that keeps the parts running.

    A process that hangs neither ends nor answers: `hangs` says so after some silences one after another. A part that
    has never answered is left alone: it may be set up to be reached in another way than is asked here.
    """

    def __init__(self, part: Part, until: threading.Event) -> None:
        super().__init__(name=f"probe of the {part.name}", daemon=True)
        self._part, self._until = part, until
        self._asked_of: subprocess.Popen[bytes] | None = None
        self._ever_answered, self._answered, self._silences = False, False, 0
        self._beat_ns = 0

    @property
    def hangs(self) -> bool:
        """Whether the process that runs now has fallen silent."""
        return self._asked_of is self._part.process and self._silences >= _MOST_SILENCES

    def run(self) -> None:
        """Ask until the event is set."""
        while not self._until.wait(_PROBE_SECONDS):
            process = self._part.process
            if process is not self._asked_of:
                self._asked_of, self._answered, self._silences = process, False, 0
            starting = not self._answered and time.monotonic() - self._part.started_at < _START_SECONDS
            if self._is_well():
                self._ever_answered, self._answered, self._silences = True, True, 0
            elif self._ever_answered and not starting:
                self._silences += 1

    def _is_well(self) -> bool:
        if self._part.page is not None:
            return answers(*self._part.page, _PROBE_PATIENCE_SECONDS)
        assert self._part.beat is not None
        before = self._beat_ns
        try:
            self._beat_ns = self._part.beat.stat().st_mtime_ns
        except OSError:
            return False
        return self._beat_ns != before or not _can_write_beside(self._part.beat)


def _can_write_beside(file: Path) -> bool:
    """Say whether a sign of life could be written at all: a full disk is no fault of a part."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".probe-") as probe:
            probe.write(bytes(4096))
    except OSError:
        return False
    return True


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


def _reachable(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | str:
    """Return where this machine finds what listens at an address; a host's name is returned as it is."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return address
    if at.is_unspecified:  # listens everywhere, but is no place to go to
        return ipaddress.ip_address("127.0.0.1" if at.version == 4 else "::1")
    return at


def page_url(address: str, port: int, path: str = "", *, scheme: str = "http") -> str:
    """Return the URL at which a browser on this machine finds the dashboard; an IPv6 address stands in brackets.

    >>> page_url("::1", 8501)
    'http://[::1]:8501'
    """
    at = _reachable(address)
    if isinstance(at, str):
        return f"{scheme}://{at}:{port}{path}"
    # What stands behind a % names a network card, and is written %25 in a URL (RFC 6874).
    host = f"[{str(at).replace('%', '%25')}]" if at.version == 6 else str(at)
    return f"{scheme}://{host}:{port}{path}"


def addresses_for_others(address: str) -> list[str]:
    """Return where other machines find what listens at an address: none for loopback, all cards' for an unspecified one.

    A host's name is returned as it is, unless it is one of loopback.
    """
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return [] if _is_of_loopback(address) else [address]
    if not at.is_unspecified:
        return [] if at.is_loopback else [str(at)]
    cards = [
        one.address for card in psutil.net_if_addrs().values() for one in card if one.family == socket.AF_INET
    ]
    return [one for one in cards if not ipaddress.ip_address(one).is_loopback]


def _is_of_loopback(name: str) -> bool:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(place[0]).is_loopback for *_kind, place in found)


def dashboard_at(address: str, port: int) -> tuple[str, ...]:
    """Return the arguments by which a dashboard is started that listens there."""
    place = ("--server.address", address, "--server.port", str(port))
    return ("-m", "streamlit", "run", "dashboard/app.py", *place)


def parts(
    address: str, port: int, *, demo: bool, listen: bool = False, home: Path | None = None
) -> list[Part]:
    """Return what runs in one installation, in the order of starting; with `listen` also who receives from the network.

    With `home` a worker that hangs is noticed by its sign of life there.
    """
    listed = [
        Part("dashboard", dashboard_at(address, port), page=(address, port)),
        Part("worker", ("-m", "core", "worker"), beat=home / HEARTBEAT if home else None),
    ]
    if listen:
        listed.append(Part("listener", ("-m", "core", "listen")))
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
    """Start the parts and restart what dies or hangs, until the event is set; then stop all of them.

    `demo` lets the demo accounts sign in, here and in no other dashboard of the installation.
    """
    environment = {
        **QUIETLY,
        **_own_hosts(children),
        **os.environ,
        "LONGVIEW_HOME": str(home),
        "LONGVIEW_DEMO": str(demo),
    }
    for child in children:
        child.start(environment)
    probes = {child.name: Probe(child, until) for child in children if child.page or child.beat}
    for probe in probes.values():
        probe.start()
    try:
        while not until.wait(0.5):
            for child in children:
                if child.name in probes and probes[child.name].hangs:
                    log(f"The {child.name} does not answer any more; starting it again.")
                    child.stop()
                    child.start(environment)
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


def _own_hosts(children: list[Part]) -> dict[str, str]:
    """Let browsers ask for the dashboard by where it is announced: this machine's own addresses, or the name that was set.

    No other site can bring a browser to send one of these as its host, as it can with names of its own.
    """
    listening = [child.page[0] for child in children if child.page]
    announced = [one for at in listening for one in (str(_reachable(at)), *addresses_for_others(at))]
    hosts = dict.fromkeys((*_HOSTS_AS_SET, *announced))
    return {ALLOWED_HOSTS: " ".join(hosts)} if len(hosts) > len(_HOSTS_AS_SET) else {}


def _stop(children: list[Part]) -> None:
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.stop(max(0.1, deadline - time.monotonic()))


def answers(address: str, port: int, seconds: float) -> bool:
    """Return whether the dashboard answers at ``/health`` within the time; no proxy is asked."""
    return scheme_of(address, port, seconds) is not None


def scheme_of(address: str, port: int, seconds: float) -> str | None:
    """Return by which scheme the dashboard answers at ``/health``, http or https; None if it does not within the time.

    It is asked, for Streamlit takes a certificate from several places. Whose that is matters not: this is our own child.
    """
    host = str(_reachable(address))
    try:
        if _is_well(http.client.HTTPConnection(host, port, timeout=seconds)):
            return "http"
    except TimeoutError:
        return None
    except (http.client.HTTPException, OSError):
        pass
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        if _is_well(http.client.HTTPSConnection(host, port, timeout=seconds, context=unchecked)):
            return "https"
    except (http.client.HTTPException, OSError):
        pass
    return None


def _is_well(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()


def wait_for_page(address: str, port: int, *, seconds: float, until: threading.Event) -> str | None:
    """Return by which scheme the dashboard answers at ``/health``, as soon as it does; None if not within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not until.is_set():
        if scheme := scheme_of(address, port, 2):
            return scheme
        time.sleep(0.2)
    return None


def stop_on_signals(event: threading.Event) -> None:
    """Set the event on Ctrl-C, on SIGTERM, and when the terminal is closed."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)
