"""Accounts: who there is, made and changed by admins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.passwords import check_password, hash_of
from core.people.roles import Permission, Person, require
from db.tables import Role, SignIn, User

__all__ = [
    "Account",
    "Role",
    "RoleChangedMeanwhile",
    "change_account",
    "create_user",
    "has_accounts",
    "list_accounts",
    "set_active",
    "set_password",
    "set_role",
]


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


class RoleChangedMeanwhile(ValueError):
    """The account's role is not the one that an admin means to change; `role` is what it is now."""

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__(
            f"Another admin changed this role to {role.value} meanwhile. Nothing is saved: save again to replace it."
        )


def person_of(user: User) -> Person:
    """Return the person that a stored account stands for."""
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
    check_password(password)
    password_hash = hash_of(password)
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
        return person_of(user)


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
        check_password(password)
    password_hash = None if password is None else hash_of(password)
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


def list_accounts(here: Installation) -> list[Account]:
    """Return all accounts by user name."""
    with here.database.read() as session:
        return [
            Account(u.id, u.username, u.display_name, u.role, u.active, u.locked_until, u.created_at)
            for u in session.scalars(select(User).order_by(User.username))
        ]
