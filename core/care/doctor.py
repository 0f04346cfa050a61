"""Looking after an installation: is it well, is all there that should be, a copy of it, and back from the copy."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from core.installation import Installation
from core.settings import Settings
from core.worker.progress import Worker, local_worker
from core.worker.progress import worker as worker_of
from db.database import WAL_SAFE_SQLITE, Database, DatabaseUnavailable, postgres_settings, sqlite_version
from db.images import FolderStore, StoreUnavailable
from db.migrate import current, head
from db.tables import Image, ImportItem, Outcome, Study, StudyStatus, utc_now
from models.store import registry

BACKUP_FORMAT = "longview-backup-1"
_LOW_DISK_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what to do where it is not well."""

    name: str
    state: Literal["ok", "warning", "error"]
    said: str


def doctor(here: Installation) -> list[Finding]:
    """Look at database, migrations, weights, folders, worker and disk; changes nothing."""
    checks: tuple[Callable[[Installation], Finding], ...] = (
        _check_weights,
        _check_folders,
        _check_disk,
    )
    try:
        has_tables = current(here.database) is not None
    except DatabaseUnavailable as error:
        looked_at = (check(here) for check in checks)
        return [Finding("database", "error", str(error)), *looked_at, _worker(local_worker(here))]
    worker = worker_of(here) if has_tables else local_worker(here)
    looked_at = (check(here) for check in (_check_database, _check_migrations, *checks))
    return [*looked_at, _worker(worker), _check_queue(here)]


def _check_database(here: Installation) -> Finding:
    return _check_sqlite(here.database) if here.database.is_sqlite else _check_postgres(here.database)


def _check_postgres(database: Database) -> Finding:
    said = postgres_settings(database.engine)
    version = said.pop("server_version")
    off = [name for name, value in said.items() if value == "off"]
    if off:
        warning = f"PostgreSQL {version} may lose what was acknowledged: set {' and '.join(off)} to on."
        return Finding("database", "error", warning)
    return Finding("database", "ok", f"PostgreSQL {version}, {database.shown_url}.")


def _check_sqlite(database: Database) -> Finding:
    version = sqlite_version(database.engine)
    with database.engine.connect() as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()).upper()
        healthy = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() == "ok"
    if not healthy:
        return Finding("database", "error", f"SQLite {version} finds damage. Restore the last backup.")
    fixed = tuple(int(part) for part in version.split(".")) >= WAL_SAFE_SQLITE
    if mode == "WAL" and not fixed:
        safe = ".".join(map(str, WAL_SAFE_SQLITE))
        said = f"SQLite {version} in WAL mode can lose data in a rare race. Use {safe} or newer."
        return Finding("database", "error", said)
    return Finding("database", "ok", f"SQLite {version}, journal mode {mode}.")


def _check_migrations(here: Installation) -> Finding:
    at, wanted = current(here.database), head()
    if at == wanted:
        return Finding("migrations", "ok", f"At revision {wanted}.")
    said = f"At revision {at or 'none'}, this release needs {wanted}. Run: python -m core migrate"
    return Finding("migrations", "error", said)


def _check_weights(here: Installation) -> Finding:
    name = here.settings.model
    try:
        folder = Path(name) if (Path(name) / registry.CARD).is_file() else registry.weights_folder(name)
        card = registry.read_card(folder)
        registry.check_files(folder, card)
    except (LookupError, ValueError) as error:
        return Finding("weights", "error", str(error))
    return Finding("weights", "ok", f"{card.name}, sha256 {card.weights_sha256[:12]}, as its card says.")


def _check_folders(here: Installation) -> Finding:
    for store in (FolderStore(here.home), here.images, here.quarantine):
        try:
            store.check()
        except StoreUnavailable as error:
            return Finding("folders", "error", str(error))
        except OSError as error:
            return Finding("folders", "error", f"{store.where} cannot be written: {error.strerror}.")
    bucket = "" if isinstance(here.images, FolderStore) else f" and {here.images.where}"
    return Finding("folders", "ok", f"{here.home}{bucket} can be written.")


def _check_disk(here: Installation) -> Finding:
    free = shutil.disk_usage(here.home).free
    state: Literal["ok", "warning"] = "ok" if free > _LOW_DISK_BYTES else "warning"
    return Finding("disk", state, f"{free / 1e9:.1f} GB free.")


def _worker(worker: Worker) -> Finding:
    return Finding("worker", "ok" if worker.running else "warning", worker.sentence)


def _check_queue(here: Installation) -> Finding:
    if current(here.database) is None:
        return Finding("queue", "warning", "There are no tables yet.")
    with here.database.read() as session:
        pending = session.scalars(
            select(Study.inputs_changed_at).where(Study.status == StudyStatus.PENDING)
        ).all()
    if not pending:
        return Finding("queue", "ok", "No study waits to be scored.")
    minutes = (utc_now() - min(pending)).total_seconds() / 60
    said = f"{len(pending)} studies wait to be scored, the longest for {minutes:.0f} minutes."
    return Finding("queue", "warning" if minutes > 15 else "ok", said)


@dataclass
class Verification:
    """What `verify` found: how much was looked at, and what is not as it should be."""

    images: int = 0
    objects: int = 0
    quarantined: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Say whether every image is there as it was received; an orphan only takes space."""
        return not self.missing and not self.damaged

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``verify --json``."""
        return {**asdict(self), "well": self.well}


def verify(here: Installation, on_object: Callable[[], None] | None = None) -> Verification:
    """Read every stored object and compare it with its sha256, and every row with its object.

    Lists images without object as missing, objects with other bytes as damaged, and objects that no row names as
    orphans (an import that was cut off leaves some; they do no harm). Changes nothing.
    """
    with here.database.read() as session:
        rows = session.execute(select(Image.sha256, Image.rendition_sha256, Image.thumbnail_sha256)).all()
        kept = session.scalars(
            select(ImportItem.sha256).where(
                ImportItem.outcome == Outcome.QUARANTINED, ImportItem.sha256.is_not(None)
            )
        ).all()
    named = {str(key) for row in rows for key in row}
    quarantined = {str(key) for key in kept}
    found = Verification(images=len(rows), quarantined=len(quarantined))
    for store, wanted in ((here.images, named), (here.quarantine, quarantined)):
        present = set(store.keys())
        found.missing += sorted(wanted - present)
        found.orphans += sorted(present - wanted)
        for key in sorted(present):
            found.objects += 1
            if hashlib.sha256(store.get(key)).hexdigest() != key:
                found.damaged.append(key)
            if on_object is not None:
                on_object()
    return found


class CareError(Exception):
    """A backup or restore that cannot be done; the message says why and what to do."""


def backup(here: Installation, target: Path) -> dict[str, Any]:
    """Write database, images and quarantine into one tar file; return its manifest.

    The database is copied first, by SQLite's own backup, so that the copy is whole while others write; objects are
    never changed, so all that the copied rows name is there afterwards. The file appears only when it is complete.

    Raises
    ------
    CareError
        If the target exists, or rows or images are kept elsewhere than in SQLite and folders: their own tools copy
        them then.
    """
    images, quarantine = here.images, here.quarantine
    if not (
        here.database.is_sqlite and isinstance(images, FolderStore) and isinstance(quarantine, FolderStore)
    ):
        rows = "SQLite's .backup" if here.database.is_sqlite else "pg_dump"
        raise CareError(
            f"Only SQLite and folders are copied here. Copy {here.database.shown_url} with {rows} first, then "
            f"{images.where} and {quarantine.where}: in this order the copy names no image that it lacks."
        )
    if target.exists():
        raise CareError(f"{target} exists. Choose another name.")
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


def restore(settings: Settings, source: Path) -> dict[str, Any]:
    """Fill an empty home from a backup and migrate it; return the backup's manifest.

    Raises
    ------
    CareError
        If the home holds an installation already, the settings keep rows elsewhere than in the home, or the file is
        no whole backup.
    """
    home = settings.root
    if settings.image_store or settings.url != f"sqlite:///{home / 'longview.db'}":
        raise CareError(
            "A backup fills a folder with its SQLite database and images: restore without LONGVIEW_DATABASE_URL and "
            "LONGVIEW_IMAGE_STORE."
        )
    if home.exists() and any(home.iterdir()):
        raise CareError(f"{home} is not empty. Restore into an empty folder: set LONGVIEW_HOME.")
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
    """Read a backup to its end; return its manifest, or raise `CareError` if anything lacks or differs."""
    seen: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise CareError(f"{source} holds {member.name!r}, which no backup holds.")
                if member.name == "manifest.json":
                    manifest = json.load(content)
                else:
                    seen[member.name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except (tarfile.TarError, OSError, ValueError) as error:
        raise CareError(f"{source} is no whole backup: {error}.") from error
    if manifest.get("format") != BACKUP_FORMAT:
        raise CareError(f"{source} is no backup of Longview.")
    expected = {"longview.db": manifest["database_sha256"]}
    for part in ("images", "quarantine"):
        expected |= {f"{part}/{key[:2]}/{key}": key for key in manifest[part]}
    if seen != expected:
        wrong = sorted(name for name in seen.keys() | expected if seen.get(name) != expected.get(name))
        raise CareError(f"{source} is damaged: {len(wrong)} of its files lack or differ, first {wrong[0]}.")
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
