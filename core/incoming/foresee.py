"""What the intake would answer of a file that was looked at, before anything of it is stored."""

from __future__ import annotations

from core.images import Header
from core.incoming.claims import settle_claim
from core.incoming.items import Statement
from core.incoming.keep import stored_image, stored_patient, stored_study
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.refusals import Refusal


@needs(Permission.ADD_STUDY)
def foresee(
    here: Installation, header: Header, name: str, sha256: str, statement: Statement | None
) -> Refusal | None:
    """Return why a readable file would be refused as things stand now; None if it would be taken in, or is here already."""
    try:
        claim = settle_claim(header, name, sha256, statement)
        with here.database.read() as session:
            if stored_image(session, claim, sha256) is None:
                stored_patient(session, claim, header, statement)
                stored_study(session, claim)
    except Refusal as refusal:
        return refusal
    return None
