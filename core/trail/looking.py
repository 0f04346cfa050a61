"""Looks at women, written down once for what is looked at together: a page with its images, a list with its rows.

What is fetched again within `TOGETHER_SECONDS` by the same person belongs to the look that is written already. Each
process remembers for itself: several of them write a look once each, never not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from core.installation import Installation
from core.people import Person, audit, refused
from core.people.needing import SIGNED_IN, needs
from core.people.recently import Recently
from db.tables import Image, Patient, Study

TOGETHER_SECONDS = 600.0
"""A page's images are fetched while it is open: for so long they count as that look."""


_recently = Recently()
# Past the session's objects, which do not see what a correction has put away; built once, for each image of a page asks.
_images, _studies, _patients = Image.__table__, Study.__table__, Patient.__table__
_WHOSE_IMAGE = (
    select(_patients.c.mrn, _studies.c.uid)
    .select_from(_images)
    .join(_studies, _studies.c.id == _images.c.study_id)
    .join(_patients, _patients.c.id == _studies.c.patient_id)
    .where(_images.c.sop_uid == bindparam("sop_uid"))
)


@needs(SIGNED_IN)
def opened(here: Installation, person: Person, action: str, subject: str) -> None:
    """Write down that a person opened a page; the images that a woman's page (``patient:…``) fetches belong to it."""
    audit.note(here, person, action, subject)
    kind, _, mrn = subject.partition(":")
    if kind == "patient":
        _recently.add((here.home, person.user_id, mrn))


@needs(SIGNED_IN)
def images_seen(here: Installation, person: Person, sop_uid: str) -> None:
    """Write down that a person fetches an image, unless she has its woman's page open or has fetched others of hers just now."""
    with here.database.read() as session:
        found = session.connection().execute(_WHOSE_IMAGE, {"sop_uid": sop_uid}).first()
    if found is None:
        return
    key = (here.home, person.user_id, found.mrn)
    if not _recently.has(key, TOGETHER_SECONDS):
        audit.note(here, person, "images_seen", f"study:{found.uid}")
        _recently.add(key)


@needs(SIGNED_IN)
def women_listed(here: Installation, person: Person, mrns: Sequence[str], search: str) -> None:
    """Write down whom a list showed to a person, and what she looked for."""
    with here.database.write(ready=False) as session:
        ids = session.scalars(select(Patient.id).where(Patient.mrn.in_(mrns))).all()
        detail = {"women": len(ids)} | ({"search": search} if search else {})
        audit.record(session, person, "women_listed", None, detail, patients=ids)


@needs(SIGNED_IN)
def not_allowed(here: Installation, person: Person, what: str) -> None:
    """Write down that somebody asked for what her role does not include: once a minute for the same thing."""
    refused.note(here, person, what)
