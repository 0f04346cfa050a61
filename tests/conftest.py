"""Fixtures that every folder of tests shares."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.installation import Installation
from core.settings import Settings
from db.tables import Base

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    """An empty installation of its own."""
    installation = Installation.open(Settings(home=tmp_path / "var", _env_file=None))
    Base.metadata.create_all(installation.database.engine)
    yield installation
    installation.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data sets; tests that need them are skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development data sets are not on this machine")
    return SHARED_DATA
