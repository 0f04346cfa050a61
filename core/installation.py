"""An installation: the settings, the database and the image store that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.settings import Settings
from db.database import Database
from db.images import ImageStore, open_store


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
    def open(cls, settings: Settings | None = None, *, busy_seconds: float | None = None) -> Installation:
        """Open the installation that the settings name, making its folders where they are missing.

        `busy_seconds` is how long to wait for a lock on the database, where not as long as a command does.
        Raises `db.database.DatabaseUnavailable` or `db.images.StoreUnavailable` for settings that cannot be met.
        """
        settings = settings or Settings()
        settings.root.mkdir(parents=True, exist_ok=True)
        return cls(
            settings=settings,
            database=Database(settings.url, busy_seconds=busy_seconds),
            images=open_store(settings.image_store, settings.root, "images"),
            quarantine=open_store(settings.image_store, settings.root, "quarantine"),
        )

    def migrate(self) -> None:
        """Bring the database to this release's tables; safe to repeat, and at once from several processes."""
        from db.migrate import upgrade

        upgrade(self.database)

    @property
    def home(self) -> Path:
        """Return the folder that holds all this installation keeps."""
        return self.settings.root

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
