"""PostgreSQL and an S3 on loopback, from this machine's own programs, for as long as who started them lives.

They are for tests and for trying out: nobody needs a password, and with `durable` off a power cut loses what they hold.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

START_SECONDS = 60.0
BUCKET = "longview"

_POSTGRES_ACCOUNT = "postgres"
"""The account that Debian's package makes: PostgreSQL does not run as root."""


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Return whether somebody listens at a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a program that was started to listen; raises `RuntimeError` with what it said if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"{process.args!r} does not listen: {log.read_text('utf-8', 'replace')[-2000:]}"
            )
        time.sleep(0.05)


def ends_with_us() -> None:
    """In a new child: be told to stop when the process that started it is gone, however it went (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_for_postgres(
    url: str, process: subprocess.Popen[bytes] | None = None, log: Path | None = None
) -> None:
    """Wait until a PostgreSQL server lets somebody in; raises `RuntimeError` if it does not, with what it said."""
    engine = create_engine(url, connect_args={"connect_timeout": 2})
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            engine.connect().close()
            break
        except OperationalError as error:
            if (process is not None and process.poll() is not None) or time.monotonic() > deadline:
                said = log.read_text("utf-8", "replace")[-2000:] if log else str(error)
                raise RuntimeError(f"PostgreSQL does not start: {said}") from None
            time.sleep(0.05)
    engine.dispose()


def postgres_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL here that this account can run, if there is one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    elsewhere = shutil.which("initdb")
    programs = [path.parent for path in found] + ([Path(elsewhere).parent] if elsewhere else [])
    if not programs:
        return None
    if os.geteuid() == 0 and (not shutil.which("setpriv") or not _account()):
        return None
    return programs[0]


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(_POSTGRES_ACCOUNT)
    except KeyError:
        return None


@dataclass
class Postgres:
    """A PostgreSQL server with a data folder of its own; `stop` and `start` keep what it holds, `end` does not.

    >>> with postgres() as server:
    ...     server.url
    'postgresql+psycopg://longview@127.0.0.1:41873/postgres'
    """

    durable: bool = False
    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="longview-postgres-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL of the database that is there from the beginning."""
        return f"postgresql+psycopg://longview@127.0.0.1:{self.port}/postgres"

    def begin(self) -> None:
        """Start the server and do not wait for it; its data folder is made first where there is none."""
        programs = postgres_programs()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
        account = _account()
        be: list[str] = []
        if os.geteuid() == 0 and account is not None:
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            be = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            # Told to stop when we are gone; set here because a change of account takes it away.
            be.append("--pdeathsig=INT")
        data = self.folder / "data"
        quick = [] if self.durable else ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self.folder}",
            *quick,
        ]
        options = " ".join(f"-c {setting}" for setting in settings)
        script = (
            f"test -s {data}/PG_VERSION || {programs}/initdb -D {data} -U longview -A trust -E UTF8 --locale=C.UTF-8 "
            f"--no-sync --no-instructions && exec {programs}/postgres -D {data} {options}"
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*be, "sh", "-c", script], cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=None if be else ends_with_us,
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until the server lets somebody in."""
        wait_for_postgres(self.url, self.process, self.folder / "log")

    def start(self) -> None:
        """Start the server and wait until it lets somebody in."""
        self.begin()
        self.wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends who is connected, SIGQUIT is as if it had crashed."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(START_SECONDS)

    def end(self) -> None:
        """Stop the server and take its data away."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Bucket:
    """`moto` as an S3 server that holds one bucket in memory; `signal` can make it hang, `end` loses it all."""

    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="longview-s3-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which a program finds the bucket."""
        return access(self.port)

    def begin(self) -> None:
        """Start the server and do not wait for it."""
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=ends_with_us,
            )  # fmt: skip

    def wait(self) -> None:
        """Wait until the server answers, and make the bucket."""
        assert self.process is not None
        wait_until_it_answers(self.port, self.process, self.folder / "log")
        make_bucket(self.port)

    def end(self) -> None:
        """Stop the server; what it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def make_bucket(port: int) -> None:
    """Make the bucket in an S3 on loopback that looks at no key."""
    ask = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(ask, timeout=30).close()


def access(port: int) -> dict[str, str]:
    """Return the usual AWS variables for an S3 on loopback that looks at no key."""
    return {
        "LONGVIEW_IMAGE_STORE": f"s3://{BUCKET}/longview",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "longview",
        "AWS_SECRET_ACCESS_KEY": "longview",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Run a PostgreSQL server as long as the block."""
    server = Postgres(durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.end()


@contextmanager
def bucket() -> Iterator[Bucket]:
    """Run an S3 as long as the block."""
    server = Bucket()
    try:
        server.begin()
        server.wait()
        yield server
    finally:
        server.end()
