"""Signing in and out: a password checked once, then a secret in a cookie.

Where a person lacks something still (`core.people.steps`), the secret opens nothing but what it lacks
(`core.people.half_open`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import attempts, audit, browsers
from core.people.accounts import demo_is_open, person_of, plain_name
from core.people.attempts import SignInRefused, SignInWaits
from core.people.needing import PUBLIC, needs
from core.people.open_sign_ins import still_open
from core.people.passwords import TooBusy, hash_of_nothing, is_published, matches, room_to_hash
from core.people.recently import Recently
from core.people.roles import Person, granted_of
from core.people.secrets_kept import sha256_of
from core.people.steps import Step, next_step
from db.tables import Role, SignIn, User, utc_now

__all__ = [
    "NewSignIn",
    "Sat",
    "SignInBusy",
    "SignInRefused",
    "SignInWaits",
    "hand_over",
    "open_for",
    "sign_in",
    "sign_out",
    "token_sha256",
    "who",
]

WAIT_TO_HASH_SECONDS = 2.0
"""How long a sign-in waits while other passwords are checked; then the person is told, and can try again."""
HALF_OPEN_FOR = timedelta(minutes=15)
"""How long a sign-in waits for what it lacks."""
_waiting = Recently()
token_sha256 = sha256_of


@dataclass(frozen=True)
class Sat:
    """At what a person sits who signs in: the address, what the browser says of itself, and what it holds of before.

    `browser` is its cookie that proves an earlier sign-in, `instead_of` the token that it held until now: that sign-in,
    whoever's it was, ends as the next one begins.
    """

    address: str | None = None
    agent: str | None = None
    browser: str | None = field(default=None, repr=False)
    instead_of: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class NewSignIn:
    """What a sign-in gives: the secret for the cookie, and who it stands for; it opens nothing while it `lacks` something.

    `browser` is what the browser's own cookie is to hold from now on.
    """

    token: str = field(repr=False)
    person: Person
    expires_at: datetime
    lacks: Step | None = None
    browser: str | None = field(default=None, repr=False)


class SignInBusy(SignInRefused):
    """So many are signing in that this one was not looked at; it is not counted."""

    def __init__(self) -> None:
        super().__init__("Many are signing in at this moment. Try again in a few seconds.")


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
    sat: Sat | None = None,
) -> NewSignIn:
    """Check a password and open a sign-in, or one that lacks something still.

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
        The token that the browser held until now.
    sat
        Where the person sits; says more than `address` and `instead_of`, which stand for it otherwise.

    Raises
    ------
    SignInRefused
        If it does not succeed; `SignInWaits` and `SignInBusy` if the password was not looked at.
    """
    now = now or utc_now()
    sat = sat or Sat(address=address, instead_of=instead_of)
    name = plain_name(username)
    with here.database.read() as session:
        browser = browsers.known(session, name, sat.browser, now)
    attempt = attempts.Try(name, attempts.network_of(sat.address), browser)
    with audit.coming_from(sat.address):
        try:
            return _sign_in(here, attempt, password, now, loopback=loopback, takes_over=takes_over, sat=sat)
        except SignInWaits:
            record_waiting(here, attempt)
            raise


def _sign_in(
    here: Installation,
    attempt: attempts.Try,
    password: str,
    now: datetime,
    *,
    loopback: bool,
    takes_over: str | None,
    sat: Sat,
) -> NewSignIn:
    demo = is_published(password)
    with here.database.read() as session:
        if demo and not (loopback and demo_is_open(here, session)):
            raise SignInRefused(
                "The demo accounts can be used on this machine only, where “make run” was started, "
                "and not beside real patients. "
                "Ask your admin to make an account for you: python -m core user add"
            )
        attempts.refuse_waiting(session, attempt, now)
        found = session.scalar(select(User).where(User.username == attempt.name, User.active.is_(True)))
    # Whom the hospital's own sign-in answers for has no password here, and is answered like a name that does not exist.
    with_password = found is not None and found.subject is None
    nothing = hash_of_nothing()
    try:
        with room_to_hash(WAIT_TO_HASH_SECONDS):
            with here.database.write() as session:
                attempts.refuse_waiting(session, attempt, now)
                row = attempts.reserve(session, attempt, now)
            # The hash takes its time outside the write lock, and just as long for a name that does not exist.
            right = matches(found.password_hash if found and with_password else nothing, password[:1024])
    except TooBusy:
        raise SignInBusy from None
    with here.database.write() as session:
        user = session.get(User, found.id) if found else None
        if user is None or not right or not with_password or not _may_still(here, session, user, found, demo):
            record_failure(session, attempt, now)
        elif here.settings.oidc_only and user.role is not Role.ADMIN:
            raise SignInRefused(
                f"Sign in with {here.settings.oidc_name}: passwords that are kept here are for admins only."
            )
        else:
            # A code that is still to come counts by itself: who knows the password has no more guesses at it for that.
            if next_step(here.settings, user) is not Step.SECOND_FACTOR:
                attempts.succeed(session, attempt, row, now)
            return open_for(here, session, user, now, takes_over=takes_over, sat=sat)
    raise SignInRefused("User name or password is wrong. Try again, or ask your admin for a new password.")


@needs(PUBLIC)
def record_waiting(here: Installation, attempt: attempts.Try) -> None:
    """Write down that a try was not looked at; of many in a row one a minute."""
    key = (here.home, attempt.name, attempt.address)
    if not _waiting.has(key, 60):
        detail = {"reason": "too many wrong passwords before"}
        audit.note(here, None, "sign_in_failed", None, detail, outcome="refused", name=attempt.name)
        _waiting.add(key)


def _may_still(here: Installation, session: Session, user: User, found: User | None, demo: bool) -> bool:
    """Return whether the account is as it was when its password was looked at, and may sign in."""
    same = found is not None and user.password_hash == found.password_hash
    return same and user.active and user.demo == demo and (not demo or demo_is_open(here, session))


def record_failure(session: Session, attempt: attempts.Try, now: datetime, reason: str = "") -> None:
    """Write to the audit trail that a try failed, and that it locked the name: which name, and from where."""
    known = session.scalar(select(User.id).where(User.username == attempt.name)) is not None
    detail = {"reason": reason or ("password or inactive" if known else "unknown name")}
    if attempts.wait_for(session, attempt, now) is not None:
        detail["then"] = "locked"
    subject = f"user:{attempt.name}" if known else None
    audit.record(session, None, "sign_in_failed", subject, detail, outcome="failed", name=attempt.name)


def open_for(
    here: Installation,
    session: Session,
    user: User,
    now: datetime,
    *,
    sat: Sat,
    takes_over: str | None = None,
    passed: bool = False,
    how: str | None = None,
) -> NewSignIn:
    """Open a sign-in for a person who has shown who she is, inside the caller's transaction.

    `passed` says that her second factor was shown as well, `how` in what other way than by a password she came.
    """
    person, lacks = person_of(user), next_step(here.settings, user, passed=passed)
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    if takes_over is not None:
        if lacks is not None:
            raise SignInRefused("Your account asks for more than a password. Sign in on the sign-in page.")
        handed = hand_over(session, takes_over, person)
        if handed is None:
            raise SignInRefused("Your sign-in has ended meanwhile. Reload this page to sign in again.")
        return NewSignIn(takes_over, person, handed)
    token = secrets.token_urlsafe(32)
    lasts = timedelta(hours=here.settings.session_hours)
    expires_at = now + (lasts if lacks is None else min(lasts, HALF_OPEN_FOR))
    session.add(
        SignIn(
            token_sha256=sha256_of(token),
            user_id=user.id,
            created_at=now,
            seen_at=now,
            expires_at=expires_at,
            address=(sat.address or "")[:64] or None,
            browser=browsers.browser_in_words(sat.agent),
            lacks=lacks,
        )
    )
    _end_the_one_before(session, sat.instead_of, person)
    if lacks is not None:
        return NewSignIn(token, person, expires_at, lacks)
    browser = browsers.remember(session, user.id, sat.browser, now) if user.subject is None else None
    audit.record(session, person, "signed_in", f"user:{person.username}", {"by": how} if how else None)
    return NewSignIn(token, person, expires_at, browser=browser)


def hand_over(session: Session, token: str, person: Person) -> datetime | None:
    """Make a sign-in of the demo another person's, who has shown who she is, and return when it ends.

    None for any other sign-in: what a person of one's own has opened stays hers.
    """
    found = session.execute(
        select(SignIn, User.username)
        .join(User, User.id == SignIn.user_id)
        .where(SignIn.token_sha256 == sha256_of(token), User.demo.is_(True))
    ).first()
    if found is None:
        return None
    session.execute(
        update(SignIn).where(SignIn.token_sha256 == sha256_of(token)).values(user_id=person.user_id)
    )
    audit.record(session, person, "signed_in", f"user:{person.username}", {"instead_of": str(found.username)})
    expires_at: datetime = found.SignIn.expires_at
    return expires_at


def _end_the_one_before(session: Session, token: str | None, successor: Person) -> None:
    before = session.get(SignIn, sha256_of(token)) if token else None
    if before is None:
        return
    gone = person_of(before.user)
    session.delete(before)
    if before.lacks is not None:  # it had opened nothing
        return
    audit.record(
        session, gone, "signed_out", f"user:{gone.username}", {"replaced by": f"user:{successor.username}"}
    )


@needs(PUBLIC)
def who(here: Installation, token: str | None, *, now: datetime | None = None) -> Person | None:
    """Return who a cookie's token stands for, or None if it is unknown, signed out, too old, idle, half open or deactivated.

    An account of the demo is nobody where the demo is not open.
    """
    if not token or len(token) > 256:
        return None
    with here.database.read() as session:
        row = session.execute(
            select(User.id, User.username, User.display_name, User.role, User.demo, User.granted)
            .join(SignIn, SignIn.user_id == User.id)
            .where(
                SignIn.token_sha256 == sha256_of(token),
                still_open(here.settings, now or utc_now()),
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
        stored = session.get(SignIn, sha256_of(token))
        if stored is None:  # another window was faster, and has written it down
            return
        session.delete(stored)
        audit.record(session, person, "signed_out", f"user:{person.username}")
