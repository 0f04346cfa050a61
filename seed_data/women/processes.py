"""Work on several processes, results in order."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

Order = TypeVar("Order")
Made = TypeVar("Made")


def in_order(make: Callable[[Order], Made], orders: Sequence[Order], processes: int) -> Iterator[Made]:
    """Yield `make(order)` for every order, in order, made on `processes` processes, a few ahead of the reader.

    Raises
    ------
    concurrent.futures.process.BrokenProcessPool
        If a process dies: it is never waited for without end.
    """
    processes = min(processes, len(orders))
    if processes <= 1:
        yield from map(make, orders)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=_end_with_who_started_it) as pool:
        waiting: deque[Future[Made]] = deque()
        try:
            for order in orders:
                waiting.append(pool.submit(make, order))
                if len(waiting) > 4 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _end_with_who_started_it() -> None:
    """End this process when the one that started it is gone: one that is killed cannot say so, and this one would wait on."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="leash", daemon=True).start()
