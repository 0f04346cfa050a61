"""Signing in and out: a password checked once, then a secret in a cookie."""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import attempts, audit
from core.people.accounts import demo_is_open, person_of, plain_name
from core.people.needing import PUBLIC, needs
from core.people.passwords import TooBusy, hash_of_nothing, is_published, matches, room_to_hash
from core.people.recently import Recently
from core.people.roles import Person, granted_of
from db.tables import SignIn, User, utc_now

__all__ = ["NewSignIn", "SignInBusy", "SignInRefused", "SignInWaits", "sign_in", "sign_out", "who"]

WAIT_TO_HASH_SECONDS = 2.0
"""How long a sign-in waits while other passwords are checked; then the person is told, and can try again."""
_waiting = Recently()


@dataclass(frozen=True)
class NewSignIn:
    """What a successful sign-in gives: the secret for the cookie, and who it stands for."""

    token: str
    person: Person
    expires_at: datetime


class SignInRefused(Exception):
    """The sign-in did not succeed; the message says what to do, never which half was wrong."""


class SignInWaits(SignInRefused):
    """Too many tries have failed: nothing is looked at before `seconds` have passed."""

    def __init__(self, message: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(message)


class SignInBusy(SignInRefused):
    """So many are signing in that this one was not looked at; it is not counted."""

    def __init__(self) -> None:
        super().__init__("Many are signing in at this moment. Try again in a few seconds.")


def token_sha256(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@needs(PUBLIC)
def sign_in(
    here: Installation,
    username: str,
    password: str,
    *,
    now: datetime | None = None,
    loopback: bool = False,
    address: str | None = None,
    takes_over: str | None = None,
    instead_of: str | None = None,
) -> NewSignIn:
    """Check a password and open a sign-in.

    A try is counted before its password is looked at, by name and by address (`core.people.attempts`); names that do
    not exist are answered like those that do, in the same words and as slowly.

    Parameters
    ----------
    loopback
        Whether the browser runs on this same machine: the published passwords of the demo accounts open nothing from
        elsewhere, nor without the switch `LONGVIEW_DEMO`, nor beside real patients.
    address
        Where the try comes from.
    takes_over
        The token of an open sign-in of the demo, which becomes this person's; without, a new one is opened.
    instead_of
        The token that the browser held until now: that sign-in, whoever's it was, ends as this one begins.

    Raises
    ------
    SignInRefused
        If it does not succeed; `SignInWaits` and `SignInBusy` if the password was not looked at.
    """
    now = now or utc_now()
    attempt = attempts.Try(plain_name(username), attempts.network_of(address))
    with audit.coming_from(address):
        try:
            return _sign_in(
                here, attempt, password, now, loopback=loopback, takes_over=takes_over, instead_of=instead_of
            )
        except SignInWaits:
            _record_waiting(here, attempt)
            raise


def _sign_in(
    here: Installation,
    attempt: attempts.Try,
    password: str,
    now: datetime,
    *,
    loopback: bool,
    takes_over: str | None,
    instead_of: str | None,
) -> NewSignIn:
    demo = is_published(password)
    with here.database.read() as session:
        if demo and not (loopback and demo_is_open(here, session)):
            raise SignInRefused(
                "The demo accounts can be used on this machine only, where “make run” was started, "
                "and not beside real patients. "
                "Ask your admin to make an account for you: python -m core user add"
            )
        _refuse_waiting(session, attempt, now)
        found = session.scalar(select(User).where(User.username == attempt.name, User.active.is_(True)))
    nothing = hash_of_nothing()
    try:
        with room_to_hash(WAIT_TO_HASH_SECONDS):
            with here.database.write() as session:
                _refuse_waiting(session, attempt, now)
                row = attempts.reserve(session, attempt, now)
            # The hash takes its time outside the write lock, and just as long for a name that does not exist.
            right = matches(found.password_hash if found else nothing, password[:1024])
    except TooBusy:
        raise SignInBusy from None
    with here.database.write() as session:
        user = session.get(User, found.id) if found else None
        if user is None or not right or not _may_still(here, session, user, found, demo):
            _record_failure(session, attempt, now)
        else:
            attempts.succeed(session, attempt, row, now)
            return _open(here, session, user, now, takes_over=takes_over, instead_of=instead_of)
    raise SignInRefused("User name or password is wrong. Try again, or ask your admin for a new password.")


def _record_waiting(here: Installation, attempt: attempts.Try) -> None:
    """Write down that a try was not looked at; of many in a row one a minute."""
    key = (here.home, attempt.name, attempt.address)
    if not _waiting.has(key, 60):
        detail = {"reason": "too many wrong passwords before"}
        audit.note(here, None, "sign_in_failed", None, detail, outcome="refused", name=attempt.name)
        _waiting.add(key)


def _refuse_waiting(session: Session, attempt: attempts.Try, now: datetime) -> None:
    wait = attempts.wait_for(session, attempt, now)
    if wait is None:
        return
    seconds = math.ceil((wait.until - now).total_seconds())
    whose = "from this computer or network" if wait.of_address else "for this name: it is locked"
    raise SignInWaits(
        f"Too many wrong passwords {whose}. Wait {math.ceil(seconds / 60)} min, then try again, or ask your admin for a "
        "new password.",
        seconds,
    )


def _may_still(here: Installation, session: Session, user: User, found: User | None, demo: bool) -> bool:
    """Return whether the account is as it was when its password was looked at, and may sign in."""
    same = found is not None and user.password_hash == found.password_hash
    return same and user.active and user.demo == demo and (not demo or demo_is_open(here, session))


def _record_failure(session: Session, attempt: attempts.Try, now: datetime) -> None:
    """Write to the audit trail that a try failed, and that it locked the name: which name, and from where."""
    known = session.scalar(select(User.id).where(User.username == attempt.name)) is not None
    detail = {"reason": "password or inactive" if known else "unknown name"}
    if attempts.wait_for(session, attempt, now) is not None:
        detail["then"] = "locked"
    subject = f"user:{attempt.name}" if known else None
    audit.record(session, None, "sign_in_failed", subject, detail, outcome="failed", name=attempt.name)


def _open(
    here: Installation,
    session: Session,
    user: User,
    now: datetime,
    *,
    takes_over: str | None,
    instead_of: str | None,
) -> NewSignIn:
    person = person_of(user)
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    if takes_over is not None:
        handed = hand_over(session, takes_over, person)
        if handed is None:
            raise SignInRefused("Your sign-in has ended meanwhile. Reload this page to sign in again.")
        return NewSignIn(takes_over, person, handed)
    token = secrets.token_urlsafe(32)
    expires_at = now + timedelta(hours=here.settings.session_hours)
    session.add(
        SignIn(token_sha256=token_sha256(token), user_id=user.id, created_at=now, expires_at=expires_at)
    )
    _end_the_one_before(session, instead_of, person)
    audit.record(session, person, "signed_in", f"user:{person.username}")
    return NewSignIn(token, person, expires_at)


def hand_over(session: Session, token: str, person: Person) -> datetime | None:
    """Make a sign-in of the demo another person's, who has shown who she is, and return when it ends.

    None for any other sign-in: what a person of one's own has opened stays hers.
    """
    found = session.execute(
        select(SignIn, User.username)
        .join(User, User.id == SignIn.user_id)
        .where(SignIn.token_sha256 == token_sha256(token), User.demo.is_(True))
    ).first()
    if found is None:
        return None
    session.execute(
        update(SignIn).where(SignIn.token_sha256 == token_sha256(token)).values(user_id=person.user_id)
    )
    audit.record(session, person, "signed_in", f"user:{person.username}", {"instead_of": str(found.username)})
    expires_at: datetime = found.SignIn.expires_at
    return expires_at


def _end_the_one_before(session: Session, token: str | None, successor: Person) -> None:
    before = session.get(SignIn, token_sha256(token)) if token else None
    if before is None:
        return
    gone = person_of(before.user)
    session.delete(before)
    audit.record(
        session, gone, "signed_out", f"user:{gone.username}", {"replaced by": f"user:{successor.username}"}
    )


@needs(PUBLIC)
def who(here: Installation, token: str | None, *, now: datetime | None = None) -> Person | None:
    """Return who a cookie's token stands for, or None if it is unknown, signed out, too old or deactivated.

    An account of the demo is nobody where the demo is not open.
    """
    if not token or len(token) > 256:
        return None
    with here.database.read() as session:
        row = session.execute(
            select(User.id, User.username, User.display_name, User.role, User.demo, User.granted)
            .join(SignIn, SignIn.user_id == User.id)
            .where(
                SignIn.token_sha256 == token_sha256(token),
                SignIn.expires_at > (now or utc_now()),
                User.active.is_(True),
            )
        ).first()
        if row is None or (row.demo and not demo_is_open(here, session)):
            return None
    return Person(row.id, row.username, row.display_name, row.role, granted_of(row.granted))


@needs(PUBLIC)
def sign_out(here: Installation, token: str | None) -> None:
    """End a sign-in; an unknown token changes nothing."""
    person = who(here, token)
    if person is None or token is None:
        return
    with here.database.write() as session:
        stored = session.get(SignIn, token_sha256(token))
        if stored is None:  # another window was faster, and has written it down
            return
        session.delete(stored)
        audit.record(session, person, "signed_out", f"user:{person.username}")
