"""Accounts: who there is, made and changed by admins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import attempts, audit, browsers
from core.people.needing import PUBLIC, SIGNED_IN, needs
from core.people.passwords import check_password, hash_of
from core.people.roles import Permission, Person, granted_of, require
from core.people.token_rows import end_all_own
from core.people.user_names import check_name, plain_name
from db.tables import Patient, Role, SignIn, User, utc_now

__all__ = [
    "Account",
    "NewAccount",
    "Role",
    "RoleChangedMeanwhile",
    "change_account",
    "create_user",
    "find_user",
    "has_accounts",
    "keep_an_admin",
    "list_accounts",
    "plain_name",
    "prepare_account",
    "require_admin",
    "set_active",
    "set_password",
]

CLOSED_FOR_GOOD = (
    "“{name}” is an account of the demo, which is closed for good beside real patients. "
    "Make an account of your own: python -m core user add"
)

SIGNS_IN_OUTSIDE = (
    "“{name}” signs in with your hospital's own sign-in and has no password here: it is changed there."
)


@dataclass(frozen=True)
class Account:
    """A row of the list of people; `outside` is one whom the hospital's own sign-in answers for."""

    user_id: int
    username: str
    display_name: str
    role: Role
    active: bool
    locked_until: datetime | None
    created_at: datetime
    granted: frozenset[Permission] = frozenset()
    second_factor: bool = False
    outside: bool = False
    guessed: attempts.Guessed | None = None


class RoleChangedMeanwhile(ValueError):
    """The account's role is not the one that an admin means to change; `role` is what it is now."""

    def __init__(self, role: Role) -> None:
        self.role = role
        super().__init__(
            f"Another admin changed this role to {role.value} meanwhile. Nothing is saved: save again to replace it."
        )


@dataclass(frozen=True)
class NewAccount:
    """An account that may be made: its name is a name, its password is good enough and hashed already.

    `takes_over` is the token of a sign-in that goes over to it when it is made; `first_password` says that somebody else
    chose the password.
    """

    username: str
    display_name: str
    password_hash: str = field(repr=False)
    takes_over: str | None = field(default=None, repr=False)
    first_password: bool = False


def person_of(user: User) -> Person:
    """Return the person that a stored account stands for."""
    return Person(user.id, user.username, user.display_name, user.role, granted_of(user.granted))


def find_user(session: Session, username: str) -> User:
    """Return the account of a user name; raises `ValueError` with a sentence if there is none."""
    user = session.scalar(select(User).where(User.username == plain_name(username)))
    if user is None:
        raise ValueError(f"There is no account “{username}”.")
    return user


@needs(SIGNED_IN)
def prepare_account(
    here: Installation,
    username: str,
    password: str,
    *,
    display_name: str | None = None,
    takes_over: str | None = None,
    first_password: bool = False,
) -> NewAccount:
    """Check name and password of a new account; raises `ValueError` with a sentence if one of them will not do."""
    name = plain_name(username)
    with here.database.read() as session:
        _check_name(session, name)
    shown = (display_name or name).strip()[:128] or name
    check_password(password, about=[name, *shown.split()])
    return NewAccount(name, shown, hash_of(password), takes_over, first_password)


def _check_name(session: Session, name: str) -> None:
    check_name(name, session.scalars(select(User.username)))


def add_account(
    session: Session,
    new: NewAccount,
    role: Role,
    *,
    by: Person | None,
    demo: bool = False,
) -> User:
    """Make a prepared account inside the caller's transaction; raises `ValueError` if its name is taken by now."""
    _check_name(session, new.username)
    user = User(
        username=new.username,
        display_name=new.display_name,
        password_hash=new.password_hash,
        role=role,
        demo=demo,
        password_to_change=new.first_password,
    )
    session.add(user)
    # What was tried of the name before there was such an account says nothing of it.
    attempts.forget(session, new.username)
    session.flush()
    audit.record(session, by, "user_added", f"user:{new.username}", {"role": role.value})
    return user


@needs(Permission.ADMINISTER)
def create_user(
    here: Installation,
    username: str,
    password: str,
    role: Role,
    *,
    display_name: str | None = None,
    by: Person | None = None,
    first_password: bool = False,
) -> Person:
    """Make an account; raises `ValueError` with a sentence if the name is taken or the password will not do.

    With `first_password` somebody else chose it: the person has to choose one of her own when she signs in first.
    `by` is who makes it, None at the terminal; here and below `AccessDenied` if she is no admin.
    """
    require_admin(by)
    new = prepare_account(here, username, password, display_name=display_name, first_password=first_password)
    with here.database.write() as session:
        return person_of(add_account(session, new, role, by=by))


@needs(Permission.ADMINISTER)
def set_password(
    here: Installation,
    username: str,
    password: str,
    *,
    by: Person | None = None,
    first_password: bool = False,
) -> None:
    """Change a password, lift a lock, and end all of that person's sign-ins; `first_password` as of `create_user`."""
    change_account(here, username, password=password, by=by, first_password=first_password)


@needs(Permission.ADMINISTER)
def set_active(here: Installation, username: str, active: bool, *, by: Person | None = None) -> None:
    """Open or close an account; closing ends its sign-ins, opening lifts a lock.

    The last active admin cannot be closed, and an account of the demo not be opened beside real patients.
    """
    require_admin(by)
    with here.database.write() as session:
        user = find_user(session, username)
        if not active and user.role is Role.ADMIN:
            keep_an_admin(session, user)
        if active:
            _refuse_closed_demo(session, user)
            attempts.forget(session, user.username)
        else:
            session.execute(delete(SignIn).where(SignIn.user_id == user.id))
            end_all_own(session, user.id)
        user.active = active
        audit.record(session, by, "user_activated" if active else "user_deactivated", f"user:{user.username}")


@needs(Permission.ADMINISTER)
def change_account(
    here: Installation,
    username: str,
    *,
    role: Role | None = None,
    role_was: Role | None = None,
    password: str | None = None,
    by: Person | None = None,
    first_password: bool = False,
) -> None:
    """Give an account another role, another password, or both at once: all of it or nothing.

    A new password lifts a lock. Either ends all of that person's sign-ins: what she has open was opened in another
    role, or by somebody who knew the old password. The last active admin keeps her role. A password of its own makes
    an account of the demo an ordinary one; beside real patients those are closed and not changed any more. `role_was` is the role that whoever changes it had before her: a change that another admin made meanwhile is not
    taken back unseen.

    Raises
    ------
    RoleChangedMeanwhile
        If the role is not `role_was` any more.
    ValueError
        If there is no such account, it is one of the demo beside real patients, the password will not do, or it is
        the last admin's role.
    """
    require_admin(by)
    if password is not None:
        check_password(password, about=_about(here, username))
    password_hash = None if password is None else hash_of(password)
    with here.database.write() as session:
        user = find_user(session, username)
        _refuse_closed_demo(session, user)
        if role is not None:
            if role_was is not None and user.role is not role_was:
                raise RoleChangedMeanwhile(user.role)
            if user.role is Role.ADMIN and role is not Role.ADMIN:
                keep_an_admin(session, user)
            if user.role is not role:
                said = {"from": user.role.value, "to": role.value}
                user.role = role
                session.execute(delete(SignIn).where(SignIn.user_id == user.id))
                audit.record(session, by, "role_set", f"user:{user.username}", said)
        if password_hash is not None:
            if user.subject is not None:
                raise ValueError(SIGNS_IN_OUTSIDE.format(name=user.username))
            user.password_hash, user.demo = password_hash, False
            user.password_to_change = first_password
            attempts.forget(session, user.username)
            browsers.forget(session, user.id)
            session.execute(delete(SignIn).where(SignIn.user_id == user.id))
            end_all_own(session, user.id)
            audit.record(session, by, "password_set", f"user:{user.username}")


def require_admin(by: Person | None) -> None:
    """Refuse anybody but an admin; at the terminal there is no person, and whoever reaches it has the database."""
    if by is not None:
        require(by, Permission.ADMINISTER)


def _about(here: Installation, username: str) -> list[str]:
    with here.database.read() as session:
        user = find_user(session, username)
        return [user.username, *user.display_name.split()]


def keep_an_admin(session: Session, leaving: User) -> None:
    """Raise `ValueError` where nobody would be left who administers with a password that is kept here."""
    # An admin of the demo goes with it, and leaves nobody behind.
    others = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True), User.id != leaving.id)
    # One with a password here is the way back when the hospital's own sign-in fails.
    others = others.where(User.subject.is_(None))
    if not leaving.demo:
        others = others.where(User.demo.is_(False))
    if session.scalar(others.limit(1)) is None:
        raise ValueError("This is the last admin. Make another account an admin first.")


def _refuse_closed_demo(session: Session, user: User) -> None:
    if user.demo and has_real_patients(session):
        raise ValueError(CLOSED_FOR_GOOD.format(name=user.username))


def has_real_patients(session: Session) -> bool:
    """Return whether a patient is stored who is not simulated."""
    return session.scalar(select(Patient.id).where(Patient.simulated.is_(False)).limit(1)) is not None


def demo_is_open(here: Installation, session: Session) -> bool:
    """Return whether accounts of the demo may sign in: with the switch that `make run` sets, and no real patient stored."""
    return here.settings.demo and not has_real_patients(session)


@needs(PUBLIC)
def has_accounts(here: Installation) -> bool:
    """Return whether anybody can sign in at all."""
    with here.database.read() as session:
        able = select(User.id).where(User.active.is_(True))
        if not demo_is_open(here, session):
            able = able.where(User.demo.is_(False))
        return session.scalar(able.limit(1)) is not None


@needs(Permission.ADMINISTER)
def list_accounts(here: Installation) -> list[Account]:
    """Return all accounts by user name; `locked_until` is for strangers: browsers and addresses that she signed in from go on."""
    with here.database.read() as session:
        guessed = attempts.guessed(session, utc_now())
        of_name = {
            u: guessed.get(attempts.Try(u, None).name_sha256) for u in session.scalars(select(User.username))
        }
        return [
            Account(
                user_id=u.id,
                username=u.username,
                display_name=u.display_name,
                role=u.role,
                active=u.active,
                locked_until=found.locked_until if (found := of_name.get(u.username)) else None,
                created_at=u.created_at,
                granted=granted_of(u.granted),
                second_factor=u.totp_secret is not None,
                outside=u.subject is not None,
                guessed=found,
            )
            for u in session.scalars(select(User).order_by(User.username))
        ]
