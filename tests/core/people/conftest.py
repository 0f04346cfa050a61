"""Passwords that are looked at are counted."""

import pytest
from argon2 import PasswordHasher


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
