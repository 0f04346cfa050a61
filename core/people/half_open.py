"""Sign-ins that lack something still: a code of the second factor, a password of one's own, a second factor to set up.

Each step that is done ends the sign-in and opens the next one, with another secret: what was seen of the one before is of
no use. Wrong codes are counted as wrong passwords are (`core.people.attempts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import attempts, audit, browsers, second_factor
from core.people.accounts import person_of
from core.people.attempts import SignInRefused, SignInWaits
from core.people.needing import PUBLIC, needs
from core.people.passwords import TooBusy, check_password, hash_of, matches, room_to_hash
from core.people.second_factor import Factor
from core.people.secrets_kept import seal, sha256_of, unseal
from core.people.sign_ins import (
    WAIT_TO_HASH_SECONDS,
    NewSignIn,
    Sat,
    SignInBusy,
    open_for,
    record_failure,
    record_waiting,
)
from core.people.steps import Step
from db.tables import SignIn, User, utc_now

__all__ = ["Enrolled", "Lacking", "choose_password", "enrol", "enter_code", "lacking"]

BEGIN_AGAIN = "This sign-in was open for too long. Sign in again."


@dataclass(frozen=True)
class Lacking:
    """What a sign-in lacks, and whose it is; `factor` is the second factor that she is to set up."""

    step: Step
    username: str
    factor: Factor | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Enrolled:
    """A sign-in whose second factor was set up, and its recovery codes, shown this once."""

    opened: NewSignIn
    codes: Sequence[str] = field(repr=False)


@needs(PUBLIC)
def lacking(here: Installation, token: str | None, *, now: datetime | None = None) -> Lacking | None:
    """Return what a sign-in lacks; None for one that lacks nothing, or has ended.

    The second factor that is to be set up stays the same for as long as the sign-in is open: a page may be loaded anew.
    """
    now = now or utc_now()
    with here.database.read() as session:
        found = _half_open(session, token, now)
        if found is None:
            return None
        step, username, offer = Step(str(found.lacks)), found.user.username, found.offer
    if step is not Step.ENROL:
        return Lacking(step, username)
    secret = unseal(here, offer) if offer else None
    if secret is None:
        factor = second_factor.new_factor(username)
        with here.database.write() as session:
            session.execute(
                update(SignIn)
                .where(SignIn.token_sha256 == sha256_of(token or ""))
                .values(offer=seal(here, factor.secret))
            )
        return Lacking(step, username, factor)
    return Lacking(step, username, second_factor.factor_of(username, secret))


@needs(PUBLIC)
def enter_code(
    here: Installation, token: str, code: str, sat: Sat, *, now: datetime | None = None
) -> NewSignIn:
    """Take a code of the second factor, or a recovery code; raises `SignInRefused` where it is wrong or was used before."""
    now = now or utc_now()
    with here.database.read() as session:
        username = _must_lack(session, token, Step.SECOND_FACTOR, now).user.username
        browser = browsers.known(session, username, sat.browser, now)
    attempt = attempts.Try(username, attempts.network_of(sat.address), browser)
    with audit.coming_from(sat.address):
        try:
            with here.database.write() as session:
                attempts.refuse_waiting(session, attempt, now)
                row = attempts.reserve(session, attempt, now)
        except SignInWaits:
            record_waiting(here, attempt)
            raise
        with here.database.write() as session:
            user = _locked(session, _must_lack(session, token, Step.SECOND_FACTOR, now))
            kind = second_factor.takes(here, session, user, code[:64], now)
            if kind is not None:
                attempts.succeed(session, attempt, row, now)
                if kind != "code":
                    detail = {"left": second_factor.how_many_left(session, user)}
                    audit.record(session, person_of(user), "recovery_code_used", f"user:{username}", detail)
                return open_for(here, session, user, now, sat=replace(sat, instead_of=token), passed=True)
            record_failure(session, attempt, now, "code of the second factor")
    raise SignInRefused(
        "This code is wrong, or was used already. Wait for the next one, and look whether your phone's clock is right."
    )


@needs(PUBLIC)
def choose_password(
    here: Installation, token: str, password: str, sat: Sat, *, now: datetime | None = None
) -> NewSignIn:
    """Take a person's own password in place of one that somebody else chose.

    Raises `ValueError` with a sentence where it will not do, `SignInRefused` where the sign-in has ended.
    """
    now = now or utc_now()
    with here.database.read() as session:
        user = _must_lack(session, token, Step.PASSWORD, now).user
        before, about = user.password_hash, [user.username, *user.display_name.split()]
    check_password(password, about=about)
    try:
        with room_to_hash(WAIT_TO_HASH_SECONDS):
            if matches(before, password):
                raise ValueError("This is the password that you were given. Choose another.")
            made = hash_of(password)
    except TooBusy:
        raise SignInBusy from None
    with audit.coming_from(sat.address), here.database.write() as session:
        user = _locked(session, _must_lack(session, token, Step.PASSWORD, now))
        user.password_hash, user.password_to_change = made, False
        audit.record(session, person_of(user), "own_password_set", f"user:{user.username}", {"first": True})
        # Whoever has a second factor has shown it before she came here.
        return open_for(here, session, user, now, sat=replace(sat, instead_of=token), passed=True)


@needs(PUBLIC)
def enrol(here: Installation, token: str, code: str, sat: Sat, *, now: datetime | None = None) -> Enrolled:
    """Set up the second factor that was offered, by its first code; raises `SignInRefused` where that is wrong."""
    now = now or utc_now()
    with audit.coming_from(sat.address), here.database.write() as session:
        found = _must_lack(session, token, Step.ENROL, now)
        secret = unseal(here, found.offer) if found.offer else None
        user = _locked(session, found)
        codes = second_factor.keep(here, session, user, secret, code[:64], now) if secret else None
        if codes is None:
            raise SignInRefused(
                "This code is not of what is shown here. Take the picture again, and look whether your phone's clock is right."
            )
        audit.record(session, person_of(user), "second_factor_set_up", f"user:{user.username}")
        opened = open_for(here, session, user, now, sat=replace(sat, instead_of=token), passed=True)
    return Enrolled(opened, codes)


def _half_open(session: Session, token: str | None, now: datetime) -> SignIn | None:
    if not token or len(token) > 256:
        return None
    return session.scalar(
        select(SignIn)
        .join(User, User.id == SignIn.user_id)
        .where(
            SignIn.token_sha256 == sha256_of(token),
            SignIn.lacks.is_not(None),
            SignIn.expires_at > now,
            User.active.is_(True),
        )
    )


def _must_lack(session: Session, token: str, step: Step, now: datetime) -> SignIn:
    found = _half_open(session, token, now)
    if found is None or found.lacks != step:
        raise SignInRefused(BEGIN_AGAIN)
    return found


def _locked(session: Session, found: SignIn) -> User:
    """Return whose sign-in it is, so that no other transaction takes the same code meanwhile."""
    query = select(User).where(User.id == found.user_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
