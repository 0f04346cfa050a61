"""Who asks: the person, the program or the installation itself, on whose behalf the code that runs now runs.

A route or a page says so once, at its beginning, for all that it calls; so do the command line and the worker for their
whole process. Who has said nothing is nobody, and nobody may do nothing (`core.people.needing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from core.people.roles import Permission

P = ParamSpec("P")
R = TypeVar("R")


class Asker(Protocol):
    """Whoever can be asked whether she may: a `Person`, a `Service`, or `SYSTEM`."""

    def may(self, permission: Permission) -> bool:
        """Return whether the permission is hers."""
        ...


@dataclass(frozen=True)
class System:
    """The installation itself: the command line, the worker, and what the web process does for nobody in particular."""

    def may(self, permission: Permission) -> bool:
        """Return that it may: who starts a command on this machine could read its files as well."""
        return True


SYSTEM = System()

_asks: ContextVar[Asker | None] = ContextVar("asks", default=None)
_whole_process: Asker | None = None
_found_by: Callable[[], Asker | None] | None = None


def asker() -> Asker | None:
    """Return who asks; None is nobody."""
    return _asks.get() or (_found_by() if _found_by else None) or _whole_process


def begins(somebody: Asker | None) -> None:
    """Say who asks from here on, in this task or thread, until somebody else is said to; None is nobody."""
    _asks.set(somebody)


@contextmanager
def asked_by(somebody: Asker) -> Iterator[None]:
    """Let somebody be who asks within. A thread begins with nobody: say in it on whose behalf it works."""
    before = _asks.set(somebody)
    try:
        yield
    finally:
        _asks.reset(before)


def on_behalf(do: Callable[P, R]) -> Callable[P, R]:
    """Return what does the same in another thread, on behalf of who asks now."""
    somebody = asker()

    def done(*args: P.args, **kwargs: P.kwargs) -> R:
        before = _asks.set(somebody)
        try:
            return do(*args, **kwargs)
        finally:
            _asks.reset(before)

    return done


def found_by(find: Callable[[], Asker | None]) -> None:
    """Say how it is found in this process who asks, where nothing says it: the pages' threads belong to who opened them."""
    global _found_by
    _found_by = find


def system_asks_in_this_process() -> None:
    """Say that all of this process is the installation's own work: for commands and workers, never for the web process."""
    global _whole_process
    _whole_process = SYSTEM
