"""Tokens of programs: what an archive or a script shows in the place of a sign-in, made and ended at the terminal.

A token is shown once, when it is made; only its hash is kept. It may do what it was made for, and nothing else.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.accounts import require_admin
from core.people.needing import PUBLIC, needs
from core.people.roles import GRANTED_ONLY, Permission, Person
from core.people.sign_ins import token_sha256
from db.tables import ServiceToken, utc_now

__all__ = [
    "NewToken",
    "Service",
    "TokenEntry",
    "end_all",
    "list_tokens",
    "make_token",
    "revoke_token",
    "service_of",
]

PREFIX = "lvt_"
"""How every token begins, so that one that is left lying about is known for what it is."""
_LONGEST_NAME = 64
_LONGEST_TOKEN = 256
_USED_AGAIN_AFTER = timedelta(minutes=5)
_NEVER_A_PROGRAMS = frozenset({Permission.ASSESS, Permission.ADMINISTER}) | GRANTED_ONLY


@dataclass(frozen=True)
class Service:
    """A program that has shown its token."""

    name: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Return whether this program's token includes the permission."""
        return permission in self.permissions


@dataclass(frozen=True)
class TokenEntry:
    """A row of the list of tokens."""

    name: str
    permissions: tuple[Permission, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime | None = None) -> bool:
        """Return whether it opens anything still."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > (now or utc_now()))


@dataclass(frozen=True)
class NewToken:
    """A token that was just made: its secret is known now and never again."""

    token: str
    entry: TokenEntry


@needs(Permission.ADMINISTER)
def make_token(
    here: Installation,
    name: str,
    permissions: Iterable[Permission],
    *,
    expires_at: datetime | None = None,
    by: Person | None = None,
) -> NewToken:
    """Make a token; raises `ValueError` with a sentence for a name, permissions or an end that will not do.

    `by` is who makes it, None at the terminal; here and below `AccessDenied` if she is no admin.
    """
    require_admin(by)
    plain = _plain_name(name)
    may = tuple(dict.fromkeys(permissions))
    if not may:
        raise ValueError("Say what the token may do.")
    if own := [permission.value for permission in may if permission in _NEVER_A_PROGRAMS]:
        raise ValueError(f"That is a person's to do, and no program's: {', '.join(own)}.")
    now = utc_now()
    if expires_at is not None and expires_at <= now:
        raise ValueError("The token would have ended already.")
    token = PREFIX + secrets.token_urlsafe(32)
    with here.database.write() as session:
        if _valid(session, plain, now) is not None:
            raise ValueError(f"There is a token “{plain}” already. End it first, or choose another name.")
        row = ServiceToken(
            name=plain,
            token_sha256=token_sha256(token),
            permissions=[permission.value for permission in may],
            created_at=now,
            expires_at=expires_at,
        )
        session.add(row)
        session.flush()
        detail = {"may": " ".join(permission.value for permission in may)}
        if expires_at is not None:
            detail["until"] = expires_at.isoformat(timespec="minutes")
        audit.record(session, by, "token_made", f"token:{plain}", detail)
        return NewToken(token, _entry(row))


@needs(Permission.ADMINISTER)
def revoke_token(here: Installation, name: str, *, by: Person | None = None) -> None:
    """End a token for good; raises `ValueError` if there is none of this name that opens anything."""
    require_admin(by)
    plain = _plain_name(name)
    with here.database.write() as session:
        row = _valid(session, plain, utc_now())
        if row is None:
            raise ValueError(f"There is no token “{plain}” that opens anything.")
        row.revoked_at = utc_now()
        audit.record(session, by, "token_revoked", f"token:{plain}")


def end_all(session: Session) -> int:
    """End every token inside the caller's transaction, and return how many there were."""
    ended = session.execute(
        update(ServiceToken).where(ServiceToken.revoked_at.is_(None)).values(revoked_at=utc_now())
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


@needs(Permission.ADMINISTER)
def list_tokens(here: Installation) -> list[TokenEntry]:
    """Return all tokens by name, those that have ended too."""
    with here.database.read() as session:
        rows = session.scalars(select(ServiceToken).order_by(ServiceToken.name, ServiceToken.id)).all()
    return [_entry(row) for row in rows]


@needs(PUBLIC)
def service_of(here: Installation, token: str, *, now: datetime | None = None) -> Service | None:
    """Return the program that a token stands for; None if it is unknown, ended or revoked.

    When it was last used is written down at most once in a few minutes.
    """
    if not token.startswith(PREFIX) or len(token) > _LONGEST_TOKEN:
        return None
    now = now or utc_now()
    with here.database.read() as session:
        row = session.scalar(select(ServiceToken).where(ServiceToken.token_sha256 == token_sha256(token)))
    if row is None or not _entry(row).is_valid(now):
        return None
    if row.last_used_at is None or now - row.last_used_at > _USED_AGAIN_AFTER:
        with here.database.write() as session:
            session.execute(update(ServiceToken).where(ServiceToken.id == row.id).values(last_used_at=now))
    return Service(row.name, frozenset(_permissions(row)))


def _permissions(row: ServiceToken) -> tuple[Permission, ...]:
    # One of a later release is none here.
    known = {permission.value for permission in Permission}
    return tuple(Permission(value) for value in row.permissions if value in known)


def _entry(row: ServiceToken) -> TokenEntry:
    return TokenEntry(
        name=row.name,
        permissions=_permissions(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _valid(session: Session, name: str, now: datetime) -> ServiceToken | None:
    rows = session.scalars(select(ServiceToken).where(ServiceToken.name == name)).all()
    return next((row for row in rows if _entry(row).is_valid(now)), None)


def _plain_name(name: str) -> str:
    plain = unicodedata.normalize("NFC", name.strip())
    if not plain or len(plain) > _LONGEST_NAME or not plain.isprintable():
        raise ValueError(f"A token's name has 1 to {_LONGEST_NAME} printable characters.")
    return plain
