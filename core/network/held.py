"""Which objects are here: kept as an image, or in quarantine; asked by SOP Instance UID."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import select

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from db.tables import Image, ImportItem, Outcome

__all__ = ["held", "outcomes"]

_AT_ONCE = 500


@needs(Permission.ADD_STUDY)
def held(here: Installation, sop_uids: Iterable[str]) -> set[str]:
    """Return those of the objects whose rows and bytes are both here."""
    found: set[str] = set()
    for some in _in_parts(sop_uids):
        with here.database.read() as session:
            images = session.execute(select(Image.sop_uid, Image.sha256).where(Image.sop_uid.in_(some))).all()
            # Under the UID that its sender gave it: a file's own may be another, or none that can be kept.
            sent = session.execute(
                select(ImportItem.sop_uid, Image.sha256)
                .join(Image, Image.id == ImportItem.image_id)
                .where(ImportItem.sop_uid.in_(some))
            ).all()
            refused = session.execute(
                select(ImportItem.sop_uid, ImportItem.sha256).where(
                    ImportItem.sop_uid.in_(some), ImportItem.outcome == Outcome.QUARANTINED
                )
            ).all()
        found |= {str(uid) for uid, sha256 in (*images, *sent) if sha256 in here.images}
        found |= {str(uid) for uid, sha256 in refused if sha256 and sha256 in here.quarantine}
    return found


def outcomes(here: Installation, sop_uids: Iterable[str]) -> dict[str, tuple[Outcome, str | None]]:
    """Return how the latest file of each object ended, and why if it was refused; nothing of those that never came."""
    found: dict[str, tuple[Outcome, str | None]] = {}
    for some in _in_parts(sop_uids):
        with here.database.read() as session:
            rows = session.execute(
                select(ImportItem.sop_uid, ImportItem.outcome, ImportItem.reason)
                .where(ImportItem.sop_uid.in_(some))
                .order_by(ImportItem.id)
            ).all()
        found |= {str(uid): (outcome, reason) for uid, outcome, reason in rows}
    return found


def _in_parts(sop_uids: Iterable[str]) -> Iterator[list[str]]:
    listed = list(dict.fromkeys(sop_uids))
    for first in range(0, len(listed), _AT_ONCE):
        yield listed[first : first + _AT_ONCE]
