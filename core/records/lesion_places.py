"""Where a lesion that was measured on one image should lie in another of the same view: proposed, never decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import NotAligned, aligned, registration_of
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records.lesions import Box
from core.refusals import Refusal
from core.rules import ViewName
from core.rules.vocabulary import OTHER_KIND_WORDS
from db.tables import Embedding, Image, Measurement

if TYPE_CHECKING:
    from core.images import Registration

__all__ = ["Proposal", "propose_place"]

BY_REGISTRATION, BY_POSITION = "registration", "position"
MARGIN = 0.5
"""A proposed box is larger than the measured one by this share on each side: the place is not exact."""


@dataclass(frozen=True)
class Proposal:
    """A place for a person to confirm or move: `box` in pixels of the image, `by` how it was found, `said` in words.

    `aligning`: SOP UIDs of the two whose registration is being made; a moment later it may put the place better.
    """

    sop_uid: str
    view: ViewName
    box: Box
    by: str
    said: str
    aligning: tuple[str, str] | None = None


@dataclass(frozen=True)
class _Picture:
    """An image with the corners of the breast in it, that at the chest wall first; None where no breast was outlined."""

    sop_uid: str
    view: ViewName
    spacing_mm: float | None
    rows: int
    columns: int
    breast: Box | None

    @property
    def whole(self) -> Box:
        """Return the corners of the picture."""
        return 0.0, 0.0, float(self.columns), float(self.rows)


@needs(Permission.SEE_PATIENTS)
def propose_place(
    here: Installation, measurement_id: int, sop_uid: str, *, at_once: bool = False
) -> Proposal | None:
    """Propose where what was measured on one image lies in another; None where the two are not one view of one breast.

    Nor is there any between two ultrasound or MR images: probe and slice lie anew each time.

    Its centre is where the registration of the two puts it, or, where they cannot be registered, keeps its relative
    position in the breast (where no breast was outlined, in the picture). Its size in mm stays, or in pixels where one of
    the pixel sizes is not known. Nothing is written. With `at_once` a registration that is not there yet, a second of work,
    is not waited for: the position is told meanwhile.
    """
    with here.database.read() as session:
        measurement = session.get(Measurement, measurement_id)
        wanted = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
        if measurement is None or wanted is None:
            return None
        box = (measurement.x0, measurement.y0, measurement.x1, measurement.y1)
        then, now = _picture(session, measurement.image), _picture(session, wanted)
    if then.view != now.view or then.sop_uid == now.sop_uid or now.view.view in OTHER_KIND_WORDS:
        return None
    centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    pair = then.sop_uid, now.sop_uid
    registered, aligning = _registration(here, pair, at_once=at_once)
    found = _put_by(registered, now, centre) if registered is not None else None
    x, y = found[0] if found else _by_position(then, now, centre)
    larger = then.spacing_mm / now.spacing_mm if then.spacing_mm and now.spacing_mm else 1.0
    half_width, half_height = (
        (end - start) * larger * (0.5 + MARGIN) for start, end in ((box[0], box[2]), (box[1], box[3]))
    )
    place = (
        max(0.0, x - half_width),
        max(0.0, y - half_height),
        min(float(now.columns), x + half_width),
        min(float(now.rows), y + half_height),
    )
    if found:
        return Proposal(
            now.sop_uid, now.view, place, BY_REGISTRATION, f"by registration of the two. {found[1]}"
        )
    if aligning:
        said = "by position in the breast; the two are being aligned …"
        return Proposal(now.sop_uid, now.view, place, BY_POSITION, said, aligning=pair)
    said = "by position in the breast, not registered: look around it."
    return Proposal(now.sop_uid, now.view, place, BY_POSITION, said)


def _registration(
    here: Installation, pair: tuple[str, str], *, at_once: bool
) -> tuple[Registration | None, bool]:
    """Return the registration of two images, None where there is none, and whether it is being made."""
    try:
        found = aligned(here, *pair) if at_once else registration_of(here, *pair)
    except (LookupError, FileNotFoundError, Refusal, NotAligned):
        return (
            None,
            False,
        )  # one of the two has no picture to register: verify says so, and the position is left
    return found, found is None


def _put_by(
    found: Registration, now: _Picture, point: tuple[float, float]
) -> tuple[tuple[float, float], str] | None:
    """Return where a registration puts a point, and how good it is; None where it says nothing of that place."""
    if not found.is_usable:
        return None
    x, y = (float(value) for value in found.to_current(np.array([point]))[0])
    inside = 0 <= x <= now.columns and 0 <= y <= now.rows
    return ((x, y), found.said) if inside else None


def _by_position(then: _Picture, now: _Picture, point: tuple[float, float]) -> tuple[float, float]:
    """Return the point at the same relative position between the corners of the breast."""
    outlined = then.breast is not None and now.breast is not None
    ax, ay, bx, by = (then.breast if outlined else None) or then.whole
    cx, cy, dx, dy = (now.breast if outlined else None) or now.whole
    across, down = (point[0] - ax) / (bx - ax), (point[1] - ay) / (by - ay)
    return cx + across * (dx - cx), cy + down * (dy - cy)


def _picture(session: Session, image: Image) -> _Picture:
    transform = session.scalar(
        select(Embedding.transform)
        .where(Embedding.image_id == image.id)
        .order_by(Embedding.id.desc())
        .limit(1)
    )
    return _Picture(
        image.sop_uid,
        ViewName(image.laterality.value, image.view),
        image.pixel_spacing_mm,
        image.rows,
        image.columns,
        _breast(transform),
    )


def _breast(transform: dict[str, Any] | None) -> Box | None:
    """Return the corners of the breast in pixels of the picture, that at the chest wall first; None where none was outlined."""
    if not transform or "x0" not in transform:
        return None
    from models.view import ViewTransform

    told = ViewTransform.from_json(transform)
    if told.x1 <= told.x0 or told.y1 <= told.y0:
        return None
    x0, y0 = told.to_original(0.0, 0.0)
    x1, y1 = told.to_original((told.x1 - told.x0) * told.scale, (told.y1 - told.y0) * told.scale)
    return x0, y0, x1, y1
