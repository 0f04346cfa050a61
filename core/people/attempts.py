"""Tries to sign in, and how many are let through: by name, and by the address that they come from.

Every try is a row that is written before its password is looked at and counts as failed until it has succeeded, so that
guesses made at once are counted like those made one by one. Names that do not exist are counted like those that do.

- *A name* is locked after `FAILURES_BEFORE_LOCK` failures in a row, for a minute at first and twice as long with each
  further one, up to an hour.
- *An address from which that name has been signed in before* is familiar, and has a count of its own: guesses from
  elsewhere do not lock the owner out where she works. Who guesses from there gets as many tries again, not more: it
  doubles what can be guessed at a name and opens nothing. Behind one shared address (a proxy that does not say whom it
  forwards) guesser and owner cannot be told apart, and lock each other out.
- *An address* gets `FAILURES_PER_ADDRESS` failures in `ADDRESS_WINDOW`, over all names that are not familiar there.
  Beyond that it waits; names that are familiar there go on, so that one guesser in a clinic does not stop the others.

All is kept in the database: several web processes count together.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from db.tables import SignInAttempt

FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
FAILURES_PER_ADDRESS = 30
ADDRESS_WINDOW = timedelta(minutes=5)
FAILURES_KEPT = timedelta(days=1)
FAMILIAR_FOR = timedelta(days=180)


@dataclass(frozen=True)
class Wait:
    """Why a try is not let through, and until when: `of_address` says that it is for where it comes from."""

    until: datetime
    of_address: bool


@dataclass(frozen=True)
class Try:
    """A name as typed (`accounts.plain_name`), and the client's address; None where it has none, as a socket."""

    name: str
    address: str | None

    @property
    def name_sha256(self) -> str:
        """Return the key that stands for the name: people type passwords into that field too."""
        return _key(self.name)


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def network_of(address: str | None) -> str | None:
    """Return what counts as one address: an IPv4 address, or the /64 that one customer has of IPv6.

    >>> network_of("2001:db8:1:2:3:4:5:6")
    '2001:db8:1:2::/64'
    """
    if not address:
        return None
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def wait_for(session: Session, attempt: Try, now: datetime) -> Wait | None:
    """Say how long this name has to wait at this address; None if it may try now."""
    familiar = _is_familiar(session, attempt, now)
    count, last = session.execute(
        select(func.count(), func.max(SignInAttempt.at)).where(
            _of_name(attempt, familiar), _failed_since(now - FAILURES_KEPT)
        )
    ).one()
    until = locked_until(count, last)
    if until is not None and until > now:
        return Wait(until, of_address=False)
    if familiar or attempt.address is None:
        return None
    failed = session.scalars(
        select(SignInAttempt.at)
        .where(
            SignInAttempt.address == attempt.address,
            SignInAttempt.familiar.is_(False),
            _failed_since(now - ADDRESS_WINDOW),
        )
        .order_by(SignInAttempt.at.desc())
        .limit(FAILURES_PER_ADDRESS)
    ).all()
    return Wait(failed[-1] + ADDRESS_WINDOW, of_address=True) if len(failed) == FAILURES_PER_ADDRESS else None


def locked_until(failures: int, last: datetime | None) -> datetime | None:
    """Return until when so many failures in a row lock a name, from the moment of the last one."""
    beyond = failures - FAILURES_BEFORE_LOCK
    return None if last is None or beyond < 0 else last + min(FIRST_LOCK * 2 ** min(beyond, 10), LONGEST_LOCK)


def reserve(session: Session, attempt: Try, now: datetime) -> int:
    """Write a try down as failed, and return its row; what is too old to count goes."""
    session.execute(
        delete(SignInAttempt).where(_failed(), SignInAttempt.at < now - FAILURES_KEPT),
    )
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - FAMILIAR_FOR))
    row = SignInAttempt(
        at=now,
        name_sha256=attempt.name_sha256,
        address=attempt.address,
        familiar=_is_familiar(session, attempt, now),
    )
    session.add(row)
    session.flush()
    return row.id


def succeed(session: Session, attempt: Try, row: int, now: datetime) -> None:
    """Settle a try that succeeded: failures before it count no more, and its address is familiar from now on."""
    familiar = session.scalar(select(SignInAttempt.familiar).where(SignInAttempt.id == row)) or False
    session.execute(
        delete(SignInAttempt).where(_of_name(attempt, familiar), SignInAttempt.id != row, _failed())
    )
    earlier = (SignInAttempt.name_sha256 == attempt.name_sha256, SignInAttempt.address == attempt.address)
    session.execute(delete(SignInAttempt).where(*earlier, SignInAttempt.succeeded.is_(True)))
    session.execute(update(SignInAttempt).where(SignInAttempt.id == row).values(at=now, succeeded=True))


def forget(session: Session, name: str) -> None:
    """Drop all that was counted of a name, and where it is familiar: for a new password, or one who comes back."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.name_sha256 == _key(name)))


def locks(session: Session, now: datetime) -> dict[str, datetime]:
    """Return until when names are locked for all but their familiar addresses, by `Try.name_sha256`."""
    rows = session.execute(
        select(SignInAttempt.name_sha256, func.count(), func.max(SignInAttempt.at))
        .where(SignInAttempt.familiar.is_(False), _failed_since(now - FAILURES_KEPT))
        .group_by(SignInAttempt.name_sha256)
        .having(func.count() >= FAILURES_BEFORE_LOCK)
    ).all()
    found = {name: locked_until(count, last) for name, count, last in rows}
    return {name: until for name, until in found.items() if until is not None and until > now}


def _is_familiar(session: Session, attempt: Try, now: datetime) -> bool:
    if attempt.address is None:
        return False
    return (
        session.scalar(
            select(SignInAttempt.id)
            .where(
                SignInAttempt.name_sha256 == attempt.name_sha256,
                SignInAttempt.address == attempt.address,
                SignInAttempt.succeeded.is_(True),
                SignInAttempt.at > now - FAMILIAR_FOR,
            )
            .limit(1)
        )
        is not None
    )


def _of_name(attempt: Try, familiar: bool) -> ColumnElement[bool]:
    of_name = (SignInAttempt.name_sha256 == attempt.name_sha256) & (SignInAttempt.familiar.is_(familiar))
    return of_name & (SignInAttempt.address == attempt.address) if familiar else of_name


def _failed() -> ColumnElement[bool]:
    return SignInAttempt.succeeded.is_(False)


def _failed_since(moment: datetime) -> ColumnElement[bool]:
    return _failed() & (SignInAttempt.at > moment)
