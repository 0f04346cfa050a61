"""What an assessment has to say of a study: BI-RADS of each breast that was imaged that day, and the density of a mammogram."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.rules.vocabulary import SIDE_WORDS, SIDES
from db.tables import Image, Study

__all__ = ["what_is_left_out"]


def what_is_left_out(
    session: Session, study: Study, said: Mapping[str, str | None], density: str | None
) -> str | None:
    """Say which breast that was imaged, or that the density, is left out; None where nothing is.

    `said` is the category of each breast, by `L` and `R`.
    """
    imaged = session.scalars(
        select(Image.laterality)
        .join(Study, Study.id == Image.study_id)
        .where(Study.patient_id == study.patient_id, Study.study_date == study.study_date)
        .distinct()
    )
    for side in sorted({side.value for side in imaged} & set(SIDES)):
        if said[side] is None:
            return f"Choose a BI-RADS assessment of the {SIDE_WORDS[side]} breast: it was imaged too."
    if density is None and study.modality == "MG":
        return "Choose the density: BI-RADS asks for it in every report of a mammogram."
    return None
