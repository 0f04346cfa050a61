"""Registrations of images of an installation: each computed once, and kept in a folder beside its images.

What is kept holds no pixels and no names. It can be thrown away: it is made anew when it is next asked for.
"""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from core.images.drawing import open_rendition
from core.images.registration.mapping import NODES, Registration
from core.images.registration.views import METHOD, register_views
from core.images.renditions import rendition
from core.logs import log_of
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from core.rules.vocabulary import OTHER_KIND_WORDS, ViewName
from db.files import private_folder, write_whole
from db.tables import Image, Study

if TYPE_CHECKING:
    from core.installation import Installation

__all__ = ["REGISTRATIONS", "NotHers", "kept_registration", "registration_of"]

log = log_of(__name__)

REGISTRATIONS = "registrations"
"""The folder in the installation's home."""
_one_at_a_time = threading.Lock()


class NotHers(ValueError):
    """The two images are of two women."""


@needs(Permission.SEE_PATIENTS)
def registration_of(here: Installation, prior_sop: str, current_sop: str) -> Registration:
    """Return where each point of one image lies in another of the same woman, in pixels of the images as received.

    It is computed from the viewer's pixels the first time (about a second), and then kept by the sha256 of these and the
    method's version. Of another breast or another view nothing is searched for; its `doubt` says so.

    Raises
    ------
    KeyError
        If there is no such image.
    NotHers
        If they are of two women.
    """
    prior, current = _pair(here, prior_sop, current_sop)
    path = _place(here, prior, current)
    if (kept := _kept(path)) is not None:
        return kept
    # Two that ask for one pair would compute it twice, and two pairs at once would take the processor from the pages.
    with _one_at_a_time:
        found = _kept(path)
        if found is None:
            found = _computed(here, prior, current)
            _keep(path, found)
    return found


def kept_registration(here: Installation, prior_sop: str, current_sop: str) -> Registration | None:
    """Return what `registration_of` has made before, None where it has not; raises as it does."""
    return _kept(_place(here, *_pair(here, prior_sop, current_sop)))


@dataclass(frozen=True)
class _Stored:
    sop_uid: str
    rendition_sha256: str
    view: ViewName
    patient_id: int


def _pair(here: Installation, prior_sop: str, current_sop: str) -> tuple[_Stored, _Stored]:
    with here.database.read() as session:
        rows = session.execute(
            select(Image.sop_uid, Image.rendition_sha256, Image.laterality, Image.view, Study.patient_id)
            .join(Study, Study.id == Image.study_id)
            .where(Image.sop_uid.in_((prior_sop, current_sop)))
        ).all()
    found = {
        row.sop_uid: _Stored(
            row.sop_uid, row.rendition_sha256, ViewName(row.laterality, row.view), row.patient_id
        )
        for row in rows
    }
    prior, current = found[prior_sop], found[current_sop]
    if prior.patient_id != current.patient_id:
        raise NotHers("These two images are of two women.")
    return prior, current


def _place(here: Installation, prior: _Stored, current: _Stored) -> Path:
    # By what it is computed from: a picture that is read otherwise, and turned, is another one.
    pictures = f"{prior.rendition_sha256} {prior.view.code} {current.rendition_sha256} {current.view.code}"
    told = f"{METHOD} {pictures}"
    return here.home / REGISTRATIONS / f"{hashlib.sha256(told.encode()).hexdigest()}.npz"


def _doubt(prior: _Stored, current: _Stored) -> str:
    other = OTHER_KIND_WORDS.get(prior.view.view) or OTHER_KIND_WORDS.get(current.view.view)
    if other is not None:
        return f"one is {other}, where probe or slice lies anew each time."
    if prior.view == current.view:
        return ""
    return f"one is {prior.view.words}, the other {current.view.words}."


def _computed(here: Installation, prior: _Stored, current: _Stored) -> Registration:
    (before, then), (after, now) = (open_rendition(rendition(here, one.sop_uid)) for one in (prior, current))
    found = register_views(then, now, doubt=_doubt(prior, current))
    return found.scaled(*((said["source_rows"], said["source_columns"]) for said in (before, after)))


def _kept(path: Path) -> Registration | None:
    """Return what is kept; None where there is nothing, or it is damaged and to be made anew."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


@lru_cache(maxsize=128)
def _read(path: Path, _written_ns: int) -> Registration:
    # Remembered as long as the file stays as it is: a page asks for the same pair at every step.
    with np.load(path, allow_pickle=False) as kept:
        x, y = kept["grid"]
        if x.shape != (NODES, NODES):
            raise ValueError("a grid of another size")
        rows_now, columns_now, rows_then, columns_then, quality = kept["facts"].tolist()
        now, then = (int(rows_now), int(columns_now)), (int(rows_then), int(columns_then))
        return Registration(now, then, x, y, quality, str(kept["doubt"]))


def _keep(path: Path, found: Registration) -> None:
    packed = io.BytesIO()
    facts = [*found.current_shape, *found.prior_shape, found.quality]
    np.savez(packed, grid=np.stack([found.x, found.y]), facts=np.array(facts), doubt=np.array(found.doubt))
    try:
        private_folder(path.parent)
        write_whole(path, packed.getvalue(), durable=False)
    except OSError as error:
        # It is there to be looked at; it can be kept the next time.
        if (said := outage(error)) is None:
            raise
        log.warning("a registration could not be kept", lacks=said)
