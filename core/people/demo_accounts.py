"""The accounts of the demo, whose passwords are published: for simulated women, on this machine, and nothing else.

They sign in only while the switch is on that `make run` sets (setting `demo`), and only from this machine itself. The
first real patient ends them for good: she is taken in together with an admin of one's own, in one transaction in which
the accounts of the demo are closed, their passwords thrown away and their sign-ins ended (`FirstRealPatient`). Beside
real patients they are neither made nor opened nor changed any more. To keep one, give it a password of your own before:
that makes it an ordinary account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit, sign_ins
from core.people.accounts import NewAccount, add_account, demo_is_open, has_real_patients, person_of
from core.people.needing import PUBLIC, SIGNED_IN, SYSTEM_ONLY, needs
from core.people.passwords import PUBLISHED, hash_of
from core.people.roles import Permission, Person
from db.tables import Role, SignIn, User

__all__ = [
    "DEMO_ACCOUNTS",
    "Closed",
    "DemoAccount",
    "FirstRealPatient",
    "OwnAdminNeeded",
    "demo_accounts_to_show",
    "ensure_demo_accounts",
    "first_real_patient_closes",
    "own_admin_is_needed",
    "published_accounts",
    "simulated_reader",
]


CLOSED = "closed for good"
"""What stands in the place of a closed account's password: the hash of none."""
_CLOSED = "demo accounts are closed"

SIMULATED_READER = "simulated-reader"


@dataclass(frozen=True)
class DemoAccount:
    """One account of the demo; `password` is None where somebody has set another one."""

    username: str
    role: Role
    password: str | None


DEMO_ACCOUNTS: Mapping[str, tuple[Role, str, str]] = {
    "oncologist": (Role.ONCOLOGIST, "Demo oncologist", PUBLISHED[Role.ONCOLOGIST]),
    "staff": (Role.STAFF, "Demo clinical staff", PUBLISHED[Role.STAFF]),
    "analyst": (Role.ANALYST, "Demo analyst", PUBLISHED[Role.ANALYST]),
    "admin": (Role.ADMIN, "Demo admin", PUBLISHED[Role.ADMIN]),
}
"""User name -> role, display name, password."""


@dataclass(frozen=True)
class Closed:
    """What the first real patient ended: the names of the demo's accounts, and the admin who was made, if one was."""

    accounts: tuple[str, ...]
    admin: Person | None


class OwnAdminNeeded(Exception):
    """The first real patient cannot come in: there are accounts of the demo, and no admin of one's own."""

    def __init__(self, why: str = "") -> None:
        super().__init__(
            why
            or "These are the first real patients here. They need an admin of your own, and close the demo accounts, "
            "whose passwords are published, for good."
        )


@needs(SYSTEM_ONLY)
def ensure_demo_accounts(here: Installation) -> list[DemoAccount]:
    """Make one account a role where it is missing, and return those that are open, with the password where it is known.

    Beside real patients none is made or returned, and what an earlier release left open is closed for good.
    """
    with here.database.read() as session:
        missing = DEMO_ACCOUNTS.keys() - set(session.scalars(select(User.username)))
        if has_real_patients(session):
            missing = set()
    # Hashed before the write lock is taken.
    made = {
        name: NewAccount(name, DEMO_ACCOUNTS[name][1], hash_of(DEMO_ACCOUNTS[name][2])) for name in missing
    }
    with here.database.write() as session:
        if has_real_patients(session):
            _close(session, by=None)
            return []
        stored = {user.username: user for user in session.scalars(select(User))}
        for name, (role, _, _) in DEMO_ACCOUNTS.items():
            if name in made and name not in stored:
                stored[name] = add_account(session, made[name], role, by=None, demo=True)
    return [
        DemoAccount(name, stored[name].role, password if stored[name].demo else None)
        for name, (_, _, password) in DEMO_ACCOUNTS.items()
        if name in stored and stored[name].active
    ]


@needs(SYSTEM_ONLY)
def simulated_reader(here: Installation) -> Person:
    """Return who signs what the demo says of its simulated women: an account that nobody can sign in to.

    It is made closed, without a password, and stays so.
    """
    with here.database.write() as session:
        user = session.scalar(select(User).where(User.username == SIMULATED_READER))
        if user is None:
            new = NewAccount(SIMULATED_READER, "Simulated reader", CLOSED)
            user = add_account(session, new, Role.ONCOLOGIST, by=None, demo=True)
            user.active = False
        return person_of(user)


@needs(Permission.ADMINISTER)
def published_accounts(here: Installation) -> list[DemoAccount]:
    """Return the active accounts that have their published password still."""
    with here.database.read() as session:
        users = session.scalars(_open()).all()
    return [DemoAccount(user.username, user.role, DEMO_ACCOUNTS[user.username][2]) for user in users]


@needs(PUBLIC)
def demo_accounts_to_show(here: Installation) -> list[DemoAccount]:
    """Return the accounts that a sign-in page may name with their password, to somebody at this machine."""
    with here.database.read() as session:
        if not demo_is_open(here, session):
            return []
    return published_accounts(here)


@needs(SIGNED_IN)
def first_real_patient_closes(here: Installation) -> list[str]:
    """Return the names of the accounts that the next real patient would close; none where there is no demo."""
    return [account.username for account in published_accounts(here)]


@needs(SIGNED_IN)
def own_admin_is_needed(here: Installation) -> bool:
    """Return whether a real patient can come in only together with an admin of one's own."""
    with here.database.read() as session:
        return session.scalar(_open().limit(1)) is not None and not _has_own_admin(session)


class FirstRealPatient:
    """What has to happen with the first real patient of an import, for whoever writes her row.

    Parameters
    ----------
    own_admin
        Asks a person for an admin of her own, or returns None if there is nobody to ask. Called at most once, only where
        one is needed, and outside any transaction.
    user_id
        Who takes her in, for the audit trail.
    """

    def __init__(self, own_admin: Callable[[], NewAccount | None] | None, user_id: int | None) -> None:
        self._ask = own_admin
        self._user_id = user_id
        self._admin: NewAccount | None = None

    def expect(self, here: Installation) -> None:
        """Have an admin ready before anything is stored of her; raises `OwnAdminNeeded` if there is none to be had."""
        if self._admin is not None or not own_admin_is_needed(here):
            return
        self._admin = self._ask() if self._ask else None
        if self._admin is None:
            raise OwnAdminNeeded

    def comes(self, session: Session) -> Closed | None:
        """Close the demo in the transaction that makes her row; None where there was nothing to close.

        Raises `OwnAdminNeeded` where nobody of one's own could look after the installation from then on.
        """
        if _is_closed(session):
            return None
        by = session.get(User, self._user_id) if self._user_id is not None else None
        person = person_of(by) if by else None
        admin = None
        if not _has_own_admin(session):
            if self._admin is None:
                raise OwnAdminNeeded
            try:
                made = add_account(session, self._admin, Role.ADMIN, by=person)
            except ValueError as error:
                raise OwnAdminNeeded(str(error)) from error
            admin = person_of(made)
            if self._admin.takes_over:
                sign_ins.hand_over(session, self._admin.takes_over, admin)
        return Closed(_close(session, by=person), admin)


def _is_closed(session: Session) -> bool:
    """Tell whether no account of the demo is open; asked once in a transaction that writes, since none opens beside it."""
    if not session.info.get(_CLOSED, False):
        with session.no_autoflush:
            session.info[_CLOSED] = session.scalar(_open().limit(1)) is None
    return bool(session.info[_CLOSED])


def _open() -> Select[User]:
    return select(User).where(User.demo.is_(True), User.active.is_(True)).order_by(User.id)


def _has_own_admin(session: Session) -> bool:
    own = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True), User.demo.is_(False))
    return session.scalar(select(exists(own))) or False


def _close(session: Session, *, by: Person | None) -> tuple[str, ...]:
    """Close the demo's accounts for good: no password opens them again, even if a row were set active by hand."""
    users = session.scalars(_open()).all()
    for user in users:
        user.active = False
        user.password_hash = CLOSED
        session.execute(delete(SignIn).where(SignIn.user_id == user.id))
        audit.record(
            session, by, "user_deactivated", f"user:{user.username}", {"reason": "first real patient"}
        )
    return tuple(user.username for user in users)
