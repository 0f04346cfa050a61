"""Where the model looked in a picture, to be laid over it; only where what it says of the study may be told as a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records.patient_record import Visit
from core.records.record import record_of
from db.tables import Embedding, Image, Patient, Study

__all__ = ["HeatMap", "HeatMapClosed", "heat_map_of", "why_no_heat_map"]

COVERED = "heat map covered until read"
WITHHELD = "no heat map: score withheld"
NO_SCORE = "no heat map: not scored"


class HeatMapClosed(Exception):
    """The study's heat maps may not be shown: the message says why."""


@dataclass(frozen=True)
class HeatMap:
    """What the encoder found suspicious in one view.

    `values` is (rows, columns), 0..255, over the part of the image between the corners x0, y0 and x1, y1, in pixels of the
    image as received (x0 > x1: mirrored).
    """

    values: NDArray[np.uint8]
    corners: tuple[float, float, float, float]


def why_no_heat_map(visit: Visit) -> str:
    """Say in a few words why a visit's heat maps are not shown; empty where they may be: where its score is told as a number."""
    if visit.score is not None:
        return ""
    if visit.covered:
        return COVERED
    return WITHHELD if visit.doubt is not None else NO_SCORE


@needs(Permission.SEE_PATIENTS)
def heat_map_of(here: Installation, sop_uid: str) -> HeatMap:
    """Return the heat map of a stored image, by the newest encoder that has seen it.

    Raises
    ------
    HeatMapClosed
        If the study is covered until it is read, or its score is not told as a number: withheld, a rank only, or after the
        diagnosis.
    LookupError
        If there is no such image, or no encoder has seen it.
    """
    with here.database.read() as session:
        place = session.execute(
            select(Patient.mrn, Study.uid)
            .join(Study, Study.patient_id == Patient.id)
            .join(Image, Image.study_id == Study.id)
            .where(Image.sop_uid == sop_uid)
        ).one_or_none()
        row = session.scalar(
            select(Embedding)
            .join(Image, Image.id == Embedding.image_id)
            .where(Image.sop_uid == sop_uid)
            .order_by(Embedding.id.desc())
            .limit(1)
        )
    record = record_of(here, place.mrn) if place is not None else None
    visit = record.visit(place.uid) if record is not None and place is not None else None
    if visit is None:
        raise LookupError(sop_uid)
    if why := why_no_heat_map(visit):
        raise HeatMapClosed(why)
    if row is None:
        raise LookupError(sop_uid)
    return _laid_out(row)


def _laid_out(row: Embedding) -> HeatMap:
    from models.view import STRIDE, ViewTransform

    heat = np.frombuffer(row.heat_map, "<f2").reshape(row.heat_map_shape).astype(np.float32)
    transform = ViewTransform.from_json(dict(row.transform))
    rows, columns = (STRIDE * side for side in heat.shape)
    x0, y0 = transform.to_original(0.0, 0.0)
    x1, y1 = transform.to_original(float(columns), float(rows))
    values = np.round(np.clip(heat, 0, 1) * 255).astype(np.uint8)
    return HeatMap(values, (float(x0), float(y0), float(x1), float(y1)))
