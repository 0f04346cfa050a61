"""A backup of an installation in one file, and an installation from a backup."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from core.installation import Installation
from core.settings import Settings
from db.database import Database
from db.images import FolderStore
from db.migrate import current
from db.tables import utc_now

BACKUP_FORMAT = "longview-backup-1"


class BackupError(Exception):
    """A backup or restore that cannot be done; the message says why and what to do."""


def write_backup(here: Installation, target: Path) -> dict[str, Any]:
    """Write database, images and quarantine into one tar file; return its manifest.

    The database is copied first, by SQLite's own backup, so that the copy is whole while others write; objects are
    never changed, so all that the copied rows name is there afterwards. The file appears only when it is complete.

    Raises
    ------
    BackupError
        If the target exists, or rows or images are kept elsewhere than in SQLite and folders: their own tools copy
        them then.
    """
    images, quarantine = here.images, here.quarantine
    if not (
        here.database.is_sqlite and isinstance(images, FolderStore) and isinstance(quarantine, FolderStore)
    ):
        rows = "SQLite's .backup" if here.database.is_sqlite else "pg_dump"
        raise BackupError(
            f"Only SQLite and folders are copied here. Copy {here.database.shown_url} with {rows} first, then "
            f"{images.where} and {quarantine.where}: in this order the copy names no image that it lacks."
        )
    if target.exists():
        raise BackupError(f"{target} exists. Choose another name.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with tempfile.TemporaryDirectory(dir=here.home, prefix=".backup-") as folder:
        copy = Path(folder) / "longview.db"
        _copy_database(here.database, copy)
        manifest: dict[str, Any] = {
            "format": BACKUP_FORMAT,
            "made_at": utc_now().isoformat(),
            "revision": current(here.database),
            "database_sha256": _sha256(copy),
            "images": list(images.keys()),
            "quarantine": list(quarantine.keys()),
        }
        text = Path(folder) / "manifest.json"
        text.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        try:
            with partial.open("wb") as file:
                with tarfile.open(fileobj=file, mode="w") as archive:
                    archive.add(text, "manifest.json")
                    archive.add(copy, "longview.db")
                    for name, store in (("images", images), ("quarantine", quarantine)):
                        for key in manifest[name]:
                            archive.add(store.path(key), f"{name}/{key[:2]}/{key}")
                file.flush()
                os.fsync(file.fileno())
            _check_archive(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return manifest


def restore_backup(settings: Settings, source: Path) -> dict[str, Any]:
    """Fill an empty home from a backup and migrate it; return the backup's manifest.

    Raises
    ------
    BackupError
        If the home holds an installation already, the settings keep rows elsewhere than in the home, or the file is
        no whole backup.
    """
    home = settings.root
    if settings.image_store or settings.url != f"sqlite:///{home / 'longview.db'}":
        raise BackupError(
            "A backup fills a folder with its SQLite database and images: restore without LONGVIEW_DATABASE_URL and "
            "LONGVIEW_IMAGE_STORE."
        )
    if home.exists() and any(home.iterdir()):
        raise BackupError(f"{home} is not empty. Restore into an empty folder: set LONGVIEW_HOME.")
    manifest = _check_archive(source)
    home.parent.mkdir(parents=True, exist_ok=True)
    # Unpacked beside the home and moved there when it is complete: a restore that is cut off leaves no half home.
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}-restore-") as folder:
        _unpack(source, Path(folder))
        home.mkdir(exist_ok=True)
        for part in sorted(Path(folder).iterdir(), key=lambda path: path.name == "longview.db"):
            shutil.move(part, home / part.name)
    from db.migrate import upgrade

    here = Installation.open(settings)
    upgrade(here.database)
    here.close()
    return manifest


def _check_archive(source: Path) -> dict[str, Any]:
    """Read a backup to its end; return its manifest, or raise `BackupError` if anything lacks or differs."""
    seen: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise BackupError(f"{source} holds {member.name!r}, which no backup holds.")
                if member.name == "manifest.json":
                    manifest = json.load(content)
                else:
                    seen[member.name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BackupError(f"{source} is no whole backup: {error}.") from error
    if manifest.get("format") != BACKUP_FORMAT:
        raise BackupError(f"{source} is no backup of Longview.")
    expected = {"longview.db": manifest["database_sha256"]}
    for part in ("images", "quarantine"):
        expected |= {f"{part}/{key[:2]}/{key}": key for key in manifest[part]}
    if seen != expected:
        wrong = sorted(name for name in seen.keys() | expected if seen.get(name) != expected.get(name))
        raise BackupError(f"{source} is damaged: {len(wrong)} of its files lack or differ, first {wrong[0]}.")
    return manifest


def _unpack(source: Path, folder: Path) -> None:
    """Write the files of a checked backup; its names are those that its manifest makes, so none can escape."""
    with tarfile.open(source) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or member.name == "manifest.json":
                continue
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())


def _copy_database(database: Database, target: Path) -> None:
    with database.engine.connect() as connection:
        source: Any = connection.connection.driver_connection
        module = sqlite3 if isinstance(source, sqlite3.Connection) else database.engine.dialect.dbapi
        copy = module.connect(str(target))  # type: ignore[union-attr]
        try:
            source.backup(copy)
            # One file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
