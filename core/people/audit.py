"""The audit trail: who did what to what, when. Entries are added, never edited."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Integer, bindparam, func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people.needing import PUBLIC, needs
from core.people.roles import Permission
from db import chain
from db.tables import (
    Alert,
    AuditEntry,
    Image,
    Patient,
    Study,
    User,
    storable,
    storable_text,
    utc_now,
)

if TYPE_CHECKING:
    from core.people.roles import Person


@dataclass(frozen=True)
class Entry:
    """One line of the trail as a page shows it."""

    at: datetime
    person: str
    action: str
    subject: str
    detail: str


came_from: ContextVar[str | None] = ContextVar("came_from", default=None)
"""Where what is being done comes from, as the entries say it: an address, or None on the command line."""


@dataclass
class Call:
    """A program's call that is being answered: by which of the person's tokens, and how many entries it has made so far."""

    token: str
    entries: int = 0


calling: ContextVar[Call | None] = ContextVar("calling", default=None)
"""The call that what is being done belongs to; None where a person does it herself."""


def record(
    session: Session,
    person: Person | None,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
    *,
    outcome: str = "done",
    name: str | None = None,
    patients: Sequence[int] | None = None,
) -> None:
    """Add an entry inside the caller's transaction, so that what was done and its entry are kept together.

    `subject` names a thing by kind and key (``patient:00017``); `detail` holds no images and no passwords. `outcome` is
    ``done``, ``refused`` or ``failed``; `name` is who somebody without an account said to be. `patients` are the women whom
    it is about, by row number; those whom the subject names are found.
    """
    call = calling.get()
    if call is not None:
        call.entries += 1
        detail = {**(detail or {}), "by token": call.token}
    session.flush()  # whom and what the entry is about has to be there
    about = sorted(set(_patients_of(session, subject) if patients is None else patients))
    before = chain.head(session)
    entry = {
        "id": before.entry_id + 1,
        "at": utc_now(),
        "user_id": person.user_id if person else None,
        "name": storable_text(name)[:128] if name else None,
        "address": (came_from.get() or "")[:64] or None,
        "action": action[:64],
        "outcome": outcome,
        "subject": storable_text(subject)[:128] if subject else None,
        # As it is read back: keys are texts, and what no database keeps is replaced.
        "detail": storable(json.loads(json.dumps(dict(detail or {})))),
    }
    chain.append(session, before, entry, about)


# Past the session's objects, which do not see whom a correction has put away; built once, for every look asks.
_KEY: BindParameter[Any] = bindparam("key")
_PATIENTS, _STUDIES, _ALERTS, _IMAGES = (kind.__table__ for kind in (Patient, Study, Alert, Image))
_WHOSE = {
    "patient": select(_PATIENTS.c.id).where(_PATIENTS.c.mrn == _KEY),
    "study": select(_STUDIES.c.patient_id).where(_STUDIES.c.uid == _KEY),
    "alert": select(_ALERTS.c.patient_id).where(_ALERTS.c.id == bindparam("key", type_=Integer)),
    "image": select(_STUDIES.c.patient_id)
    .join(_IMAGES, _IMAGES.c.study_id == _STUDIES.c.id)
    .where(_IMAGES.c.sop_uid == _KEY),
}
"""Kind of a subject -> whom it is about; one that a correction has put away too."""


def _patients_of(session: Session, subject: str | None) -> Sequence[int]:
    kind, _, key = (subject or "").partition(":")
    if kind not in _WHOSE or (kind == "alert" and not key.isdecimal()):
        return ()
    given = int(key) if kind == "alert" else key
    return session.connection().execute(_WHOSE[kind], {"key": given}).scalars().all()


@needs(PUBLIC)
def note(
    here: Installation,
    person: Person | None,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
    *,
    outcome: str = "done",
    name: str | None = None,
    patients: Sequence[int] | None = None,
) -> None:
    """Add an entry in a transaction of its own, for acts that change nothing else (opening a patient)."""
    with here.database.write(ready=False) as session:  # nothing of a woman changes
        record(session, person, action, subject, detail, outcome=outcome, name=name, patients=patients)


@contextmanager
def coming_from(address: str | None) -> Iterator[None]:
    """Let the entries of what is done within say that it comes from an address; None leaves it as it is."""
    before = came_from.set(address or came_from.get())
    try:
        yield
    finally:
        came_from.reset(before)


@needs(Permission.ADMINISTER)
def latest(here: Installation, *, limit: int = 200, action: str | None = None) -> list[Entry]:
    """Return the newest entries first."""
    query = (
        select(AuditEntry, User.username)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if action is not None:
        query = query.where(AuditEntry.action == action)
    with here.database.read() as session:
        return [
            Entry(
                at=entry.at,
                person=username or "–",
                action=entry.action,
                subject=entry.subject or "",
                detail=", ".join(f"{key} {value}" for key, value in entry.detail.items()),
            )
            for entry, username in session.execute(query)
        ]


@dataclass(frozen=True)
class Looked:
    """Who did something to a thing, and when last."""

    user_id: int
    person: str
    at: datetime


@needs(Permission.SEE_PATIENTS)
def who_did(here: Installation, action: str, subjects: Sequence[str]) -> Mapping[str, Sequence[Looked]]:
    """Return by subject who did this, the last first; one query over an index, however long the trail is."""
    last = func.max(AuditEntry.at).label("last")
    query = (
        select(AuditEntry.subject, AuditEntry.user_id, User.display_name, last)
        .join(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.subject.in_(subjects), AuditEntry.action == action)
        .group_by(AuditEntry.subject, AuditEntry.user_id, User.display_name)
        .order_by(last.desc())
    )
    found: defaultdict[str, list[Looked]] = defaultdict(list)
    with here.database.read() as session:
        for row in session.execute(query):
            found[str(row.subject)].append(Looked(row.user_id, row.display_name, row.last))
    return found
