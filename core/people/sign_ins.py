"""Signing in and out: a password checked once, then a secret in a cookie."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.accounts import person_of
from core.people.demo_accounts import is_demo_password
from core.people.passwords import hash_of_nothing, matches
from core.people.roles import Person
from db.tables import SignIn, User, utc_now

__all__ = ["NewSignIn", "SignInRefused", "sign_in", "sign_out", "who"]

FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)


@dataclass(frozen=True)
class NewSignIn:
    """What a successful sign-in gives: the secret for the cookie, and who it stands for."""

    token: str
    person: Person
    expires_at: datetime


class SignInRefused(Exception):
    """The sign-in did not succeed; the message says what to do, never which half was wrong."""


def _token_sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def sign_in(
    here: Installation,
    username: str,
    password: str,
    *,
    now: datetime | None = None,
    loopback: bool = True,
    instead_of: str | None = None,
) -> NewSignIn:
    """Check a password and open a sign-in; raises `SignInRefused`.

    `instead_of` is the token that the browser held until now: that sign-in, whoever's it was, ends as this one begins.

    After `FAILURES_BEFORE_LOCK` wrong passwords in a row the account is locked, for a minute at first and twice
    as long with each further failure, up to an hour. The published passwords of the demo accounts open nothing
    unless the browser runs on this same machine (`loopback`).
    """
    now = now or utc_now()
    name = username.strip().lower()[:64]
    if is_demo_password(password) and not loopback:
        raise SignInRefused(
            "The demo accounts can be used on this machine only. "
            "Ask your admin to make an account for you: python -m core user add"
        )
    with here.database.read() as session:
        found = session.scalar(select(User).where(User.username == name))
    # The hash takes its time outside the write lock, and just as long for a name that does not exist.
    right = matches(found.password_hash if found else hash_of_nothing(), password[:1024])
    wrong = SignInRefused("User name or password is wrong. Try again, or ask your admin for a new password.")
    refusal: SignInRefused
    with here.database.write() as session:
        user = session.get(User, found.id) if found else None
        if user is None:
            audit.record(session, None, "sign_in_failed", None, {"reason": "unknown name"})
            refusal = wrong
        elif user.locked_until is not None and user.locked_until > now:
            audit.record(session, None, "sign_in_failed", f"user:{name}", {"reason": "locked"})
            minutes = max(1, round((user.locked_until - now).total_seconds() / 60))
            refusal = SignInRefused(
                f"Too many wrong passwords: this account is locked for another {minutes} min. "
                "Wait, or ask your admin for a new password."
            )
        elif not right or not user.active or user.password_hash != (found.password_hash if found else None):
            audit.record(session, None, "sign_in_failed", f"user:{name}", {"reason": "password or inactive"})
            user.failed_sign_ins += 1
            beyond = user.failed_sign_ins - FAILURES_BEFORE_LOCK
            if beyond >= 0:
                user.locked_until = now + min(FIRST_LOCK * 2 ** min(beyond, 10), LONGEST_LOCK)
            refusal = wrong
        else:
            user.failed_sign_ins, user.locked_until = 0, None
            token = secrets.token_urlsafe(32)
            expires_at = now + timedelta(hours=here.settings.session_hours)
            session.execute(delete(SignIn).where(SignIn.expires_at <= now))
            session.add(
                SignIn(
                    token_sha256=_token_sha256(token), user_id=user.id, created_at=now, expires_at=expires_at
                )
            )
            person = person_of(user)
            _end_the_one_before(session, instead_of, person)
            audit.record(session, person, "signed_in", f"user:{name}")
            return NewSignIn(token, person, expires_at)
    raise refusal


def _end_the_one_before(session: Session, token: str | None, successor: Person) -> None:
    before = session.get(SignIn, _token_sha256(token)) if token else None
    if before is None:
        return
    gone = person_of(before.user)
    session.delete(before)
    audit.record(
        session, gone, "signed_out", f"user:{gone.username}", {"replaced by": f"user:{successor.username}"}
    )


def who(here: Installation, token: str | None, *, now: datetime | None = None) -> Person | None:
    """Return who a cookie's token stands for, or None if it is unknown, signed out, too old or deactivated."""
    if not token or len(token) > 256:
        return None
    with here.database.read() as session:
        row = session.execute(
            select(User.id, User.username, User.display_name, User.role)
            .join(SignIn, SignIn.user_id == User.id)
            .where(
                SignIn.token_sha256 == _token_sha256(token),
                SignIn.expires_at > (now or utc_now()),
                User.active.is_(True),
            )
        ).first()
    return None if row is None else Person(row.id, row.username, row.display_name, row.role)


def sign_out(here: Installation, token: str | None) -> None:
    """End a sign-in; an unknown token changes nothing."""
    person = who(here, token)
    if person is None or token is None:
        return
    with here.database.write() as session:
        session.execute(delete(SignIn).where(SignIn.token_sha256 == _token_sha256(token)))
        audit.record(session, person, "signed_out", f"user:{person.username}")
