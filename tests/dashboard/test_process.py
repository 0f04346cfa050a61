"""The web process that `core up` starts: what it is set to, and that a click makes a page run once."""

import asyncio
import ctypes
import os
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select
from streamlit import config

from core.care import launch
from core.installation import Installation
from core.people import Role, accounts, sign_ins
from core.records import key_of
from core.settings import Settings
from dashboard import process
from dashboard.benchmark.client import Client
from dashboard.web.gate import COOKIE
from db.tables import Image
from tests import factories

# Loaded by every Python process that finds it on its path: writes a line for each full collection.
TELL = """
import gc, os

def tell(phase, info):
    if phase == "stop" and info["generation"] == 2:
        with open(os.environ["TOLD"], "a") as told:
            print(gc.get_freeze_count(), file=told)

gc.callbacks.append(tell)
"""


@dataclass(frozen=True)
class Up:
    """A running dashboard, and where it tells of its collections."""

    url: str
    token: str
    pid: int
    told: Path
    image: str
    key: str

    def frozen_at_each_collection(self) -> list[int]:
        return [int(line) for line in self.told.read_text().split()] if self.told.exists() else []

    def client(self, talk: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            async with Client(self.url, self.token) as client:
                await talk(client)

        asyncio.run(run())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The dashboard, started as `core up` starts it."""
    folder = tmp_path_factory.mktemp("up")
    (folder / "sitecustomize.py").write_text(TELL)
    here = Installation.open(Settings(home=folder / "var", _env_file=None))
    here.migrate()
    factories.cohort(here, 4)
    accounts.create_user(here, "own", "a long password", Role.ONCOLOGIST)
    token = sign_ins.sign_in(here, "own", "a long password").token
    with here.database.read() as session:
        image = session.scalars(select(Image.sop_uid).limit(1)).one()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    part = launch.parts("127.0.0.1", port, demo=False)[0]
    told = folder / "told"
    part.start({**os.environ, "LONGVIEW_HOME": str(here.home), "PYTHONPATH": str(folder), "TOLD": str(told)})
    try:
        assert launch.wait_for_page("127.0.0.1", port, seconds=120, until=threading.Event())
        assert part.process is not None
        yield Up(f"http://127.0.0.1:{port}", token, part.process.pid, told, image, key_of(here, "00001"))
    finally:
        part.stop()
        here.close()


def test_a_listener_is_told_to_send_at_once_and_its_connections_are() -> None:
    # As Streamlit makes it: of no protocol that is named, so that asyncio does not know it for TCP.
    with socket.socket(socket.AF_INET) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        process.send_at_once()
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.skipif(sys.platform != "linux", reason="another process's socket can be looked at on Linux only")
def test_connections_of_the_process_that_is_started_send_at_once(up: Up) -> None:
    async def look(client: Client) -> None:
        await client.go("worklist")
        held = [one for one in psutil.Process(up.pid).net_connections("tcp") if one.status == "ESTABLISHED"]
        assert held
        for one in held:
            # pidfd_getfd(2): a copy of a file of a child of ours.
            fd = ctypes.CDLL(None).syscall(438, os.pidfd_open(up.pid), one.fd, 0)
            if fd < 0:
                pytest.skip("this machine does not let a process look at its child's sockets")
            with socket.socket(fileno=fd) as copy:
                assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    up.client(look)


def test_not_all_memory_is_collected_after_every_run_and_what_was_loaded_never_again(up: Up) -> None:
    async def rerun(client: Client) -> None:
        await client.go("worklist")
        before = len(up.frozen_at_each_collection())
        for _ in range(30):
            await client.rerun()
        since = up.frozen_at_each_collection()[before:]
        assert len(since) < 10, "Python collects by itself, now and then"
        assert all(frozen > 100_000 for frozen in since)

    up.client(rerun)


def test_another_order_runs_the_worklist_once(up: Up) -> None:
    async def click(client: Client) -> None:
        await client.go("worklist")
        answer = await client.click("longview_worklist", "order", {"column": "patient", "descending": False})
        assert answer.runs == 1
        assert "longview_worklist" in answer.parts
        assert client.query["order"] == "patient-up"

    up.client(click)


def test_a_row_leads_to_the_patient_without_drawing_the_worklist_again(up: Up) -> None:
    async def click(client: Client) -> None:
        await client.go("worklist")
        answer = await client.click("longview_worklist", "open", "00001")
        assert client.query["patient"] == up.key
        assert answer.to_figure is not None
        assert "longview_worklist" not in answer.parts

    up.client(click)


def test_an_order_that_there_is_not_changes_nothing(up: Up) -> None:
    async def click(client: Client) -> None:
        await client.go("worklist")
        await client.click("longview_worklist", "order", {"column": "' OR 1=1", "descending": True})
        assert "order" not in client.query

    up.client(click)


def test_pixels_that_are_packed_are_not_packed_again(up: Up) -> None:
    asked = urllib.request.Request(
        f"{up.url}/img/{up.image}", headers={"cookie": f"{COOKIE}={up.token}", "accept-encoding": "gzip"}
    )
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert answer.headers["content-encoding"] is None
        assert answer.read(4) == b"LVR1"


def test_options_are_read_while_another_thread_holds_their_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "get_option", config.get_option)
    before = config.get_option("global.minCachedMessageSize")
    process.read_options_without_waiting()
    with config._config_lock, ThreadPoolExecutor(1) as other:
        assert other.submit(config.get_option, "global.minCachedMessageSize").result(10) == before
    with pytest.raises(RuntimeError, match="not defined"):
        config.get_option("longview.none")
