"""What was written to the audit trail a moment ago, so that what belongs together is written once."""

from __future__ import annotations

import threading
import time

_MOST_REMEMBERED = 50_000


class Recently:
    """Keys and when they were added; each process remembers for itself, and forgets all where they are very many."""

    def __init__(self) -> None:
        self._at: dict[tuple[object, ...], float] = {}
        self._lock = threading.Lock()

    def has(self, key: tuple[object, ...], seconds: float) -> bool:
        """Say whether a key was added within so many seconds."""
        with self._lock:
            return time.monotonic() - self._at.get(key, -seconds - 1) < seconds

    def add(self, key: tuple[object, ...]) -> None:
        """Remember a key from now on."""
        with self._lock:
            if len(self._at) >= _MOST_REMEMBERED:
                self._at.clear()
            self._at[key] = time.monotonic()
