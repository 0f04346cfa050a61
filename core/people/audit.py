"""The audit trail: who did what to what, when. Entries are added, never edited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from db.tables import AuditEntry, User

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


def record(
    session: Session,
    person: Person | None,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry inside the caller's transaction, so that what was done and its entry are kept together.

    `subject` names a thing by kind and key (``patient:00017``); `detail` holds no images and no passwords.
    """
    session.add(
        AuditEntry(
            user_id=person.user_id if person else None,
            action=action[:64],
            subject=subject[:128] if subject else None,
            detail=dict(detail or {}),
        )
    )


def note(
    here: Installation,
    person: Person | None,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry in a transaction of its own, for acts that change nothing else (opening a patient)."""
    with here.database.write() as session:
        record(session, person, action, subject, detail)


def latest(here: Installation, *, limit: int = 200, action: str | None = None) -> list[Entry]:
    """Return the newest entries first."""
    query = (
        select(AuditEntry, User.username)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
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
