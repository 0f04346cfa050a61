"""People whom the hospital's own sign-in answers for: their accounts, made when they come first, and their roles.

Their password and second factor are kept there, and none here. The role is what the provider says at each sign-in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.accounts import NewAccount, add_account
from core.people.needing import PUBLIC, SIGNED_IN, needs
from core.people.oidc import OutsideRefused
from core.people.open_sign_ins import end_all_of
from core.people.roles import Person
from core.people.secrets_kept import sha256_of
from core.people.sign_ins import NewSignIn, Sat, open_for
from core.people.user_names import plain_name
from core.settings import Settings
from db.tables import Role, SignIn, User, utc_now

__all__ = ["NO_PASSWORD", "is_outside", "role_of", "sign_in_outside", "subject_of"]

NO_PASSWORD = "kept elsewhere"  # noqa: S105
"""What stands in the place of the hash: the hash of none."""


@needs(SIGNED_IN)
def is_outside(here: Installation, person: Person) -> bool:
    """Return whether the hospital's own sign-in answers for a person."""
    with here.database.read() as session:
        user = session.get(User, person.user_id)
        return user is not None and user.subject is not None


@needs(PUBLIC)
def sign_in_outside(
    here: Installation, claims: Mapping[str, Any], sat: Sat, *, now: datetime | None = None
) -> NewSignIn:
    """Open a sign-in for whom the provider's claims name; makes the account where she comes first.

    Raises `OutsideRefused` with a sentence where none of her roles is one here, her account is closed, or her name is
    another's here already.
    """
    now = now or utc_now()
    named = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
    with audit.coming_from(sat.address):
        try:
            with here.database.write() as session:
                return _open(here, session, claims, named, sat, now)
        except OutsideRefused as refusal:
            detail = {"by": here.settings.oidc_name, "reason": str(refusal)}
            audit.note(here, None, "sign_in_failed", None, detail, outcome="refused", name=named)
            raise


def _open(
    here: Installation, session: Session, claims: Mapping[str, Any], named: str, sat: Sat, now: datetime
) -> NewSignIn:
    settings = here.settings
    role = role_of(settings, claims)
    if role is None:
        raise OutsideRefused(
            f"You are signed in with {settings.oidc_name}, but none of your roles there is one of Longview. Ask your admin."
        )
    subject = subject_of(settings, str(claims["sub"]))
    user = session.scalar(select(User).where(User.subject == subject).with_for_update())
    if user is None:
        user = _made(session, claims, named, subject, role)
    if not user.active:
        raise OutsideRefused("Your account here is closed. Ask your admin.")
    if user.role is not role:
        said = {"from": user.role.value, "to": role.value, "by": settings.oidc_name}
        user.role = role
        end_all_of(session, user.id)
        audit.record(session, None, "role_set", f"user:{user.username}", said)
    entered = open_for(here, session, user, now, sat=sat, how=settings.oidc_name)
    # By this name the provider says later that she was signed out there (`core.people.back_channel`).
    row = session.get_one(SignIn, sha256_of(entered.token))
    row.session_outside = sid if isinstance(sid := claims.get("sid"), str) and len(sid) <= 255 else None
    return entered


def subject_of(settings: Settings, sub: str) -> str:
    """Return as whom an account is kept whom the provider calls `sub`; raises `OutsideRefused` where that is too long."""
    subject = f"{sub} at {settings.oidc_issuer}"
    if len(subject) > 512:
        raise OutsideRefused(f"What {settings.oidc_name} calls you is too long to be kept. Tell your admin.")
    return subject


def _made(session: Session, claims: Mapping[str, Any], named: str, subject: str, role: Role) -> User:
    name = plain_name(named)
    shown = str(claims.get("name") or named).strip()[:128] or name
    try:
        # A name that is taken may be another person's: an account is never handed over by its name alone.
        user = add_account(session, NewAccount(name, shown, NO_PASSWORD), role, by=None)
    except ValueError as error:
        raise OutsideRefused(f"No account can be made for you here: {error} Ask your admin.") from error
    user.subject = subject
    session.flush()
    return user


def role_of(settings: Settings, claims: Mapping[str, Any]) -> Role | None:
    """Return the role here of whom a provider's claims name: the first of the setting's that she has, None for none."""
    has = set(_values(claims, settings.oidc_role_claim))
    return next((role for value, role in settings.roles_outside if value in has), None)


def _values(claims: Mapping[str, Any], path: str) -> Iterable[str]:
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [one for one in found if isinstance(one, str)] if isinstance(found, Sequence) else []
