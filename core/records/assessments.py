"""What a reader decides: the assessment of a study."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from core.installation import Installation
from core.people import Permission, Person, audit, require
from core.rules.vocabulary import BI_RADS, BI_RADS_EDITION, DENSITIES
from db.tables import (
    Study,
    utc_now,
)

__all__ = [
    "AssessedMeanwhile",
    "Assessment",
    "record_assessment",
]


@dataclass(frozen=True)
class Assessment:
    """What a reader recorded of a study, by whom and when; all None where nobody has."""

    bi_rads: str | None
    density: str | None
    note: str | None
    by: str | None
    at: datetime | None

    @property
    def words(self) -> str:
        """Say the categories, as BI-RADS 3, density C; empty where there are none."""
        if self.bi_rads is None:
            return ""
        return f"BI-RADS {self.bi_rads}" + (f", density {self.density}" if self.density else "")


class AssessedMeanwhile(ValueError):
    """The assessment that a reader means to change is not the one that stands; `stored` is what stands now."""

    def __init__(self, stored: Assessment) -> None:
        self.stored = stored
        if stored.bi_rads is None or stored.at is None:
            what = "The assessment that was here is not recorded any more."
        else:
            what = (
                f"{stored.by or 'Another reader'} recorded {stored.words} "
                f"at {stored.at.astimezone():%Y-%m-%d %H:%M}, after this form was opened."
            )
        super().__init__(f"{what} Yours is not recorded: replace it on purpose, or drop yours.")


def record_assessment(
    here: Installation,
    person: Person,
    study_uid: str,
    *,
    bi_rads: str,
    density: str | None,
    note: str = "",
    instead_of: datetime | None = None,
) -> None:
    """Keep the reader's assessment with a study; an earlier one stays in the audit trail.

    Parameters
    ----------
    instead_of
        When the assessment that the reader had before her was recorded (`Visit.assessed_at`); None if there was
        none. Another reader's, written meanwhile, is not overwritten unseen.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    AssessedMeanwhile
        If what stands is not what the reader had before her; nothing is written then.
    ValueError
        If the category, the density or the study does not exist.
    """
    require(person, Permission.ASSESS)
    if bi_rads not in BI_RADS:
        raise ValueError(f"There is no BI-RADS assessment “{bi_rads}”.")
    if density is not None and density not in DENSITIES:
        raise ValueError(f"There is no density category “{density}”.")
    with here.database.write() as session:
        study = session.scalar(select(Study).where(Study.uid == study_uid))
        if study is None:
            raise ValueError("This study is not here any more. Open the patient again.")
        if study.assessed_at != instead_of:
            by = study.assessed_by.display_name if study.assessed_by else None
            raise AssessedMeanwhile(
                Assessment(study.bi_rads, study.reader_density, study.assessment_note, by, study.assessed_at)
            )
        before = {"bi_rads": study.bi_rads, "density": study.reader_density, "note": study.assessment_note}
        study.bi_rads, study.bi_rads_edition, study.reader_density = bi_rads, BI_RADS_EDITION, density
        study.assessment_note = note.strip()[:10_000] or None
        study.assessed_by_id, study.assessed_at = person.user_id, utc_now()
        now = {"bi_rads": bi_rads, "density": density, "note": study.assessment_note}
        audit.record(
            session, person, "assessment_recorded", f"study:{study_uid}", {"before": before, "now": now}
        )
