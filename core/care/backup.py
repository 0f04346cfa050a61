"""A backup of an installation in one file, and an installation from a backup.

A backup is a tar file, sealed on request (`core.sealing`): ``manifest.json`` first (`BackupManifest`), then ``longview.db`` and the objects as
``images/ab/SHA256`` and ``quarantine/ab/SHA256``. A restore believes nothing of it: it is unpacked beside the home, checked
as a whole, made ready there, and becomes the home in one step at the end.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from sqlalchemy import delete

from core.installation import RESTORING, Installation
from core.outages import outage
from core.people import audit, end_all_own, tokens
from core.people.needing import SYSTEM_ONLY, needs
from core.sealing import Digesting, Key, Opened, Plain, SealError, kind_of, sealed_into, unsealed
from core.settings import Settings
from db.database import Database, sqlite_module
from db.files import held, is_held, private_file, private_folder, sync_folder, whole_file
from db.images import FolderStore
from db.migrate import current, known_revisions, lacking, upgrade
from db.stale import trigger_names
from db.tables import KnownBrowser, Outcome, SignIn, utc_now

__all__ = ["BACKING_UP", "RESTORING", "BackupError", "BackupManifest", "restore_backup", "write_backup"]

BACKUP_FORMAT: Final = "longview-backup-1"
BACKING_UP = ".backup-"
"""How the name of a folder begins, in a home, in which a database is being copied."""
_DATABASE, _MANIFEST, _PARTS = "longview.db", "manifest.json", ("images", "quarantine")
_MOST_MANIFEST_BYTES = 1 << 30
# A header of the archive that asks for more at once is none that was written here, and must not be given the memory.
_MOST_AT_ONCE = 1 << 22

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_BESIDE = re.compile(r"^(simulated_truth\.csv|cohorts/[a-z0-9][a-z0-9-]{0,39}/[a-z]+\.(json|parquet))$")
Beside = Annotated[str, StringConstraints(pattern=_BESIDE.pattern)]
"""A file that is kept beside database and objects: the truth of simulated women, a cohort that came as a table."""


class BackupError(Exception):
    """A backup or restore that cannot be done; the message says why and what to do."""


class BackupManifest(BaseModel):
    """What a backup says of itself: what is in it, and what the installation lacked when it was made.

    `missing` are objects that rows name and that were not there, or not whole, in the installation already.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    format: Literal["longview-backup-1"]
    made_at: datetime
    revision: str
    database_sha256: Sha256
    images: list[Sha256]
    quarantine: list[Sha256]
    missing: list[Sha256] = []
    beside: dict[Beside, Sha256] = {}

    def members(self) -> dict[str, str]:
        """Return the sha256 of every file beside the manifest, by its name in the archive."""
        named = {_DATABASE: self.database_sha256, **self.beside}
        for part in _PARTS:
            named |= {f"{part}/{key[:2]}/{key}": key for key in getattr(self, part)}
        return named


@needs(SYSTEM_ONLY)
def write_backup(here: Installation, target: Path, *, key: Key | None = None) -> BackupManifest:
    """Write database, images, quarantine and cohorts that came as tables into one tar file, for its owner alone (0600).

    Returns its manifest.

    The database is copied first, by SQLite's own backup, so that the copy is whole while others write; objects are
    never changed, so all that the copied rows name is there afterwards. The file appears only when it is complete,
    read back and checked. With a `key` it is sealed (`core.sealing`), and nothing of it is ever there in clear; one that is
    sealed to a public key cannot be read back here, and is compared with what was written. Objects that are gone or damaged do not keep the others from being copied: the manifest names
    them as missing.

    Raises
    ------
    BackupError
        If the target exists or cannot be written, the key will not do, or rows or images are kept elsewhere than in SQLite and folders: their
        own tools copy them then.
    OSError, sqlite3.Error
        If the machine lacks something for a while (`core.outages`); nothing is left behind.
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
            copy = Path(folder) / _DATABASE
            copy_database(here.database, copy)
            wanted = _named_by_rows(copy)
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
                missing=sorted(set().union(*(wanted[name] - set(whole[name]) for name in _PARTS))),
                beside={name: _sha256(path) for name, path in beside.items()},
                **whole,
            )
            text = Path(folder) / _MANIFEST
            text.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
            with whole_file(target) as file:
                parts = [
                    (text, _MANIFEST),
                    (copy, _DATABASE),
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
    return manifest


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
    if settings.image_store or settings.url != f"sqlite:///{home / _DATABASE}":
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
                manifest = _read(opened, str(source), folder, size=size)
            _check_database(folder / _DATABASE, manifest, str(source))
            _make_ready(folder / _DATABASE, manifest, str(source))
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
        raise BackupError(f"{source} cannot be restored: {_first_line(error)}") from error
    return manifest


def _copied_beside(home: Path, folder: Path) -> dict[str, Path]:
    """Copy what lies beside database and objects into a folder, by its name in the archive; what goes meanwhile is left out."""
    copied: dict[str, Path] = {}
    for path in sorted([home / "simulated_truth.csv", *home.glob("cohorts/*/*")]):
        name = path.relative_to(home).as_posix()
        if not _BESIDE.fullmatch(name):
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, target)
            copied[name] = target
    return copied


def _write_archive(file: IO[bytes] | Plain, named: Iterable[tuple[Path, str]]) -> None:
    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        # Accounts and rights are those of this machine.
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o600
        return member

    # Links would be kept as links, and lead nowhere in another place.
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, dereference=True) as archive:  # type: ignore[call-overload]
        for path, name in named:
            archive.add(path, name, recursive=False, filter=plain)
            archive.members.clear()  # or it remembers every object there is


def _write_checked(file: IO[bytes], parts: Iterable[tuple[Path, str]], name: str, key: Key | None) -> None:
    """Write an archive, sealed where there is a key, and read it back."""
    if key is None:
        _write_archive(file, parts)
        file.flush()
        _read(file, name, None)
        return
    written = Digesting(file)
    with sealed_into(written, key) as plain:
        _write_archive(plain, parts)
    file.flush()
    if key.opens:
        size = file.tell()
        with unsealed(file, name, key) as opened:
            _read(opened, name, None, size=size)
        return
    file.seek(0)
    if hashlib.file_digest(file, "sha256").hexdigest() != written.sha256:  # type: ignore[arg-type]
        raise BackupError(f"{name} is not on the disk as it was written. Look at the disk, and try again.")


def _refuse_to_overwrite(target: Path) -> None:
    if target.is_symlink() or target.exists():
        raise BackupError(f"{target} exists. Choose another name.")


def _clear_a_cut_off_restore(home: Path) -> None:
    """Take back the parts that a restore onto a disk of its own had moved in when it was killed: the database comes last.

    So a home without one, beside the leavings of a restore that hold one and that no process is at work on, is neither the
    old state nor the new one.
    """
    if not home.is_dir() or (home / _DATABASE).exists():
        return
    for left in sorted(home.glob(f".{RESTORING}*")):
        if (left / _DATABASE).is_file() and not is_held(left):
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


class _Guarded:
    """A file that `tarfile` reads, in pieces that fit into memory whatever the archive's headers ask for."""

    def __init__(self, file: IO[bytes] | Opened) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise tarfile.ReadError("it holds a header of impossible size")
        return self._file.read(size)


def _read(
    file: IO[bytes] | Opened, name: str, folder: Path | None, *, size: int | None = None
) -> BackupManifest:
    """Read a backup to its end, into a folder if there is one; raise `BackupError` if anything lacks or differs."""
    try:
        return _read_archive(file, name, folder, size)
    except (BackupError, SealError):
        raise
    except Exception as error:
        if outage(error) is not None:
            raise
        raise BackupError(f"{name} is no whole backup: {_first_line(error)}") from error


def _read_archive(
    file: IO[bytes] | Opened, name: str, folder: Path | None, size: int | None
) -> BackupManifest:
    """Read an archive; `size` is what it cannot hold more than, where it cannot be asked for."""
    if size is None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    manifest: BackupManifest | None = None
    expected: dict[str, str] = {}
    with tarfile.open(fileobj=_Guarded(file), mode="r:") as archive:  # type: ignore[call-overload]
        while (member := archive.next()) is not None:
            archive.members.clear()  # or it remembers every object there is
            regular = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
            if not regular or member.size < 0 or member.offset_data + member.size > size:
                raise BackupError(f"{name} holds {member.name!r}, which no backup holds so.")
            content = archive.extractfile(member)
            assert content is not None
            if manifest is None:
                manifest = _manifest(member, content, name)
                expected = manifest.members()
                continue
            wanted = expected.pop(member.name, None)
            if wanted is None:
                raise BackupError(f"{name} holds {member.name!r} twice, or without naming it.")
            # The name is one that the manifest's keys make, so it leads nowhere else.
            if _copied(content, folder / member.name if folder else None) != wanted:
                raise BackupError(f"{name} is damaged: {member.name} is not what was copied.")
    if manifest is None:
        raise BackupError(f"{name} is no backup of Longview.")
    if expected:
        raise BackupError(f"{name} is not whole: {len(expected)} of its files lack, first {min(expected)}.")
    return manifest


def _manifest(member: tarfile.TarInfo, content: IO[bytes], name: str) -> BackupManifest:
    if member.name != _MANIFEST or member.size > _MOST_MANIFEST_BYTES:
        raise BackupError(f"{name} is no backup of Longview: it does not begin with {_MANIFEST}.")
    text = b"".join(iter(lambda: content.read(_MOST_AT_ONCE), b""))
    try:
        return BackupManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or _MANIFEST
        raise BackupError(f"{name} is no backup of Longview: {where}: {first['msg']}.") from error


def _copied(content: IO[bytes], target: Path | None) -> str:
    """Return the sha256 of a member, written to a file of its own and synced if there is a target."""
    digest = hashlib.sha256()
    if target is None:
        while piece := content.read(_MOST_AT_ONCE):
            digest.update(piece)
        return digest.hexdigest()
    private_folder(target.parent)
    with private_file(target) as file:
        while piece := content.read(_MOST_AT_ONCE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _check_database(path: Path, manifest: BackupManifest, name: str) -> None:
    """Look through a database without changing it; raise `BackupError` unless this release can go on with it."""
    try:
        with _read_only(path) as connection:
            _check_content(connection, manifest, name)
    except (sqlite3.Error, sqlite_module().Error) as error:
        raise BackupError(f"{name} holds a database that cannot be read: {_first_line(error)}") from error
    held = manifest.members()
    for part, keys in _named_by_rows(path).items():
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


def _named_by_rows(path: Path) -> dict[str, set[str]]:
    """Return the objects that the rows of a database cannot do without, by the store that keeps them.

    What a viewer fetches is made again from the image where it is lost.
    """
    quarantined = f"outcome = '{Outcome.QUARANTINED.value}' AND sha256 IS NOT NULL"
    with _read_only(path) as connection:
        return {
            "images": {str(row[0]) for row in connection.execute("SELECT sha256 FROM image")},
            "quarantine": {
                str(row[0])
                for row in connection.execute(f"SELECT sha256 FROM import_item WHERE {quarantined}")  # noqa: S608
            },
        }


@contextmanager
def _read_only(path: Path) -> Iterator[Any]:
    # Nobody else has this copy: nothing is locked, and no file is made beside it.
    connection = sqlite_module().connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    try:
        yield connection
    finally:
        connection.close()


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
        for part in sorted(folder.iterdir(), key=lambda path: path.name == _DATABASE):
            part.rename(home / part.name)
            moved.append(part.name)
    except BaseException:
        for name in moved:
            (home / name).rename(folder / name)
        raise
    sync_folder(home)


def _sync_folders(folder: Path) -> None:
    for parent, _folders, files in os.walk(folder, topdown=False):
        if _DATABASE in files:
            with Path(parent, _DATABASE).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
