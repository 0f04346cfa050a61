"""Typed settings: every value can be set by an environment variable ``LONGVIEW_…`` or in a `.env` file."""

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What one installation is set to. All it keeps lies under `home`."""

    model_config = SettingsConfigDict(env_prefix="LONGVIEW_", env_file=".env", extra="ignore")

    home: Path = Field(default=Path("var"), description="Folder with database, images, quarantine and logs.")
    database_url: str | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in `home`.")
    model: str = Field(default="longitudinal-sim", description="Name of the model that speaks.")
    address: str = Field(default="127.0.0.1", description="Address the dashboard listens at.")
    port: int = Field(default=8501, gt=0, lt=65536, description="Port the dashboard listens at.")
    session_hours: float = Field(default=12.0, gt=0, description="How long a sign-in lasts.")
    max_file_mb: int = Field(default=200, gt=0, description="Largest file that is read.")
    max_pixels: int = Field(
        default=60_000_000, gt=0, description="Most pixels of one image (rows x columns)."
    )
    reader_memory_mb: int = Field(
        default=1500, gt=0, description="Memory limit of the process that decodes files."
    )
    reader_seconds: float = Field(default=30.0, gt=0, description="Time limit for decoding one file.")

    @cached_property
    def root(self) -> Path:
        """Return `home` as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def url(self) -> str:
        """Return the database URL in force."""
        return self.database_url or f"sqlite:///{self.root / 'longview.db'}"
