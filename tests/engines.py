"""What installations of tests are kept in: SQLite and folders, or with ``pytest --on grown`` PostgreSQL and an S3.

A test opens an installation by its home in either case, itself or in a process that it starts. Grown, each home has a
database of its own and a part of the bucket of its own, and its `longview.db` holds only where they are: where a home or
that file is copied, the copy has copies of them, as they are when it is first opened. What a test sets itself
(`LONGVIEW_DATABASE_URL`, say) holds.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text

from core.installation import Installation
from core.settings import Settings
from db.database import Database
from db.files import PRIVATE_FILE, private_folder
from db.images import BucketStore, FolderStore, ImageStore, StoreUnavailable
from db.migrate import upgrade
from tests import postgres
from tests.grown.servers import BUCKET, Bucket

if TYPE_CHECKING:
    from obstore.store import S3Store

EMBEDDED, GROWN = "embedded", "grown"
WITHOUT_A_HOME = ("tests/core/evaluation/", "tests/core/rules/", "tests/core/sets/", "tests/core/training/")
"""Rooms whose tests open no installation, and are left out when they are grown; embedded, one that opens one in its own process fails."""
_POINTER = "longview.db"


@dataclass(frozen=True)
class Place:
    """Where a home's rows and images are."""

    home: str
    database: str
    part: str

    @property
    def variables(self) -> dict[str, str]:
        """Return the settings by which a program finds them."""
        return {
            "LONGVIEW_DATABASE_URL": postgres.url_of(self.database),
            "LONGVIEW_IMAGE_STORE": f"s3://{BUCKET}/{self.part}",
        }


_places: dict[Path, Place] = {}
_running: list[Bucket] = []


@contextmanager
def grown() -> Iterator[None]:
    """Keep the rows and images of every home that is opened in PostgreSQL and an S3, as long as the block."""
    _bucket()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Installation, "open", classmethod(_opening(Installation.open.__func__)))
        patch.setattr(subprocess.Popen, "__init__", _beginning(subprocess.Popen.__init__))
        yield
    while _places:
        postgres.drop(_places.popitem()[1].database)
    while _running:
        _running.pop().end()


@contextmanager
def embedded() -> Iterator[None]:
    """Let no test of the rooms that are left out when they are grown open an installation, as long as the block."""
    open_ = Installation.open.__func__

    def opened(kind: type[Installation], settings: Settings | None = None, **how: Any) -> Installation:
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        assert not test.startswith(WITHOUT_A_HOME), (
            f"{test} opens an installation, and would be left out with --on grown: see WITHOUT_A_HOME in {__file__}"
        )
        return open_(kind, settings, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Installation, "open", classmethod(opened))
        yield


@contextmanager
def forgotten_at_the_end() -> Iterator[None]:
    """Take away what homes that are first opened in the block are kept in."""
    known = set(_places)
    yield
    for home in set(_places) - known:
        place = _places.pop(home)
        postgres.drop(place.database)
        _clear(place.part)


@cache
def migrated_elsewhere(folder: Path) -> Path:
    """Return the `longview.db` of an empty home with this release's tables, which are in PostgreSQL."""
    place = Place(str(folder), postgres.migrated(), "")
    return _pointed(folder, place)


@contextmanager
def migrated_by_a_copy(template: Path) -> Iterator[None]:
    """Bring databases that are not there yet to this release's tables by a copy of one that is; `tests/db` tries the steps."""

    def upgraded(database: Database, revision: str = "head") -> None:
        file = next(iter(database.files), None)
        if file is not None and revision == "head" and not file.exists():
            shutil.copyfile(template, file)
            file.chmod(PRIVATE_FILE)
        upgrade(database, revision)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("db.migrate.upgrade", upgraded)
        yield


def lacking() -> str | None:
    """Return what is not installed of what installations are kept in when they are grown, if anything."""
    there = {"postgresql": postgres.is_there()} | {
        name: find_spec(name) is not None for name in ("moto", "obstore", "psycopg")
    }
    return ", ".join(name for name, is_there in there.items() if not is_there) or None


def settled(database: Database) -> None:
    """Bring all rows into the database's own file, so that it can be copied once it is closed."""
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def lose(store: ImageStore, key: str) -> None:
    """Take an object away behind the program's back; it is no error if it was not there."""
    if isinstance(store, FolderStore):
        store.path(key).unlink(missing_ok=True)
    elif isinstance(store, BucketStore):
        import obstore

        obstore.delete(store._objects, f"{key[:2]}/{key}")


def damage(store: ImageStore, key: str, data: bytes) -> None:
    """Put other bytes in the place of an object."""
    if isinstance(store, FolderStore):
        store.path(key).write_bytes(data)
    elif isinstance(store, BucketStore):
        import obstore

        obstore.put(store._objects, f"{key[:2]}/{key}", data)


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Hold a database's write lock as another program may, as long as the block."""
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        with other.write() as session:
            session.execute(text("SELECT 1"))
            yield
    finally:
        other.close()


def takes_no_writes(database: Database) -> None:
    """Let a database be for reading only, as its server or its disk may be, from now on."""
    said = "PRAGMA query_only = ON" if database.is_sqlite else "SET default_transaction_read_only = on"

    def read_only(connection: Any, _record: object) -> None:
        connection.execute(said)
        connection.commit()

    database.close()
    event.listen(database.engine, "connect", read_only)


@contextmanager
def unreadable(database: Database) -> Iterator[None]:
    """Let nobody read a database as long as the block: its file cannot be opened, or its server lets nobody in."""
    database.close()
    if not database.is_sqlite:
        with postgres.closed(str(database.url.database)):
            yield
        return
    file = database.files[0]
    moved = file.rename(file.with_suffix(".away"))
    file.mkdir()
    try:
        yield
    finally:
        file.rmdir()
        moved.rename(file)


def waits(database: Database, seconds: float) -> None:
    """Let a database wait so long for what others hold, on connections that it has open too."""
    database.busy_seconds = seconds
    database.close()


@contextmanager
def away(store: ImageStore) -> Iterator[None]:
    """Let a store be away as long as the block: a folder's disk is not mounted, or there is no such bucket."""
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(store, BucketStore):
            from obstore.store import S3Store

            patch.setattr(store, "_objects", S3Store("elsewhere"))
            yield
        elif isinstance(store, FolderStore):
            mounted = store.root.rename(store.root.with_name("elsewhere"))
            store.root.mkdir()
            yield
            store.root.rmdir()
            mounted.rename(store.root)


def full(store: ImageStore) -> OSError:
    """Return what a store raises that takes no more."""
    if isinstance(store, FolderStore):
        return OSError(errno.ENOSPC, "No space left on device")
    return StoreUnavailable(f"The image store {store.where} cannot be used: it is full")


def let_writes_fail(
    patch: pytest.MonkeyPatch, how: Callable[[ImageStore, bytes], BaseException | None]
) -> None:
    """Let every store ask before each object that it writes whether this one fails, and with what."""
    write_beside, put = FolderStore.write_beside, BucketStore.put

    def beside(store: FolderStore, sha256: str, data: bytes) -> Path:
        if (error := how(store, data)) is not None:
            raise error
        return write_beside(store, sha256, data)

    def sent(store: BucketStore, data: bytes) -> str:
        if hashlib.sha256(data).hexdigest() not in store and (error := how(store, data)) is not None:
            raise error
        return put(store, data)

    patch.setattr(FolderStore, "write_beside", beside)
    patch.setattr(BucketStore, "put", sent)


def _bucket() -> None:
    if not _running:
        server = Bucket()
        server.begin()
        server.wait()
        _running.append(server)
        os.environ.update(
            {name: value for name, value in server.environment.items() if name.startswith("AWS_")}
        )


def _opening(open_: Callable[..., Installation]) -> Callable[..., Installation]:
    def opened(kind: type[Installation], settings: Settings | None = None, **how: Any) -> Installation:
        settings = settings or Settings()
        place = None
        if not {"database_url", "image_store"} & settings.model_fields_set:
            place = _place_of(settings.root)
        if place is not None:
            own = {name.removeprefix("LONGVIEW_").lower(): value for name, value in place.variables.items()}
            settings = settings.model_copy(update=own)
        return open_(kind, settings, **how)

    return opened


def _beginning(begin: Callable[..., None]) -> Callable[..., None]:
    """Tell a process that is started for a home, by its environment or an argument, where that home is kept."""

    def begun(process: object, arguments: Any, *more: Any, **how: Any) -> None:
        environment: Mapping[str, str] = os.environ if how.get("env") is None else how["env"]
        place = None
        if "LONGVIEW_DATABASE_URL" not in environment:
            if named := environment.get("LONGVIEW_HOME"):
                place = _place_of(Path(how.get("cwd") or ".", named).resolve())
            elif isinstance(arguments, Sequence) and not isinstance(arguments, str):
                place = next(
                    (_places[Path(one)] for one in map(str, arguments) if Path(one) in _places), None
                )
        if place is not None:
            how["env"] = {**environment, **place.variables}
        begin(process, arguments, *more, **how)

    return begun


def _place_of(home: Path) -> Place | None:
    """Return where a home's rows and images are, made if it is new or a copy; none where it cannot be, or has its own."""
    pointer = home / _POINTER
    try:
        private_folder(home)
        before = Place(**json.loads(pointer.read_text("utf-8"))) if pointer.exists() else None
    except (OSError, ValueError):
        return None
    if before is not None and before == _places.get(home):
        return before
    place = Place(str(home), postgres.create(before.database if before else None), f"home-{uuid4()}")
    if before is not None and before.part:
        _copy(before.part, place.part)
    _places[home] = place
    _pointed(home, place)
    return place


def _pointed(home: Path, place: Place) -> Path:
    pointer = home / _POINTER
    pointer.write_text(json.dumps(asdict(place)), "utf-8")
    pointer.chmod(PRIVATE_FILE)
    return pointer


def _copy(part: str, to: str) -> None:
    """Give what one part of the bucket holds to another."""
    import obstore

    for path in _paths(part):
        obstore.copy(_whole_bucket(), path, to + path.removeprefix(part))


def _clear(part: str) -> None:
    """Take away what a part of the bucket holds."""
    import obstore

    if paths := _paths(part):
        obstore.delete(_whole_bucket(), paths)


def _paths(part: str) -> list[str]:
    import obstore

    return [one["path"] for chunk in obstore.list(_whole_bucket(), prefix=part) for one in chunk]


@cache
def _whole_bucket() -> S3Store:
    from obstore.store import S3Store

    return S3Store(BUCKET)
