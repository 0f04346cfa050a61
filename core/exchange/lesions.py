"""Lesions and measurements by their numbers, as programs name them, and whom a correction told of."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from core.exchange.listed import NotHere
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.records import FollowedLesion, lesions_of_patient
from db.sessions import WITH_PUT_AWAY
from db.tables import Lesion, Measurement, Patient

__all__ = ["lesion_measured_by", "lesion_of", "numbers_of"]


@needs(Permission.SEE_PATIENTS)
def lesion_of(here: Installation, person: Person, lesion_id: int) -> tuple[int, FollowedLesion]:
    """Return whose a lesion is (by her number), and the lesion; raises `NotHere`, also where all of it was taken back."""
    with here.database.read() as session:
        found = session.execute(
            select(Patient.id, Patient.mrn)
            .join(Lesion, Lesion.patient_id == Patient.id)
            .where(Lesion.id == lesion_id)
        ).first()
    hers = lesions_of_patient(here, found.mrn) if found else []
    lesion = next((one for one in hers if one.lesion_id == lesion_id), None)
    if found is None or lesion is None:
        raise NotHere("There is no lesion with this number, or all that was measured of it is taken back.")
    return found.id, lesion


@needs(Permission.SEE_PATIENTS)
def lesion_measured_by(here: Installation, person: Person, measurement_id: int) -> int:
    """Return which lesion a measurement is of, by number; raises `NotHere`, also where it was taken back."""
    with here.database.read() as session:
        lesion_id = session.scalar(
            select(Measurement.lesion_id).where(
                Measurement.id == measurement_id, Measurement.removed_at.is_(None)
            )
        )
    if lesion_id is None:
        raise NotHere("There is no measurement with this number, or it is taken back.")
    return lesion_id


@needs(Permission.SEE_PATIENTS)
def numbers_of(here: Installation, person: Person, mrns: Iterable[str]) -> list[int]:
    """Return women's numbers by MRN, also of those who were merged into others; who is nobody is left out."""
    query = select(Patient.id).where(Patient.mrn.in_(list(mrns)))
    with here.database.read() as session:
        return list(session.scalars(query, execution_options=WITH_PUT_AWAY))
