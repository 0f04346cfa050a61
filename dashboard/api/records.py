"""What people recorded, as calls answer it: findings, lesions, events and assessments."""

from __future__ import annotations

from core.records import Assessment, EventEntry, FollowedLesion, KeptFinding
from dashboard.api import shapes

__all__ = ["assessment_row", "event_row", "finding_row", "lesion_row"]


def finding_row(one: KeptFinding) -> shapes.Finding:
    """Return a finding."""
    return shapes.Finding(
        id=one.finding_id,
        lesion=one.lesion_id,
        label=one.label,
        study_uid=one.study_uid,
        study_date=one.study_date,
        sop_uid=one.sop_uid,
        laterality=one.laterality,
        view=one.view,
        box=one.box,
        diameter_mm=one.diameter_mm,
        short_mm=one.short_mm,
        reading=dict(one.reading),
        reading_by=one.reading_by or None,
        by=one.by,
        at=one.at,
    )


def lesion_row(one: FollowedLesion) -> shapes.Lesion:
    """Return a lesion."""
    return shapes.Lesion(
        id=one.lesion_id,
        version=one.version,
        label=one.label,
        laterality=one.laterality,
        kind=one.kind,
        node=one.node,
        organ=one.organ,
        status=one.status.value,
        note=one.note,
        sizes=[
            shapes.LesionSize(
                on=size.on,
                long_mm=size.long_mm,
                short_mm=size.short_mm,
                views=[view.code for view in size.views],
            )
            for size in one.sizes
        ],
        measurements=[
            shapes.Measurement(
                id=place.measurement_id,
                sop_uid=place.sop_uid,
                study_uid=place.study_uid,
                on=place.on,
                view=place.view.code,
                box=place.box,
                long_axis=place.long_axis,
                short_axis=place.short_axis,
                long_mm=place.long_mm,
                short_mm=place.short_mm,
                proposed_by=place.proposed_by,
                by=place.by,
                at=place.at,
                corrected=place.corrected or None,
            )
            for place in one.places
        ],
    )


def event_row(one: EventEntry) -> shapes.Event:
    """Return an event."""
    return shapes.Event(
        id=one.event_id,
        kind=one.kind.value,
        on=one.on,
        end=one.end,
        laterality=one.laterality,  # type: ignore[arg-type]
        detail=one.detail,
        result=one.result.value if one.result else None,
    )


def assessment_row(study_uid: str, one: Assessment) -> shapes.Assessment:
    """Return an assessment."""
    return shapes.Assessment(
        study_uid=study_uid,
        version=one.version,
        bi_rads=one.bi_rads,
        right=one.right,
        left=one.left,
        density=one.density,
        edition=one.edition,
        findings=one.findings,
        comparison=one.comparison_uid,
        management=one.management,
        note=one.note,
        reason=one.reason,
        by=one.by,
        at=one.at,
    )
