"""Three women, made once and copied for every test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.installation import Installation
from core.settings import Settings
from tests import engines
from tests.core.corrections.making import women


@pytest.fixture(scope="session")
def home_of_women(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Path:
    """The home of an installation with the three women."""
    home = tmp_path_factory.mktemp("women") / "var"
    home.mkdir()
    shutil.copyfile(migrated_database, home / "longview.db")
    here = Installation.open(Settings(home=home, _env_file=None))
    women(here)
    engines.settled(here.database)
    here.close()
    return home


@pytest.fixture
def opened(home_of_women: Path, tmp_path: Path) -> Iterator[Callable[[], Installation]]:
    """Open installations with the three women, each its own."""
    made: list[Installation] = []

    def open_another() -> Installation:
        home = tmp_path / f"var{len(made)}"
        home.mkdir()
        shutil.copyfile(home_of_women / "longview.db", home / "longview.db")
        (home / "images").symlink_to(home_of_women / "images")
        made.append(Installation.open(Settings(home=home, _env_file=None)))
        return made[-1]

    yield open_another
    for here in made:
        here.close()


@pytest.fixture
def here(opened: Callable[[], Installation]) -> Installation:
    """An installation with the three women."""
    return opened()
