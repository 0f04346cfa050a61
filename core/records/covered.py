"""Read first: which studies are unread, so that what a model says of them stays covered on every page.

Readers follow a wrong score (2,760 decisions, 92 radiologists), so it is shown once they have said what they see. A study
is unread while it has no assessment, or only the record of a reading elsewhere that leaves something out, unless somebody had its scores shown on purpose, and only while it is her newest that
a model has read, or newer: earlier ones that nobody assessed here came as history, and are the prior that hers are set
beside. The studies of one day are one visit, and reading one reads all. What is covered is covered from everybody who looks
at pages, also from those who may not assess. For machines (`core score --json`, `core export`) nothing is covered.

Whoever shows, orders, counts or lists what a model says of a woman asks here, and carries it as `covered` (as `doubt` is
carried where a score may not be told). Alerts of a covered study are not listed, findings on it lose their readings, and
cohorts leave it out: the median of a few women is the score of one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records import cards
from db.tables import Image, Score, Study, UnreadReveal

__all__ = ["COVERED", "StudyRead", "covered_study_ids", "is_covered", "is_image_covered"]

COVERED = "Covered until this study is read: record its assessment first."


@dataclass(frozen=True)
class StudyRead:
    """What decides whether a study is covered: its day, whether the model that speaks has read it, and whether a person has."""

    study_id: int
    on: date
    by_model: bool
    by_reader: bool


def is_covered(study: StudyRead, hers: Sequence[StudyRead]) -> bool:
    """Say whether what a model says of a study is covered, among all studies of the same woman.

    Covered is an unread day, if no later one was read by the model: her newest, and what waits to be scored after it.
    """
    newest = max((one.on for one in hers if one.by_model), default=study.on)
    return study.on >= newest and not any(one.by_reader for one in hers if one.on == study.on)


def covered_study_ids(
    here: Installation, session: Session, of: ColumnElement[bool] | None = None
) -> frozenset[int]:
    """Return the ids of the covered studies of some women, or of all, in one query; none where reading first is off.

    `of` chooses women: a condition on `Study.patient_id`, never on a single study.
    """
    if not here.settings.read_first:
        return frozenset()
    # Asked study by study, by their indexes: one woman's record is not to cost a look at everybody's scores.
    scored = select(Score.id).where(Score.study_id == Study.id, Score.model == cards.speaking(here)).exists()
    shown = select(UnreadReveal.study_id).where(UnreadReveal.study_id == Study.id).exists()
    query = select(
        Study.patient_id,
        Study.id,
        Study.study_date,
        scored.label("by_model"),
        or_(and_(Study.bi_rads.is_not(None), Study.read_in_part.is_(False)), shown).label("by_reader"),
    ).where(true() if of is None else of)
    women: defaultdict[int, list[StudyRead]] = defaultdict(list)
    for row in session.execute(query):
        study = StudyRead(row.id, row.study_date, bool(row.by_model), bool(row.by_reader))
        women[row.patient_id].append(study)
    return frozenset(_covered(women.values()))


def _covered(women: Iterable[Sequence[StudyRead]]) -> Iterable[int]:
    for hers in women:
        # Nearly always everything is read: then no day has to be looked at.
        if not all(one.by_reader for one in hers):
            yield from (one.study_id for one in hers if is_covered(one, hers))


@needs(Permission.SEE_PATIENTS)
def is_image_covered(here: Installation, *, sop_uid: str = "", sha256: str = "") -> bool:
    """Say whether a stored image, by its SOP UID or its sha256, belongs to a covered study; False where it is not stored."""
    if not here.settings.read_first:
        return False
    which = Image.sop_uid == sop_uid if sop_uid else Image.sha256 == sha256
    with here.database.read() as session:
        found = session.execute(
            select(Study.id, Study.patient_id).join(Image, Image.study_id == Study.id).where(which)
        ).one_or_none()
        return found is not None and found.id in covered_study_ids(
            here, session, Study.patient_id == found.patient_id
        )
