"""Tries to sign in, and how many are let through: by name and address, by known browser, by address, by name.

Every try is a row that is written before its password is looked at and counts as failed until it has succeeded, so that
guesses made at once are counted like those made one by one. Names that do not exist are counted like those that do.

- *A name at an address* is locked there after `FAILURES_BEFORE_LOCK` failures in a row, for a minute at first and twice as
  long with each further one, up to an hour. Whoever knows a name and guesses at it locks himself out, not its owner.
- *A browser in which that name has signed in before* (`core.people.browsers`) has a count of its own, and passes whatever is
  counted elsewhere: behind one shared address too, where guesser and owner cannot be told apart otherwise.
- *An address from which that name has been signed in before* is familiar.
- *A name*, over all that is neither known nor familiar, gets `FAILURES_PER_NAME` failures in a day and is then locked for
  strangers in the same way: who guesses from very many addresses gets no more tries than that. It is the one lock that
  others can set on an owner, and only while she sits at a new browser in a new place.
- *An address* gets `FAILURES_PER_ADDRESS` failures in `ADDRESS_WINDOW`, over all names that are not familiar there.
  Beyond that it waits; names that are familiar there go on, so that one guesser in a clinic does not stop the others.

All is kept in the database: several web processes count together. A row from the future, as a clock leaves it that was
put back, counts for nothing until its time has come.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, delete, func, select, update
from sqlalchemy.orm import Session

from db.tables import SignInAttempt

FAILURES_BEFORE_LOCK = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
FAILURES_PER_NAME = 50
FAILURES_PER_ADDRESS = 30
ADDRESS_WINDOW = timedelta(minutes=5)
FAILURES_KEPT = timedelta(days=1)
FAMILIAR_FOR = timedelta(days=180)
_CLOCKS_DIFFER = timedelta(minutes=1)
"""So far the clocks of several web processes may stand apart."""


class SignInRefused(Exception):
    """The sign-in did not succeed; the message says what to do, never which half was wrong."""


class SignInWaits(SignInRefused):
    """Too many tries have failed: nothing is looked at before `seconds` have passed."""

    def __init__(self, message: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(message)


@dataclass(frozen=True)
class Wait:
    """Why a try is not let through, and until when: `of_address` says that it is for where it comes from."""

    until: datetime
    of_address: bool


@dataclass(frozen=True)
class Try:
    """A name as typed (`accounts.plain_name`), and the client's address; None where it has none, as a socket.

    `browser` is the sha256 of what a browser shows in which this name has signed in before; None for any other.
    """

    name: str
    address: str | None
    browser: str | None = None

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
    """Say how long this name has to wait at this address and in this browser; None if it may try now."""
    until = _lock(session, _counted_with(attempt), FAILURES_BEFORE_LOCK, now)
    if until is not None:
        return Wait(until, of_address=False)
    if attempt.browser is not None or _is_familiar(session, attempt, now):
        return None
    until = _lock(session, _of_strangers(attempt), FAILURES_PER_NAME, now)
    if until is not None:
        return Wait(until, of_address=False)
    if attempt.address is None:
        return None
    failed = session.scalars(
        select(SignInAttempt.at)
        .where(
            SignInAttempt.address == attempt.address,
            SignInAttempt.familiar.is_(False),
            _failed_within(ADDRESS_WINDOW, now),
        )
        .order_by(SignInAttempt.at.desc())
        .limit(FAILURES_PER_ADDRESS)
    ).all()
    return Wait(failed[-1] + ADDRESS_WINDOW, of_address=True) if len(failed) == FAILURES_PER_ADDRESS else None


def refuse_waiting(session: Session, attempt: Try, now: datetime) -> None:
    """Raise `SignInWaits` with a sentence where a try is not let through."""
    wait = wait_for(session, attempt, now)
    if wait is None:
        return
    seconds = math.ceil((wait.until - now).total_seconds())
    whose = "from this computer or network" if wait.of_address else "for this name: it is locked"
    raise SignInWaits(
        f"Too many wrong passwords {whose}. Wait {math.ceil(seconds / 60)} min, then try again, or ask your admin "
        "for a new password.",
        seconds,
    )


def _lock(session: Session, counted: ColumnElement[bool], before_lock: int, now: datetime) -> datetime | None:
    count, last = session.execute(
        select(func.count(), func.max(SignInAttempt.at)).where(counted, _failed_within(FAILURES_KEPT, now))
    ).one()
    until = locked_until(count, last, before_lock)
    return until if until is not None and until > now else None


def locked_until(
    failures: int, last: datetime | None, before_lock: int = FAILURES_BEFORE_LOCK
) -> datetime | None:
    """Return until when so many failures in a row lock a name, from the moment of the last one."""
    beyond = failures - before_lock
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
        browser_sha256=attempt.browser,
        familiar=attempt.browser is not None or _is_familiar(session, attempt, now),
    )
    session.add(row)
    session.flush()
    return row.id


def succeed(session: Session, attempt: Try, row: int, now: datetime) -> None:
    """Settle a try that succeeded: failures before it count no more, and its address is familiar from now on."""
    session.execute(delete(SignInAttempt).where(_counted_with(attempt), SignInAttempt.id != row, _failed()))
    earlier = (SignInAttempt.name_sha256 == attempt.name_sha256, SignInAttempt.address == attempt.address)
    session.execute(delete(SignInAttempt).where(*earlier, SignInAttempt.succeeded.is_(True)))
    session.execute(update(SignInAttempt).where(SignInAttempt.id == row).values(at=now, succeeded=True))


def forget(session: Session, name: str) -> None:
    """Drop all that was counted of a name, and where it is familiar: for a new password, or one who comes back."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.name_sha256 == _key(name)))


@dataclass(frozen=True)
class Guessed:
    """How often a name was guessed at wrongly in the last day, from how many addresses, when last, and what it locks."""

    failures: int
    addresses: int
    last: datetime
    locked_until: datetime | None


def guessed(session: Session, now: datetime) -> dict[str, Guessed]:
    """Return what was guessed at names since they were signed in last, by `Try.name_sha256`, for an admin to be told.

    `locked_until` is for strangers: known browsers and familiar addresses go on.
    """
    rows = session.execute(
        select(
            SignInAttempt.name_sha256,
            func.count(),
            func.count(func.distinct(SignInAttempt.address)),
            func.max(SignInAttempt.at),
            func.sum(case((SignInAttempt.familiar.is_(False), 1), else_=0)),
        )
        .where(_failed_within(FAILURES_KEPT, now))
        .group_by(SignInAttempt.name_sha256)
        .having(func.count() >= FAILURES_BEFORE_LOCK)
    ).all()
    found = {}
    for name, count, addresses, last, strange in rows:
        until = locked_until(strange, last, FAILURES_PER_NAME)
        found[name] = Guessed(count, addresses, last, until if until is not None and until > now else None)
    return found


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
                SignInAttempt.at <= now + _CLOCKS_DIFFER,
            )
            .limit(1)
        )
        is not None
    )


def _counted_with(attempt: Try) -> ColumnElement[bool]:
    """Return which tries are counted with this one: of the name in this browser, or else of the name at this address."""
    of_name = SignInAttempt.name_sha256 == attempt.name_sha256
    if attempt.browser is not None:
        return of_name & (SignInAttempt.browser_sha256 == attempt.browser)
    return of_name & SignInAttempt.browser_sha256.is_(None) & (SignInAttempt.address == attempt.address)


def _of_strangers(attempt: Try) -> ColumnElement[bool]:
    return (SignInAttempt.name_sha256 == attempt.name_sha256) & SignInAttempt.familiar.is_(False)


def _failed() -> ColumnElement[bool]:
    return SignInAttempt.succeeded.is_(False)


def _failed_within(time: timedelta, now: datetime) -> ColumnElement[bool]:
    return _failed() & (SignInAttempt.at > now - time) & (SignInAttempt.at <= now + _CLOCKS_DIFFER)
