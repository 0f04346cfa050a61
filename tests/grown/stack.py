"""An installation grown to several machines, on one: two web processes behind nginx, two workers, PostgreSQL and an S3.

Each web process and each worker has a home of its own, as on a machine of its own; they share the database and the bucket.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.care.launch import PROJECT, Part, dashboard_at, keep_running, wait_for_page
from core.installation import Installation
from core.settings import Settings
from core.worker.progress import HEARTBEAT
from tests.grown.servers import (
    Bucket,
    Postgres,
    access,
    bucket,
    ends_with_us,
    free_port,
    postgres,
    wait_until_it_answers,
)

EXAMPLE = PROJECT / "dashboard" / "web" / "examples" / "nginx.conf"
REPLICAS, WORKERS = 2, 2


@dataclass
class Stack:
    """What runs, with the means to end any one of it."""

    folder: Path
    url: str
    parts: list[Part]
    database: Postgres
    store: Bucket
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

    def open(self) -> Installation:
        """Open the installation as a third machine would."""
        with _environment(self.environment):
            settings = Settings(home=self.folder / "looking", _env_file=None)
            return Installation.open(settings)


@contextmanager
def _environment(own: dict[str, str]) -> Iterator[None]:
    # The libraries read the AWS variables when a store is opened.
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def lacking() -> str | None:
    """Return what is not installed here of what is needed, if anything."""
    from importlib.util import find_spec

    from tests.grown.servers import postgres_programs

    names = [
        name
        for name, there in (("postgresql", postgres_programs()), ("nginx", shutil.which("nginx")))
        if not there
    ]
    names += [name for name in ("moto", "obstore", "psycopg") if find_spec(name) is None]
    return ", ".join(names) or None


@contextmanager
def grown(
    port: int,
    *,
    durable: bool = False,
    between: Callable[[int], int] = lambda port: port,
    own: dict[str, str] | None = None,
    more: Callable[[dict[str, str]], list[Part]] = lambda _environment: [],
    prepare: Callable[[Installation], None] = lambda _here: None,
) -> Iterator[Stack]:
    """Start all of it, and end all of it with the block; what it holds is gone then.

    `between` is given the port of the S3 and returns that at which programs find it; `own` are further variables of theirs.
    `prepare` is called with the installation before anybody is let in.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="longview-grown-")))
        store = stack.enter_context(bucket())
        database = stack.enter_context(postgres(durable=durable))
        environment = {
            **access(between(store.port)),
            "LONGVIEW_DATABASE_URL": database.url,
            "LONGVIEW_TRUSTED_PROXIES": "127.0.0.1",
            **(own or {}),
        }
        ports = [free_port() for _ in range(REPLICAS)]
        parts = [_web(folder / f"web-{number}", at) for number, at in enumerate(ports, 1)]
        parts += [_worker(folder / f"worker-{number}") for number in range(1, WORKERS + 1)]
        running = Stack(folder, f"http://127.0.0.1:{port}", parts, database, store, environment)
        here = running.open()
        here.migrate()
        prepare(here)
        here.close()
        stopping = threading.Event()
        everything = [*parts, *more(environment)]
        for part in everything:
            part.own = {**environment, **part.own}
        keeping = threading.Thread(
            target=keep_running,
            args=(everything, folder / "looking"),
            kwargs={"until": stopping, "log": running.said.append},
        )
        keeping.start()
        stack.callback(keeping.join)
        stack.callback(stopping.set)
        stack.enter_context(_nginx(folder, port, ports))
        for at in ports:
            if not wait_for_page("127.0.0.1", at, seconds=120, until=threading.Event()):
                raise RuntimeError("The dashboard does not start.")
        yield running


def _web(home: Path, port: int) -> Part:
    own = {"LONGVIEW_HOME": str(home)}
    return Part(
        f"dashboard {home.name[-1]}", dashboard_at("127.0.0.1", port), page=("127.0.0.1", port), own=own
    )


def _worker(home: Path) -> Part:
    own = {"LONGVIEW_HOME": str(home)}
    return Part(f"worker {home.name[-1]}", ("-m", "core", "worker"), beat=home / HEARTBEAT, own=own)


@contextmanager
def _nginx(folder: Path, port: int, ports: list[int]) -> Iterator[None]:
    """Run nginx with the example file that the README leads to, without a certificate: this is one machine."""
    text = EXAMPLE.read_text()
    start = text.index("server {\n    listen 80;")
    text = text[:start] + text[text.index("server {\n    listen 443 ssl;") :]
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("ssl_"))
    servers = "\n".join(f"    server 127.0.0.1:{at} max_fails=1 fail_timeout=5s;" for at in ports)
    text = text.replace("    server 127.0.0.1:8501 max_fails=1 fail_timeout=5s;", servers)
    inside = "".join(
        f"{part}_temp_path {folder}/{part};" for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    account = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{account} daemon off; pid {folder}/nginx.pid; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {inside}\n{text}\n}}\n"
    )
    log = folder / "nginx.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(log)],
            stdout=said, stderr=said, start_new_session=True, preexec_fn=ends_with_us,
        )  # fmt: skip
    try:
        wait_until_it_answers(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(20)
