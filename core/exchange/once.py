"""Changes that are done once, however often a program sends them: by its idempotency key, which stands for one request.

The key is taken before anything is done, and the answer kept after. A request that was cut off between the two is not done
again unasked: nobody can say how far it came, and the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete

from core.installation import Installation
from core.people import Person
from core.people.needing import SIGNED_IN, needs
from db.tables import OnceRequest, utc_now

__all__ = ["Kept", "KeyMisused", "begin_once", "finish_once", "give_up_once"]

KEPT_FOR = timedelta(days=2)
LONGEST_KEY = 128
AT_WORK_FOR = timedelta(minutes=10)


class KeyMisused(ValueError):
    """The key stands for another request, or for one whose end is not known; `reason` says which."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True)
class Kept:
    """How a request was answered the first time."""

    status: int
    answer: dict[str, Any]


@needs(SIGNED_IN)
def begin_once(here: Installation, person: Person, key: str, request_sha256: str) -> Kept | None:
    """Take a key for a request, or return how the same request was answered before.

    Raises `KeyMisused` where another request has the key, or the same one is still at work or was cut off.
    """
    now = utc_now()
    with here.database.write() as session:
        session.execute(delete(OnceRequest).where(OnceRequest.begun_at < now - KEPT_FOR))
        row = session.get(OnceRequest, (person.user_id, key))
        if row is None:
            session.add(
                OnceRequest(user_id=person.user_id, key=key, request_sha256=request_sha256, begun_at=now)
            )
            return None
        if row.request_sha256 != request_sha256:
            raise KeyMisused(
                "idempotency_key_reused",
                "This Idempotency-Key was sent with another request. Use a new one for a new request.",
            )
        if row.status is not None:
            return Kept(row.status, row.answer)
        if now - row.begun_at < AT_WORK_FOR:
            raise KeyMisused(
                "idempotency_at_work", "The same request is still being worked on. Ask again later."
            )
        raise KeyMisused(
            "idempotency_outcome_unknown",
            "The same request was cut off, and whether it was done is not known. Look, then use a new key.",
        )


@needs(SIGNED_IN)
def finish_once(here: Installation, person: Person, key: str, status: int, answer: dict[str, Any]) -> None:
    """Keep how the request was answered."""
    with here.database.write() as session:
        row = session.get(OnceRequest, (person.user_id, key))
        if row is not None:
            row.status, row.answer = status, answer


@needs(SIGNED_IN)
def give_up_once(here: Installation, person: Person, key: str) -> None:
    """Let go of a key whose request was not done: it may be sent again."""
    with here.database.write() as session:
        session.execute(
            delete(OnceRequest).where(
                OnceRequest.user_id == person.user_id, OnceRequest.key == key, OnceRequest.status.is_(None)
            )
        )
