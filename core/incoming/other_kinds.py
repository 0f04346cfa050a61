"""Breast ultrasound and MR: kept beside her mammograms and shown, never read by a model; when a file is taken for one."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.images import BODY_PART, ReadImage
from core.incoming.claims import said_view
from core.incoming.items import Statement
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_KIND_FLAGS, OTHER_KIND_WORDS, SHOW_BOTH, SIDES, QualityFlag
from db.tables import Image, Study, StudyStatus, utc_now

__all__ = ["MOST_PICTURES", "check_room", "settle_kind", "wait_for_nothing"]

MOST_PICTURES = 40
"""Pictures of one kind that are kept of one study: a whole MR series has hundreds of slices that nobody looks at here."""
_SILENT = (None, "OT", "SC")


def settle_kind(image: ReadImage, name: str, statement: Statement | None) -> str | None:
    """Return US or MR where a picture is kept as that, None for a mammogram, and mark it so.

    That is what the file calls itself, if it says that it shows the breast, or what a person says of a file that says
    nothing else. Raises `Refusal` where neither holds and it is no mammogram, and where the two contradict each other.
    """
    stated = _stated(name, statement)
    header = image.header
    kind = stated if stated in OTHER_KIND_WORDS else None
    if kind is None and stated is None:
        kind = image.other_kind
    if kind is None:
        if image.doubt is not None:
            if statement is None or not statement.a_mammogram:
                raise Refusal("not_a_mammogram", image.doubt)
            # Kept and shown by a person's word alone: no picture for the model.
            image.contradictions.append(f"A mammogram by a person's word. {image.doubt}")
            image.quality_flags.append(QualityFlag.NOT_RECOGNISED)
        return None
    if BODY_PART in header.unusable:
        raise Refusal("not_a_mammogram", header.unusable[BODY_PART])
    if header.modality not in (*_SILENT, kind):
        raise Refusal(
            "not_a_mammogram",
            f"You say {OTHER_KIND_WORDS[kind]}; the file calls itself modality {header.modality}.",
        )
    if image.doubt is None:
        image.contradictions.append(f"It is said to be {OTHER_KIND_WORDS[kind]}, and looks like a mammogram.")
    image.measured = {}
    image.quality_flags = [OTHER_KIND_FLAGS[kind].value, *image.quality_flags]
    said = said_view(statement, name) if statement is not None else None
    if kind in SHOW_BOTH and (said[0] if said else header.laterality) not in SIDES:
        image.quality_flags.append(QualityFlag.SIDE_NOT_SAID)
    return kind


def _stated(name: str, statement: Statement | None) -> str | None:
    """Return the view or kind that a person says of a file; None where nobody says any."""
    if statement is None:
        return None
    said = said_view(statement, name)
    return said[1] if said is not None else statement.modality


def check_room(session: Session, study: Study | None, kind: str) -> None:
    """Raise `Refusal` where a study holds as many pictures of a kind as are kept of one."""
    if study is None or kind not in OTHER_KIND_WORDS:
        return
    held = (
        session.scalar(select(func.count(Image.id)).where(Image.study_id == study.id, Image.view == kind))
        or 0
    )
    if held >= MOST_PICTURES:
        raise Refusal("too_many_pictures", f"{held} of this study are kept already.")


def wait_for_nothing(study: Study) -> None:
    """Take a study without mammograms from the queue: no model reads it."""
    study.status, study.refusal_reason = StudyStatus.REFUSED, "modality_not_scored"
    study.refusal_detail, study.refused_at = None, utc_now()
