"""Finding entries of the audit trail, newest first, page by page: over indexes, however long it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import Permission, Person, audit, require
from core.people.needing import needs
from core.trail.words import in_words
from db import chain
from db.sessions import WITH_PUT_AWAY
from db.tables import AuditedPatient, AuditEntry, Correction, Patient, User

MOST_AT_ONCE = 100
AT_ONCE = 2_000
"""Entries that are read together for a file."""
"""Entries on a page."""


class NoSuchWoman(ValueError):
    """Nobody with this MRN is or was stored here."""


@dataclass(frozen=True)
class Wanted:
    """Which entries: by whom (a user name, or the name a failed sign-in gave), about whom (MRN), what, and when (days, UTC)."""

    person: str | None = None
    patient: str | None = None
    action: str | None = None
    outcome: str | None = None
    since: date | None = None
    until: date | None = None

    def said(self) -> dict[str, str]:
        """Return what was asked for, as the trail's own entry keeps it."""
        return {name: str(value) for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Entry:
    """One entry as a page, a file or a program is told it. `patients` are MRNs; `said` is the entry in words."""

    id: int
    at: datetime
    person: str
    display_name: str
    address: str
    action: str
    outcome: str
    subject: str
    patients: Sequence[str]
    detail: dict[str, Any]
    digest: str

    @property
    def said(self) -> str:
        """Say what was done."""
        return in_words(self.action, self.detail, self.subject)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``audit --json``."""
        return {**asdict(self), "at": self.at.astimezone(UTC).isoformat(), "said": self.said}


@dataclass(frozen=True)
class Found:
    """Entries, newest first, and the id before which the next page begins; None on the last."""

    entries: Sequence[Entry]
    older_than: int | None


@needs(Permission.ADMINISTER)
def find(
    here: Installation,
    person: Person | None,
    wanted: Wanted,
    *,
    older_than: int | None = None,
    limit: int = MOST_AT_ONCE,
    noted: bool = True,
) -> Found:
    """Return the newest entries, or those older than one; `person` is None on the command line.

    That the trail was read is written in it, at the first page (`noted`). Raises `AccessDenied`, and `NoSuchWoman`.
    """
    if person is not None:
        require(person, Permission.ADMINISTER)
    with here.database.read() as session:
        entries = _read(session, wanted, _asked(session, wanted), older_than, limit + 1)
    if noted and older_than is None:
        audit.note(here, person, "audit_read", _subject(wanted), wanted.said())
    more = len(entries) > limit
    return Found(entries[:limit], entries[limit - 1].id if more else None)


@needs(Permission.ADMINISTER)
def everything(here: Installation, person: Person | None, wanted: Wanted) -> Iterator[Entry]:
    """Yield all entries asked for, newest first, for a file; written in the trail as `find` does."""
    found = find(here, person, wanted, limit=AT_ONCE)
    yield from found.entries
    older_than = found.older_than
    if older_than is None:
        return
    with here.database.read() as session:
        # What is asked is found out once: the first and last number of a span of days is looked up among all of them.
        asked = _asked(session, wanted)
    while older_than is not None:
        with here.database.read() as session:
            entries = _read(session, wanted, asked, older_than, AT_ONCE)
        yield from entries
        older_than = entries[-1].id if len(entries) == AT_ONCE else None


@needs(Permission.ADMINISTER)
def head(here: Installation) -> chain.Head:
    """Return the last entry's number and digest, to be kept elsewhere."""
    with here.database.read() as session:
        return chain.head(session)


@needs(Permission.ADMINISTER)
def actions_there(here: Installation) -> list[str]:
    """Return the actions that the trail holds."""
    found: list[str] = []
    with here.database.read() as session:
        # One after the other over their index: to tell them apart among all entries takes as long as there are many.
        following = select(func.min(AuditEntry.action))
        action = session.scalar(following)
        while action is not None:
            found.append(action)
            action = session.scalar(following.where(AuditEntry.action > action))
    return found


def _subject(wanted: Wanted) -> str | None:
    return f"patient:{wanted.patient}" if wanted.patient else None


def _read(
    session: Session, wanted: Wanted, asked: Select[*tuple[Any, ...]], older_than: int | None, limit: int
) -> list[Entry]:
    if older_than is not None:
        asked = asked.where(AuditEntry.id < older_than)
    # Who acted, and who was only named, are read each over an index of their own.
    newest_first = AuditEntry.id.desc()
    rows = [
        row
        for by in _by(session, wanted.person)
        for row in session.execute(asked.where(*by).order_by(newest_first).limit(limit))
    ]
    rows = sorted(rows, key=lambda row: row.AuditEntry.id, reverse=True)[:limit]
    about = select(AuditedPatient.entry_id, Patient.mrn).join(
        Patient, Patient.id == AuditedPatient.patient_id
    )
    mrns: dict[int, list[str]] = {}
    ids = [row.AuditEntry.id for row in rows]
    for link in session.execute(
        about.where(AuditedPatient.entry_id.in_(ids)), execution_options=WITH_PUT_AWAY
    ):
        mrns.setdefault(link.entry_id, []).append(link.mrn)
    return [
        _entry(row.AuditEntry, row.username, row.display_name, mrns.get(row.AuditEntry.id, ()))
        for row in rows
    ]


def _asked(session: Session, wanted: Wanted) -> Select[*tuple[Any, ...]]:
    query = select(AuditEntry, User.username, User.display_name).outerjoin(
        User, User.id == AuditEntry.user_id
    )
    asked: list[ColumnElement[bool]] = []
    if wanted.patient:
        hers = AuditedPatient.patient_id.in_(_rows_of(session, wanted.patient))
        asked.append(AuditEntry.id.in_(select(AuditedPatient.entry_id).where(hers)))
    if wanted.action:
        asked.append(AuditEntry.action == wanted.action)
    if wanted.outcome:
        asked.append(AuditEntry.outcome == wanted.outcome)
    if wanted.since:
        asked += _with_bound(session, AuditEntry.at >= _begin(wanted.since), func.min)
    if wanted.until:
        asked += _with_bound(session, AuditEntry.at < _begin(wanted.until + timedelta(days=1)), func.max)
    return query.where(*asked)


def _by(session: Session, person: str | None) -> list[list[ColumnElement[bool]]]:
    """Return the conditions for what a person did and, apart from it, where only the name was given; one of none for everybody."""
    if not person:
        return [[]]
    named = [AuditEntry.name == person]
    user = session.scalar(select(User.id).where(User.username == person))
    # An entry with both is the account's.
    return (
        [named]
        if user is None
        else [[AuditEntry.user_id == user], [*named, AuditEntry.user_id.is_distinct_from(user)]]
    )


def _with_bound(session: Session, when: ColumnElement[bool], end: Any) -> list[ColumnElement[bool]]:
    """Return a condition on the moment, and the first or last number that fits it.

    Entries are read by number: with the bound nothing is read that lies before or after. It is looked up, for a clock that
    was put back has left moments out of order.
    """
    # As a sum, so that it is taken over the index of moments, not by walking the numbers until one fits.
    number = session.scalar(select(end(AuditEntry.id + 0)).where(when))
    if number is None:
        return [false()]
    return [when, AuditEntry.id >= number if end is func.min else AuditEntry.id <= number]


def _rows_of(session: Session, mrn: str) -> Sequence[int]:
    """Return the rows that are or were hers: a correction may have joined, parted or renamed them."""
    also = select(Correction.mrn, Correction.other_mrn).where(
        or_(Correction.mrn == mrn, Correction.other_mrn == mrn)
    )
    names = {mrn, *(one for pair in session.execute(also) for one in pair if one)}
    found = session.scalars(
        select(Patient.id).where(Patient.mrn.in_(names)), execution_options=WITH_PUT_AWAY
    ).all()
    if not found:
        raise NoSuchWoman(f"No patient {mrn} is stored here. Look for the MRN in the worklist.")
    return found


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _entry(row: AuditEntry, username: str | None, display_name: str | None, patients: Sequence[str]) -> Entry:
    who = username or row.name or ""
    return Entry(
        id=row.id,
        at=row.at,
        person=who,
        display_name=display_name or who,
        address=row.address or "",
        action=row.action,
        outcome=row.outcome,
        subject=row.subject or "",
        patients=tuple(sorted(patients)),
        detail=dict(row.detail),
        digest=row.digest,
    )
