"""The accounts of the demo, whose passwords are published and open nothing from another machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people.accounts import create_user
from core.people.passwords import matches
from db.tables import Patient, Role, User

__all__ = [
    "DEMO_ACCOUNTS",
    "DemoAccount",
    "demo_accounts_to_show",
    "ensure_demo_accounts",
    "is_demo_password",
    "published_accounts",
]


@dataclass(frozen=True)
class DemoAccount:
    """One account of the demo; `password` is None where somebody has set another one."""

    username: str
    role: Role
    password: str | None


DEMO_ACCOUNTS: Mapping[str, tuple[Role, str, str]] = {
    "oncologist": (Role.ONCOLOGIST, "Demo oncologist", "longview-demo-oncologist"),
    "staff": (Role.STAFF, "Demo clinical staff", "longview-demo-staff"),
    "analyst": (Role.ANALYST, "Demo analyst", "longview-demo-analyst"),
    "admin": (Role.ADMIN, "Demo admin", "longview-demo-admin"),
}
"""User name -> role, display name, password. Published, so they open nothing from another machine."""


def is_demo_password(password: str) -> bool:
    """Return whether this is one of the published demo passwords."""
    return any(password == published for _, _, published in DEMO_ACCOUNTS.values())


def ensure_demo_accounts(here: Installation) -> list[DemoAccount]:
    """Make one account a role where it is missing, and return all four with the password where it is known.

    With no real patient stored the passwords are the published ones; beside real patients each new account gets
    a random password, which is returned this once and kept nowhere.
    """
    with here.database.read() as session:
        has_real_patients = _has_real_patients(session)
        hashes = {u.username: u.password_hash for u in session.scalars(select(User))}
    made = []
    for username, (role, display_name, published) in DEMO_ACCOUNTS.items():
        password: str | None
        if username in hashes:
            password = published if _is_still(hashes[username], published) else None
        else:
            password = secrets.token_urlsafe(12) if has_real_patients else published
            create_user(here, username, password, role, display_name=display_name)
        made.append(DemoAccount(username, role, password))
    return made


def published_accounts(here: Installation) -> list[DemoAccount]:
    """Return the active demo accounts whose published password nobody has changed."""
    with here.database.read() as session:
        rows = session.execute(select(User.username, User.password_hash).where(User.active.is_(True)))
        hashes: dict[str, str] = dict(rows.all())
    return [
        DemoAccount(name, role, password)
        for name, (role, _, password) in DEMO_ACCOUNTS.items()
        if name in hashes and _is_still(hashes[name], password)
    ]


def demo_accounts_to_show(here: Installation) -> list[DemoAccount]:
    """Return the accounts that a sign-in page may name with their password: none once a real patient is stored."""
    with here.database.read() as session:
        if _has_real_patients(session):
            return []
    return published_accounts(here)


@lru_cache(maxsize=16)
def _is_still(password_hash: str, published: str) -> bool:
    # Remembered, because a hash costs a noticeable time and the sign-in page asks at every visit.
    return matches(password_hash, published)


def _has_real_patients(session: Session) -> bool:
    return session.scalar(select(Patient.id).where(Patient.simulated.is_(False)).limit(1)) is not None
