"""An installation from a backup.

A restore believes nothing of it: it is unpacked beside the home, checked as a whole, made ready there, and becomes the home
in one step at the end.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import delete

from core.care.archive import (
    DATABASE,
    BackupError,
    BackupManifest,
    first_line,
    named_by_rows,
    read_archive,
    read_only,
)
from core.installation import RESTORING
from core.outages import outage
from core.people import audit, end_all_own, tokens
from core.sealing import Key, Opened, SealError, kind_of, unsealed
from core.settings import Settings
from db.database import Database, sqlite_module
from db.files import held, is_held, private_folder, sync_folder
from db.migrate import known_revisions, lacking, upgrade
from db.tables import KnownBrowser, SignIn

__all__ = ["restore_backup"]


def restore_backup(settings: Settings, source: Path, *, key: Key | None = None) -> BackupManifest:
    """Fill an empty home from a backup of this or an earlier release; return the backup's manifest.

    The backup is unpacked beside the home (in it, where it is a disk of its own), and each file checked against its
    sha256; then its database is looked through, brought to this release, every sign-in in it is ended, and its audit trail
    told that it was restored. Only then does it become the home, in one step: a restore that is cut off leaves no half one,
    and one that is refused leaves all as it was.

    Raises
    ------
    BackupError
        If the home holds something already, the settings keep rows elsewhere than in the home, the file is no whole
        backup that this release can read, or it is sealed and the `key` does not open it.
    OSError
        If the machine lacks something for a while (`core.outages`); the home is as it was.
    """
    home = settings.root
    if settings.image_store or settings.url != f"sqlite:///{home / DATABASE}":
        raise BackupError(
            "A backup fills a folder with its SQLite database and images: restore without LONGVIEW_DATABASE_URL and "
            "LONGVIEW_IMAGE_STORE."
        )
    _refuse_a_home_in_use(home)
    try:
        with _opened(source) as file, _unpacked_beside(home) as folder:
            free = shutil.disk_usage(folder).free
            if (size := os.fstat(file.fileno()).st_size) > free:
                raise BackupError(
                    f"{source} has {size / 1e9:.1f} GB, and the disk of {home} has {free / 1e9:.1f} GB free. Make room, or "
                    "set LONGVIEW_HOME to a larger disk."
                )
            with _in_clear(file, source, key) as opened:
                manifest = read_archive(opened, str(source), folder, size=size)
            _check_database(folder / DATABASE, manifest, str(source))
            _make_ready(folder / DATABASE, manifest, str(source))
            _sync_folders(folder)
            _move_in(folder, home)
    except BackupError:
        raise
    except SealError as error:
        raise BackupError(str(error)) from error
    except Exception as error:
        # Whatever a file that was made to deceive leads into; the home has not been touched.
        if outage(error) is not None:
            raise
        raise BackupError(f"{source} cannot be restored: {first_line(error)}") from error
    return manifest


def _clear_a_cut_off_restore(home: Path) -> None:
    """Take back the parts that a restore onto a disk of its own had moved in when it was killed: the database comes last.

    So a home without one, beside the leavings of a restore that hold one and that no process is at work on, is neither the
    old state nor the new one.
    """
    if not home.is_dir() or (home / DATABASE).exists():
        return
    for left in sorted(home.glob(f".{RESTORING}*")):
        if (left / DATABASE).is_file() and not is_held(left):
            for part in sorted(home.iterdir()):
                if not part.name.startswith(".") and part.name != "lost+found":
                    part.rename(left / part.name)
            return


def _refuse_a_home_in_use(home: Path, *, apart: Path | None = None) -> None:
    """Let through a home that is not there, or in which only the leavings of a restore lie."""
    if not home.exists():
        return
    if not home.is_dir():
        raise BackupError(f"{home} is a file. Restore into an empty folder: set LONGVIEW_HOME.")
    if apart is None:
        _clear_a_cut_off_restore(home)
    held = [
        path.name
        for path in home.iterdir()
        if path != apart and not path.name.startswith(f".{RESTORING}") and path.name != "lost+found"
    ]
    if held:
        raise BackupError(
            f"{home} is not empty: it holds {min(held)}. Restore into an empty folder: set LONGVIEW_HOME."
        )


@contextmanager
def _opened(source: Path) -> Iterator[IO[bytes]]:
    try:
        # Not to wait for a pipe's other end, should it be one.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise BackupError(f"There is no file {source}.") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BackupError(f"{source} is no file. Name a file that backup wrote.")
        yield file


@contextmanager
def _in_clear(file: IO[bytes], source: Path, key: Key | None) -> Iterator[IO[bytes] | Opened]:
    """Yield a backup's own bytes, whether it is sealed or not."""
    kind = kind_of(source)
    if kind is None:
        yield file
    elif key is None:
        what = "--passphrase-file" if kind == "passphrase" else "--key-file"
        raise BackupError(f"{source} is sealed: what opens it is asked for, or given by {what}.")
    else:
        with unsealed(file, str(source), key) as opened:
            yield opened


def _check_database(path: Path, manifest: BackupManifest, name: str) -> None:
    """Look through a database without changing it; raise `BackupError` unless this release can go on with it."""
    try:
        with read_only(path) as connection:
            _check_content(connection, manifest, name)
    except (sqlite3.Error, sqlite_module().Error) as error:
        raise BackupError(f"{name} holds a database that cannot be read: {first_line(error)}") from error
    held = manifest.members()
    for part, keys in named_by_rows(path).items():
        lacks = {key for key in keys if f"{part}/{key[:2]}/{key}" not in held} - set(manifest.missing)
        if lacks:
            raise BackupError(
                f"{name} is not whole: its rows name {len(lacks)} {part} that it does not hold, first {min(lacks)}."
            )


def _check_content(connection: Any, manifest: BackupManifest, name: str) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    for (said,) in connection.execute("PRAGMA integrity_check(1)"):
        if said != "ok":
            raise BackupError(f"{name} holds a damaged database: {str(said).splitlines()[0]}.")
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise BackupError(f"{name} holds a row of {broken[0]} without the row of {broken[2]} it belongs to.")
    strange = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
    ).fetchone()
    if strange is not None:
        raise BackupError(f"{name} holds the {strange[0]} {strange[1]!r}, which is none of Longview's.")
    revisions = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
    if revisions != [manifest.revision]:
        raise BackupError(f"{name} is damaged: its database is not of the revision that its manifest says.")
    if manifest.revision not in known_revisions():
        raise BackupError(
            f"{name} is of revision {manifest.revision}, which this release does not know. Restore it with the newer "
            "release that made it."
        )


def _make_ready(path: Path, manifest: BackupManifest, name: str) -> None:
    """Bring a checked database to this release and end all sign-ins and tokens in it, recorded in its audit trail."""
    database = Database(f"sqlite:///{path}")
    try:
        upgrade(database)
        lacks = lacking(database)
        if lacks:
            raise BackupError(f"{name} holds a database without {lacks[0]}, so it is none of Longview's.")
        with database.write() as session:
            # A cookie or token from the day of the copy must not open what its owner may since have been shut out of.
            ended = session.execute(delete(SignIn))
            session.execute(delete(KnownBrowser))
            tokens_ended = tokens.end_all(session) + end_all_own(session)
            audit.record(
                session,
                None,
                "restored",
                None,
                {
                    "copy_of": manifest.made_at.isoformat(timespec="minutes"),
                    "sign_ins_ended": ended.rowcount,  # type: ignore[attr-defined]
                    "tokens_ended": tokens_ended,
                },
            )
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()


@contextmanager
def _unpacked_beside(home: Path) -> Iterator[Path]:
    """Yield an empty folder from which a home can be moved into place; it and folders made for it are taken away again."""
    made = [folder for folder in home.parents if not folder.exists()]
    folder: Path | None = None
    try:
        private_folder(home.parent)
        if home.is_dir() and home.is_mount():
            folder = Path(tempfile.mkdtemp(dir=home, prefix=f".{RESTORING}"))
        else:
            folder = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}{RESTORING}"))
        with held(folder):
            yield folder
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        raise
    # Gone where it has become the home; an empty one is left where its parts were moved out of it.
    shutil.rmtree(folder, ignore_errors=True)


def _move_in(folder: Path, home: Path) -> None:
    """Make an unpacked backup the home: in one step, or the database last where the home is a disk of its own."""
    _refuse_a_home_in_use(home, apart=folder)
    if folder.parent != home:
        # Onto an empty folder or onto nothing: anything else that came meanwhile is refused by the system.
        folder.rename(home)
        sync_folder(home.parent)
        return
    moved: list[str] = []
    try:
        for part in sorted(folder.iterdir(), key=lambda path: path.name == DATABASE):
            part.rename(home / part.name)
            moved.append(part.name)
    except BaseException:
        for name in moved:
            (home / name).rename(folder / name)
        raise
    sync_folder(home)


def _sync_folders(folder: Path) -> None:
    for parent, _folders, files in os.walk(folder, topdown=False):
        if DATABASE in files:
            with Path(parent, DATABASE).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))
