"""The chain of the audit trail: each entry's digest holds the entry and the digest of the one before it.

What is changed, taken out or put in later breaks the chain where it was done. Who may write the database can compute the
whole chain anew; a head that is kept elsewhere (`core audit head`) finds that too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session

from db.tables import AuditedPatient, AuditEntry, AuditHead

BEGINNING = "0" * 64
"""The digest before the first entry."""
_AT_ONCE = 2_000


@dataclass(frozen=True)
class Head:
    """The last entry of a trail, as it is kept elsewhere: ``1207:9f86d0…``."""

    entry_id: int
    digest: str

    def __str__(self) -> str:
        return f"{self.entry_id}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> Head:
        """Read what `core audit head` printed; raises `ValueError` with a sentence where it is none."""
        number, _, digest = text.strip().partition(":")
        if not number.isdecimal() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ValueError(
                f"{text[:80]!r} is no head of a trail: a number, a colon and 64 hexadecimal digits."
            )
        return cls(int(number), digest)


def digest_of(before: str, entry: Mapping[str, Any], patients: Sequence[int]) -> str:
    """Return the SHA-256 over the digest before, and all that an entry says, as canonical JSON in UTF-8."""
    at: datetime = entry["at"]
    said = [
        before,
        entry["id"],
        at.astimezone(UTC).isoformat(timespec="microseconds"),
        *(entry[name] for name in ("user_id", "name", "address", "action", "outcome", "subject")),
        entry["detail"],
        sorted(patients),
    ]
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


# Built once, and sent past the session's objects: every look is an entry, and waits for this.
_HEADS, _ENTRIES, _ABOUT = (cast("Table", kind.__table__) for kind in (AuditHead, AuditEntry, AuditedPatient))
_HEAD = select(_HEADS.c.entry_id, _HEADS.c.digest).where(_HEADS.c.id == 1)
_MOVE_HEAD = update(_HEADS).where(_HEADS.c.id == 1)
_ADD_HEAD, _ADD_ENTRY, _ADD_ABOUT = (insert(table) for table in (_HEADS, _ENTRIES, _ABOUT))


def head(session: Session) -> Head:
    """Return the last entry as it is kept beside the trail; (0, zeros) of an empty trail."""
    found = session.connection().execute(_HEAD).first()
    return Head(found.entry_id, found.digest) if found else Head(0, BEGINNING)


def append(session: Session, before: Head, entry: Mapping[str, Any], patients: Sequence[int]) -> None:
    """Add an entry after the last one, with the women whom it is about, inside the caller's transaction."""
    connection = session.connection()
    digest = digest_of(before.digest, entry, patients)
    connection.execute(_ADD_ENTRY, {**entry, "digest": digest})
    if patients:
        connection.execute(_ADD_ABOUT, [{"entry_id": entry["id"], "patient_id": one} for one in patients])
    values = {"entry_id": entry["id"], "digest": digest}
    if connection.execute(_MOVE_HEAD, values).rowcount == 0:
        connection.execute(_ADD_HEAD, {"id": 1, **values})


def broken(session: Session, kept: Head | None = None) -> Iterator[str]:
    """Compare every entry with the chain, and the end with the head and with one that was `kept` elsewhere.

    Yields a sentence for each place where the trail is not as it was written. A changed entry is named by itself: those
    after it are held to the digest that it has, so that they are not named for its sake.
    """
    before, last, seen = BEGINNING, 0, None
    for entry, patients in _entries(session):
        said = digest_of(before, entry, patients)
        if said != entry["digest"]:
            yield _sentence(entry, last)
        if kept is not None and entry["id"] == kept.entry_id:
            seen = entry["digest"]
        before, last = entry["digest"], entry["id"]
    end = head(session)
    if end.entry_id > last:
        yield f"The audit trail was cut off: {_entries_between(last, end.entry_id + 1)} gone from its end."
    elif (end.entry_id, end.digest) != (last, before):
        yield f"The audit trail does not end as it was written: entry {last} is not the one that was written last."
    if kept is not None and kept.entry_id > 0:
        if seen is None:
            yield f"The audit trail does not hold entry {kept.entry_id} of the head that was kept: it was cut off, or an older backup was restored."
        elif seen != kept.digest:
            yield f"The audit trail is another one than that of the head that was kept: up to entry {kept.entry_id} it was written anew."


def _sentence(entry: Mapping[str, Any], last: int) -> str:
    what = f"entry {entry['id']} ({entry['action']}, {entry['at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
    if entry["id"] > last + 1:
        return f"The audit trail was changed before {what}: {_entries_between(last, entry['id'])} gone, or it was changed itself."
    return f"The audit trail was changed: {what} does not say what was written."


def _entries_between(first: int, after: int) -> str:
    """Say how many entries lie between two."""
    number = after - first - 1
    return f"entry {first + 1} is" if number == 1 else f"entries {first + 1} to {after - 1} are"


def _entries(session: Session) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Read the trail in order, some thousands at a time."""
    table, last = AuditEntry.__table__, -1
    while True:
        rows = session.execute(
            select(table).where(table.c.id > last).order_by(table.c.id).limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        about: dict[int, list[int]] = {}
        of = select(AuditedPatient.entry_id, AuditedPatient.patient_id).where(
            AuditedPatient.entry_id.between(rows[0].id, rows[-1].id)
        )
        for link in session.execute(of):
            about.setdefault(link.entry_id, []).append(link.patient_id)
        for row in rows:
            yield dict(row._mapping), about.get(row.id, [])
        last = rows[-1].id
