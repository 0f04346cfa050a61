"""Long work that a program asked for: begun at once, done in a thread of this process, and asked after by its key.

A job that was cut off with its process says so: what it had finished by then stays, and it can be asked for again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from core.exchange.job_rows import LESION_ACT, SCORE, forget_old_jobs
from core.exchange.listed import NotHere
from core.exchange.scoring import how_scored
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import Person
from core.people.needing import SIGNED_IN, needs
from db.tables import ApiJob, utc_now

__all__ = ["TooManyJobs", "begin_job", "job_of"]

log = log_of(__name__)

SEEN_SECONDS = 10.0
LOST_AFTER = timedelta(seconds=60)
MOST_AT_ONCE = 4
"""Jobs of one person that are at work at once, in all processes."""

Work = Callable[[], dict[str, Any]]


class TooManyJobs(RuntimeError):
    """A person has as many jobs at work as she may."""


@needs(SIGNED_IN)
def begin_job(
    here: Installation, person: Person, kind: str, work: Work, *, at_end: Callable[[], None] | None = None
) -> str:
    """Begin some work and return its key; `work` returns what is told of its end, `at_end` is called however it ends.

    Raises `TooManyJobs`.
    """
    key = secrets.token_urlsafe(12)
    now = utc_now()
    with here.database.write() as session:
        forget_old_jobs(session)
        at_work = session.scalars(
            select(ApiJob.key).where(
                ApiJob.user_id == person.user_id,
                ApiJob.state == "running",
                ApiJob.kind != SCORE,
                ApiJob.seen_at > now - LOST_AFTER,
            )
        ).all()
        if len(at_work) >= MOST_AT_ONCE:
            raise TooManyJobs(f"{len(at_work)} jobs of yours are at work already. Wait for one to end.")
        session.add(ApiJob(key=key, user_id=person.user_id, kind=kind, state="running"))
    # In the context of the call, so that its entries in the trail say who, from where and by which token. A daemon: what it
    # takes in is durable file by file, and the process need not wait for the rest.
    context = copy_context()
    threading.Thread(
        target=context.run, args=(_run, here, key, work, at_end), name=f"job {kind}", daemon=True
    ).start()
    return key


def _run(here: Installation, key: str, work: Work, at_end: Callable[[], None] | None) -> None:
    done = threading.Event()
    threading.Thread(target=_be_seen, args=(here, key, done), name="job seen", daemon=True).start()
    state, result = "failed", {}
    try:
        state, result = "done", work()
    except Exception as error:
        said = outage(error)
        if said is None:
            log.exception("a job failed", kind=type(error).__name__)
        result = {"detail": said or str(error)[:500] or "It failed. Tell your admin the time."}
    finally:
        done.set()
        try:
            if at_end is not None:
                at_end()
        finally:
            _end(here, key, state, result)


def _be_seen(here: Installation, key: str, done: threading.Event) -> None:
    while not done.wait(SEEN_SECONDS):
        try:
            with here.database.write() as session:
                row = session.get(ApiJob, key)
                if row is not None:
                    row.seen_at = utc_now()
        except Exception:  # noqa: BLE001 - it is tried again
            log.warning("a job could not say that it is at work")


def _end(here: Installation, key: str, state: str, result: dict[str, Any]) -> None:
    with here.database.write() as session:
        row = session.get(ApiJob, key)
        if row is not None:
            row.state, row.result, row.ended_at = state, result, utc_now()


@needs(SIGNED_IN)
def job_of(here: Installation, person: Person, key: str) -> dict[str, Any]:
    """Return how one of a person's jobs stands: running, done, failed or cut off; raises `NotHere`."""
    with here.database.read() as session:
        row = session.get(ApiJob, key)
        if row is None or row.user_id != person.user_id or row.kind == LESION_ACT:
            raise NotHere("There is no job by this key.")
        if row.kind == SCORE:
            stands = how_scored(session, row)
        else:
            lost = row.state == "running" and utc_now() - row.seen_at > LOST_AFTER
            stands = {
                "state": "cut_off" if lost else row.state,
                "ended_at": row.ended_at,
                "result": row.result or None,
            }
    return {"key": row.key, "kind": row.kind, "begun_at": row.begun_at, **stands}
