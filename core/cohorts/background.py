"""Work that takes longer than a page may: it runs beside the page, and the page asks how far it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from core.people import asking

__all__ = ["Jobs", "Running"]

Progress = Callable[[float], None]


@dataclass
class Running:
    """A piece of work: how far it is (0..1), and what came of it."""

    done: float = 0.0
    future: Future[Any] = field(default_factory=Future)

    @property
    def is_done(self) -> bool:
        """Say whether it has ended, well or not."""
        return self.future.done()

    def result(self) -> Any:
        """Return what came of it, or raise what it raised; waits for the end."""
        return self.future.result()


class Jobs:
    """Pieces of work by their keys, run one after the other in one thread; the last `kept` stay known."""

    def __init__(self, kept: int = 32) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, Running] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cohort")

    def find(self, key: Hashable) -> Running | None:
        """Return a piece of work that was asked for; None where it was not, or is forgotten."""
        with self._lock:
            return self._jobs.get(key)

    def start(self, key: Hashable, work: Callable[[Progress], Any]) -> Running:
        """Begin a piece of work, or return the one that was begun under this key; `work` tells how far it is."""
        with self._lock:
            if (known := self._jobs.get(key)) is not None:
                return known
            job = self._jobs[key] = Running()
            ended = [one for one, it in self._jobs.items() if it.is_done]
            for one in ended[: max(0, len(self._jobs) - self._kept)]:
                del self._jobs[one]

        def tell(share: float) -> None:
            job.done = share

        job.future = self._pool.submit(asking.on_behalf(work), tell)
        return job
