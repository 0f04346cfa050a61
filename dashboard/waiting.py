"""How many files wait in quarantine, as the navigation and the worklist say it: counted anew every few seconds at most."""

from __future__ import annotations

import threading
import time

from core.logs import log_of
from core.outages import outage
from core.people import Permission, Person
from core.quarantine import count_waiting
from dashboard.house import here

log = log_of(__name__)

SECONDS = 5.0
MOST_SAID = 999

_counted: dict[str, tuple[float, int]] = {}
_counting = threading.Lock()


def in_quarantine(person: Person) -> int:
    """Return how many files wait for who may see to them; 0 for others, and while the database is away."""
    if not person.may(Permission.ADD_STUDY):
        return 0
    home = str(here().home)
    with _counting:
        at, number = _counted.get(home, (-SECONDS, 0))
        if time.monotonic() - at >= SECONDS:
            try:
                number = count_waiting(here())
            except Exception as error:
                if outage(error) is None:
                    raise
                log.warning("the files in quarantine are not counted", why=outage(error))
            _counted[home] = time.monotonic(), number
    return number


def count_anew() -> None:
    """Count at the next look: something was seen to."""
    with _counting:
        _counted.clear()


def badge(number: int) -> str:
    """Say a number beside a page's title; nothing where none waits."""
    return "" if not number else f" · {number if number <= MOST_SAID else f'{MOST_SAID}+'}"


def sentence(number: int) -> str:
    """Say how many files wait, as a sentence."""
    return f"{number} file{'s wait' if number != 1 else ' waits'} in quarantine for a person."
