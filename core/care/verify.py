"""Verifying an installation: every object against its sha256, every row against its object, records against themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from core.care.records_agree import disagreements
from core.images import is_of_this_release
from core.installation import Installation
from core.people.needing import SYSTEM_ONLY, needs
from db import chain
from db.sessions import WITH_PUT_AWAY
from db.tables import Image, ImportItem, Outcome


@dataclass
class Verification:
    """What `verify_objects` found: how much was looked at, and what is not as it should be."""

    images: int = 0
    objects: int = 0
    quarantined: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    """Where the audit trail is not as it was written, a sentence each."""
    records: list[str] = field(default_factory=list)
    """What does not agree with itself in what is written of women, a sentence each with what to do."""

    @property
    def well(self) -> bool:
        """Say whether every image is there as it was received, the audit trail as it was written, and what is written of women agrees.

        An orphan only takes space, and a rendition of an older release is made anew when it is next looked at.
        """
        return not (self.missing or self.damaged or self.records or self.trail)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``verify --json``."""
        return {**asdict(self), "well": self.well}


@needs(SYSTEM_ONLY)
def verify_objects(
    here: Installation, on_object: Callable[[], None] | None = None, *, head: chain.Head | None = None
) -> Verification:
    """Read every stored object and compare it with its sha256, and every row with its object.

    Lists images without object as missing, objects with other bytes as damaged, renditions that an older release wrote as
    older, and objects that no row names as orphans (an import that was cut off leaves some, and so does a rendition that
    was made anew; they do no harm), and what does not agree in the records. The audit trail is compared with its chain, and
    with a head that was kept elsewhere. Changes nothing.
    """
    with here.database.read() as session:
        rows = session.execute(
            select(Image.sha256, Image.rendition_sha256, Image.thumbnail_sha256),
            execution_options=WITH_PUT_AWAY,
        ).all()
        kept = session.scalars(
            select(ImportItem.sha256).where(
                ImportItem.outcome == Outcome.QUARANTINED, ImportItem.sha256.is_not(None)
            )
        ).all()
        trail = list(chain.broken(session, head))
    named = {str(key) for row in rows for key in row}
    renditions = {str(row.rendition_sha256) for row in rows}
    quarantined = {str(key) for key in kept}
    found = Verification(images=len(rows), quarantined=len(quarantined), trail=trail)
    found.records = disagreements(here)
    for store, wanted in ((here.images, named), (here.quarantine, quarantined)):
        present = set(store.keys())
        found.missing += sorted(wanted - present)
        found.orphans += sorted(present - wanted)
        for key in sorted(present):
            found.objects += 1
            data = store.get(key)
            if hashlib.sha256(data).hexdigest() != key:
                found.damaged.append(key)
            elif store is here.images and key in renditions and not is_of_this_release(data):
                found.older.append(key)
            if on_object is not None:
                on_object()
    return found
