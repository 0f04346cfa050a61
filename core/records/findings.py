"""Findings: boxes that a reader keeps on an image of a patient's study, measured, with what a model said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from core.records.covered import covered_study_ids
from core.records.lesion_acts import lesion_to_add_to, next_label, take_back
from core.records.sizing import side_of
from core.rules import ViewName
from db.tables import Image, Lesion, Measurement, Patient, Study, User

__all__ = ["KeptFinding", "Place", "diameter_mm", "keep", "of_image", "of_patient", "place_of", "remove"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class KeptFinding:
    """One finding as the pages show it.

    `finding_id` is that of its measurement; `lesion_id` and `label` name the lesion that it is of. `box` is x0, y0, x1, y1 in pixels of
    the image, origin top left. `diameter_mm` is the long axis, or the longer side of the box where no axis was measured;
    None where the image does not say how large a pixel is. `axes` holds the ends of the calipers, x0, y0, x1, y1, the long axis
    first; none where the lesion was boxed only. `reading` is what the model said, by class, and
    `reading_by` which one; both empty where none was asked, and while the study is unread (`core.records.covered`).
    """

    finding_id: int
    lesion_id: int
    label: str
    study_uid: str
    study_date: date
    sop_uid: str
    laterality: str
    view: str
    box: Box
    diameter_mm: float | None
    short_mm: float | None
    axes: tuple[tuple[float, ...], ...]
    reading: Mapping[str, float]
    reading_by: str
    by: str
    at: datetime

    @property
    def view_name(self) -> ViewName:
        """Return which view of which breast it is on."""
        return ViewName(self.laterality, self.view)


@dataclass(frozen=True)
class Place:
    """Whose image it is, and of which study: what a person has to see before a finding is kept on it."""

    sop_uid: str
    mrn: str
    label: str
    simulated: bool
    study_uid: str
    study_date: date
    laterality: str
    view: str

    @property
    def view_name(self) -> ViewName:
        """Return which view of which breast the image is."""
        return ViewName(self.laterality, self.view)


@needs(Permission.SEE_PATIENTS)
def place_of(here: Installation, sha256: str) -> Place | None:
    """Say whose image these bytes are, by the sha256 they are stored under; None if they are not stored."""
    with here.database.read() as session:
        image = session.scalar(select(Image).where(Image.sha256 == sha256))
        if image is None:
            return None
        study, patient = image.study, image.study.patient
        return Place(
            sop_uid=image.sop_uid,
            mrn=patient.mrn,
            label=patient.name or f"MRN {patient.mrn}",
            simulated=patient.simulated,
            study_uid=study.uid,
            study_date=study.study_date,
            laterality=image.laterality.value,
            view=image.view,
        )


def diameter_mm(box: Sequence[float], spacing_mm: float | None) -> float | None:
    """Return the longer side of a box (pixels) in millimetres, None where the pixel size is not known."""
    x0, y0, x1, y1 = box
    return None if spacing_mm is None else max(x1 - x0, y1 - y0) * spacing_mm


@needs(Permission.ASSESS)
def keep(
    here: Installation,
    person: Person,
    sop_uid: str,
    box: Box,
    *,
    reading: Mapping[str, Any] | None = None,
    lesion: tuple[int, int] | None = None,
) -> KeptFinding:
    """Keep a box as a finding on the study of a stored image: of a new lesion, numbered within the patient, or of one of hers.

    Parameters
    ----------
    box
        x0, y0, x1, y1 in pixels of the image, origin top left.
    reading
        What a model said of the box: ``{"tumour": {class: probability}, "model": name}``.
    lesion
        Id and version of the lesion that it is, as the reader had it before her; None for a new one.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    LesionChangedMeanwhile
        If the lesion has another version by now.
    ValueError
        If the image is not stored any more, the box does not lie in it, or the lesion cannot be on it.
    """
    x0, y0, x1, y1 = box
    with here.database.write() as session:
        image = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
        if image is None:
            raise ValueError("This image is not stored any more. Open the patient again.")
        if not (0 <= x0 < x1 <= image.columns and 0 <= y0 < y1 <= image.rows):
            raise ValueError("The box does not lie in the image. Draw it again.")
        patient = image.study.patient
        if lesion is None:
            of = Lesion(
                patient_id=patient.id,
                laterality=side_of(image),
                label=next_label(session, patient.id),
                recorded_by_id=person.user_id,
            )
            session.add(of)
            session.flush()
        else:
            of = lesion_to_add_to(session, *lesion, image)
        size = diameter_mm(box, image.pixel_spacing_mm)
        measurement = Measurement(
            lesion_id=of.id,
            image_id=image.id,
            view_code=ViewName(image.laterality.value, image.view).code,
            diameter_mm=size,
            x0=x0,
            y0=y0,
            x1=x1,
            y1=y1,
            reading=dict(reading) if reading else None,
            measured_by_id=person.user_id,
        )
        session.add(measurement)
        detail = {"label": of.label, "image": sop_uid, "box": list(box), "diameter_mm": size}
        audit.record(session, person, "finding_kept", f"patient:{patient.mrn}", detail)
        session.flush()
        return _findings(here, session, Measurement.id == measurement.id)[0]


@needs(Permission.ASSESS)
def remove(here: Installation, person: Person, finding_id: int) -> None:
    """Take a finding back; it is kept, but shown nowhere. Raises `AccessDenied`; a gone one stays gone."""
    with here.database.write() as session:
        measurement = session.get(Measurement, finding_id)
        if measurement is not None and measurement.removed_at is None:
            take_back(session, person, measurement.lesion, [measurement])


@needs(Permission.SEE_PATIENTS)
def of_patient(here: Installation, mrn: str) -> list[KeptFinding]:
    """Return a woman's findings, by study date, then in the order in which they were kept."""
    with here.database.read() as session:
        return _findings(here, session, Patient.mrn == mrn)


@needs(Permission.SEE_PATIENTS)
def of_image(here: Installation, sop_uid: str) -> list[KeptFinding]:
    """Return the findings on one image."""
    with here.database.read() as session:
        return _findings(here, session, Image.sop_uid == sop_uid)


def _findings(here: Installation, session: Session, condition: Any) -> list[KeptFinding]:
    rows = session.execute(
        select(Lesion, Measurement, Image, Study, User.display_name)
        .join(Measurement, Measurement.lesion_id == Lesion.id)
        .join(Image, Image.id == Measurement.image_id)
        .join(Study, Study.id == Image.study_id)
        .join(Patient, Patient.id == Lesion.patient_id)
        .outerjoin(User, User.id == Measurement.measured_by_id)
        # Where a lesion was looked for and is gone there is no finding.
        .where(condition, Measurement.removed_at.is_(None), Measurement.diameter_mm.is_distinct_from(0))
        .order_by(Study.study_date, Measurement.id)
    ).all()
    women = {lesion.patient_id for lesion, *_ in rows}
    covered = covered_study_ids(here, session, Study.patient_id.in_(women))
    return [
        KeptFinding(
            finding_id=measurement.id,
            lesion_id=lesion.id,
            label=lesion.label,
            study_uid=study.uid,
            study_date=study.study_date,
            sop_uid=image.sop_uid,
            laterality=lesion.laterality.value,
            view=image.view,
            box=(measurement.x0, measurement.y0, measurement.x1, measurement.y1),
            diameter_mm=measurement.diameter_mm,
            short_mm=measurement.short_mm,
            axes=tuple(
                tuple(map(float, ends))
                for name in ("long", "short")
                if (ends := (measurement.axes or {}).get(name))
            ),
            reading=_reading(measurement, study.id in covered).get("tumour") or {},
            reading_by=str(_reading(measurement, study.id in covered).get("model") or ""),
            by=name or "",
            at=measurement.measured_at,
        )
        for lesion, measurement, image, study, name in rows
    ]


def _reading(measurement: Measurement, covered: bool) -> Mapping[str, Any]:
    """Return what a model said of the box when it was kept; nothing while that is covered."""
    return {} if covered else measurement.reading or {}
