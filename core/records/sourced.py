"""Assessments as a source of data hands them over: what was said of a study, and when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core.installation import Installation
from core.people import Person
from core.records.assessments import record_assessment
from db.tables import Study

__all__ = ["record_sourced_assessment"]


def record_sourced_assessment(
    here: Installation,
    reader: Person,
    study_uid: str,
    *,
    bi_rads: str,
    density: str,
    note: str,
    signed_at: datetime,
) -> bool:
    """Record what a source says of a study, as signed then; say whether it was new.

    What somebody has said of it already stays. Raises what `record_assessment` raises.
    """
    with here.database.read() as session:
        unread = select(Study.id).where(Study.uid == study_uid, Study.bi_rads.is_(None))
        if session.scalar(unread) is None:
            return False
    record_assessment(here, reader, study_uid, bi_rads=bi_rads, density=density, note=note)
    with here.database.write() as session:
        study = session.scalars(select(Study).where(Study.uid == study_uid)).one()
        study.assessed_at = signed_at
    return True
