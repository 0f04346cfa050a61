"""What a person changes about her own account: her password, and her second factor.

The password is asked for each time: an open page is not proof of who sits before it. Wrong ones are counted as at the
sign-in (`core.people.attempts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import attempts, audit, second_factor
from core.people.attempts import SignInWaits
from core.people.needing import SIGNED_IN, needs
from core.people.open_sign_ins import end_all_of
from core.people.passwords import TooBusy, check_password, hash_of, matches, room_to_hash
from core.people.roles import Person
from core.people.second_factor import Factor
from core.people.steps import enforced
from core.people.token_rows import end_all_own
from db.tables import User, utc_now

__all__ = [
    "OwnAccount",
    "change_password",
    "own_account",
    "proven_by_password",
    "renew_codes",
    "set_up_factor",
    "turn_off_factor",
]

WAIT_TO_HASH_SECONDS = 2.0
WRONG = "This is not your password."


@dataclass(frozen=True)
class OwnAccount:
    """What an account has: `outside` is one whom the hospital's own sign-in answers for, `enforced` what her role asks."""

    demo: bool
    outside: bool
    second_factor: bool
    codes_left: int
    enforced: bool


@needs(SIGNED_IN)
def own_account(here: Installation, person: Person) -> OwnAccount:
    """Return what a person's account has."""
    with here.database.read() as session:
        user = _of(session, person)
        return OwnAccount(
            demo=user.demo,
            outside=user.subject is not None,
            second_factor=user.totp_secret is not None,
            codes_left=second_factor.how_many_left(session, user),
            enforced=enforced(here.settings, user),
        )


@needs(SIGNED_IN)
def change_password(
    here: Installation,
    person: Person,
    old: str,
    new: str,
    *,
    token: str | None,
    address: str | None = None,
    now: datetime | None = None,
) -> int:
    """Change one's own password; end all of one's sign-ins but the one of this token, and all of one's tokens for programs.

    Return how many sign-ins were ended.

    Raises `ValueError` with a sentence where the old one is wrong or the new one will not do.
    """
    now = now or utc_now()
    about = _password_may_change(here, person)
    check_password(new, about=about)
    if old == new:
        raise ValueError("The new password is the old one.")
    row, attempt = _password_is_right(here, person, old, address, now)
    made = hash_of(new)
    with here.database.write() as session:
        user = _of(session, person)
        user.password_hash, user.password_to_change = made, False
        attempts.succeed(session, attempt, row, now)
        ended = end_all_of(session, user.id, but=token)
        detail = {"sign_ins_ended": ended, "tokens_ended": end_all_own(session, user.id)}
        audit.record(session, person, "own_password_set", f"user:{user.username}", detail)
    return ended


@needs(SIGNED_IN)
def set_up_factor(
    here: Installation,
    person: Person,
    factor: Factor,
    password: str,
    code: str,
    *,
    address: str | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Set up a second factor by its first code, and return the recovery codes, shown this once.

    Raises `ValueError` with a sentence where password or code is wrong.
    """
    now = now or utc_now()
    _password_may_change(here, person)
    row, attempt = _password_is_right(here, person, password, address, now)
    with here.database.write() as session:
        user = _of(session, person)
        if user.totp_secret is not None:
            raise ValueError("A second factor was set up meanwhile.")
        attempts.succeed(session, attempt, row, now)
        codes = second_factor.keep(here, session, user, factor.secret, code, now)
        if codes is not None:
            audit.record(session, person, "second_factor_set_up", f"user:{user.username}")
    if codes is None:
        raise ValueError(
            "This code is wrong. Take the picture again, and look whether your phone's clock is right."
        )
    return codes


@needs(SIGNED_IN)
def renew_codes(
    here: Installation,
    person: Person,
    code: str,
    *,
    address: str | None = None,
    now: datetime | None = None,
) -> list[str]:
    """Return new recovery codes, shown this once, in place of those there are; a code of the second factor is asked for."""
    with _proven(here, person, code, address, now or utc_now()) as (session, user):
        codes = second_factor.new_codes(session, user)
        audit.record(session, person, "recovery_codes_made", f"user:{user.username}")
    return codes


@needs(SIGNED_IN)
def turn_off_factor(
    here: Installation,
    person: Person,
    code: str,
    *,
    address: str | None = None,
    now: datetime | None = None,
) -> None:
    """Take one's own second factor away; a code of it is asked for. Where the role asks for one it is not taken away."""
    with here.database.read() as session:
        if enforced(here.settings, _of(session, person)):
            raise ValueError(
                "Your role signs in with a second factor. For another phone, ask your admin to reset it: you then set it up "
                "anew when you sign in."
            )
    with _proven(here, person, code, address, now or utc_now()) as (session, user):
        second_factor.drop(session, user)
        audit.record(session, person, "second_factor_off", f"user:{user.username}")


def _of(session: Session, person: Person) -> User:
    user = session.get(User, person.user_id, with_for_update=True)
    if user is None or not user.active:
        raise ValueError("This account is closed.")
    return user


def _password_may_change(here: Installation, person: Person) -> list[str]:
    """Raise `ValueError` where a person has no password of her own here; return the words that a guesser would try first."""
    with here.database.read() as session:
        user = _of(session, person)
        if user.subject is not None:
            raise ValueError(
                "You sign in with your hospital's own sign-in: password and second factor are kept there."
            )
        if user.demo:
            raise ValueError(
                "This is an account of the demo, whose password is published and stays as it is. An admin can give it a "
                "password of its own."
            )
        return [user.username, *user.display_name.split()]


def _password_is_right(
    here: Installation, person: Person, password: str, address: str | None, now: datetime
) -> tuple[int, attempts.Try]:
    """Look at a person's password as a sign-in does; return the try, for it to be settled with what it is for."""
    row, attempt = _reserved(here, person, address, now)
    try:
        with room_to_hash(WAIT_TO_HASH_SECONDS):
            with here.database.read() as session:
                kept = _of(session, person).password_hash
            right = matches(kept, password[:1024])
    except TooBusy:
        raise ValueError("Many are signing in at this moment. Try again in a few seconds.") from None
    if not right:
        with here.database.write() as session:
            _failed(session, person, "password")
        raise ValueError(WRONG)
    return row, attempt


@needs(SIGNED_IN)
@contextmanager
def proven_by_password(
    here: Installation, person: Person, password: str, address: str | None, now: datetime
) -> Iterator[tuple[Session, User]]:
    """Yield a transaction in which a person's password was right; `ValueError` where it is wrong, or she has none here."""
    _password_may_change(here, person)
    row, attempt = _password_is_right(here, person, password, address, now)
    with here.database.write() as session:
        attempts.succeed(session, attempt, row, now)
        yield session, _of(session, person)


@contextmanager
def _proven(
    here: Installation, person: Person, code: str, address: str | None, now: datetime
) -> Iterator[tuple[Session, User]]:
    """Yield a transaction in which a code of a person's second factor was taken; `ValueError` where it is wrong."""
    row, attempt = _reserved(here, person, address, now)
    with here.database.write() as session:
        user = _of(session, person)
        kind = second_factor.takes(here, session, user, code[:64], now)
        if kind is not None:
            attempts.succeed(session, attempt, row, now)
            yield session, user
        else:
            _failed(session, person, "code of the second factor")
    if kind is None:
        raise ValueError("This code is wrong, or was used already. Wait for the next one.")


def _reserved(
    here: Installation, person: Person, address: str | None, now: datetime
) -> tuple[int, attempts.Try]:
    attempt = attempts.Try(person.username, attempts.network_of(address))
    try:
        with here.database.write() as session:
            attempts.refuse_waiting(session, attempt, now)
            return attempts.reserve(session, attempt, now), attempt
    except SignInWaits as waits:
        raise ValueError(str(waits)) from None


def _failed(session: Session, person: Person, what: str) -> None:
    audit.record(
        session, person, "own_account_refused", f"user:{person.username}", {"wrong": what}, outcome="failed"
    )
