"""What work that was cut off left lying in an installation, or beside it: found, and taken away when it is surely nobody's.

A process that is killed, or a machine that loses power, leaves the file it was writing under the name that it had until it
was complete. None of it is ever read again, and it holds patients' data.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from core.care.backup import BACKING_UP
from core.images import REGISTRATIONS
from core.incoming import finish_left_over_batches
from core.installation import RESTORING, Installation
from core.people.needing import SYSTEM_ONLY, needs
from core.records.export import EXPORTING
from core.worker.progress import HEARTBEAT
from db.database import DatabaseUnavailable
from db.files import PARTIAL, is_held
from db.images import INCOMING, FolderStore
from db.migrate import current

__all__ = ["LeftOver", "find_left_overs", "sweep"]

UNTOUCHED_FOR = timedelta(hours=1)
"""What was written to more recently may be in work."""
# As `db.files.whole_file` names them: only those are looked for outside the home, where other programs keep files too.
_OWN_PARTIAL = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(PARTIAL)}")


@dataclass(frozen=True)
class LeftOver:
    """A file or folder that was left half-written: where it lies, how large it is, how long nothing touched it."""

    path: Path
    size_bytes: int
    age: timedelta

    @property
    def sentence(self) -> str:
        """Name it with size and age."""
        hours = self.age.total_seconds() / 3600
        since = f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
        return f"{self.path} ({self.size_bytes / 1e6:.1f} MB, untouched for {since})"


@needs(SYSTEM_ONLY)
def find_left_overs(here: Installation, *, now: float | None = None) -> list[LeftOver]:
    """Return what was left half-written and nothing has touched for an hour, nor holds; `now` is Unix time."""
    now = time.time() if now is None else now
    found = (_looked_at(path, now) for path in sorted(set(_candidates(here))))
    return [one for one in found if one is not None and one.age > UNTOUCHED_FOR and not is_held(one.path)]


@needs(SYSTEM_ONLY)
def sweep(here: Installation, *, now: float | None = None) -> list[LeftOver]:
    """Take away what `find_left_overs` finds, and end the imports that were cut off; return what was taken away.

    Raises `OSError` where something cannot be taken away.
    """
    swept = []
    for one in find_left_overs(here, now=now):
        if one.path.is_dir() and not one.path.is_symlink():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
        swept.append(one)
    _finish_left_over_batches(here)
    return swept


def _finish_left_over_batches(here: Installation) -> None:
    # Where the database is away, `examine` says so; the files are taken away all the same.
    with suppress(DatabaseUnavailable):
        if current(here.database) is not None:
            finish_left_over_batches(here)


def _candidates(here: Installation) -> Iterator[Path]:
    home = here.home
    for store in (here.images, here.quarantine):
        if isinstance(store, FolderStore):
            yield from store.root.glob(f"??/{INCOMING}*")
            yield from store.root.glob(".doctor-*")
    yield from (home / "arrivals").glob(".api-*")  # what programs sent, while it is taken in
    yield from (home / REGISTRATIONS).glob(f".*{PARTIAL}")
    for path in home.glob(".*"):
        begins = (BACKING_UP, f".{RESTORING}", EXPORTING, f".{HEARTBEAT}.", ".doctor-")
        if path.name.startswith(begins) or path.name.endswith(PARTIAL):
            yield path
    for path in home.parent.glob(".*"):
        if path.name.startswith(f".{home.name}{RESTORING}") or _OWN_PARTIAL.fullmatch(path.name):
            yield path


def _looked_at(path: Path, now: float) -> LeftOver | None:
    """Return size and age of a file, or of all in a folder; None if it is gone meanwhile."""
    try:
        status = path.lstat()
        size, touched = status.st_size, status.st_mtime
        if stat.S_ISDIR(status.st_mode):
            size = 0
            for parent, folders, files in os.walk(path):
                for name in (*folders, *files):
                    inner = Path(parent, name).lstat()
                    size += inner.st_size if stat.S_ISREG(inner.st_mode) else 0
                    touched = max(touched, inner.st_mtime)
    except FileNotFoundError:
        return None
    return LeftOver(path, size, timedelta(seconds=now - touched))
