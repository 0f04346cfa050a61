"""A backup of an installation in one file, sealed on request (`core.sealing`)."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select

from core.care.archive import (
    BACKUP_FORMAT,
    BESIDE,
    DATABASE,
    MANIFEST,
    PARTS,
    BackupError,
    BackupManifest,
    named_by_rows,
    read_archive,
    write_archive,
)
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import audit
from core.people.needing import SYSTEM_ONLY, needs
from core.people.roles import Permission
from core.sealing import Digesting, Key, SealError, sealed_into, unsealed
from db.database import Database
from db.files import held, private_file, whole_file
from db.images import FolderStore
from db.migrate import current
from db.stale import trigger_names
from db.tables import AuditEntry, utc_now

__all__ = ["BACKING_UP", "copy_database", "how_it_is_copied", "last_backup", "write_backup"]

BACKING_UP = ".backup-"
"""How the name of a folder begins, in a home, in which a database is being copied."""
_FINISHED = "backup_finished"

log = log_of(__name__)


@needs(SYSTEM_ONLY)
def write_backup(here: Installation, target: Path, *, key: Key | None = None) -> BackupManifest:
    """Write database, images, quarantine and cohorts that came as tables into one tar file, for its owner alone (0600).

    Returns its manifest.

    The database is copied first, by SQLite's own backup, so that the copy is whole while others write; objects are
    never changed, so all that the copied rows name is there afterwards. The file appears only when it is complete,
    read back and checked. With a `key` it is sealed (`core.sealing`), and nothing of it is ever there in clear; one
    that is sealed to a public key cannot be read back here, and is compared with what was written. Objects that are gone
    or damaged do not keep the others from being copied: the manifest names them as missing.

    Raises
    ------
    BackupError
        If the target exists or cannot be written, the key will not do, or rows or images are kept elsewhere than in
        SQLite and folders: their own tools copy them then.
    OSError, sqlite3.Error
        If the machine lacks something for a while (`core.outages`); nothing is left behind.
    """
    stores = _stores_copied_here(here)
    if stores is None:
        raise BackupError(f"Only SQLite and folders are copied here. {how_it_is_copied(here)}")
    images, quarantine = stores
    _refuse_to_overwrite(target)
    revision = current(here.database)
    if revision is None:
        raise BackupError("There are no tables to copy yet. Run: python -m core migrate")
    # The entry comes first: no copy lies about that the trail does not know, and the copy tells of itself.
    audit.note(here, None, "backup_made", None, {"file": target.name})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=here.home, prefix=BACKING_UP) as folder,  # mode 0700
            held(Path(folder)),
        ):
            copy = Path(folder) / DATABASE
            copy_database(here.database, copy)
            wanted = named_by_rows(copy)
            beside = _copied_beside(here.home, Path(folder))
            whole = {
                "images": [*filter(partial(_is_whole, images), images.keys())],
                "quarantine": [*filter(partial(_is_whole, quarantine), quarantine.keys())],
            }
            manifest = BackupManifest(
                format=BACKUP_FORMAT,
                made_at=utc_now(),
                revision=revision,
                database_sha256=_sha256(copy),
                missing=sorted(set().union(*(wanted[name] - set(whole[name]) for name in PARTS))),
                beside={name: _sha256(path) for name, path in beside.items()},
                **whole,
            )
            text = Path(folder) / MANIFEST
            text.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
            with whole_file(target) as file:
                parts = [
                    (text, MANIFEST),
                    (copy, DATABASE),
                    *((path, name) for name, path in beside.items()),
                    *((images.path(one), f"images/{one[:2]}/{one}") for one in manifest.images),
                    *((quarantine.path(one), f"quarantine/{one[:2]}/{one}") for one in manifest.quarantine),
                ]
                _write_checked(file, parts, str(target), key)
                _refuse_to_overwrite(target)
    except SealError as error:
        raise BackupError(str(error)) from error
    except OSError as error:
        if outage(error) is not None:
            raise
        raise BackupError(f"{target} cannot be written: {error.strerror or error}.") from error
    try:
        # What is only begun may have been cut off: by this one an admin goes.
        audit.note(here, None, _FINISHED, None, {"file": target.name})
    except Exception as error:
        if (said := outage(error)) is None:
            raise
        log.warning("a backup was finished, but that could not be written to the trail", lacks=said)
    return manifest


def how_it_is_copied(here: Installation) -> str | None:
    """Return in a sentence how to copy an installation that `write_backup` does not copy; None where it does."""
    if _stores_copied_here(here) is not None:
        return None
    rows = "SQLite's .backup" if here.database.is_sqlite else "pg_dump"
    return (
        f"Copy {here.database.shown_url} with {rows} first, then {here.images.where} and {here.quarantine.where}: in this "
        "order the copy names no image that it lacks."
    )


def _stores_copied_here(here: Installation) -> tuple[FolderStore, FolderStore] | None:
    """Return images and quarantine where they are folders beside SQLite, which `write_backup` copies; else None."""
    images, quarantine = here.images, here.quarantine
    if here.database.is_sqlite and isinstance(images, FolderStore) and isinstance(quarantine, FolderStore):
        return images, quarantine
    return None


@needs(Permission.ADMINISTER)
def last_backup(here: Installation) -> datetime | None:
    """Return when the last backup of this installation was finished, as its trail tells; None if none was."""
    with here.database.read() as session:
        return session.scalar(
            select(AuditEntry.at)
            .where(AuditEntry.action == _FINISHED)
            .order_by(AuditEntry.id.desc())
            .limit(1)
        )


def _copied_beside(home: Path, folder: Path) -> dict[str, Path]:
    """Copy what lies beside database and objects into a folder, by its name in the archive; what goes meanwhile is left out."""
    copied: dict[str, Path] = {}
    for path in sorted([home / "simulated_truth.csv", *home.glob("cohorts/*/*")]):
        name = path.relative_to(home).as_posix()
        if not BESIDE.fullmatch(name):
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, target)
            copied[name] = target
    return copied


def _write_checked(file: IO[bytes], parts: Iterable[tuple[Path, str]], name: str, key: Key | None) -> None:
    """Write an archive, sealed where there is a key, and read it back."""
    if key is None:
        write_archive(file, parts)
        file.flush()
        read_archive(file, name, None)
        return
    written = Digesting(file)
    with sealed_into(written, key) as plain:
        write_archive(plain, parts)
    file.flush()
    if key.opens:
        size = file.tell()
        with unsealed(file, name, key) as opened:
            read_archive(opened, name, None, size=size)
        return
    file.seek(0)
    if hashlib.file_digest(file, "sha256").hexdigest() != written.sha256:  # type: ignore[arg-type]
        raise BackupError(f"{name} is not on the disk as it was written. Look at the disk, and try again.")


def _refuse_to_overwrite(target: Path) -> None:
    if target.is_symlink() or target.exists():
        raise BackupError(f"{target} exists. Choose another name.")


def copy_database(database: Database, target: Path) -> None:
    """Copy a SQLite database into a new file, whole while others write to it.

    Without its triggers, which are set again where it is opened: a copy that holds one is none of ours.
    """
    private_file(target).close()
    with database.engine.connect() as connection:
        source: Any = connection.connection.driver_connection
        module = sqlite3 if isinstance(source, sqlite3.Connection) else database.engine.dialect.dbapi
        copy = module.connect(str(target))  # type: ignore[union-attr]
        try:
            source.backup(copy)
            # One file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            for name in trigger_names():
                copy.execute(f"DROP TRIGGER IF EXISTS {name}")
            copy.commit()
        finally:
            copy.close()


def _is_whole(store: FolderStore, key: str) -> bool:
    try:
        return _sha256(store.path(key)) == key
    except FileNotFoundError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
