"""How fast files are taken in, beside a PACS that is given the same ones: made-up pictures, in a home of its own.

Everything that intake does but scoring and tiles counts: reading, checks, picture and thumbnail, all of it on the disk before
it is acknowledged. Orthanc only keeps the file; it is asked where it is installed, over HTTP on loopback.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pydicom
from pydicom.uid import UID

from core.care import store_speed, trail_cost
from core.care.benchmark import FILM, Measured, made_up_dicom
from core.incoming import AT_ONCE, IncomingFile, take_in
from core.installation import Installation
from core.settings import Settings
from db.migrate import upgrade
from db.scratch import empty, scratch_database, scratch_place

__all__ = ["run"]

SMALL = (480, 360)
FILMS, SMALL_ONES = 24, 200
_PICTURES = 4
"""Different pictures of each size; what else differs between files is whose they are."""
_ORTHANC_SECONDS = 30.0


def run(
    settings: Settings, on_step: Callable[[str], None] = lambda _step: None, *, many: int = SMALL_ONES
) -> dict[str, Measured]:
    """Measure files a second, large ones and small ones, and how memory grows over `many` small ones."""
    with tempfile.TemporaryDirectory(prefix="longview-benchmark-") as folder:
        own = settings.model_copy(
            update={"home": Path(folder) / "home", "database_url": None, "image_store": None}
        )
        own.__dict__.pop("root", None)
        here = Installation.open(own)
        upgrade(here.database)
        try:
            on_step("files taken in")
            films = _files(FILM, FILMS, packed=True)
            small = _files(SMALL, max(many, 40))
            before = trail_cost.count_entries(here)
            measured = _taken_in(here, films, small)
            measured |= _received(here, Path(folder), on_step)
            measured |= _trail_of(
                here, trail_cost.count_entries(here) - before, measured, len(films), len(small)
            )
        finally:
            here.close()
        if settings.database_url or settings.image_store:
            on_step("the same files in this installation's database and store")
            measured |= _in_the_grown(settings, Path(folder), films, small, measured)
        orthanc = shutil.which("Orthanc")
        if orthanc:
            on_step("the same files in Orthanc")
            measured |= _beside_orthanc(orthanc, Path(folder), films, small, measured)
    return {name: Measured(round(one.value, 3), one.unit) for name, one in measured.items()}


def _files(
    shape: tuple[int, int], count: int, *, packed: bool = False, each_her_own: bool = False
) -> list[bytes]:
    """Make files with a few pictures of a few women, or each of another one, each with UIDs of its own."""
    views = 1 if each_her_own else 4
    made = []
    for seed in range(min(count, _PICTURES)):
        data = made_up_dicom("L", "CC", date(2020, 1, 1), shape, seed=seed, packed=packed)
        made.append(pydicom.dcmread(io.BytesIO(data)))
    files = []
    for number in range(count):
        dataset = made[number % len(made)]
        dataset.PatientID = f"BENCHMARK-{shape[0]}-{number // views}"
        dataset.StudyInstanceUID = f"2.25.{shape[0]}{number // views:06d}"
        dataset.SeriesInstanceUID = f"2.25.{shape[0]}{number // views:06d}8"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(
            f"2.25.{shape[0]}{number:07d}9"
        )
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        files.append(file.getvalue())
    return files


def _taken_in(here: Installation, films: Sequence[bytes], small: Sequence[bytes]) -> dict[str, Measured]:
    """Take all in; the first ones start the readers and are left out."""
    _take(here, small[:8])
    film_seconds, film_cpu = _take(here, films)
    quarter = len(small) // 4
    _take(here, small[8:quarter])
    before = _memory_mb()
    small_seconds, small_cpu = _take(here, small[quarter:])
    count = len(small) - quarter
    return {
        "films_taken_in": Measured(len(films) / film_seconds, "1/s"),
        "film_processor_time": Measured(1000 * film_cpu / len(films), "ms"),
        "small_files_taken_in": Measured(count / small_seconds, "1/s"),
        "small_file_processor_time": Measured(1000 * small_cpu / count, "ms"),
        "memory_growth": Measured(_memory_mb() - before, "MB"),
        "memory_growth_over": Measured(count, "files"),
    }


def _received(here: Installation, folder: Path, on_step: Callable[[str], None]) -> dict[str, Measured]:
    """Return how fast other files are received over the DICOM network, beside Orthanc where it is installed."""
    if shutil.which("storescu") is None:
        return {}
    on_step("files received over the DICOM network")
    rows, columns = SMALL
    files = {
        "films": _files(store_speed.LARGE, store_speed.LARGE_ONES, each_her_own=True),
        "small_files": _files((rows + 1, columns), store_speed.SMALL_ONES, each_her_own=True),
    }
    orthanc = shutil.which("Orthanc")
    with ExitStack() as stack:
        ports = stack.enter_context(_orthanc(orthanc, folder / "listening")) if orthanc else None
        return store_speed.sent(here, folder, files, ports[1] if ports else None)


def _trail_of(
    here: Installation, entries: int, measured: dict[str, Measured], films: int, small: int
) -> dict[str, Measured]:
    used = films * measured["film_processor_time"].value + small * measured["small_file_processor_time"].value
    return trail_cost.of_an_import(here, entries, used)


def _in_the_grown(
    settings: Settings,
    folder: Path,
    films: Sequence[bytes],
    small: Sequence[bytes],
    embedded: dict[str, Measured],
) -> dict[str, Measured]:
    """Return the rates on the database and the store that the settings name, and as a share of those embedded.

    Raises `db.database.DatabaseUnavailable` where no database may be made for it.
    """
    with ExitStack() as stack:
        update: dict[str, object] = {"home": folder / "grown", "queue_url": None}
        if settings.database_url and not settings.database_url.startswith("sqlite"):
            update["database_url"] = stack.enter_context(scratch_database(settings.database_url))
        if settings.image_store:
            update["image_store"] = scratch_place(settings.image_store)
        own = settings.model_copy(update=update)
        own.__dict__.pop("root", None)
        here = Installation.open(own)
        stack.callback(here.close)
        for store in (here.images, here.quarantine):
            stack.callback(empty, store)
        upgrade(here.database)
        measured = _taken_in(here, films, small)
    rates = [name for name, one in measured.items() if one.unit == "1/s"]
    return {
        **{f"grown_{name}": measured[name] for name in rates},
        **{
            f"grown_{name}_to_embedded": Measured(measured[name].value / embedded[name].value, "ratio")
            for name in rates
        },
    }


def _take(here: Installation, files: Sequence[bytes]) -> tuple[float, float]:
    """Return seconds on the clock and of processors, the readers' included."""
    started, used = time.perf_counter(), _processor_seconds()
    coming = (IncomingFile(f"{number}.dcm", data) for number, data in enumerate(files))
    report = take_in(here, coming, statement=None, source="cli", at_once=AT_ONCE)
    report.check_whole()
    if report.count("accepted") != len(files):
        raise ValueError(f"Only {report.count('accepted')} of {len(files)} made-up files were accepted.")
    return time.perf_counter() - started, _processor_seconds() - used


def _processor_seconds() -> float:
    this = psutil.Process()
    times = [one.cpu_times() for one in (this, *this.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def _memory_mb() -> float:
    this = psutil.Process()
    return sum(one.memory_info().rss for one in (this, *this.children(recursive=True))) / 1e6


def _beside_orthanc(
    program: str, folder: Path, films: Sequence[bytes], small: Sequence[bytes], ours: dict[str, Measured]
) -> dict[str, Measured]:
    """Return Orthanc's rates for the same files, and ours as a share of them; nothing where it does not start."""
    rates = {}
    with _orthanc(program, folder / "keeping") as ports:
        if ports is None:
            return {}
        port, _ = ports
        _post(port, small[:8])
        for name, files in (("films", films), ("small_files", small[8:])):
            started = time.perf_counter()
            _post(port, files)
            rate = len(files) / (time.perf_counter() - started)
            rates[f"orthanc_{name}"] = Measured(rate, "1/s")
            rates[f"{name}_to_orthanc"] = Measured(ours[f"{name}_taken_in"].value / rate, "ratio")
    return rates


def _post(port: int, files: Sequence[bytes]) -> None:
    """Send files as two clients do at once."""

    def send(some: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for data in some:
            connection.request("POST", "/instances", data, {"Content-Type": "application/dicom"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise ValueError(f"Orthanc answered {answer.status}.")
        connection.close()

    with ThreadPoolExecutor(2) as clients:
        list(clients.map(send, (files[::2], files[1::2])))


@contextmanager
def _orthanc(program: str, where: Path) -> Iterator[tuple[int, int] | None]:
    """Run an Orthanc of our own for this machine alone, and yield its ports for HTTP and DICOM; None where it does not answer in time."""
    port, dicom_port = _free_port(), _free_port()
    where.mkdir()
    settings = {
        "StorageDirectory": str(where), "IndexDirectory": str(where), "HttpPort": port, "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [],
        # Its DICOM port cannot be bound to loopback: nobody may store but from here.
        "DicomPort": dicom_port, "DicomAlwaysAllowStore": False, "DicomAlwaysAllowEcho": False, "DicomCheckModalityHost": True,
        "DicomModalities": {"sender": ["STORESCU", "127.0.0.1", port]},
    }  # fmt: skip
    configured = where / "orthanc.json"
    configured.write_text(json.dumps(settings))
    process = subprocess.Popen(
        [program, str(configured)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield (port, dicom_port) if _answers(port, process) and _answers(dicom_port, process) else None
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + _ORTHANC_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            time.sleep(0.1)
    return False
