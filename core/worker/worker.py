"""The worker: scores what waits, as long as it runs. The only process that holds the networks."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

from core.files import write_whole
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people.needing import SYSTEM_ONLY, needs
from core.worker import identity
from core.worker.alerts import hold_against_new_rules
from core.worker.progress import HEARTBEAT
from core.worker.queue import Pauses, queue_unscored
from core.worker.registering import Registering
from core.worker.rereading import Rereading
from core.worker.scoring import Scorer
from db.tables import utc_now

log = log_of(__name__)

POLL_SECONDS = 0.3
BEAT_SECONDS = 2.0


@needs(SYSTEM_ONLY)
def run_worker(here: Installation, stop: threading.Event, *, scorer: Scorer | None = None) -> None:
    """Score pending studies until `stop` is set; the study in work is finished first.

    While the world fails (store, database, memory or disk away) it waits, with pauses that grow to a minute, and goes
    on by itself. Raises `LookupError` or `ValueError` if the model cannot be loaded.
    """
    heart = _Heart(here)
    heart.start()
    pauses = Pauses()
    try:
        started = time.monotonic()
        scorer = scorer or Scorer(here)
        heart.model = scorer.model.card.name
        while not stop.is_set() and not _get_ready(here, scorer, heart, started, pauses, stop):
            pass
        registering, rereading = Registering(here), Rereading(here)
        _catch_up(registering)
        while not stop.is_set():
            _score_one(scorer, registering, rereading, pauses, stop)
    finally:
        if scorer is not None:
            scorer.close()
        heart.stop()
        log.info("worker stops")


def _get_ready(
    here: Installation,
    scorer: Scorer,
    heart: _Heart,
    started: float,
    pauses: Pauses,
    stop: threading.Event,
) -> bool:
    """Warm the networks up, free what dead workers held and say so; or wait a while, and return False."""
    try:
        scorer.warm_up()
        freed = scorer.queue.free_dead()
        again = queue_unscored(here, scorer.model.card)
        judged = hold_against_new_rules(here, scorer.model.card.name)
        heart.warm = True
        heart.beat()
    except Exception as error:
        if outage(error) is None:
            raise
        _wait_out(error, pauses, stop)
        return False
    log.info(
        "worker is ready",
        model=scorer.model.card.name,
        seconds=round(time.monotonic() - started, 1),
        freed=freed,
        queued_for_these_weights=again,
        women_held_against_new_rules=judged,
    )
    return True


def _catch_up(registering: Registering) -> None:
    try:
        registering.catch_up()
    except Exception as error:  # it is for speed alone: scoring goes on, and the next start catches up
        if outage(error) is None:
            raise
        log.warning("registrations of before are not caught up with", lacks=outage(error))


def _score_one(
    scorer: Scorer, registering: Registering, rereading: Rereading, pauses: Pauses, stop: threading.Event
) -> None:
    """Score the next study; if there is none, do what waits for such a time, or wait a moment; longer while the world fails."""
    started = time.monotonic()
    try:
        item = scorer.score_next()
    except Exception as error:
        if outage(error) is None:
            # A defect: the study keeps its place in the queue, and the log has to say where it is.
            log.exception("the worker could not go on; it tries again")
        _wait_out(error, pauses, stop)
        return
    if item is None:
        # Studies come first: what waits is looked for again after every pair or image.
        if not registering.one_more() and not rereading.one_more():
            stop.wait(POLL_SECONDS)
        return
    pauses.over()
    if item.refusal is None:
        registering.remember(item.study_uid)
    outcome = item.refusal.reason if item.refusal else "scored"
    log.info("study done", outcome=outcome, seconds=round(time.monotonic() - started, 2))


def _wait_out(error: Exception, pauses: Pauses, stop: threading.Event) -> None:
    seconds = pauses.longer()
    log.warning("put off", why=outage(error) or type(error).__name__, again_in_seconds=seconds)
    stop.wait(seconds)


class _Heart(threading.Thread):
    """Writes a sign of life every two seconds, also while a study is in work."""

    def __init__(self, here: Installation) -> None:
        super().__init__(name="heart", daemon=True)
        self._path = here.home / HEARTBEAT
        self._stopping = threading.Event()
        self.model = here.settings.model
        self.warm = False

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.beat()
            except OSError:  # a full disk must not stop the signs of life for good
                log.exception("the worker's sign of life could not be written; it tries again")
            self._stopping.wait(BEAT_SECONDS)

    def beat(self) -> None:
        """Write the file whole or not at all."""
        said: dict[str, Any] = {
            "pid": os.getpid(),
            "process": identity.own_name(),
            "uptime": identity.uptime(),
            "at": utc_now().isoformat(),
            "model": self.model,
            "warm": self.warm,
        }
        write_whole(self._path, json.dumps(said), durable=False)  # a sign of life waits for no disk

    def stop(self) -> None:
        """Stop beating and take the file away: this worker does not run any more."""
        self._stopping.set()
        self.join(timeout=5)
        try:
            if json.loads(self._path.read_text(encoding="utf-8"))["pid"] == os.getpid():
                self._path.unlink()
        except (OSError, ValueError, KeyError):
            return
