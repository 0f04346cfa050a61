"""What pages' threads hand to the loop that sends it: many messages at one waking, where each used to wake it by itself.

A page of the patient is some 120 messages. To wake the loop is a call to the system that lets go of the lock which all
threads share: the page then waits for its turn behind the loop, 120 times. What is reached here is Streamlit's own: where
another release has it no more, nothing is changed.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from streamlit.runtime.app_session import AppSession

GATHER_SECONDS = 0.003
"""How long the loop, once woken, lets more come; it sends what it has every 5 ms anyhow."""


class Gathered:
    """What is handed to one loop from any thread, done in the order in which it was handed over."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._woken = False

    def hand_over(self, do: Callable[[], None]) -> None:
        """Let the loop do something soon; raises `RuntimeError` where it is closed."""
        # First the deed, then the look at whether it is woken: the loop takes them the other way round, and misses none.
        self._waiting.append(do)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._loop.call_later, GATHER_SECONDS, self._do_all)

    def _do_all(self) -> None:
        self._woken = False
        for _ in range(len(self._waiting)):
            self._loop.call_soon(self._waiting.popleft())


_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Gathered] = weakref.WeakKeyDictionary()


def gather() -> None:
    """Let sessions hand their messages over as this module does."""
    if not callable(getattr(AppSession, "_call_soon_on_event_loop", None)):
        return

    def call_soon(session: Any, callback: Callable[[], None]) -> None:
        loop: asyncio.AbstractEventLoop = session._event_loop
        gathered = _by_loop.get(loop)
        if gathered is None:
            gathered = _by_loop.setdefault(loop, Gathered(loop))
        try:
            gathered.hand_over(callback)
        except RuntimeError:
            if not loop.is_closed():
                raise

    AppSession._call_soon_on_event_loop = call_soon  # type: ignore[assignment, method-assign]
