"""By which key a woman is asked for in an address: an opaque one, never her MRN."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Patient

__all__ = ["key_of", "patient_by_key"]

_KEY = re.compile(r"p(\d{1,18})", re.ASCII)


def key_of(patient: Patient) -> str:
    """Return a woman's key."""
    return f"p{patient.id}"


def patient_by_key(session: Session, key: str) -> Patient | None:
    """Return the woman with this key, None if there is none."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return session.scalar(select(Patient).where(Patient.id == int(found[1])))
