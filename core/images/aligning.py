"""Registrations for who cannot wait: what is kept comes at once, the rest is made beside, one pair after another.

A page asks for what it shows and is asked again a moment later; a registration takes half a second of the processor and more.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.images.registered import kept_registration, registration_of
from core.logs import log_of
from core.people import asking
from core.people.needing import needs
from core.people.roles import Permission

if TYPE_CHECKING:
    from core.images.registration.mapping import Registration
    from core.installation import Installation

__all__ = ["NotAligned", "aligned"]

log = log_of(__name__)

MOST_WAITING = 64
"""Pairs that wait; the one asked for last comes first, and beyond these the one asked for longest ago is let go of."""
TRIED_AGAIN_SECONDS = 60.0
"""So long what could not be made is not tried again."""


class NotAligned(Exception):
    """The pair could not be registered a short while ago; the message says why."""


@dataclass(frozen=True)
class _Failed:
    at: float
    why: str


class _Beside:
    """Makes registrations on a thread of its own, which lives as long as there is something to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[tuple[str, str], Installation] = OrderedDict()
        self._failed: OrderedDict[tuple[str, str], _Failed] = OrderedDict()
        self._works = False
        self._in_work: tuple[str, str] | None = None

    def ask(self, here: Installation, pair: tuple[str, str]) -> None:
        """Let a pair be made next; raises `NotAligned` where that has just failed."""
        with self._lock:
            failed = self._failed.get(pair)
            if failed is not None and time.monotonic() - failed.at < TRIED_AGAIN_SECONDS:
                raise NotAligned(failed.why)
            if pair == self._in_work:
                return
            self._waiting[pair] = here
            self._waiting.move_to_end(pair)
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            if not self._works:
                self._works = True
                threading.Thread(target=self._work, name="aligning", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._in_work = None
                if not self._waiting:
                    self._works = False
                    return
                self._in_work, here = self._waiting.popitem()
                pair = self._in_work
            begun = time.monotonic()
            try:
                with asking.asked_by(asking.SYSTEM):
                    registration_of(here, *pair)
            except Exception as error:  # whatever it is, the page says that the two are not registered
                log.exception("two views are not registered")
                self._fails(pair, str(error))
            # Half of one core at most: pages that are drawn meanwhile come first.
            time.sleep(min(time.monotonic() - begun, 1.0))

    def _fails(self, pair: tuple[str, str], why: str) -> None:
        with self._lock:
            self._failed[pair] = _Failed(time.monotonic(), why)
            while len(self._failed) > MOST_WAITING:
                self._failed.popitem(last=False)


_beside = _Beside()


@needs(Permission.SEE_PATIENTS)
def aligned(here: Installation, prior_sop: str, current_sop: str) -> Registration | None:
    """Return `registration_of` two images where it is kept; None where it is being made now: ask again in a second.

    Raises
    ------
    KeyError, NotHers
        As `registration_of`.
    NotAligned
        If it could not be made; a minute later it is tried again.
    """
    found = kept_registration(here, prior_sop, current_sop)
    if found is None:
        _beside.ask(here, (prior_sop, current_sop))
    return found
