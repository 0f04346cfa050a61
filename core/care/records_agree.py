"""Whether what is written of women agrees with itself.

Assessments with their last version, measurements with their images, what is kept ready with what it is computed from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.records import ready
from db.tables import AssessmentVersion, Image, Lesion, Measurement, Patient, Study

__all__ = ["disagreements"]


def disagreements(here: Installation) -> list[str]:
    """Say in a sentence each what does not agree, whose it is, and what to do; nothing where all agrees."""
    with here.database.read() as session:
        return [*_assessments(session), *_measurements(session), *ready.differing(here)]


def _assessments(session: Session) -> Iterator[str]:
    """Compare what each study says of its assessment with the last version of it; one without versions is left out."""
    last = (
        select(AssessmentVersion.study_id, func.max(AssessmentVersion.version).label("version"))
        .group_by(AssessmentVersion.study_id)
        .subquery()
    )
    rows = session.execute(
        select(Study, AssessmentVersion, Patient.mrn)
        .join(last, last.c.study_id == Study.id)
        .join(
            AssessmentVersion,
            (AssessmentVersion.study_id == Study.id) & (AssessmentVersion.version == last.c.version),
        )
        .join(Patient, Patient.id == Study.patient_id)
        .order_by(Study.id)
    )
    for study, version, mrn in rows:
        stands = {
            "BI-RADS": (study.bi_rads, version.bi_rads),
            "density": (study.reader_density, version.density),
            "note": (study.assessment_note, version.note),
            "reader": (study.assessed_by_id, version.signed_by_id),
            "time": (study.assessed_at, version.signed_at),
        }
        unlike = ", ".join(what for what, (one, other) in stands.items() if one != other)
        if unlike:
            yield (
                f"patient {mrn}, study {study.uid}: the assessment that stands is not its last version ({unlike}). "
                "Look at both on her page and sign it anew; the audit trail says what was recorded."
            )


def _measurements(session: Session) -> Iterator[str]:
    """Look whether the box and the axes of every measurement that counts lie in its image."""
    rows = session.execute(
        select(Measurement, Lesion.label, Image.sop_uid, Image.rows, Image.columns, Patient.mrn)
        .join(Lesion, Lesion.id == Measurement.lesion_id)
        .join(Image, Image.id == Measurement.image_id)
        .join(Patient, Patient.id == Lesion.patient_id)
        .where(Measurement.removed_at.is_(None))
        .order_by(Measurement.id)
    )
    for measurement, label, sop_uid, high, wide, mrn in rows:
        box = (measurement.x0, measurement.y0, measurement.x1, measurement.y1)
        axes = [ends for ends in (measurement.axes or {}).values() if ends]
        if not all(_lies_in(ends, high, wide) for ends in (box, *axes)):
            yield (
                f"patient {mrn}, {label}: a measurement does not lie in its image {sop_uid}. "
                "Take it back on her page (Lesions, Take back) and measure it again."
            )


def _lies_in(ends: Sequence[float], rows: int, columns: int) -> bool:
    x0, y0, x1, y1 = ends
    return all(0 <= x <= columns for x in (x0, x1)) and all(0 <= y <= rows for y in (y0, y1))
