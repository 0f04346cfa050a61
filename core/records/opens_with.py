"""Which pictures a woman's page shows first, so that a browser can ask for them while the page itself is on its way."""

from __future__ import annotations

from sqlalchemy import select

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.rules.vocabulary import FOUR_VIEWS, ViewName
from db.tables import Image, Patient, Study

__all__ = ["opens_with"]


@needs(Permission.SEE_PATIENTS)
def opens_with(here: Installation, mrn: str) -> list[str]:
    """Return the SOP UIDs of the standard views of her last study that has pictures.

    It is a guess at what the page will show, made in one query: what it misses, the page asks for by itself.
    """
    asked = (
        select(Study.id, Image.sop_uid, Image.laterality, Image.view)
        .join(Patient, Patient.id == Study.patient_id)
        .join(Image, Image.study_id == Study.id)
        .where(Patient.mrn == mrn)
        .order_by(Study.study_date.desc(), Study.id.desc(), Image.id)
    )
    with here.database.read() as session:
        rows = session.execute(asked).all()
    views = {ViewName(row.laterality, row.view): row.sop_uid for row in rows if row.id == rows[0].id}
    return [views[view] for view in FOUR_VIEWS if view in views]
