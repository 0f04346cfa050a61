"""Passwords: what is asked of one, and how it is kept (Argon2id)."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

PASSWORD_MIN_LENGTH = 12
"""NIST SP 800-63B-4 asks for length, not for kinds of characters."""


@cache
def hasher() -> PasswordHasher:
    """Return the hasher that every password goes through (Argon2id with its library's defaults)."""
    return PasswordHasher()


@cache
def hash_of_nothing() -> str:
    """Return a hash of no known password: checking it takes as long as checking a real one."""
    return hash_of(secrets.token_urlsafe())


def hash_of(password: str) -> str:
    """Return what is kept of a password."""
    return hasher().hash(password)


def matches(password_hash: str, password: str) -> bool:
    """Tell whether a password is the one that was hashed."""
    try:
        return hasher().verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def check_password(password: str) -> None:
    """Raise `ValueError` with a sentence if a new password is too short or too long."""
    if len(password) < PASSWORD_MIN_LENGTH:
        raise ValueError(f"The password is too short: use at least {PASSWORD_MIN_LENGTH} characters.")
    if len(password) > 1024:
        raise ValueError("The password is too long: use at most 1024 characters.")
