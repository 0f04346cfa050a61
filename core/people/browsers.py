"""Browsers in which a person has signed in: a long-lived cookie proves it, and passes what strangers are counted for.

It opens nothing: the password is asked for all the same. A new password from an admin, and a restore, forget them.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.people.secrets_kept import sha256_of
from db.tables import KnownBrowser, User

__all__ = ["KNOWN_FOR", "browser_in_words", "forget", "known", "remember"]

KNOWN_FOR = timedelta(days=180)
_LONGEST_TOKEN = 128
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
"""What a browser's own words about itself hold, the more telling first: an Edge calls itself Chrome and Safari as well."""


def known(session: Session, username: str, token: str | None, now: datetime) -> str | None:
    """Return the sha256 of what a browser shows, if this person has signed in in it; None for any other."""
    if not token or len(token) > _LONGEST_TOKEN:
        return None
    digest = sha256_of(token)
    found = session.scalar(
        select(KnownBrowser.token_sha256)
        .join(User, User.id == KnownBrowser.user_id)
        .where(
            KnownBrowser.token_sha256 == digest,
            User.username == username,
            KnownBrowser.signed_in_at > now - KNOWN_FOR,
        )
    )
    return digest if found else None


def remember(session: Session, user_id: int, token: str | None, now: datetime) -> str:
    """Remember that a person has signed in in a browser, and return what its cookie is to hold from now on."""
    session.execute(delete(KnownBrowser).where(KnownBrowser.signed_in_at <= now - KNOWN_FOR))
    shown = token if token and re.fullmatch(r"[\w-]{32,64}", token) else None
    # Only what was given out here is kept on: what somebody else put into the browser he knows as well.
    if shown and not session.scalar(
        select(KnownBrowser.user_id).where(KnownBrowser.token_sha256 == sha256_of(shown)).limit(1)
    ):
        shown = None
    kept = shown or secrets.token_urlsafe(32)
    session.merge(KnownBrowser(token_sha256=sha256_of(kept), user_id=user_id, signed_in_at=now))
    return kept


def forget(session: Session, user_id: int) -> None:
    """Forget the browsers of a person."""
    session.execute(delete(KnownBrowser).where(KnownBrowser.user_id == user_id))


def browser_in_words(agent: str | None) -> str | None:
    """Return a browser and its system in words, from what it says of itself.

    >>> browser_in_words("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox on Linux'
    """
    if not agent:
        return None
    name = next((said for mark, said in _BROWSERS if f"{mark}/" in agent), None)
    system = next((said for mark, said in _SYSTEMS if mark in agent), None)
    if name is None:
        return "a program"
    return f"{name} on {system}" if system else name
