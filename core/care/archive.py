"""The file that a backup is, written and read: a tar file, of which what is read is believed in nothing.

``manifest.json`` comes first (`BackupManifest`), then ``longview.db`` and the objects as ``images/ab/SHA256`` and
``quarantine/ab/SHA256``.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from core.outages import outage
from core.sealing import Opened, Plain, SealError
from db.database import sqlite_module
from db.files import private_file, private_folder
from db.tables import Outcome

__all__ = [
    "BACKUP_FORMAT",
    "BESIDE",
    "DATABASE",
    "MANIFEST",
    "PARTS",
    "BackupError",
    "BackupManifest",
    "first_line",
    "named_by_rows",
    "read_archive",
    "read_only",
    "write_archive",
]

BACKUP_FORMAT: Final = "longview-backup-1"
DATABASE, MANIFEST, PARTS = "longview.db", "manifest.json", ("images", "quarantine")
_MOST_MANIFEST_BYTES = 1 << 30
# A header of the archive that asks for more at once is none that was written here, and must not be given the memory.
_MOST_AT_ONCE = 1 << 22
_LONGEST_SHOWN = 100

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
BESIDE = re.compile(r"^(simulated_truth\.csv|cohorts/[a-z0-9][a-z0-9-]{0,39}/[a-z]{1,40}\.(json|parquet))$")
Beside = Annotated[str, StringConstraints(pattern=BESIDE.pattern)]
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
        named = {DATABASE: self.database_sha256, **self.beside}
        for part in PARTS:
            named |= {f"{part}/{key[:2]}/{key}": key for key in getattr(self, part)}
        return named


def write_archive(file: IO[bytes] | Plain, named: Iterable[tuple[Path, str]]) -> None:
    """Write files under their names in the archive, without whose they are here."""

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


class _Guarded:
    """A file that `tarfile` reads, in pieces that fit into memory whatever the archive's headers ask for."""

    def __init__(self, file: IO[bytes] | Opened) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise tarfile.ReadError("it holds a header of impossible size")
        return self._file.read(size)


def read_archive(
    file: IO[bytes] | Opened, name: str, folder: Path | None, *, size: int | None = None
) -> BackupManifest:
    """Read a backup to its end, into a folder if there is one; raise `BackupError` if anything lacks or differs."""
    try:
        return _read_members(file, name, folder, size)
    except (BackupError, SealError):
        raise
    except Exception as error:
        if outage(error) is not None:
            raise
        # What Python says of a number that is none in a header tells nobody anything.
        is_of_a_header = isinstance(error, ValueError | OverflowError)
        why = "a header in it makes no sense" if is_of_a_header else first_line(error)
        raise BackupError(f"{name} is no whole backup: {why}") from error


def _read_members(
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
                raise BackupError(f"{name} holds {_shown(member)}, which no backup holds so.")
            content = archive.extractfile(member)
            assert content is not None
            if manifest is None:
                manifest = _manifest(member, content, name)
                expected = manifest.members()
                continue
            wanted = expected.pop(member.name, None)
            if wanted is None:
                raise BackupError(f"{name} holds {_shown(member)} twice, or without naming it.")
            # The name is one that the manifest's keys make, so it leads nowhere else.
            if _copied(content, folder / member.name if folder else None) != wanted:
                raise BackupError(f"{name} is damaged: {member.name} is not what was copied.")
    if manifest is None:
        raise BackupError(f"{name} is no backup of Longview.")
    if expected:
        raise BackupError(f"{name} is not whole: {len(expected)} of its files lack, first {min(expected)}.")
    return manifest


def _shown(member: tarfile.TarInfo) -> str:
    """Return a member's name as a sentence holds it: it may be of any length, and of any characters."""
    return repr(member.name) if len(member.name) <= _LONGEST_SHOWN else f"{member.name[:_LONGEST_SHOWN]!r}…"


def _manifest(member: tarfile.TarInfo, content: IO[bytes], name: str) -> BackupManifest:
    if member.name != MANIFEST or member.size > _MOST_MANIFEST_BYTES:
        raise BackupError(f"{name} is no backup of Longview: it does not begin with {MANIFEST}.")
    text = b"".join(iter(lambda: content.read(_MOST_AT_ONCE), b""))
    try:
        return BackupManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or MANIFEST
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


def named_by_rows(path: Path) -> dict[str, set[str]]:
    """Return the objects that the rows of a database cannot do without, by the store that keeps them.

    What a viewer fetches is made again from the image where it is lost.
    """
    quarantined = f"outcome = '{Outcome.QUARANTINED.value}' AND sha256 IS NOT NULL"
    with read_only(path) as connection:
        return {
            "images": {str(row[0]) for row in connection.execute("SELECT sha256 FROM image")},
            "quarantine": {
                str(row[0])
                for row in connection.execute(f"SELECT sha256 FROM import_item WHERE {quarantined}")  # noqa: S608
            },
        }


@contextmanager
def read_only(path: Path) -> Iterator[Any]:
    """Yield a connection to a copy that nobody else has: nothing is locked, and no file is made beside it."""
    connection = sqlite_module().connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def first_line(error: Exception) -> str:
    """Return what an error says, cut to a line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
