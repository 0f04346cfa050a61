"""Fetching priors beside a page: begun by a person, going on in a thread, looked at by whoever opens the woman."""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass, field

from core.installation import Installation
from core.logs import log_of
from core.network.pull import Pulled, pull_priors
from core.outages import outage
from core.people import OwnAdminNeeded, Permission, Person, asking
from core.people.needing import needs

__all__ = ["Fetch", "begin_fetch", "fetch_of", "forget_fetch"]

log = log_of(__name__)

_KEPT_SECONDS = 3600.0
_MOST_AT_ONCE = 2


@dataclass
class Fetch:
    """One fetching of a woman's priors: what has come by now, and how it ended."""

    patient: str
    pulled: Pulled | None = None
    running: bool = True
    failed: str | None = None
    ended_at: float = field(default=0.0, repr=False)


_lock = threading.Lock()
_fetches: dict[tuple[str, str], Fetch] = {}
_room = threading.BoundedSemaphore(_MOST_AT_ONCE)


@needs(Permission.ADD_STUDY)
def begin_fetch(here: Installation, person: Person, mrn: str) -> Fetch:
    """Begin to fetch a woman's priors, unless that is going on; raises `AccessDenied`."""
    key = (str(here.home), mrn)
    with _lock:
        _forget_old()
        known = _fetches.get(key)
        if known is not None and known.running:
            return known
        fetch = _fetches[key] = Fetch(mrn)
    work = asking.on_behalf(_run)
    threading.Thread(target=work, args=(here, person, fetch), name="fetching priors", daemon=True).start()
    return fetch


@needs(Permission.ADD_STUDY)
def fetch_of(here: Installation, mrn: str) -> Fetch | None:
    """Return the last fetching of a woman's priors, as it stands at this moment; None if there was none lately."""
    with _lock:
        _forget_old()
        known = _fetches.get((str(here.home), mrn))
        return copy.deepcopy(known) if known is not None else None


@needs(Permission.ADD_STUDY)
def forget_fetch(here: Installation, mrn: str) -> None:
    """Forget a fetching that has ended: its reader has seen what came."""
    with _lock:
        known = _fetches.get((str(here.home), mrn))
        if known is not None and not known.running:
            del _fetches[str(here.home), mrn]


def _run(here: Installation, person: Person, fetch: Fetch) -> None:
    def step(pulled: Pulled) -> None:
        with _lock:
            fetch.pulled = copy.deepcopy(pulled)

    failed = None
    try:
        with _room:
            step(pull_priors(here, fetch.patient, person=person, on_step=step))
    except OwnAdminNeeded:
        failed = "Beside the demo accounts the first real patient needs an admin of your own. Make one, then repeat."
    except Exception as error:
        failed = outage(error) or (str(error) if isinstance(error, ValueError) else None)
        if failed is None:
            log.exception("priors could not be fetched", kind=type(error).__name__)
            failed = "Something failed. Try again; if it fails again, tell your admin the time."
    with _lock:
        fetch.failed, fetch.running, fetch.ended_at = failed, False, time.monotonic()


def _forget_old() -> None:
    now = time.monotonic()
    for key, fetch in list(_fetches.items()):
        if not fetch.running and now - fetch.ended_at > _KEPT_SECONDS:
            del _fetches[key]
