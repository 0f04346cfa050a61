"""All women's tables computed from what is stored, without what is kept ready: for few women, and to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.cohorts.frame import Frame, empty_frame
from core.cohorts.packed import Packed, Words
from core.cohorts.rows import packed_rows
from core.cohorts.tables import frame_from
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records.ready import basis_of
from db.tables import Patient

__all__ = ["all_packed", "compute_frame"]

AT_ONCE = 500
"""Women read at once."""


@needs(Permission.SEE_COHORT)
def compute_frame(here: Installation) -> Frame:
    """Return the tables of all women with a mammogram, computed anew; of very many women it takes minutes."""
    words = Words({})
    with here.database.read() as session:
        packed = list(all_packed(here, session, words))
    read_at = datetime.now(UTC)
    basis = basis_of(here)
    return frame_from(packed, words, basis, read_at) if packed else empty_frame(basis, read_at)


def all_packed(here: Installation, session: Session, words: Words) -> Iterator[Packed]:
    """Yield the rows of all women with a mammogram."""
    ids = session.scalars(select(Patient.id).order_by(Patient.id)).all()
    for first in range(0, len(ids), AT_ONCE):
        yield from packed_rows(here, session, ids[first : first + AT_ONCE], words)
