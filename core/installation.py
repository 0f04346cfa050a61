"""An installation: the settings, the database and the image store that belong together."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sqlalchemy.orm import Session

from core.settings import Settings
from db.database import Database
from db.files import is_open_to_others, private_folder, tighten
from db.images import ImageStore, StoreUnavailable, open_store

_NO_PLACE = (errno.EEXIST, errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP)
_FOLDERS = ("images", "quarantine", "uploads", "arrivals", "sheets", "registrations", "tiles", "cohorts")
_FILES = (
    "longview.db",
    "longview.db-wal",
    "longview.db-shm",
    "longview.db-journal",
    "worker.json",
    "second-factor.key",
)

RESTORING = "-restore-"
"""What stands in the name of a folder, beside a home or in it, that a backup is being unpacked into."""


@dataclass(frozen=True)
class Installation:
    """What every use case of `core` takes as its first argument.

    >>> here = Installation.open()
    >>> with here.database.read() as session:
    ...     ...
    """

    settings: Settings
    database: Database
    images: ImageStore
    quarantine: ImageStore

    @classmethod
    def open(
        cls, settings: Settings | None = None, *, close_doors: bool = True, busy_seconds: float | None = None
    ) -> Installation:
        """Open the installation that the settings name, making its folders where they are missing.

        What it keeps is for the account that runs it alone. Rights of others that an earlier release left are taken
        away, unless `close_doors` is false.

        `busy_seconds` is how long to wait for a lock on the database, where not as long as a command does.

        Raises `db.database.DatabaseUnavailable` or `db.images.StoreUnavailable` for settings that cannot be met,
        `StoreUnavailable` also for a home into which a backup was restored by half, and `OSError` where the home cannot be
        made.
        """
        settings = settings or Settings()
        try:
            private_folder(settings.root)
        except OSError as error:
            if error.errno not in _NO_PLACE:
                raise
            raise StoreUnavailable(
                f"{settings.root} cannot be made a folder ({error.filename}: {error.strerror}). Set LONGVIEW_HOME to "
                "another place."
            ) from error
        _refuse_half_a_restore(settings.root)
        here = cls(
            settings=settings,
            database=Database(settings.url, busy_seconds=busy_seconds),
            images=open_store(settings.image_store, settings.root, "images"),
            quarantine=open_store(settings.image_store, settings.root, "quarantine"),
        )
        here.database.before_commit = here._keep_ready
        if close_doors:
            here.close_doors()
        return here

    def _keep_ready(self, session: Session) -> None:
        """Write what is kept ready of the women whom a transaction has changed, before it ends."""
        # By its name, and when it is needed: the rooms of core that know how lie above this one.
        import_module("core.records.ready").keep_ready(self, session)
        import_module("core.cohorts.kept").keep_ready(self, session)

    def migrate(self) -> None:
        """Bring the database to this release's tables; safe to repeat, and at once from several processes."""
        from db.migrate import upgrade

        upgrade(self.database)

    def close_doors(self, *, everywhere: bool = False) -> int:
        """Take away what group and others may of this installation's files; return how many were open.

        A folder is closed after all that is in it, so that one which is closed need not be looked into again, unless
        `everywhere` asks for it: this costs its time once, after an update from a release that left doors open.
        """
        closed = 0
        if self._home_is_own():
            # First, for behind it all else is closed already.
            closed += tighten(self.home)
        for name in _FILES:
            closed += tighten(self.home / name)
        for name in _FOLDERS:
            if everywhere or is_open_to_others(self.home / name):
                closed += sum(tighten(path) for path in _inside_first(self.home / name))
        return closed

    def open_doors(self) -> Iterator[Path]:
        """Yield every file and folder of this installation to which group or others have a right; reads all folders."""
        single = (self.home, *(self.home / name for name in _FILES), *self.database.files)
        for path in dict.fromkeys(single):
            if is_open_to_others(path):
                yield path
        for name in _FOLDERS:
            yield from (path for path in _inside_first(self.home / name) if is_open_to_others(path))

    def _home_is_own(self) -> bool:
        """Say whether the home was made for an installation: a folder that others use as well is theirs to close."""
        shared = (self.home.anchor, os.environ.get("HOME"))
        return str(self.home) not in shared and any(
            (self.home / name).exists() for name in (*_FILES, *_FOLDERS)
        )

    @property
    def home(self) -> Path:
        """Return the folder that holds all this installation keeps."""
        return self.settings.root

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def _refuse_half_a_restore(home: Path) -> None:
    """Raise `StoreUnavailable` for a home onto whose own disk a restore has moved its parts, but not yet the database.

    Opened, it would get a database that knows of none of them, and the restored one would be swept away.
    """
    if (home / _FILES[0]).exists():
        return
    moved_in = any(not path.name.startswith(".") and path.name != "lost+found" for path in home.iterdir())
    if moved_in and any((left / _FILES[0]).is_file() for left in home.glob(f".{RESTORING}*")):
        raise StoreUnavailable(
            f"A backup is being restored into {home}, or that was cut off: the database is not there yet. Wait for it to "
            "end, or run the same restore again, which begins anew: python -m core restore FILE"
        )


def _inside_first(folder: Path) -> Iterator[Path]:
    """Yield all that lies in a folder, then the folder; links are not followed."""
    for parent, _folders, files in os.walk(folder, topdown=False):
        for name in files:
            yield Path(parent, name)
        yield Path(parent)
