"""The keys by which addresses name a woman: they say nothing of her, and lead nowhere for who may not see her."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from db.sessions import WITH_PUT_AWAY
from db.tables import Patient

__all__ = ["key_of", "keys_of", "mrn_of"]

_AT_ONCE = 500


@needs(Permission.SEE_PATIENTS)
def keys_of(here: Installation, mrns: Iterable[str]) -> Mapping[str, str]:
    """Return the keys of some women by their MRNs; who is not stored is left out."""
    asked = list(dict.fromkeys(mrns))
    found: dict[str, str] = {}
    with here.database.read() as session:
        for start in range(0, len(asked), _AT_ONCE):
            query = select(Patient.mrn, Patient.key).where(Patient.mrn.in_(asked[start : start + _AT_ONCE]))
            found |= {row.mrn: row.key for row in session.execute(query, execution_options=WITH_PUT_AWAY)}
    return found


@needs(Permission.SEE_PATIENTS)
def key_of(here: Installation, mrn: str) -> str:
    """Return the key of a woman; empty where there is none with this MRN."""
    return keys_of(here, [mrn]).get(mrn, "")


@needs(Permission.SEE_PATIENTS)
def mrn_of(here: Installation, key: str) -> str | None:
    """Return the MRN of the woman whose key this is, one whose record was put away too; None for a key of nobody."""
    query = select(Patient.mrn).where(Patient.key == key)
    with here.database.read() as session:
        return session.scalar(query, execution_options=WITH_PUT_AWAY)
