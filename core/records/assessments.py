"""What a reader decides: the assessment of a study.

An assessment is kept in versions: rows are added, never edited, and a correction says why. What stands is also written
beside the study (`db.tables.Study`), where lists and figures read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from core.records import cards
from core.records.complete import what_is_left_out
from core.records.covered import covered_study_ids
from core.records.trusted import has_something_to_tell, trust_and_rank
from core.rules import (
    highest_concern,
    latest_score_ids,
    managements,
    risk_ends_of,
    usual_management,
)
from core.rules.vocabulary import BI_RADS, BI_RADS_EDITION, DENSITIES
from db.tables import (
    AssessmentVersion,
    Score,
    Study,
    UnreadReveal,
    User,
    utc_now,
)

__all__ = [
    "AssessedMeanwhile",
    "Assessment",
    "assessments_of",
    "let_stand",
    "record_assessment",
    "reveal_unread",
]

LONGEST_TEXT = 10_000
SAY_WHY = "Say why the assessment is another than before: the earlier one is kept beside it."


@dataclass(frozen=True)
class Assessment:
    """What a reader recorded of a study, by whom and when; all None where nobody has.

    `bi_rads` is the category of the breast of highest concern; `right` and `left` are None for a breast that was not
    examined, and where the breasts were not told apart. `management` is a key of `core.rules.managements`.
    `compared_with` is the day of the prior; None where there was none. `covered` says that no score was shown when it was
    signed, `revealed_at` when one was; None where that is not known. `versions` holds all of them, oldest first. `in_part`
    says that it is the record of a reading elsewhere that leaves something out: the study is yet to be read here.
    """

    bi_rads: str | None
    density: str | None
    note: str | None
    by: str | None
    at: datetime | None
    right: str | None = None
    left: str | None = None
    edition: str | None = None
    findings: str | None = None
    comparison_uid: str | None = None
    compared_with: date | None = None
    management: str | None = None
    version: int = 0
    reason: str | None = None
    covered: bool | None = None
    revealed_at: datetime | None = None
    versions: tuple[Assessment, ...] = ()
    in_part: bool = False

    @property
    def categories(self) -> str:
        """Say the categories, as BI-RADS 4A right, 1 left; empty where there are none."""
        if self.bi_rads is None:
            return ""
        if self.right == self.left:
            return f"BI-RADS {self.bi_rads}"
        sides = {"right": self.right, "left": self.left}
        return "BI-RADS " + ", ".join(f"{said} {side}" for side, said in sides.items() if said is not None)

    @property
    def words(self) -> str:
        """Say categories and density, as BI-RADS 4A right, 1 left, density C; empty where there are none."""
        density = f", density {self.density}" if self.density else ""
        return f"{self.categories}{density}" if self.categories else ""

    @property
    def management_words(self) -> str:
        """Say what is recommended; empty where nothing was recorded."""
        return managements().get(self.management, self.management) if self.management else ""

    @property
    def told(self) -> dict[str, str]:
        """Say what was recorded, by what it is of, in the order of a BI-RADS report; what is empty is left out."""
        of_breasts = {"right": self.right or "", "left": self.left or ""}
        parts = {
            "composition": f"density {self.density}" if self.density else "",
            "findings": self.findings or "",
            # Versions of before it was asked for say nothing of it, nor of the management.
            "comparison": f"{self.compared_with or 'none available'}" if self.management else "",
            **(of_breasts if self.right or self.left else {"BI-RADS": self.bi_rads or ""}),
            "management": self.management_words,
            "note": self.note or "",
        }
        return {what: said for what, said in parts.items() if said}

    def changes_since(self, before: Assessment) -> list[tuple[str, str, str]]:
        """Return what is another than in an earlier version: of what, what it said, what it says."""
        then, now = before.told, self.told
        kinds = list(dict.fromkeys([*then, *now]))
        return [
            (what, then.get(what, ""), now.get(what, "")) for what in kinds if then.get(what) != now.get(what)
        ]

    @property
    def is_read(self) -> bool:
        """Say whether the study counts as read."""
        return self.bi_rads is not None and not self.in_part

    @property
    def first(self) -> Assessment:
        """Return the first version that was signed here, where that is known; else the first one."""
        signed_here = (one for one in self.versions if one.covered is not None)
        return next(signed_here, self.versions[0] if self.versions else self)


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


@needs(Permission.ASSESS)
def record_assessment(
    here: Installation,
    person: Person,
    study_uid: str,
    *,
    right: str | None,
    left: str | None,
    density: str | None,
    management: str | None = None,
    findings: str = "",
    comparison: str | None = None,
    note: str = "",
    reason: str = "",
    instead_of: datetime | None = None,
) -> Assessment:
    """Sign a reader's assessment of a study: its next version, after which its score is shown to everybody.

    Parameters
    ----------
    right, left
        BI-RADS category of each breast; None for one that was not examined.
    density
        A to D; None only where the study is no mammogram.
    management
        A key of `core.rules.managements`; None takes what BI-RADS recommends after the category.
    comparison
        UID of the dated prior that it was compared with; None where none was available.
    reason
        Why it is another than before; needed from the second version on.
    instead_of
        When the assessment that the reader had before her was recorded (`Assessment.at`); None if there was
        none. Another reader's, written meanwhile, is not overwritten unseen.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    AssessedMeanwhile
        If what stands is not what the reader had before her; nothing is written then.
    ValueError
        If something is missing or does not exist; the message says what to do.
    """
    category = _checked_categories(right, left, density)
    management = _checked_management(management, category)
    with here.database.write() as session:
        study = _held(session, study_uid)
        standing = _standing_as_seen(session, study, instead_of)
        if left_out := what_is_left_out(session, study, {"R": right, "L": left}, density):
            raise ValueError(left_out)
        if standing.is_read and not reason.strip():
            raise ValueError(SAY_WHY)
        prior = _prior(session, study, comparison)
        shown = _what_was_shown(here, session, study, standing)
        row = AssessmentVersion(
            study_id=study.id,
            version=standing.version + 1,
            bi_rads=category,
            bi_rads_right=right,
            bi_rads_left=left,
            edition=BI_RADS_EDITION,
            density=density,
            findings=_text(findings),
            comparison_uid=prior.uid if prior else None,
            comparison_date=prior.study_date if prior else None,
            management=management,
            note=_text(note),
            reason=_text(reason) if standing.is_read else None,
            covered=shown.covered,
            revealed_at=shown.revealed_at,
            score_id=shown.score_id,
            signed_by_id=person.user_id,
            signed_at=shown.now,
        )
        session.add(row)
        let_stand(study, row)
        session.flush()
        now = _standing(session, study)
        detail = {"before": _for_the_trail(standing), "now": _for_the_trail(now)}
        audit.record(session, person, "assessment_recorded", f"study:{study_uid}", detail)
        return now


def let_stand(study: Study, version: AssessmentVersion, *, in_part: bool = False) -> None:
    """Write beside a study what the version that stands says, where lists and figures read it."""
    study.bi_rads, study.bi_rads_edition = version.bi_rads, version.edition
    study.reader_density, study.assessment_note = version.density, version.note
    study.assessed_by_id, study.assessed_at = version.signed_by_id, version.signed_at
    study.read_in_part = in_part


def _held(session: Session, study_uid: str) -> Study:
    """Return a study for this writer alone: two who sign at once do so one after the other."""
    study = session.scalar(select(Study).where(Study.uid == study_uid).with_for_update())
    if study is None:
        raise ValueError("This study is not here any more. Open the patient again.")
    return study


@needs(Permission.ASSESS)
def reveal_unread(here: Installation, person: Person, study_uid: str, reason: str) -> None:
    """Show the covered score of an unread study to everybody, as in an emergency; the assessment will say so.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    ValueError
        If no reason is given, or the study is not here any more. One that is not covered stays as it is.
    """
    if not reason.strip():
        raise ValueError("Say why the score is needed before the study is read: it is kept with the study.")
    with here.database.write() as session:
        study = _held(session, study_uid)
        if study.id not in covered_study_ids(here, session, Study.patient_id == study.patient_id):
            return
        why = _text(reason) or ""
        session.add(UnreadReveal(study_id=study.id, revealed_by_id=person.user_id, reason=why))
        audit.record(session, person, "score_revealed_unread", f"study:{study_uid}", {"reason": why})


def assessments_of(
    session: Session, studies: Sequence[Study], names: Mapping[int, str]
) -> dict[int, Assessment]:
    """Return by study id the assessment that stands, with all its versions; `names` are the readers' by user id."""
    kept: defaultdict[int, list[Assessment]] = defaultdict(list)
    rows = session.scalars(
        select(AssessmentVersion)
        .where(AssessmentVersion.study_id.in_([study.id for study in studies]))
        .order_by(AssessmentVersion.version)
    )
    for row in rows:
        kept[row.study_id].append(_of_row(row, names))
    return {
        study.id: replace(versions[-1], versions=tuple(versions), in_part=study.read_in_part)
        if (versions := kept[study.id])
        else Assessment(
            study.bi_rads,
            study.reader_density,
            study.assessment_note,
            names.get(study.assessed_by_id or 0),
            study.assessed_at,
        )
        for study in studies
    }


def _of_row(row: AssessmentVersion, names: Mapping[int, str]) -> Assessment:
    return Assessment(
        bi_rads=row.bi_rads,
        density=row.density,
        note=row.note,
        by=names.get(row.signed_by_id or 0),
        at=row.signed_at,
        right=row.bi_rads_right,
        left=row.bi_rads_left,
        edition=row.edition,
        findings=row.findings,
        comparison_uid=row.comparison_uid,
        compared_with=row.comparison_date,
        management=row.management,
        version=row.version,
        reason=row.reason,
        covered=row.covered,
        revealed_at=row.revealed_at,
    )


def _standing(session: Session, study: Study) -> Assessment:
    names = dict(session.execute(select(User.id, User.display_name)).all())
    return assessments_of(session, [study], names)[study.id]


def _standing_as_seen(session: Session, study: Study, seen: datetime | None) -> Assessment:
    """Return what stands; `AssessedMeanwhile` unless it is what the reader had before her, recorded when `seen` says."""
    standing = _standing(session, study)
    if study.assessed_at != seen:
        raise AssessedMeanwhile(standing)
    return standing


def _checked_categories(right: str | None, left: str | None, density: str | None) -> str:
    """Return the category of highest concern; raises `ValueError` for what does not exist."""
    for said in (right, left):
        if said is not None and said not in BI_RADS:
            raise ValueError(f"There is no BI-RADS assessment “{said}”.")
    if density is not None and density not in DENSITIES:
        raise ValueError(f"There is no density category “{density}”.")
    category = highest_concern((right, left))
    if category is None:
        raise ValueError("Choose a BI-RADS assessment of the breasts that were examined.")
    return category


def _checked_management(said: str | None, category: str) -> str:
    """Return what is recommended, as usual after a category where nothing is said; `ValueError` for what is not known."""
    management = said or usual_management(category)
    if management not in managements():
        raise ValueError(f"There is no management “{management}”. Choose one of the list.")
    return management


def _prior(session: Session, study: Study, uid: str | None) -> Study | None:
    """Return the study that it was compared with; raises `ValueError` unless it is an earlier one of the same woman."""
    if uid is None:
        return None
    prior = session.scalar(select(Study).where(Study.uid == uid, Study.patient_id == study.patient_id))
    if prior is None:
        raise ValueError("The study that it was compared with is not one of hers. Choose another.")
    if prior.study_date >= study.study_date:
        raise ValueError("The study that it was compared with is no prior: choose one of an earlier day.")
    return prior


@dataclass(frozen=True)
class _Shown:
    """What of a score was shown when an assessment was signed, and when that was."""

    now: datetime
    covered: bool
    revealed_at: datetime | None
    score_id: int | None


def _what_was_shown(here: Installation, session: Session, study: Study, standing: Assessment) -> _Shown:
    now = utc_now()
    score = _score_beside(here, session, study)
    was_covered = score is None or study.id in covered_study_ids(
        here, session, Study.patient_id == study.patient_id
    )
    first = not standing.is_read
    if score is None:
        return _Shown(now, covered=first, revealed_at=None, score_id=None)
    if first and was_covered:
        return _Shown(now, covered=True, revealed_at=now, score_id=score.id)
    # The studies of one day are one visit: whichever of them it was shown of.
    unread = session.scalar(
        select(func.min(UnreadReveal.revealed_at))
        .join(Study, Study.id == UnreadReveal.study_id)
        .where(Study.patient_id == study.patient_id, Study.study_date == study.study_date)
    )
    revealed_at = standing.revealed_at or unread or score.computed_at
    return _Shown(now, covered=False, revealed_at=revealed_at, score_id=score.id)


def _score_beside(here: Installation, session: Session, study: Study) -> Score | None:
    """Return the score of a study's day of which something is shown, or is once it is read; None where there is none."""
    score = session.scalar(
        select(Score)
        .join(Study, Study.id == Score.study_id)
        .where(
            Study.patient_id == study.patient_id,
            Study.study_date == study.study_date,
            Score.id.in_(latest_score_ids(cards.speaking(here))),
        )
        .order_by(Study.id.desc())
        .limit(1)
    )
    if score is None:
        return None
    ends = risk_ends_of(session, study.patient_id)
    told = trust_and_rank(here, score, on=study.study_date, ends=ends)
    return score if has_something_to_tell(*told) else None


def _text(said: str) -> str | None:
    return said.strip()[:LONGEST_TEXT] or None


def _for_the_trail(said: Assessment) -> dict[str, object]:
    return {
        "version": said.version,
        "bi_rads": said.bi_rads,
        "right": said.right,
        "left": said.left,
        "density": said.density,
        "management": said.management,
        "findings": said.findings,
        "compared_with": said.compared_with.isoformat() if said.compared_with else None,
        "note": said.note,
        "reason": said.reason,
        "covered": said.covered,
    }
