"""Passwords: what is asked of one, and how it is kept (Argon2id)."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from db.tables import Role

PASSWORD_MIN_LENGTH = 12
"""NIST SP 800-63B-4 asks for length, not for kinds of characters."""
LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: more than 10^8 guesses, out of reach for a thief of the hashes who has them hashed slowly."""
ASKED_OF_A_PASSWORD = (
    f"At least {PASSWORD_MIN_LENGTH} characters that are hard to guess: "
    "a few words that do not belong together do well."
)

PUBLISHED: Mapping[Role, str] = {role: f"longview-demo-{role.value}" for role in Role}
"""The passwords of the demo accounts, which everybody may know."""

HASHES_AT_ONCE = 2
"""A hash takes 64 MiB and more than one core: a flood of guesses must not take the machine."""
_slots = threading.BoundedSemaphore(HASHES_AT_ONCE)


class TooBusy(Exception):
    """Other passwords are being hashed, and did not leave room in the time that one may wait."""


@cache
def hasher() -> PasswordHasher:
    """Return the hasher that every password goes through (Argon2id with its library's defaults)."""
    return PasswordHasher()


@cache
def hash_of_nothing() -> str:
    """Return a hash of no known password: checking it takes as long as checking a real one."""
    return hash_of(secrets.token_urlsafe())


@contextmanager
def room_to_hash(seconds: float) -> Iterator[None]:
    """Take one of the few places for hashing; raises `TooBusy` if none is free within these seconds."""
    if not _slots.acquire(timeout=seconds):
        raise TooBusy
    try:
        yield
    finally:
        _slots.release()


def hash_of(password: str) -> str:
    """Return what is kept of a password."""
    return hasher().hash(password)


def matches(password_hash: str, password: str) -> bool:
    """Tell whether a password is the one that was hashed."""
    try:
        return hasher().verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def is_published(password: str) -> bool:
    """Return whether this is one of the published demo passwords."""
    return password in PUBLISHED.values()


def check_password(password: str, *, about: Iterable[str] = ()) -> None:
    """Raise `ValueError` with a sentence if a new password is too short, too long or easily guessed.

    `about` are words that a guesser would try first: the user name, the name.
    """
    if len(password) < PASSWORD_MIN_LENGTH:
        raise ValueError(f"The password is too short: use at least {PASSWORD_MIN_LENGTH} characters.")
    if len(password) > 1024:
        raise ValueError("The password is too long: use at most 1024 characters.")
    if is_published(password):
        raise ValueError("This password is published for the demo: everybody may know it. Choose another.")
    # Its word lists are of no use to a process that sets no password.
    from zxcvbn import zxcvbn

    # It looks at 72 characters at most: its time grows with the square of the length.
    found = zxcvbn(password[:72], user_inputs=["longview", *about])
    if found["score"] < LEAST_SCORE:
        why = str(found["feedback"]["warning"]).rstrip(".")
        raise ValueError(f"The password is easy to guess{f' ({why})' if why else ''}. {ASKED_OF_A_PASSWORD}")
