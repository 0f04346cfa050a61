"""Who may come in and what she may do: accounts, sign-ins and the permissions of each role."""

from __future__ import annotations

import enum
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from db.tables import Patient, Role, SignIn, User, utc_now

__all__ = [
    "DEMO_ACCOUNTS",
    "PERMISSIONS",
    "AccessDenied",
    "Account",
    "DemoAccount",
    "NewSignIn",
    "Permission",
    "Person",
    "Role",
    "RoleChangedMeanwhile",
    "SignInRefused",
    "accounts",
    "change_account",
    "create_user",
    "demo_accounts_to_show",
    "ensure_demo_accounts",
    "has_accounts",
    "is_demo_password",
    "published_accounts",
    "require",
    "set_active",
    "set_password",
    "set_role",
    "sign_in",
    "sign_out",
    "who",
]

PASSWORD_MIN_LENGTH = 12
"""NIST SP 800-63B-4 asks for length, not for kinds of characters."""

FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)


class Permission(enum.StrEnum):
    """One thing a role may do. Pages, routes and buttons ask for these, never for a role."""

    SEE_PATIENTS = "see_patients"
    ADD_STUDY = "add_study"
    ASSESS = "assess"
    RECORD_EVENT = "record_event"
    SEE_COHORT = "see_cohort"
    SEE_MODELS = "see_models"
    ADMINISTER = "administer"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ONCOLOGIST: frozenset(Permission) - {Permission.ADMINISTER},
    Role.STAFF: frozenset(
        {Permission.SEE_PATIENTS, Permission.ADD_STUDY, Permission.RECORD_EVENT, Permission.SEE_MODELS}
    ),
    # Analysts work with figures of groups: no names, no images.
    Role.ANALYST: frozenset({Permission.SEE_COHORT, Permission.SEE_MODELS}),
    # An admin sees every page; a clinical judgement stays with an oncologist.
    Role.ADMIN: frozenset(Permission) - {Permission.ASSESS},
}


@dataclass(frozen=True)
class Person:
    """Someone who has signed in."""

    user_id: int
    username: str
    display_name: str
    role: Role

    def may(self, permission: Permission) -> bool:
        """Return whether this person's role has the permission."""
        return permission in PERMISSIONS[self.role]


@dataclass(frozen=True)
class Account:
    """A row of the list of people."""

    user_id: int
    username: str
    display_name: str
    role: Role
    active: bool
    locked_until: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class NewSignIn:
    """What a successful sign-in gives: the secret for the cookie, and who it stands for."""

    token: str
    person: Person
    expires_at: datetime


class SignInRefused(Exception):
    """The sign-in did not succeed; the message says what to do, never which half was wrong."""


class AccessDenied(Exception):
    """The person's role does not include what she asked for."""


class RoleChangedMeanwhile(ValueError):
    """The account's role is not the one that an admin means to change; `role` is what it is now."""

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__(
            f"Another admin changed this role to {role.value} meanwhile. Nothing is saved: save again to replace it."
        )


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _hash_of_nothing() -> str:
    return _hasher().hash(secrets.token_urlsafe())


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher().verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def _token_sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check_password(password: str) -> None:
    if len(password) < PASSWORD_MIN_LENGTH:
        raise ValueError(f"The password is too short: use at least {PASSWORD_MIN_LENGTH} characters.")
    if len(password) > 1024:
        raise ValueError("The password is too long: use at most 1024 characters.")


def _person(user: User) -> Person:
    return Person(user.id, user.username, user.display_name, user.role)


def _user(session: Session, username: str) -> User:
    user = session.scalar(select(User).where(User.username == username.strip().lower()))
    if user is None:
        raise ValueError(f"There is no account “{username}”.")
    return user


def create_user(
    here: Installation,
    username: str,
    password: str,
    role: Role,
    *,
    display_name: str | None = None,
    by: Person | None = None,
) -> Person:
    """Make an account; raises `ValueError` with a sentence if the name is taken or the password too short.

    `by` is who makes it, None at the terminal; here and below `AccessDenied` if she is no admin.
    """
    _require_admin(by)
    name = username.strip().lower()
    if (
        not name
        or len(name) > 64
        or any(character.isspace() or not character.isprintable() for character in name)
    ):
        raise ValueError("A user name has 1 to 64 characters and no spaces.")
    _check_password(password)
    password_hash = _hasher().hash(password)
    with here.database.write() as session:
        if session.scalar(select(User.id).where(User.username == name)) is not None:
            raise ValueError(f"The user name “{name}” is taken.")
        user = User(
            username=name,
            display_name=(display_name or name).strip()[:128] or name,
            password_hash=password_hash,
            role=role,
        )
        session.add(user)
        session.flush()
        audit.record(session, by, "user_added", f"user:{name}", {"role": role.value})
        return _person(user)


def set_password(here: Installation, username: str, password: str, *, by: Person | None = None) -> None:
    """Change a password, lift a lock, and end all of that person's sign-ins."""
    change_account(here, username, password=password, by=by)


def set_active(here: Installation, username: str, active: bool, *, by: Person | None = None) -> None:
    """Open or close an account; closing ends its sign-ins. The last active admin cannot be closed."""
    _require_admin(by)
    with here.database.write() as session:
        user = _user(session, username)
        if not active and user.role is Role.ADMIN:
            _keep_an_admin(session, user)
        user.active = active
        if active:
            user.failed_sign_ins, user.locked_until = 0, None
        else:
            session.execute(delete(SignIn).where(SignIn.user_id == user.id))
        audit.record(session, by, "user_activated" if active else "user_deactivated", f"user:{user.username}")


def set_role(here: Installation, username: str, role: Role, *, by: Person | None = None) -> None:
    """Give an account another role; the last active admin keeps hers."""
    change_account(here, username, role=role, by=by)


def change_account(
    here: Installation,
    username: str,
    *,
    role: Role | None = None,
    role_was: Role | None = None,
    password: str | None = None,
    by: Person | None = None,
) -> None:
    """Give an account another role, another password, or both at once: all of it or nothing.

    A new password lifts a lock and ends all of that person's sign-ins. The last active admin keeps her role.
    `role_was` is the role that whoever changes it had before her: a change that another admin made meanwhile is not
    taken back unseen.

    Raises
    ------
    RoleChangedMeanwhile
        If the role is not `role_was` any more.
    ValueError
        If there is no such account, the password is too short, or it is the last admin's role.
    """
    _require_admin(by)
    if password is not None:
        _check_password(password)
    password_hash = None if password is None else _hasher().hash(password)
    with here.database.write() as session:
        user = _user(session, username)
        if role is not None:
            if role_was is not None and user.role is not role_was:
                raise RoleChangedMeanwhile(user.role)
            if user.role is Role.ADMIN and role is not Role.ADMIN:
                _keep_an_admin(session, user)
            before, user.role = user.role, role
            said = {"from": before.value, "to": role.value}
            audit.record(session, by, "role_set", f"user:{user.username}", said)
        if password_hash is not None:
            user.password_hash = password_hash
            user.failed_sign_ins, user.locked_until = 0, None
            session.execute(delete(SignIn).where(SignIn.user_id == user.id))
            audit.record(session, by, "password_set", f"user:{user.username}")


def _require_admin(by: Person | None) -> None:
    """Refuse anybody but an admin; at the terminal there is no person, and whoever reaches it has the database."""
    if by is not None:
        require(by, Permission.ADMINISTER)


def _keep_an_admin(session: Session, leaving: User) -> None:
    others = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True), User.id != leaving.id)
    if session.scalar(others.limit(1)) is None:
        raise ValueError("This is the last admin. Make another account an admin first.")


def has_accounts(here: Installation) -> bool:
    """Return whether anybody can sign in at all."""
    with here.database.read() as session:
        return session.scalar(select(User.id).where(User.active.is_(True)).limit(1)) is not None


def accounts(here: Installation) -> list[Account]:
    """Return all accounts by user name."""
    with here.database.read() as session:
        return [
            Account(u.id, u.username, u.display_name, u.role, u.active, u.locked_until, u.created_at)
            for u in session.scalars(select(User).order_by(User.username))
        ]


def sign_in(
    here: Installation, username: str, password: str, *, now: datetime | None = None, loopback: bool = True
) -> NewSignIn:
    """Check a password and open a sign-in; raises `SignInRefused`.

    After `FAILURES_BEFORE_LOCK` wrong passwords in a row the account is locked, for a minute at first and twice
    as long with each further failure, up to an hour. The published passwords of the demo accounts open nothing
    unless the browser runs on this same machine (`loopback`).
    """
    now = now or utc_now()
    name = username.strip().lower()[:64]
    if is_demo_password(password) and not loopback:
        raise SignInRefused(
            "The demo accounts can be used on this machine only. "
            "Ask your admin to make an account for you: python -m core user add"
        )
    with here.database.read() as session:
        found = session.scalar(select(User).where(User.username == name))
    # The hash takes its time outside the write lock, and just as long for a name that does not exist.
    right = _matches(found.password_hash if found else _hash_of_nothing(), password[:1024])
    wrong = SignInRefused("User name or password is wrong. Try again, or ask your admin for a new password.")
    refusal: SignInRefused
    with here.database.write() as session:
        user = session.get(User, found.id) if found else None
        if user is None:
            audit.record(session, None, "sign_in_failed", None, {"reason": "unknown name"})
            refusal = wrong
        elif user.locked_until is not None and user.locked_until > now:
            audit.record(session, None, "sign_in_failed", f"user:{name}", {"reason": "locked"})
            minutes = max(1, round((user.locked_until - now).total_seconds() / 60))
            refusal = SignInRefused(
                f"Too many wrong passwords: this account is locked for another {minutes} min. "
                "Wait, or ask your admin for a new password."
            )
        elif not right or not user.active or user.password_hash != (found.password_hash if found else None):
            audit.record(session, None, "sign_in_failed", f"user:{name}", {"reason": "password or inactive"})
            user.failed_sign_ins += 1
            beyond = user.failed_sign_ins - FAILURES_BEFORE_LOCK
            if beyond >= 0:
                user.locked_until = now + min(FIRST_LOCK * 2 ** min(beyond, 10), LONGEST_LOCK)
            refusal = wrong
        else:
            user.failed_sign_ins, user.locked_until = 0, None
            token = secrets.token_urlsafe(32)
            expires_at = now + timedelta(hours=here.settings.session_hours)
            session.execute(delete(SignIn).where(SignIn.expires_at <= now))
            session.add(
                SignIn(
                    token_sha256=_token_sha256(token), user_id=user.id, created_at=now, expires_at=expires_at
                )
            )
            person = _person(user)
            audit.record(session, person, "signed_in", f"user:{name}")
            return NewSignIn(token, person, expires_at)
    raise refusal


def who(here: Installation, token: str | None, *, now: datetime | None = None) -> Person | None:
    """Return who a cookie's token stands for, or None if it is unknown, signed out, too old or deactivated."""
    if not token or len(token) > 256:
        return None
    with here.database.read() as session:
        row = session.execute(
            select(User.id, User.username, User.display_name, User.role)
            .join(SignIn, SignIn.user_id == User.id)
            .where(
                SignIn.token_sha256 == _token_sha256(token),
                SignIn.expires_at > (now or utc_now()),
                User.active.is_(True),
            )
        ).first()
    return None if row is None else Person(row.id, row.username, row.display_name, row.role)


def sign_out(here: Installation, token: str | None) -> None:
    """End a sign-in; an unknown token changes nothing."""
    person = who(here, token)
    if person is None or token is None:
        return
    with here.database.write() as session:
        session.execute(delete(SignIn).where(SignIn.token_sha256 == _token_sha256(token)))
        audit.record(session, person, "signed_out", f"user:{person.username}")


def require(person: Person | None, permission: Permission) -> Person:
    """Return the person if she has the permission; raises `AccessDenied` otherwise."""
    if person is None or not person.may(permission):
        raise AccessDenied(f"Your role does not include this ({permission.value}). Ask your admin.")
    return person


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
    return _matches(password_hash, published)


def _has_real_patients(session: Session) -> bool:
    return session.scalar(select(Patient.id).where(Patient.simulated.is_(False)).limit(1)) is not None
