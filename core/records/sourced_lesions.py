"""Lesions of a woman as a source of data hands them over: written once, however often they are handed over.

A reader who measures a lesion on a page goes through `core.records.lesion_acts`, which checks her role.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import select

from core.incoming import called
from core.installation import Installation
from core.people import audit
from core.people.needing import SYSTEM_ONLY, needs
from core.records.sizing import Sizing, measurement_of
from db.tables import Image, Laterality, Lesion, LesionStatus

__all__ = ["LesionNote", "record_sourced_lesions"]


@dataclass(frozen=True)
class LesionNote:
    """One lesion: `sizes` are what was measured of it, by the SOP UID of the image; `since` when its status was said."""

    label: str
    laterality: str
    sizes: Sequence[tuple[str, Sizing]]
    kind: str | None = None
    status: LesionStatus = LesionStatus.FOLLOWED
    note: str | None = None
    since: date | None = None


@needs(SYSTEM_ONLY)
def record_sourced_lesions(here: Installation, mrn: str, lesions: Callable[[], Sequence[LesionNote]]) -> int:
    """Add lesions to the record of a woman who has none, nor ever had one, and return how many were added.

    `lesions` is asked for them only then. Raises ValueError for an unknown patient or image, or a size that cannot be.
    """
    with here.database.read() as session:
        known = called(session, mrn)
        if known is not None and session.scalar(
            select(Lesion.id).where(Lesion.patient_id == known.id).limit(1)
        ):
            return 0
    notes = lesions()
    with here.database.write() as session:
        patient = called(session, mrn)
        if patient is None:
            raise ValueError(f"There is no patient with the MRN {mrn}.")
        if patient.lesions or not notes:
            return 0
        for note in notes:
            lesion = Lesion(
                patient_id=patient.id,
                laterality=Laterality(note.laterality),
                label=note.label,
                kind=note.kind,
                status=note.status,
                status_at=datetime.combine(note.since, time(12), UTC) if note.since else None,
                note=note.note,
            )
            session.add(lesion)
            session.flush()
            for sop_uid, sizing in note.sizes:
                image = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
                if image is None:
                    raise ValueError(f"There is no image {sop_uid}.")
                session.add(measurement_of(lesion, image, sizing, None))
        audit.record(session, None, "lesions_recorded", f"patient:{mrn}", {"lesions": len(notes)})
    return len(notes)
