"""Looking an installation over: database, migrations, weights, folders, worker, disk and queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from core.care.backup import how_it_is_copied, last_backup
from core.care.left_overs import find_left_overs
from core.images import confined
from core.incoming import count_left_over_batches
from core.installation import Installation
from core.people.needing import SYSTEM_ONLY, needs
from core.people.roles import Permission
from core.wording import counted
from core.worker import Worker, local_worker, worker_seen
from db.database import WAL_SAFE_SQLITE, Database, DatabaseUnavailable, postgres_settings, sqlite_version
from db.images import FolderStore, StoreUnavailable
from db.migrate import current, head
from db.tables import Patient, Study, StudyStatus, utc_now
from models.store import registry

_LOW_DISK_BYTES = 2_000_000_000
_OLD_BACKUP = timedelta(days=7)
_MOST_NAMED = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: how it is, what to do where it is not well, and each thing that this is about."""

    name: str
    state: Literal["ok", "warning", "error"]
    said: str
    items: tuple[str, ...] = ()


@needs(SYSTEM_ONLY)
def examine(here: Installation) -> list[Check]:
    """Look at database, migrations, weights, folders, worker and disk; changes nothing."""
    # Before the database is opened, which closes the doors of its own files.
    privacy = _check_privacy(here)
    checks: tuple[Callable[[Installation], Check], ...] = (
        _check_weights,
        _check_folders,
        lambda _here: privacy,
        _check_disk,
        _check_reading,
        _check_left_overs,
    )
    try:
        has_tables = current(here.database) is not None
    except DatabaseUnavailable as error:
        looked_at = (check(here) for check in checks)
        return [Check("database", "error", str(error)), *looked_at, _worker(local_worker(here))]
    worker = worker_seen(here) if has_tables else local_worker(here)
    looked_at = (check(here) for check in (_check_database, _check_migrations, *checks))
    return [*looked_at, _worker(worker), _check_queue(here), _check_imports(here), _check_backup(here)]


def _check_database(here: Installation) -> Check:
    return _check_sqlite(here.database) if here.database.is_sqlite else _check_postgres(here.database)


def _check_postgres(database: Database) -> Check:
    said = postgres_settings(database.engine)
    version = said.pop("server_version")
    off = [name for name, value in said.items() if value == "off"]
    if off:
        warning = f"PostgreSQL {version} may lose what was acknowledged: set {' and '.join(off)} to on."
        return Check("database", "error", warning)
    return Check("database", "ok", f"PostgreSQL {version}, {database.shown_url}.")


def _check_sqlite(database: Database) -> Check:
    version = sqlite_version(database.engine)
    with database.engine.connect() as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()).upper()
        healthy = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() == "ok"
    if not healthy:
        return Check("database", "error", f"SQLite {version} finds damage. Restore the last backup.")
    fixed = tuple(int(part) for part in version.split(".")) >= WAL_SAFE_SQLITE
    if mode == "WAL" and not fixed:
        safe = ".".join(map(str, WAL_SAFE_SQLITE))
        said = f"SQLite {version} in WAL mode can lose data in a rare race. Use {safe} or newer."
        return Check("database", "error", said)
    return Check("database", "ok", f"SQLite {version}, journal mode {mode}.")


def _check_migrations(here: Installation) -> Check:
    at, wanted = current(here.database), head()
    if at == wanted:
        return Check("migrations", "ok", f"At revision {wanted}.")
    said = f"At revision {at or 'none'}, this release needs {wanted}. Run: python -m core migrate"
    return Check("migrations", "error", said)


def _check_weights(here: Installation) -> Check:
    name = here.settings.model
    try:
        folder = Path(name) if (Path(name) / registry.CARD).is_file() else registry.weights_folder(name)
        card = registry.read_card(folder)
        registry.check_files(folder, card)
    except (LookupError, ValueError) as error:
        return Check("weights", "error", str(error))
    return Check("weights", "ok", f"{card.name}, sha256 {card.weights_sha256[:12]}, as its card says.")


def _check_folders(here: Installation) -> Check:
    for store in (FolderStore(here.home), here.images, here.quarantine):
        try:
            store.check()
        except StoreUnavailable as error:
            return Check("folders", "error", str(error))
        except OSError as error:
            return Check("folders", "error", f"{store.where} cannot be written: {error.strerror}.")
    bucket = "" if isinstance(here.images, FolderStore) else f" and {here.images.where}"
    return Check("folders", "ok", f"{here.home}{bucket} can be written.")


def _check_privacy(here: Installation) -> Check:
    open_doors = [str(path) for path in here.open_doors()]
    if not open_doors:
        return Check("privacy", "ok", "Only this account can open what is kept.")
    some = tuple(open_doors[:_MOST_NAMED])
    many = f"{len(open_doors)} files and folders" if len(open_doors) > 1 else "One file or folder"
    if str(here.home) in open_doors:
        said = f"{many} can be opened by other accounts of this machine. Close them: python -m core doctor --sweep"
        return Check("privacy", "error", said, some)
    said = (
        f"{many} may be opened by others, were they not in {here.home}, which is closed to them. "
        "Close them: python -m core doctor --sweep"
    )
    return Check("privacy", "warning", said, some)


def _check_left_overs(here: Installation) -> Check:
    found = find_left_overs(here)
    if not found:
        return Check("left-overs", "ok", "Nothing was left half-written.")
    said = (
        f"{len(found)} left half-written by work that was cut off, {sum(f.size_bytes for f in found) / 1e6:.1f} MB. "
        "Take them away: python -m core doctor --sweep"
    )
    return Check("left-overs", "warning", said, tuple(one.sentence for one in found))


def _check_imports(here: Installation) -> Check:
    if current(here.database) is None:
        return Check("imports", "warning", "There are no tables yet.")
    count = count_left_over_batches(here)
    if not count:
        return Check("imports", "ok", "No import was cut off.")
    said = f"{count} imports were cut off. Repeat them, what was taken in stays; then: python -m core doctor --sweep"
    return Check("imports", "warning", said)


@needs(Permission.ADMINISTER)
def upkeep(here: Installation) -> list[Check]:
    """Look at what an admin has to see to now and then: backups, and room on the disk."""
    return [_check_backup(here), _check_disk(here)]


def _check_backup(here: Installation) -> Check:
    if elsewhere := how_it_is_copied(here):
        return Check("backup", "ok", f"Backups are not made here, and not seen. {elsewhere}")
    if current(here.database) is None:
        return Check("backup", "ok", "There is nothing to copy yet.")
    with here.database.read() as session:
        is_needed = session.scalar(select(Patient.id).where(~Patient.simulated).limit(1)) is not None
    made_at = last_backup(here)
    if made_at is None:
        said = "No backup is known to have been finished here."
    else:
        days = (utc_now().astimezone().date() - made_at.astimezone().date()).days
        ago = f"{counted(days, 'day')} ago" if days else "today"
        said = f"The last backup was finished on {made_at.astimezone():%Y-%m-%d at %H:%M}, {ago}."
    if is_needed and (made_at is None or utc_now() - made_at > _OLD_BACKUP):
        return Check("backup", "warning", f"{said} Make one: python -m core backup FILE")
    return Check("backup", "ok", said)


def _check_disk(here: Installation) -> Check:
    free = shutil.disk_usage(here.home).free
    state: Literal["ok", "warning"] = "ok" if free > _LOW_DISK_BYTES else "warning"
    return Check("disk", state, f"{free / 1e9:.1f} GB of the disk are free.")


def _check_reading(_here: Installation) -> Check:
    lacking = confined.lacking()
    if not lacking:
        said = "Files are read in a process that can open no others, make no connection and start no program."
        return Check("reading", "ok", said)
    said = f"A file made to take over the process that reads it could do harm here: {'; '.join(lacking)}."
    return Check("reading", "warning", said)


def _worker(worker: Worker) -> Check:
    return Check("worker", "ok" if worker.running else "warning", worker.sentence)


def _check_queue(here: Installation) -> Check:
    if current(here.database) is None:
        return Check("queue", "warning", "There are no tables yet.")
    with here.database.read() as session:
        pending = session.scalars(
            select(Study.inputs_changed_at).where(Study.status == StudyStatus.PENDING)
        ).all()
    if not pending:
        return Check("queue", "ok", "No study waits to be scored.")
    minutes = (utc_now() - min(pending)).total_seconds() / 60
    said = f"{len(pending)} studies wait to be scored, the longest for {minutes:.0f} minutes."
    return Check("queue", "warning" if minutes > 15 else "ok", said)
