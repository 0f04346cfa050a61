"""Open sign-ins: since when and from where, how long they last, and ending them.

A sign-in ends when nobody has done anything in it for a while (setting `idle_minutes`), and at the latest some hours after
it began (`session_hours`). What a page asks by itself is nothing that a person did: the page says when she did something.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.accounts import find_user
from core.people.needing import PUBLIC, SIGNED_IN, needs
from core.people.roles import Permission, Person, require
from core.people.secrets_kept import sha256_of
from core.people.token_rows import end_all_own
from core.settings import Settings
from db.tables import SignIn, utc_now

__all__ = [
    "Left",
    "OpenSignIn",
    "end_all_for",
    "end_all_of",
    "end_one",
    "end_others",
    "list_of",
    "list_own",
    "seen",
    "still_open",
]

CLOCKS_DIFFER = timedelta(minutes=5)
"""A sign-in that begins later than so far from now is of a clock that was put back since, and opens nothing."""
_SEEN_AGAIN_AFTER = timedelta(minutes=1)
_KEY_LENGTH = 16


@dataclass(frozen=True)
class OpenSignIn:
    """A row of the list of one's own sign-ins; `key` names it, and opens nothing."""

    key: str
    since: datetime
    seen: datetime
    ends: datetime
    address: str | None
    browser: str | None
    this: bool


@dataclass(frozen=True)
class Left:
    """How long a sign-in lasts yet, in seconds: where nobody does anything, out of how many, and at the latest."""

    idle: float
    idle_after: float
    most: float


def idle_time(settings: Settings) -> timedelta:
    """Return how long nobody has to do anything for a sign-in to end."""
    return timedelta(minutes=settings.idle_minutes)


def still_open(settings: Settings, now: datetime) -> ColumnElement[bool]:
    """Return which sign-ins open something now."""
    return (
        (SignIn.expires_at > now)
        & (SignIn.seen_at > now - idle_time(settings))
        & (SignIn.created_at <= now + CLOCKS_DIFFER)
        # Nor one in which somebody did something in the future: nobody knows how long nobody has done anything.
        & (SignIn.seen_at <= now + CLOCKS_DIFFER)
        & SignIn.lacks.is_(None)
    )


@needs(PUBLIC)
def seen(here: Installation, token: str, *, done: bool, now: datetime | None = None) -> Left | None:
    """Return how long a sign-in lasts yet, None if it has ended; with `done` a person has just done something in it.

    That is written down at most once a minute.
    """
    now = now or utc_now()
    digest, idle = sha256_of(token), idle_time(here.settings)
    query = select(SignIn.seen_at, SignIn.expires_at).where(
        SignIn.token_sha256 == digest, still_open(here.settings, now)
    )
    with here.database.read() as session:
        found = session.execute(query).first()
    if found is None:
        return None
    at = found.seen_at
    # Either way: clocks of several web processes differ a little.
    if done and abs(now - at) > min(_SEEN_AGAIN_AFTER, idle / 10):
        with here.database.write() as session:
            session.execute(update(SignIn).where(SignIn.token_sha256 == digest).values(seen_at=now))
        at = now
    return Left(
        (at + idle - now).total_seconds(), idle.total_seconds(), (found.expires_at - now).total_seconds()
    )


@needs(SIGNED_IN)
def list_own(
    here: Installation, person: Person, token: str | None, *, now: datetime | None = None
) -> list[OpenSignIn]:
    """Return where a person is signed in now: the sign-in of this token first, then those seen last."""
    this = sha256_of(token) if token else None
    query = select(SignIn).where(
        SignIn.user_id == person.user_id, still_open(here.settings, now or utc_now())
    )
    with here.database.read() as session:
        rows = [_row(row, this) for row in session.scalars(query)]
    return sorted(rows, key=lambda row: (not row.this, -row.seen.timestamp()))


@needs(SIGNED_IN)
def end_one(here: Installation, person: Person, key: str) -> bool:
    """End one of a person's own sign-ins; say whether there was one of that key."""
    if len(key) != _KEY_LENGTH or not key.isalnum():
        return False
    with here.database.write() as session:
        mine = (SignIn.user_id == person.user_id) & SignIn.token_sha256.startswith(key)
        ended = session.scalars(select(SignIn).where(mine)).first()
        if ended is None:
            return False
        detail = {"of": ended.browser, "at": ended.address}
        session.delete(ended)
        audit.record(session, person, "signed_out", f"user:{person.username}", detail)
    return True


@needs(SIGNED_IN)
def end_others(here: Installation, person: Person, token: str | None) -> int:
    """End all of a person's own sign-ins but the one of this token; return how many there were."""
    with here.database.write() as session:
        ended = end_all_of(session, person.user_id, but=token)
        if ended:
            audit.record(
                session, person, "signed_out_elsewhere", f"user:{person.username}", {"sign_ins_ended": ended}
            )
    return ended


@needs(Permission.ADMINISTER)
def list_of(
    here: Installation, username: str, *, by: Person | None = None, now: datetime | None = None
) -> list[OpenSignIn]:
    """Return where somebody is signed in now, those seen last first, for an admin or the terminal; raises `ValueError`."""
    with here.database.read() as session:
        user_id = find_user(session, username).id
        query = select(SignIn).where(SignIn.user_id == user_id, still_open(here.settings, now or utc_now()))
        return [_row(one, None) for one in session.scalars(query.order_by(SignIn.seen_at.desc()))]


@needs(Permission.ADMINISTER)
def end_all_for(
    here: Installation, username: str, *, by: Person | None = None, tokens: bool = True
) -> tuple[int, int]:
    """End somebody's sign-ins, and with `tokens` those of her programs; return how many of each there were.

    `by` is the admin who does it, None at the terminal. Raises `AccessDenied`, and `ValueError` where there is no such
    account. She can sign in again: to keep her out close the account.
    """
    if by is not None:
        require(by, Permission.ADMINISTER)
    with here.database.write() as session:
        user = find_user(session, username)
        ended = end_all_of(session, user.id)
        programs = end_all_own(session, user.id) if tokens else 0
        if ended or programs:
            detail = {"sign_ins_ended": ended, "tokens_ended": programs}
            audit.record(session, by, "signed_out_by_admin", f"user:{user.username}", detail)
    return ended, programs


def _row(row: SignIn, this: str | None) -> OpenSignIn:
    return OpenSignIn(
        key=row.token_sha256[:_KEY_LENGTH],
        since=row.created_at,
        seen=row.seen_at,
        ends=row.expires_at,
        address=row.address,
        browser=row.browser,
        this=row.token_sha256 == this,
    )


def end_all_of(session: Session, user_id: int, *, but: str | None = None) -> int:
    """End a person's sign-ins inside the caller's transaction, but the one of a token; return how many there were."""
    mine = SignIn.user_id == user_id
    if but is not None:
        mine &= SignIn.token_sha256 != sha256_of(but)
    ended = session.execute(delete(SignIn).where(mine))
    return int(ended.rowcount)  # type: ignore[attr-defined]
