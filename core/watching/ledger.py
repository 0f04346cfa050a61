"""What is remembered of the files of a watched folder: which were answered, as they stood then."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select

from core.incoming import printable_name
from core.installation import Installation
from db.tables import ImportBatch, ImportItem, Outcome, WatchedFile, utc_now

SOURCE: Final = "watch"


@dataclass(frozen=True)
class Seen:
    """A file as it stands on the disk."""

    path: Path
    size: int
    changed_ns: int

    @property
    def key(self) -> str:
        """Return the name under which it is remembered."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()


def answered(here: Installation, seen: Seen) -> Outcome | None:
    """Return how a file was answered as it stands; None if it was not, or was changed since."""
    with here.database.read() as session:
        row = session.get(WatchedFile, seen.key)
        same = row is not None and (row.size, row.changed_ns) == (seen.size, seen.changed_ns)
        return row.outcome if row is not None and same else None


def answered_before_a_cut(here: Installation, name: str, data: bytes) -> Outcome | None:
    """Return how these bytes were answered under this name by a watch that was cut off before it could note it."""
    with here.database.read() as session:
        return session.scalar(
            select(ImportItem.outcome)
            .join(ImportBatch)
            .where(
                ImportItem.sha256 == hashlib.sha256(data).hexdigest(),
                ImportItem.path == printable_name(name)[-1024:],
                ImportBatch.source == SOURCE,
            )
            .order_by(ImportItem.id.desc())
            .limit(1)
        )


def note(here: Installation, seen: Seen, outcome: Outcome) -> None:
    """Remember that a file was answered."""
    with here.database.write() as session:
        session.merge(
            WatchedFile(
                path_sha256=seen.key,
                size=seen.size,
                changed_ns=seen.changed_ns,
                outcome=outcome,
                answered_at=utc_now(),
            )
        )
