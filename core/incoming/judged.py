"""The quality flags of a study's images, made anew from what was measured of them, in the transaction that changes the study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import measure, open_rendition, rendition
from core.incoming import asked
from core.incoming.at_hand import at_hand
from core.installation import Installation
from core.logs import log_of
from core.people.needing import SYSTEM_ONLY, needs
from core.refusals import Refusal
from core.rules.quality import MEASURED_FLAGS, Taken, remarks_on_study
from db.tables import Image, Study

log = log_of(__name__)

__all__ = ["flags_today", "images_of", "judge_study", "measure_stored"]


def judge_study(session: Session, study: Study, images: Sequence[Image] | None = None) -> None:
    """Write the flags that what was measured gives today, by the side and view that each image of the study has today.

    What the files say themselves stays. An image of which nothing was measured keeps the flags that it has. `images` are
    all that the study has, where the caller knows them.
    """
    for image, flags in flags_today(session, study, images):
        image.quality_flags = flags


def flags_today(
    session: Session, study: Study, images: Sequence[Image] | None = None
) -> Iterator[tuple[Image, list[Any]]]:
    """Yield the images of a study that are to have other flags than they have, with these."""
    if images is None:
        images = images_of(session, study)
    said = remarks_on_study([taken_of(image) for image in images])
    for image, remarks in zip(images, said, strict=True):
        if image.measured is None:
            continue
        own = [flag for flag in image.quality_flags if flag not in MEASURED_FLAGS]
        flags = [*own, *(remark.flag.value for remark in remarks)]
        if flags != image.quality_flags:
            yield image, flags


def images_of(session: Session, study: Study) -> Sequence[Image]:
    """Return the images of a study that count, in the order in which they came."""
    hand = at_hand(session)
    found = hand.images_of(study) if hand is not None else None
    if found is not None:
        return found
    return session.scalars(
        asked.IMAGES_OF_STUDY, {"study_id": study.id}, execution_options=asked.AS_WRITTEN
    ).all()


def taken_of(image: Image) -> Taken:
    """Return a stored image as the criteria see it."""
    return Taken(
        image.laterality.value,
        image.view,
        image.quality_flags,
        image.measured or {},
        image.pixel_spacing_mm,
        image.source_name,
    )


@needs(SYSTEM_ONLY)
def measure_stored(here: Installation) -> Mapping[str, int]:
    """Measure the images of which nothing was measured, as those of earlier releases; study by study, so that it can be cut off.

    Returns how many were ``measured``, how many of these are ``flagged`` and how many pictures were ``unreadable``.
    """
    counts = {"measured": 0, "flagged": 0, "unreadable": 0}
    with here.database.read() as session:
        waiting = select(Image.study_id).where(Image.measured.is_(None)).distinct()
        studies = session.scalars(select(Study.id).where(Study.id.in_(waiting), Study.modality == "MG")).all()
    for study_id in studies:
        with here.database.read() as session:
            images = session.scalars(
                select(Image).where(Image.study_id == study_id, Image.measured.is_(None))
            ).all()
        found = {image.id: _measured(here, image) for image in images}
        with here.database.write() as session:
            study = session.get_one(Study, study_id)
            for image in session.scalars(select(Image).where(Image.id.in_(found))):
                image.measured = found[image.id]
            session.flush()
            judge_study(session, study)
            read = [image_id for image_id, measured in found.items() if measured is not None]
            kept = session.scalars(select(Image).where(Image.id.in_(read))).all()
            counts["flagged"] += sum(not MEASURED_FLAGS.isdisjoint(image.quality_flags) for image in kept)
        counts["measured"] += sum(measured is not None for measured in found.values())
        counts["unreadable"] += sum(measured is None for measured in found.values())
    return counts


def _measured(here: Installation, image: Image) -> dict[str, Any] | None:
    """Measure what the viewer shows of an image: it is larger than what is measured on, and need not be decoded."""
    try:
        facts, pixels = open_rendition(rendition(here, image.sop_uid))
    except (Refusal, KeyError, FileNotFoundError, ValueError):
        log.warning("a picture cannot be measured", image=image.id)
        return None
    found = measure(pixels, facts["bits"])
    share = max(image.rows, image.columns) / max(pixels.shape)
    for name in ("longest_side", "depth_px", "depth_to_muscle_px"):
        if name in found:
            found[name] = round(float(found[name]) * share, 4)
    return found
