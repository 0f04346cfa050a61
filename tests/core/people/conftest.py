"""Passwords are hashed cheaply here: what argon2 costs is not what these tests are about.

What is kept of tries, sign-ins and tokens is tried on both databases.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from core.installation import Installation
from core.settings import Settings
from tests.postgres import emptied_postgres, needs_postgres

ON_BOTH = {
    "test_attempts",
    "test_half_open",
    "test_open_sign_ins",
    "test_outside",
    "test_own_tokens",
    "test_tokens",
}


class Hasher:
    """A real hasher that counts how many passwords were looked at."""

    def __init__(self) -> None:
        self.looked_at = 0
        self._cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

    def hash(self, password: str) -> str:
        return self._cheap.hash(password)

    def verify(self, password_hash: str, password: str) -> bool:
        self.looked_at += 1
        return self._cheap.verify(password_hash, password)


@pytest.fixture(autouse=True)
def hasher(monkeypatch: pytest.MonkeyPatch) -> Hasher:
    made = Hasher()
    monkeypatch.setattr("core.people.passwords.hasher", lambda: made)
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask the tests of `ON_BOTH` once for each database."""
    if "here" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        both = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]
        metafunc.parametrize("here", both, indirect=True)


@pytest.fixture
def here(
    request: pytest.FixtureRequest, here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """An empty installation of its own, with its rows in PostgreSQL where the test says so."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield here
        return
    with emptied_postgres() as url:
        monkeypatch.setenv("LONGVIEW_DATABASE_URL", url)  # for commands, and processes of their own
        grown = Installation.open(Settings(home=tmp_path / "grown", database_url=url, _env_file=None))
        yield grown
        grown.close()
