"""Looking an installation over: database, migrations, weights, folders, worker, disk and queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from core.installation import Installation
from core.worker import Worker, local_worker, worker_seen
from db.database import WAL_SAFE_SQLITE, Database, DatabaseUnavailable, postgres_settings, sqlite_version
from db.images import FolderStore, StoreUnavailable
from db.migrate import current, head
from db.tables import Study, StudyStatus, utc_now
from models.store import registry

_LOW_DISK_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: how it is, and what to do where it is not well."""

    name: str
    state: Literal["ok", "warning", "error"]
    said: str


def examine(here: Installation) -> list[Check]:
    """Look at database, migrations, weights, folders, worker and disk; changes nothing."""
    checks: tuple[Callable[[Installation], Check], ...] = (
        _check_weights,
        _check_folders,
        _check_disk,
    )
    try:
        has_tables = current(here.database) is not None
    except DatabaseUnavailable as error:
        looked_at = (check(here) for check in checks)
        return [Check("database", "error", str(error)), *looked_at, _worker(local_worker(here))]
    worker = worker_seen(here) if has_tables else local_worker(here)
    looked_at = (check(here) for check in (_check_database, _check_migrations, *checks))
    return [*looked_at, _worker(worker), _check_queue(here)]


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


def _check_disk(here: Installation) -> Check:
    free = shutil.disk_usage(here.home).free
    state: Literal["ok", "warning"] = "ok" if free > _LOW_DISK_BYTES else "warning"
    return Check("disk", state, f"{free / 1e9:.1f} GB free.")


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
