"""Assessments as a source of data hands them over: what was said of a study, and when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from core.installation import Installation
from core.people import Person
from core.people.needing import SYSTEM_ONLY, needs
from core.records.assessments import record_assessment
from db.tables import AssessmentVersion, Study

__all__ = ["record_sourced_assessment"]


@needs(SYSTEM_ONLY)
def record_sourced_assessment(
    here: Installation,
    reader: Person,
    study_uid: str,
    *,
    right: str | None,
    left: str | None,
    density: str,
    comparison: str | None,
    note: str,
    signed_at: datetime,
) -> bool:
    """Record what a source says of a study, as signed then; say whether it was new.

    What somebody has said of it already stays. Whether a score stood beside it is not known. Raises what `record_assessment` raises.
    """
    with here.database.read() as session:
        unread = select(Study.id).where(Study.uid == study_uid, Study.bi_rads.is_(None))
        if session.scalar(unread) is None:
            return False
    record_assessment(
        here, reader, study_uid, right=right, left=left, density=density, comparison=comparison, note=note
    )
    with here.database.write() as session:
        study = session.scalars(select(Study).where(Study.uid == study_uid)).one()
        study.assessed_at = signed_at
        session.execute(
            update(AssessmentVersion)
            .where(AssessmentVersion.study_id == study.id)
            .values(signed_at=signed_at, covered=None, revealed_at=None)
        )
    return True
