"""Whether what is written of women agrees with itself.

Assessments with their last version, measurements with their images, what is kept ready with what it is computed from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.cohorts import kept
from core.installation import Installation
from core.records import ready
from db.sessions import WITH_PUT_AWAY
from db.tables import AssessmentVersion, Correction, Image, Lesion, Measurement, Patient, Score, Study

__all__ = ["disagreements"]


def disagreements(here: Installation) -> list[str]:
    """Say in a sentence each what does not agree, whose it is, and what to do; nothing where all agrees."""
    with here.database.read() as session:
        return [
            *_assessments(session),
            *_measurements(session),
            *_put_away(session),
            *ready.differing(here),
            *kept.differing(here),
        ]


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


def _put_away(session: Session) -> Iterator[str]:
    """Look whether all that is put away is so by a correction that says it, and nothing that counts lies in what is."""
    known = select(Correction.id)
    kinds: tuple[type[Patient | Study | Image | Score], ...] = (Patient, Study, Image, Score)
    for kind in kinds:
        lost = select(func.count()).where(kind.put_away_by_id.is_not(None), kind.put_away_by_id.not_in(known))
        if number := session.scalar(lost, execution_options=WITH_PUT_AWAY):
            yield f"{number} of {kind.__tablename__} put away by no correction that is known. Restore a backup."
    hidden = session.execute(
        select(Image.sop_uid, Study.uid)
        .join(Study, Study.id == Image.study_id)
        .where(Image.put_away_by_id.is_(None), Study.put_away_by_id.is_not(None))
        .order_by(Image.id),
        execution_options=WITH_PUT_AWAY,
    )
    for sop_uid, study_uid in hidden:
        yield (
            f"image {sop_uid} counts, but its study {study_uid} is put away. Undo the correction that put it away "
            "(python -m core correct list)."
        )
    without = session.execute(
        select(Study.uid, Patient.mrn)
        .join(Patient, Patient.id == Study.patient_id)
        .where(Study.put_away_by_id.is_(None), Patient.put_away_by_id.is_not(None))
        .order_by(Study.id),
        execution_options=WITH_PUT_AWAY,
    )
    for study_uid, mrn in without:
        yield (
            f"study {study_uid} counts, but its patient {mrn} was merged into another. Undo that correction "
            "(python -m core correct list)."
        )


def _lies_in(ends: Sequence[float], rows: int, columns: int) -> bool:
    x0, y0, x1, y1 = ends
    return all(0 <= x <= columns for x in (x0, x1)) and all(0 <= y <= rows for y in (y0, y1))
