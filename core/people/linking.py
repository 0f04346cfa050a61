"""Making an account that has a password here one whom the hospital's own sign-in answers for, and back.

An account is never handed over by a name or an e-mail address: an admin says by which subject the provider knows her, or she
shows both in one browser, her password here and her sign-in there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit, browsers, second_factor
from core.people.accounts import find_user, keep_an_admin, person_of, require_admin
from core.people.needing import PUBLIC, SIGNED_IN, needs
from core.people.oidc import OutsideRefused
from core.people.open_sign_ins import end_all_of, still_open
from core.people.outside import NO_PASSWORD, role_of, subject_of
from core.people.own_account import proven_by_password
from core.people.passwords import check_password, hash_of
from core.people.roles import Permission, Person
from core.people.secrets_kept import sha256_of
from db.tables import SignIn, User, utc_now

__all__ = ["begin_link", "is_linking", "link", "link_own", "unlink"]

LINKING_FOR = timedelta(minutes=10)
"""For so long a sign-in whose person has given her password waits for her to come back from there."""


@needs(SIGNED_IN)
def begin_link(
    here: Installation,
    person: Person,
    password: str,
    *,
    token: str | None,
    address: str | None = None,
    now: datetime | None = None,
) -> None:
    """Let the next sign-in there, in the browser of this token, say whose account this is; her password is asked for.

    Raises `ValueError` with a sentence where it is wrong, or her account cannot be linked.
    """
    now = now or utc_now()
    with proven_by_password(here, person, password, address, now) as (session, user):
        _check(here, session, user)
        mine = (SignIn.token_sha256 == sha256_of(token or "")) & (SignIn.user_id == user.id)
        session.execute(update(SignIn).where(mine).values(linking_until=now + LINKING_FOR))


@needs(PUBLIC)
def is_linking(here: Installation, token: str | None, *, now: datetime | None = None) -> bool:
    """Return whether a sign-in waits for its person to come back from there."""
    with here.database.read() as session:
        return _waiting(here, session, token, now or utc_now()) is not None


@needs(PUBLIC)
def link_own(
    here: Installation, token: str | None, claims: Mapping[str, Any], *, now: datetime | None = None
) -> Person:
    """Link the account of a sign-in that waits for it to whom the provider's claims name; raises `OutsideRefused`."""
    with here.database.write() as session:
        found = _waiting(here, session, token, now or utc_now())
        if found is None:
            raise OutsideRefused("This was open for too long. Begin again, on your account's page.")
        if role_of(here.settings, claims) is None:
            raise OutsideRefused(
                f"None of your roles at {here.settings.oidc_name} is one of Longview. Ask your admin."
            )
        found.linking_until = None
        person = person_of(found.user)
        try:
            _link(here, session, found.user, str(claims["sub"]), by=person, but=token)
        except ValueError as error:
            raise OutsideRefused(str(error)) from error
        return person


@needs(Permission.ADMINISTER)
def link(here: Installation, username: str, sub: str, *, by: Person | None = None) -> None:
    """Let the hospital's own sign-in answer for an account from now on: for whom it calls `sub`, which is no e-mail address.

    Her password and second factor here open nothing any more, and her sign-ins end. Raises `ValueError` with a sentence.
    """
    require_admin(by)
    if not sub.strip() or not sub.isprintable():
        raise ValueError("Say by which subject (“sub”) the hospital's own sign-in knows her.")
    with here.database.write() as session:
        _link(here, session, find_user(session, username), sub.strip(), by=by)


@needs(Permission.ADMINISTER)
def unlink(here: Installation, username: str, password: str, *, by: Person | None = None) -> None:
    """Give an account a first password here again; the hospital's own sign-in does not answer for it any more.

    Raises `ValueError` with a sentence where it does not, or the password will not do.
    """
    require_admin(by)
    with here.database.read() as session:
        user = find_user(session, username)
        about = [user.username, *user.display_name.split()]
    check_password(password, about=about)
    made = hash_of(password)
    with here.database.write() as session:
        user = find_user(session, username)
        if user.subject is None:
            raise ValueError(f"“{user.username}” has a password here already.")
        user.subject, user.password_hash, user.password_to_change = None, made, True
        detail = {"by": here.settings.oidc_name, "sign_ins_ended": end_all_of(session, user.id)}
        audit.record(session, by, "account_unlinked", f"user:{user.username}", detail)


def _waiting(here: Installation, session: Session, token: str | None, now: datetime) -> SignIn | None:
    if not token or len(token) > 256:
        return None
    return session.scalar(
        select(SignIn).where(
            SignIn.token_sha256 == sha256_of(token),
            still_open(here.settings, now),
            SignIn.linking_until > now,
            SignIn.user.has(User.active.is_(True)),
        )
    )


def _check(here: Installation, session: Session, user: User) -> None:
    if here.settings.oidc_issuer is None:
        raise ValueError("Here people sign in with a password that is kept here.")
    if user.demo:
        raise ValueError("This is an account of the demo: it signs in with its published password only.")
    if user.subject is not None:
        raise ValueError(f"“{user.username}” signs in with {here.settings.oidc_name} already.")
    keep_an_admin_with_a_password(session, user)


def keep_an_admin_with_a_password(session: Session, user: User) -> None:
    """Raise `ValueError` where this is the last admin with a password here: the way back when the other sign-in fails."""
    if user.role.value == "admin":
        try:
            keep_an_admin(session, user)
        except ValueError:
            raise ValueError(
                "This is the last admin with a password here, the way back when the other sign-in fails. Make another one first."
            ) from None


def _link(
    here: Installation,
    session: Session,
    user: User,
    sub: str,
    *,
    by: Person | None,
    but: str | None = None,
) -> None:
    _check(here, session, user)
    try:
        subject = subject_of(here.settings, sub)
    except OutsideRefused as error:
        raise ValueError(str(error)) from error
    other = session.scalar(select(User.username).where(User.subject == subject))
    if other is not None:
        raise ValueError(
            f"{here.settings.oidc_name} answers for “{other}” by this subject: that is one person."
        )
    user.subject, user.password_hash, user.password_to_change = subject, NO_PASSWORD, False
    second_factor.drop(session, user)
    browsers.forget(session, user.id)
    detail = {"by": here.settings.oidc_name, "sign_ins_ended": end_all_of(session, user.id, but=but)}
    audit.record(session, by, "account_linked", f"user:{user.username}", detail)
