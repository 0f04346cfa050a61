"""A look into a file in quarantine: what it says of itself and a small picture, read in the guarded process."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.images import Header, Prepared, lend_reader
from core.installation import Installation
from core.people import Permission, Person, audit, require
from core.people.needing import needs
from core.quarantine.waiting import Kept, kept_file
from core.refusals import Refusal

__all__ = ["Contents", "look_into", "original"]


@dataclass(frozen=True)
class Contents:
    """What a file in quarantine holds, as far as it can be read; `unreadable` says why it cannot."""

    header: Header | None = None
    thumbnail_png: bytes | None = None
    rows: int | None = None
    columns: int | None = None
    doubt: str | None = None
    contradictions: list[str] = field(default_factory=list)
    unreadable: str | None = None


@needs(Permission.ADD_STUDY)
def look_into(here: Installation, item_id: int, person: Person | None) -> Contents:
    """Read one file in quarantine without taking it in; the look is written to the audit trail.

    `person` is who looks; None is the command line. Raises `LookupError` where there is no such file, and
    `AccessDenied` for who may not add studies.
    """
    kept = _allowed(here, item_id, person)
    audit.note(here, person, "quarantine_looked", f"quarantine:{item_id}")
    try:
        prepared = read_kept(here, kept)
    except Refusal as refusal:
        return Contents(unreadable=refusal.text)
    image = prepared.image
    return Contents(
        header=image.header,
        thumbnail_png=prepared.thumbnail_png,
        rows=image.rows,
        columns=image.columns,
        doubt=image.doubt,
        contradictions=image.contradictions,
    )


@needs(Permission.ADD_STUDY)
def original(here: Installation, item_id: int, person: Person | None) -> bytes:
    """Return a file's bytes as they were sent, to be looked at elsewhere; that it left is written to the audit trail.

    Raises `LookupError` where there is no such file or it left no bytes, and `AccessDenied`.
    """
    kept = _allowed(here, item_id, person)
    if kept.sha256 is None:
        raise LookupError("This file could not be opened when it came: nothing of it is kept.")
    audit.note(here, person, "quarantine_downloaded", f"quarantine:{item_id}", {"sha256": kept.sha256})
    return here.quarantine.get(kept.sha256)


def read_kept(here: Installation, kept: Kept) -> Prepared:
    """Read a kept file in the guarded process; raises `Refusal` where it cannot be read."""
    if kept.sha256 is None:
        raise Refusal(kept.reason, kept.detail)
    with lend_reader(here.settings) as reader:
        return reader.prepare(here.quarantine.get(kept.sha256), kept.name)


def _allowed(here: Installation, item_id: int, person: Person | None) -> Kept:
    if person is not None:
        require(person, Permission.ADD_STUDY)
    return kept_file(here, item_id)
