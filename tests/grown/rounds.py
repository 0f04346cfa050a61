"""``python -m tests.grown.rounds --rounds N [--embedded]``: what runs is killed, halted and cut off, and a ledger is kept.

Meanwhile somebody who is signed in sends studies, one image each, and looks at pages. A study counts as acknowledged when
the answer said that it is kept. At the end each of those has to be there once, with its pixels, scored once; nothing is
twice; and who was signed in still is.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from sqlalchemy import func, select

from core.care.launch import PROJECT, stop_on_signals, wait_for_page
from core.care.verify import verify_objects
from core.installation import Installation
from core.people import Role, asking, create_user, sign_ins
from core.settings import Settings
from db.tables import Image, ImportItem, Score, Study, StudyStatus
from tests.grown.servers import ends_with_us, free_port
from tests.grown.stack import Stack, grown
from tests.pictures import breast, dicom

PASSWORD = "seven quiet rivers"
COOKIE = "longview_sign_in"
AWAY_SECONDS = 10.0
SETTLED_SECONDS = 600.0
SENDERS = 3
_NOBODY_IS_IDLE = {"LONGVIEW_IDLE_MINUTES": "1440"}
"""A program's sign-in would end after half an hour: nobody does anything on its pages."""
_PICTURES = 8


class Relay:
    """Stands between programs and a port, and can be away: nobody answers, and who was connected is cut off."""

    def __init__(self, to: int) -> None:
        self.to, self.port = to, free_port()
        self._listening: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def come(self) -> None:
        """Listen."""
        listening = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listening = listening
        threading.Thread(target=self._serve, args=(listening,), daemon=True).start()

    def go(self) -> None:
        """Be away."""
        if self._listening is not None:
            # Without it the thread that accepts would hold the port for one more.
            with suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        self._open.add(one)
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        self._open.discard(one)
        one.close()


@dataclass
class Ledger:
    """What was acknowledged, and what went wrong that may never go wrong."""

    acknowledged: list[str] = field(default_factory=list)
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    last: dict[int, float] = field(default_factory=dict)
    """When something of each sender was acknowledged last."""

    def all_since(self, moment: float, senders: int) -> bool:
        """Return whether something of every sender was acknowledged since then."""
        return sum(last > moment for last in self.last.values()) == senders


class Sender(threading.Thread):
    """Sends one study after another, each until it is acknowledged, and looks at a page after each."""

    def __init__(self, url: str, token: str, ledger: Ledger, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._at, self._ledger, self._number, self._stopping = urlsplit(url), ledger, number, stop
        self._headers = {"Cookie": f"{COOKIE}={token}", "Origin": url}
        self._films = [breast("L", seed=seed, rows=200, columns=150) for seed in range(_PICTURES)]

    def run(self) -> None:
        """Send until told to stop."""
        count = 0
        while not self._stopping.is_set():
            count += 1
            uid = f"1.2.826.0.1.{self._number}.{count}"
            data = dicom(
                self._films[count % _PICTURES],
                ViewPosition=("CC", "MLO")[count % 2],
                PatientID=f"W{self._number}-{count // 4}",
                StudyInstanceUID=uid,
                SOPInstanceUID=f"{uid}.1",
                StudyDate=f"20{10 + count % 4}0401",
            )
            self._ledger.sent += 1
            while not self._stopping.is_set() and not self._send(uid, data):
                self._stopping.wait(0.3)
            self._look()

    def _send(self, uid: str, data: bytes) -> bool:
        head = b"--part\r\nContent-Type: application/dicom\r\n\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=part'
        status, body = self._ask(
            "POST", "/dicom-web/studies", head + data + b"\r\n--part--\r\n", {"Content-Type": kind}
        )
        self._ledger.answers[str(status)] += 1
        if status == 200 and f"{uid}.1".encode() in body:
            self._ledger.acknowledged.append(uid)
            self._ledger.last[self._number] = time.monotonic()
            return True
        if isinstance(status, int) and status not in (429, 500, 502, 503, 504):
            self._ledger.wrong.append(f"{uid} was answered {status}: {body[:200]!r}")
            return True
        if status == 500:
            self._ledger.wrong.append(f"{uid} was answered 500: {body[:200]!r}")
        return False

    def _look(self) -> None:
        status, body = self._ask("GET", "/worklist", None, {"Accept": "text/html"})
        self._ledger.pages[str(status)] += 1
        if status in (303, 401, 403, 500):
            self._ledger.wrong.append(f"a page was answered {status}: {body[:200]!r}")

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int | str, bytes]:
        connection = http.client.HTTPConnection(self._at.netloc, timeout=60)
        try:
            connection.request(method, path, body, {**self._headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__, b""
        finally:
            connection.close()


Victims = dict[str, Callable[[], None]]


@dataclass
class Running:
    """What is tried on: where it is, how it is looked into, and what may happen to it."""

    url: str
    open: Callable[[], Installation]
    victims: Victims
    tokens: list[str]


@contextmanager
def several_machines(model: str) -> Iterator[Running]:
    """Run two web processes and two workers, on PostgreSQL and an S3, behind nginx."""
    tokens: list[str] = []  # of several sign-ins: the proxy keeps each with one web process
    relays: list[Relay] = []

    def between(port: int) -> int:
        relays.append(Relay(port))
        relays[0].come()
        return relays[0].port

    def prepare(here: Installation) -> None:
        tokens.extend(someone(here))

    own = {"LONGVIEW_MODEL": model, **_NOBODY_IS_IDLE}
    with ExitStack() as stack:
        stack.callback(lambda: relays[0].go())
        running = stack.enter_context(grown(free_port(), between=between, own=own, prepare=prepare))

        def restart(how: signal.Signals, seconds: float) -> None:
            running.database.stop(how)
            time.sleep(seconds)
            running.database.start()

        def away() -> None:
            relays[0].go()
            time.sleep(AWAY_SECONDS)
            relays[0].come()

        victims: Victims = {
            "database crashed": lambda: restart(signal.SIGQUIT, 0),
            "database restarted": lambda: restart(signal.SIGINT, 2),
            "store away": away,
            "store halted": lambda: _halt_a_while(running),
        }
        for part in running.parts:
            victims[part.name] = _sends(lambda part=part: part.process.pid, signal.SIGKILL)
            victims[f"{part.name} halted"] = _halts(lambda part=part: part.process.pid, part.page)
        yield Running(running.url, running.open, victims, tokens)


@contextmanager
def one_machine(model: str) -> Iterator[Running]:
    """Run `core up` on SQLite and a folder, as an installation begins."""
    with tempfile.TemporaryDirectory(prefix="longview-rounds-") as folder:
        home, port = Path(folder, "var"), free_port()
        own = {
            "LONGVIEW_HOME": str(home),
            "LONGVIEW_PORT": str(port),
            "LONGVIEW_MODEL": model,
            **_NOBODY_IS_IDLE,
        }

        def open_() -> Installation:
            return Installation.open(Settings(home=home, _env_file=None))

        here = open_()
        here.migrate()
        tokens = someone(here)
        here.close()
        up: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            up.append(
                subprocess.Popen(
                    [sys.executable, "-m", "core", "up"],
                    cwd=PROJECT,
                    env={**os.environ, **own},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    preexec_fn=ends_with_us,
                )
            )

        def child(words: str) -> int:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                for one in psutil.Process(up[-1].pid).children():
                    with suppress(psutil.Error):
                        if words in " ".join(one.cmdline()):
                            return one.pid
                time.sleep(0.1)
            raise RuntimeError(f"`core up` runs no {words!r}.")

        def killed() -> None:
            up[-1].kill()
            up[-1].wait()
            start()

        victims: Victims = {"up": killed}
        for name, words in (("dashboard", "dashboard/app.py"), ("worker", "core worker")):
            victims[name] = _sends(lambda words=words: child(words), signal.SIGKILL)
            page = ("127.0.0.1", port) if name == "dashboard" else None
            victims[f"{name} halted"] = _halts(lambda words=words: child(words), page)

        def killed_while_halted() -> None:
            victims["dashboard halted"]()
            killed()

        victims["up with its dashboard halted"] = killed_while_halted
        start()
        try:
            if not wait_for_page("127.0.0.1", port, seconds=120, until=threading.Event()):
                raise RuntimeError("The dashboard does not start.")
            yield Running(f"http://127.0.0.1:{port}", open_, victims, tokens)
        finally:
            up[-1].terminate()
            up[-1].wait(60)


def someone(here: Installation) -> list[str]:
    """Make an account that may add studies, and return sign-ins of it, for a sender each."""
    create_user(here, "bo", PASSWORD, Role.STAFF)
    return [sign_ins.sign_in(here, "bo", PASSWORD).token for _ in range(SENDERS)]


def _sends(pid: Callable[[], int], how: signal.Signals) -> Callable[[], None]:
    def send() -> None:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid(), how)

    return send


def _halts(pid: Callable[[], int], page: tuple[str, int] | None) -> Callable[[], None]:
    def halt() -> None:
        # Who keeps the parts running takes silence for a hang once a part has answered; it asks every ten seconds.
        if page is not None:
            wait_for_page(*page, seconds=120, until=threading.Event())
            time.sleep(11)
        _sends(pid, signal.SIGSTOP)()

    return halt


def _halt_a_while(running: Stack) -> None:
    assert running.store.process is not None
    running.store.process.send_signal(signal.SIGSTOP)
    time.sleep(AWAY_SECONDS / 2)
    running.store.process.send_signal(signal.SIGCONT)


@dataclass
class Report:
    """What came of it."""

    rounds: dict[str, list[float]]
    """Seconds from each mishap until a study of every sender was acknowledged again."""
    ledger: Ledger
    settled_seconds: float
    found: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return what is printed."""
        ledger = self.ledger
        return {
            "rounds": sum(map(len, self.rounds.values())),
            "seconds_until_acknowledged_again": {
                name: {"times": len(all_), "median": sorted(all_)[len(all_) // 2], "longest": max(all_)}
                for name, all_ in sorted(self.rounds.items())
            },
            "studies_sent": ledger.sent,
            "acknowledged": len(ledger.acknowledged),
            "answers": dict(ledger.answers),
            "pages": dict(ledger.pages),
            "scored_and_at_rest_after_seconds": round(self.settled_seconds, 1),
            **self.found,
            "wrong": ledger.wrong,
        }


def run(
    running: Running, plan: list[str], *, pause: Callable[[], float], enough: threading.Event | None = None
) -> Report:
    """Let what the plan names happen, one after the other, while studies come in; then look at what is there.

    With `enough` set it ends with the round that it is at.
    """
    enough = enough or threading.Event()
    ledger, stop = Ledger(), threading.Event()
    threads = [
        Sender(running.url, token, ledger, number, stop) for number, token in enumerate(running.tokens, 1)
    ]
    for thread in threads:
        thread.start()
    took: dict[str, list[float]] = {}
    for name in plan:
        if enough.is_set():
            break
        time.sleep(pause())
        running.victims[name]()
        begun = time.monotonic()  # what is halted is waited for first
        while not ledger.all_since(begun, len(threads)):
            time.sleep(0.05)
            if time.monotonic() - begun > SETTLED_SECONDS:
                ledger.wrong.append(f"after {name!r} nothing was acknowledged for {SETTLED_SECONDS:.0f} s")
                break
        took.setdefault(name, []).append(round(time.monotonic() - begun, 1))
        print(f"{name}: acknowledged again after {took[name][-1]} s", file=sys.stderr, flush=True)
    stop.set()
    for thread in threads:
        thread.join(90)
    begun = time.monotonic()
    here = running.open()
    try:
        _wait_until_scored(here)
        settled = time.monotonic() - begun
        found = _look(here, ledger)
    finally:
        here.close()
    return Report(took, ledger, settled, found)


def _wait_until_scored(here: Installation) -> None:
    deadline = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < deadline:
        with here.database.read() as session:
            if not session.scalar(select(func.count(Study.id)).where(Study.status == StudyStatus.PENDING)):
                return
        time.sleep(0.3)


def _look(here: Installation, ledger: Ledger) -> dict[str, Any]:
    """Compare what is there with what was acknowledged; what does not fit is written into the ledger."""
    with here.database.read() as session:
        studies = {study.uid: study for study in session.scalars(select(Study))}
        images = Counter(session.scalars(select(Image.sop_uid)))
        scores = Counter(session.scalars(select(Score.study_id)))
        refused = session.scalars(select(ImportItem).where(ImportItem.outcome == "quarantined")).all()
    for uid, times in Counter(ledger.acknowledged).items():
        if times > 1:
            ledger.wrong.append(f"{uid} was acknowledged {times} times")
        if uid not in studies or images[f"{uid}.1"] != 1:
            ledger.wrong.append(f"{uid} was acknowledged and is not there")
    for uid, study in studies.items():
        if study.status is not StudyStatus.SCORED or scores[study.id] != 1:
            ledger.wrong.append(f"{uid} is {study.status.value} and scored {scores[study.id]} times")
    ledger.wrong += [f"{name} is there {times} times" for name, times in images.items() if times > 1]
    ledger.wrong += [f"{item.path} was put into quarantine" for item in refused]
    verified = verify_objects(here)
    if not verified.well:
        ledger.wrong.append(f"verify: {verified.to_json()}")
    return {
        "images": len(images),
        "studies": len(studies),
        "scores": sum(scores.values()),
        "verify": verified.well,
    }


def planned(victims: Victims, rounds: int, chance: random.Random) -> list[str]:
    """Return what happens in each round: everything in turn, in another order each time; what is halted more rarely."""
    plan: list[str] = []
    while len(plan) < rounds:
        often = [name for name in victims if not name.endswith("halted")] * 3
        turn = often + [name for name in victims if name.endswith("halted")]
        chance.shuffle(turn)
        plan += turn
    return plan[:rounds]


def tiny_model(folder: Path) -> str:
    """Make a small model with random weights, quick to load and real in every path."""
    from dataclasses import replace

    from models.longitudinal.model import untrained

    model = untrained(1, width=0.5, members=2)
    model.card = replace(model.card, simulated_training=False)
    model.save(folder)
    return str(folder)


def main() -> int:
    """Run the rounds and print the ledger as JSON; 1 if something went wrong that may never go wrong. Ctrl-C ends early."""
    asked = argparse.ArgumentParser(prog="python -m tests.grown.rounds", description=__doc__)
    asked.add_argument("--rounds", type=int, default=30)
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument(
        "--embedded", action="store_true", help="`core up` on SQLite instead of several machines"
    )
    given = asked.parse_args()
    asking.system_asks_in_this_process()
    chance = random.Random(given.seed)
    enough = threading.Event()
    stop_on_signals(enough)
    folder = Path(tempfile.mkdtemp(prefix="longview-model-"))
    try:
        kind = one_machine if given.embedded else several_machines
        with kind(tiny_model(folder / "model")) as running:
            plan = planned(running.victims, given.rounds, chance)
            report = run(running, plan, pause=lambda: chance.uniform(0.2, 2.0), enough=enough)
        print(json.dumps(report.to_json(), indent=2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if report.ledger.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
