"""Work that is killed in the middle: in a process of its own, with SIGKILL, at a step that is named."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from sqlalchemy import event

from db.database import Database

_OF_FILES = frozenset({"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"})


def steps_on_disk(step: Callable[[], None]) -> None:
    """Call `step` before each change of this process to files and folders, from now on."""

    def hear(name: str, told: tuple) -> None:
        if name in _OF_FILES or (name == "open" and len(told) > 2 and int(told[2] or 0) & os.O_CREAT):
            step()

    sys.addaudithook(hear)


def steps_of(database: Database) -> Callable[[Callable[[], None]], None]:
    """Return what calls its `step` before each statement and each commit of a database, and after each commit."""

    def begin(step: Callable[[], None]) -> None:
        event.listen(database.engine, "before_cursor_execute", lambda *_: step())
        event.listen(database.engine, "commit", lambda *_: step())

    return begin


def run_killed(
    work: Callable[[], object], hear: Callable[[Callable[[], None]], None], at: int | None = None
) -> int:
    """Do some work in a child process, killed before its `at`-th step; return how many steps it came to.

    Raises `AssertionError` where the work itself fails.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status, done = 3, 0
        try:
            os.close(reading)

            def step() -> None:
                nonlocal done
                done += 1
                if done == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            hear(step)
            work()
            os.write(writing, str(done).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        count = said.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert at is not None
        return at
    assert os.WEXITSTATUS(status) == 0, "the work failed"
    return int(count)
