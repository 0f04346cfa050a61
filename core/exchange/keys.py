"""By which key a woman is asked for in an address: an opaque one, never her MRN."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.incoming import called
from db.sessions import WITH_PUT_AWAY
from db.tables import Patient

__all__ = ["fhir_id_of", "key_of", "patient_by_fhir_id", "patient_by_key"]


def key_of(patient: Patient) -> str:
    """Return a woman's key."""
    return patient.key


def patient_by_key(session: Session, key: str) -> Patient | None:
    """Return the woman with this key, None if there is none; that of one who was merged into another leads to her."""
    query = select(Patient.mrn).where(Patient.key == key)
    mrn = session.scalar(query, execution_options=WITH_PUT_AWAY)
    return called(session, mrn) if mrn is not None else None


def fhir_id_of(patient: Patient) -> str:
    """Return her key as an id of FHIR, which takes no underscore (R4 2.24.0.1)."""
    return patient.key.replace("_", ".")


def patient_by_fhir_id(session: Session, fhir_id: str) -> Patient | None:
    """Return the woman whom an id of FHIR names, None if there is none."""
    return None if "_" in fhir_id else patient_by_key(session, fhir_id.replace(".", "_"))
