"""A dashboard that really runs, on a made-up cohort, for the tests of gate and browser; and pages without one."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from core.desk.desk import Desk
from core.installation import Installation
from core.people import Person, accounts, asking, demo_accounts, sign_ins
from core.people.accounts import Role
from core.people.demo_accounts import DEMO_ACCOUNTS
from core.records import key_of
from core.settings import Settings
from dashboard import house, keys, opening, session
from dashboard.patient import course_more, report_menu
from tests import engines, factories

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Served:
    """A running dashboard."""

    url: str
    here: Installation
    pid: int

    def key(self, mrn: str) -> str:
        """Return by what an address names a woman."""
        return key_of(self.here, mrn)

    def token(self, role: Role) -> str:
        username, password = next((n, p) for n, (r, _, p) in DEMO_ACCOUNTS.items() if r is role)
        return sign_ins.sign_in(self.here, username, password, loopback=True).token


@pytest.fixture(scope="session", autouse=True)
def no_networks_to_clear() -> Iterator[None]:
    """Where tests of networks ran in this process, Streamlit clears Keras after every run of a page: a second each.

    The dashboard's own process never loads it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture(scope="package", autouse=True)
def quickly_migrated_homes(migrated_database: Path) -> Iterator[None]:
    """New homes are brought to this release's tables by a copy of the file."""
    with engines.migrated_by_a_copy(migrated_database):
        yield


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Served]:
    """The dashboard as a process of its own, with eight simulated women and the demo accounts."""
    here = Installation.open(
        Settings(home=tmp_path_factory.mktemp("served") / "var", demo=True, _env_file=None)
    )
    with engines.migrated_by_a_copy(migrated_database):
        here.migrate()
    factories.cohort(here, 8)
    demo_accounts.ensure_demo_accounts(here)
    with serve(here) as running:
        yield running


@contextmanager
def serve(here: Installation) -> Iterator[Served]:
    """Run the dashboard of an installation as a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (here.home / "dashboard.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port)],
        cwd=PROJECT,
        env={**os.environ, "LONGVIEW_HOME": str(here.home), "LONGVIEW_DEMO": str(here.settings.demo)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/health", process, here.home / "dashboard.log")
        yield Served(url, here, process.pid)
    finally:
        process.terminate()
        process.wait(10)
        here.close()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"The dashboard did not start: {log.read_text()[-2000:]}")


MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def main_comes_back() -> Iterator[None]:
    """Put __main__ back: Streamlit takes its place, and processes that later tests start would run a page first."""
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture(scope="module")
def an_analyst() -> Iterator[Person]:
    """Seat an analyst before parts that are run by themselves: what they offer to take away is made on her behalf."""
    person = Person(user_id=1, username="analyst", display_name="An analyst", role=Role.ANALYST)
    asking.found_by(session.asks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "person", lambda: person)
        yield person


@pytest.fixture
def pages(here: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open pages of an empty installation as somebody in a role, without server and browser.

    ``pages(Role.ONCOLOGIST, "patient", mrn="00001")`` has run that page once, its popovers having been opened before.
    """
    house.here.cache_clear()
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    # A page that only could ask for it would load the networks in the background, and other tests would wait.
    monkeypatch.setattr(Desk, "warm_up", lambda _desk: None)

    def open_page(role: Role, page: str, **query: str) -> AppTest:
        person = accounts.create_user(
            here, f"test-{role.value}-{time.monotonic_ns()}", "a long password", role
        )
        token = sign_ins.sign_in(here, person.username, "a long password").token
        monkeypatch.setattr(session, "token", lambda: token)
        app = AppTest.from_file(str(PROJECT / "dashboard" / "main.py"), default_timeout=30)
        app.session_state[opening.OPENED] = {course_more.COURSE, report_menu.REPORT}
        app.run()
        app.switch_page(f"screens/{page}.py")
        for key, value in query.items():
            if key == "mrn":
                key, value = keys.PATIENT, key_of(here, value) or "nobody"
            app.query_params[key] = value
        return app.run()

    return open_page
