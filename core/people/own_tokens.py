"""Tokens by which a program acts for a person: shown once, kept as a hash, with scopes, an end, and when they were last used.

A token never opens more than its person may at that moment: her role and grants are looked up at each call, and the scopes
only narrow them. It ends with its account.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.accounts import demo_is_open, person_of, plain_name
from core.people.needing import PUBLIC, SIGNED_IN, SYSTEM_ONLY, needs
from core.people.roles import AccessDenied, Permission, Person, require
from core.people.sign_ins import token_sha256
from core.people.token_rows import end_all_own
from db.tables import PersonalToken, User, utc_now

__all__ = [
    "DEFAULT_DAYS",
    "LONGEST_DAYS",
    "SCOPE_WORDS",
    "Access",
    "NewOwnToken",
    "OwnToken",
    "Scope",
    "TokenRefused",
    "access_of",
    "all_own_tokens",
    "end_own_token",
    "has_account",
    "make_own_token",
    "own_tokens_of",
]

PREFIX = "lvp_"
"""How every personal token begins."""
DEFAULT_DAYS, LONGEST_DAYS = 90, 366
MOST_TOKENS = 20
_LONGEST_LABEL = 64
_LONGEST_TOKEN = 256
_USED_AGAIN_AFTER = timedelta(minutes=5)


class Scope(enum.StrEnum):
    """What of a person's rights a token may use."""

    READ = "read"
    WRITE = "write"
    IMAGES = "images"
    CLASSIFY = "classify"
    COHORT = "cohort"
    FHIR = "fhir"
    DICOMWEB = "dicomweb"


SCOPE_WORDS = {
    Scope.READ: "read patients, studies, scores, alerts, reports and models",
    Scope.WRITE: "add studies and events, ask for scores, measure, correct, assess, acknowledge",
    Scope.IMAGES: "fetch images",
    Scope.CLASSIFY: "let models read single images",
    Scope.COHORT: "read figures of groups",
    Scope.FHIR: "read by FHIR",
    Scope.DICOMWEB: "read by DICOMweb; with write also store",
}


@dataclass(frozen=True)
class Access:
    """A program that has shown a person's token: for whom it acts, and what of her rights it may use."""

    person: Person
    token_id: int
    label: str
    scopes: frozenset[Scope]


@dataclass(frozen=True)
class OwnToken:
    """A row of the list of personal tokens."""

    token_id: int
    username: str
    label: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    ended_at: datetime | None

    def is_valid(self, now: datetime | None = None) -> bool:
        """Return whether it opens anything still, as far as the account does."""
        return self.ended_at is None and self.expires_at > (now or utc_now())


@dataclass(frozen=True)
class NewOwnToken:
    """A token that was just made: its secret is known now and never again."""

    token: str
    entry: OwnToken


class TokenRefused(Exception):
    """A token that opens nothing; `reason` is a code, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@needs(SIGNED_IN)
def make_own_token(
    here: Installation,
    username: str,
    scopes: Iterable[Scope] = (Scope.READ,),
    *,
    label: str = "",
    lasts: timedelta = timedelta(days=DEFAULT_DAYS),
    by: Person | None = None,
) -> NewOwnToken:
    """Make a token that acts for a person.

    Parameters
    ----------
    label
        What it is for, 1 to 64 characters; empty: by what of the account's it is.
    lasts
        How long it is valid: at most `LONGEST_DAYS`.
    by
        Who makes it: herself, or None at the terminal.

    Raises
    ------
    AccessDenied
        If somebody else makes it: it would act in her name.
    ValueError
        If there is no such account, it is closed, it has too many, or scopes, label or end will not do.
    """
    may = tuple(dict.fromkeys(scopes))
    if not may:
        raise ValueError(f"Say what the token may do: {', '.join(Scope)}.")
    if not timedelta(0) < lasts <= timedelta(days=LONGEST_DAYS):
        raise ValueError(f"A token is valid for at most {LONGEST_DAYS} days.")
    said = " ".join(label.split()) or "token"
    if len(said) > _LONGEST_LABEL or not said.isprintable():
        raise ValueError(f"Say in 1 to {_LONGEST_LABEL} printable characters what the token is for.")
    now = utc_now()
    token = PREFIX + secrets.token_urlsafe(32)
    with here.database.write() as session:
        user = _active(session, username)
        if by is not None and by.user_id != user.id:
            raise AccessDenied("A token acts for its person: she makes it herself.")
        valid = [one for one in _entries(session, user.id) if one.is_valid(now)]
        if len(valid) >= MOST_TOKENS:
            raise ValueError(f"{user.username} has {len(valid)} tokens already. End one first.")
        row = PersonalToken(
            user_id=user.id,
            label=said,
            token_sha256=token_sha256(token),
            scopes=[one.value for one in may],
            created_at=now,
            expires_at=now + lasts,
        )
        session.add(row)
        session.flush()
        detail = {
            "for": said,
            "may": " ".join(may),
            "until": row.expires_at.isoformat(timespec="minutes"),
        }
        audit.record(session, by, "token_made", f"user:{user.username}", detail)
        return NewOwnToken(token, _entry(row, user.username))


@needs(SYSTEM_ONLY)
def has_account(here: Installation, username: str) -> bool:
    """Return whether there is an account of this name."""
    with here.database.read() as session:
        return (
            session.scalar(select(User.id).where(User.username == plain_name(username)).limit(1)) is not None
        )


@needs(SIGNED_IN)
def own_tokens_of(here: Installation, person: Person) -> list[OwnToken]:
    """Return a person's tokens, newest first, those that have ended too."""
    with here.database.read() as session:
        return _entries(session, person.user_id)


@needs(Permission.ADMINISTER)
def all_own_tokens(here: Installation, *, by: Person | None = None) -> list[OwnToken]:
    """Return everybody's tokens, newest first, for an admin or the terminal; raises `AccessDenied`."""
    if by is not None:
        require(by, Permission.ADMINISTER)
    with here.database.read() as session:
        return _entries(session)


@needs(SIGNED_IN)
def end_own_token(here: Installation, token_id: int, *, by: Person | None = None) -> None:
    """End a token for good: one's own, or as an admin anybody's. One that has ended stays so.

    Raises `ValueError` if there is none by this number that the person may end.
    """
    with here.database.write() as session:
        row = session.get(PersonalToken, token_id)
        if row is None or (
            by is not None and by.user_id != row.user_id and not by.may(Permission.ADMINISTER)
        ):
            raise ValueError("This token is not here.")
        if row.ended_at is not None:
            return
        row.ended_at = utc_now()
        user = session.get_one(User, row.user_id)
        audit.record(session, by, "token_revoked", f"user:{user.username}", {"for": row.label})


@needs(SIGNED_IN)
def end_own_tokens(here: Installation, username: str, *, by: Person | None = None) -> int:
    """End all tokens of a person, and say how many there were; raises `ValueError` if there is no such account."""
    with here.database.write() as session:
        user = session.scalar(select(User).where(User.username == plain_name(username)))
        if user is None:
            raise ValueError(f"There is no account “{username}”.")
        if by is not None and by.user_id != user.id:
            require(by, Permission.ADMINISTER)
        ended = end_all_own(session, user.id)
        if ended:
            audit.record(session, by, "token_revoked", f"user:{user.username}", {"tokens": ended})
        return ended


@needs(PUBLIC)
def access_of(here: Installation, token: str, *, now: datetime | None = None) -> Access:
    """Return for whom a token acts; when it was last used is written down at most once in a few minutes.

    Raises `TokenRefused` for one that is malformed, unknown, too old or ended, or whose account is closed.
    """
    if not token.startswith(PREFIX) or len(token) > _LONGEST_TOKEN or not token.isascii():
        raise TokenRefused("token_malformed", f"This is no token: one begins with “{PREFIX}”.")
    now = now or utc_now()
    with here.database.read() as session:
        found = session.execute(
            select(PersonalToken, User)
            .join(User, User.id == PersonalToken.user_id)
            .where(PersonalToken.token_sha256 == token_sha256(token))
        ).first()
        if found is None:
            raise TokenRefused("token_unknown", "There is no such token.")
        row, user = found.PersonalToken, found.User
        if row.ended_at is not None:
            raise TokenRefused("token_ended", "This token was ended. Make another one.")
        if row.expires_at <= now:
            raise TokenRefused(
                "token_expired", f"This token ended at {row.expires_at.isoformat(timespec='minutes')}."
            )
        if not user.active or (user.demo and not demo_is_open(here, session)):
            raise TokenRefused("account_closed", "The account that this token acts for is closed.")
    if row.last_used_at is None or now - row.last_used_at > _USED_AGAIN_AFTER:
        with here.database.write() as session:
            session.execute(update(PersonalToken).where(PersonalToken.id == row.id).values(last_used_at=now))
    return Access(person_of(user), row.id, row.label, frozenset(_scopes(row)))


def _active(session: Session, username: str) -> User:
    user = session.scalar(select(User).where(User.username == plain_name(username)))
    if user is None or not user.active:
        raise ValueError(f"There is no account “{username}” that is open.")
    return user


def _scopes(row: PersonalToken) -> tuple[Scope, ...]:
    known = {one.value for one in Scope}  # one of a later release is none here
    return tuple(Scope(value) for value in row.scopes if value in known)


def _entries(session: Session, user_id: int | None = None) -> list[OwnToken]:
    query = select(PersonalToken, User.username).join(User, User.id == PersonalToken.user_id)
    if user_id is not None:
        query = query.where(PersonalToken.user_id == user_id)
    rows: Sequence[tuple[PersonalToken, str]] = [
        (row, name) for row, name in session.execute(query.order_by(PersonalToken.id.desc()))
    ]
    return [_entry(row, name) for row, name in rows]


def _entry(row: PersonalToken, username: str) -> OwnToken:
    return OwnToken(
        token_id=row.id,
        username=username,
        label=row.label,
        scopes=_scopes(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        ended_at=row.ended_at,
    )
