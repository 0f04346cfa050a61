"""Women with what the worklist needs of them, all or some, read in seven queries whatever their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.installation import Installation
from core.records import cards
from core.records.covered import covered_study_ids
from core.records.standing import Interval, Standing
from core.records.trusted import AlertStanding, alert_standing, has_something_to_tell, trust_and_rank
from core.refusals import refusal_text
from core.rules import Rank, RiskEnds, Trust, latest_score_ids, likeliest_density, treatments, trust_of
from core.rules.end_of_risk import END_OF_RISK, NOTHING_ENDS
from core.rules.followup import Happened
from db.tables import Alert, AssessmentVersion, Event, EventKind, Patient, Score, Study, StudyStatus, User

__all__ = ["ListedAlert", "ListedScore", "ListedStudy", "ListedWoman", "listed_women"]


@dataclass(frozen=True)
class ListedScore:
    """What the worklist needs of a score; see `standing.ScoreSaid`."""

    model: str
    weights_sha256: str
    calibration: str
    computed_at: datetime
    risk_5y: Interval
    smallest_change: float | None
    missing_views: tuple[str, ...]


@dataclass(frozen=True)
class ListedStudy:
    """What the worklist needs of a study; see `standing.StudySaid`."""

    on: date
    status: StudyStatus
    refusal: str
    bi_rads: str | None
    reader_density: str | None
    assessed_at: datetime | None
    assessed_by: str | None
    blind: bool
    in_part: bool
    """Whether the assessment was signed before the score was shown, and not changed since."""
    score: ListedScore | None
    covered: bool
    """Whether what the model says of it is covered until it is read: then all of it is None here."""
    doubt: Trust | None
    """How far its score may be believed where it may not be shown as a number; None where it may, or there is none."""
    rank: Rank | None
    """What is shown in the place of a number that was never calibrated on such women."""
    model_density: str | None


@dataclass(frozen=True)
class _Said:
    """What may be told of one study's newest score."""

    score: ListedScore | None
    trust: Trust
    rank: Rank | None
    density: str | None


@dataclass(frozen=True)
class ListedAlert:
    """An alert that nobody has acknowledged, of the study of the day `on`."""

    rule: str
    message: str
    on: date
    raised_at: datetime


@dataclass(frozen=True)
class ListedWoman:
    """A woman, where she stands, and what is open."""

    patient_id: int
    mrn: str
    name: str | None
    other_names: str | None
    """Her name in other scripts, one a line."""
    simulated: bool
    birth_date: date | None
    standing: Standing[ListedStudy]
    happened: Sequence[Happened]
    """Her biopsies, diagnoses, and what ends her risk."""
    alerts: Sequence[ListedAlert]


def listed_women(
    here: Installation, session: Session, of: Sequence[int] | None = None
) -> Iterator[ListedWoman]:
    """Yield every woman, or those with the ids in `of`; her scores are those by the model that speaks.

    Of some it costs the same however many others there are.
    """
    patients = session.execute(
        select(
            Patient.id,
            Patient.mrn,
            Patient.name,
            Patient.other_names,
            Patient.simulated,
            Patient.birth_date,
        ).where(_among(Patient.id, of))
    ).all()
    happened = _happened(session, of)
    ends = defaultdict(
        lambda: NOTHING_ENDS, {patient_id: RiskEnds.of(hers) for patient_id, hers in happened.items()}
    )
    treated: defaultdict[int, list[date]] = defaultdict(list)
    for patient_id, day in session.execute(treatments().where(_among(Event.patient_id, of))):
        treated[patient_id].append(day)
    said = _said(here, session, ends, of)
    covered = covered_study_ids(here, session, _among(Study.patient_id, of))
    studies = _studies(session, said, covered, of)
    alerts = _open_alerts(session, said, covered, ends, of)
    for patient_id, mrn, name, other_names, simulated, birth_date in patients:
        hers = happened[patient_id]
        standing = Standing(
            studies[patient_id],
            birth_date,
            ends[patient_id].diagnosed_on is not None,
            treated[patient_id],
            ends[patient_id].ended_on,
        )
        yield ListedWoman(
            patient_id,
            mrn,
            name,
            other_names,
            simulated,
            birth_date,
            standing,
            hers,
            alerts[patient_id],
        )


def _among(patient_id: InstrumentedAttribute[int], of: Sequence[int] | None) -> ColumnElement[bool]:
    return true() if of is None else patient_id.in_(of)


def _happened(session: Session, of: Sequence[int] | None) -> defaultdict[int, list[Happened]]:
    found: defaultdict[int, list[Happened]] = defaultdict(list)
    query = select(Event.patient_id, Event.kind, Event.event_date, Event.result, Event.laterality).where(
        Event.kind.in_((EventKind.BIOPSY, EventKind.DIAGNOSIS, *END_OF_RISK)), _among(Event.patient_id, of)
    )
    for patient_id, kind, on, result, side in session.execute(query):
        found[patient_id].append(Happened(kind, on, result, side.value if side else None))
    return found


def _studies(
    session: Session, said: Mapping[int, _Said], covered: AbstractSet[int], of: Sequence[int] | None
) -> defaultdict[int, list[ListedStudy]]:
    found: defaultdict[int, list[ListedStudy]] = defaultdict(list)
    before_the_score = (
        select(AssessmentVersion.study_id)
        .where(AssessmentVersion.score_id.is_not(None))
        .group_by(AssessmentVersion.study_id)
        .having(func.min(case((AssessmentVersion.covered.is_(True), 1), else_=0)) == 1)
    )
    if of is not None:
        theirs = select(Study.id).where(_among(Study.patient_id, of))
        before_the_score = before_the_score.where(AssessmentVersion.study_id.in_(theirs))
    query = (
        select(
            Study.id,
            Study.patient_id,
            Study.study_date,
            Study.status,
            Study.refusal_reason,
            Study.refusal_detail,
            Study.bi_rads,
            Study.reader_density,
            Study.assessed_at,
            User.display_name,
            Study.id.in_(before_the_score).label("blind"),
            Study.read_in_part,
        )
        .outerjoin(User, User.id == Study.assessed_by_id)
        .where(_among(Study.patient_id, of), Study.modality == "MG")
        .order_by(Study.study_date, Study.id)
    )
    for study in session.execute(query):
        its = said.get(study.id)
        covers = study.id in covered and its is not None and has_something_to_tell(its.trust, its.rank)
        its = None if covers else its
        found[study.patient_id].append(
            ListedStudy(
                on=study.study_date,
                status=study.status,
                refusal=refusal_text(study.refusal_reason, study.refusal_detail),
                bi_rads=study.bi_rads,
                reader_density=study.reader_density,
                assessed_at=study.assessed_at,
                assessed_by=study.display_name,
                # Who read it elsewhere saw no score that is made here.
                blind=bool(study.blind) or study.read_in_part,
                in_part=study.read_in_part,
                score=its.score if its else None,
                covered=covers,
                doubt=its.trust if its and its.score is None else None,
                rank=its.rank if its else None,
                model_density=its.density if its and study.id not in covered else None,
            )
        )
    return found


def _said(
    here: Installation, session: Session, ends: Mapping[int, RiskEnds], of: Sequence[int] | None
) -> dict[int, _Said]:
    """Return by study what may be told of its newest score."""
    some = None if of is None else _among(Study.patient_id, of)
    query = (
        select(
            Score.study_id,
            Study.patient_id,
            Study.study_date,
            Score.model,
            Score.weights_sha256,
            Score.calibration,
            Score.computed_at,
            Score.risk_5y,
            Score.risk_5y_low,
            Score.risk_5y_high,
            Score.smallest_change,
            Score.missing_views,
            Score.density_a,
            Score.density_b,
            Score.density_c,
            Score.density_d,
            Score.density_of_views,
            Score.trust_level,
            Score.trust_doubt,
            Score.trust_distance,
            Score.trust_limit,
        )
        .join(Study, Study.id == Score.study_id)
        .where(Score.id.in_(latest_score_ids(cards.speaking(here), of=some)))
    )
    return {row.study_id: _said_of(here, row, ends[row.patient_id]) for row in session.execute(query)}


def _said_of(here: Installation, row: Row[*tuple[Any, ...]], ends: RiskEnds) -> _Said:
    trust, rank = trust_and_rank(here, row, on=row.study_date, ends=ends)
    score = ListedScore(
        model=row.model,
        weights_sha256=row.weights_sha256,
        calibration=row.calibration,
        computed_at=row.computed_at,
        risk_5y=Interval(row.risk_5y, row.risk_5y_low, row.risk_5y_high),
        smallest_change=row.smallest_change,
        missing_views=tuple(str(view) for view in row.missing_views),
    )
    return _Said(score if trust.is_trusted else None, trust, rank, likeliest_density(row, trust))


def _open_alerts(
    session: Session,
    said: Mapping[int, _Said],
    covered: AbstractSet[int],
    ends: Mapping[int, RiskEnds],
    of: Sequence[int] | None,
) -> defaultdict[int, list[ListedAlert]]:
    """Return the alerts that nobody has acknowledged and that still stand; those of covered studies are not listed."""
    found: defaultdict[int, list[ListedAlert]] = defaultdict(list)
    query = (
        select(
            Alert.patient_id,
            Alert.study_id,
            Alert.rule,
            Alert.message,
            Alert.raised_at,
            Study.study_date,
            Score.trust_level,
            Score.trust_doubt,
            Score.trust_distance,
            Score.trust_limit,
        )
        .join(Study, Study.id == Alert.study_id)
        .join(Score, Score.id == Alert.score_id)
        .where(Alert.acknowledged_at.is_(None), _among(Alert.patient_id, of))
        .order_by(Alert.id)
    )
    for row in session.execute(query):
        if row.study_id in covered:
            continue
        hers = ends[row.patient_id]
        own = trust_of(row, on=row.study_date, ends=hers)
        newest = said[row.study_id].trust if row.study_id in said else None
        if alert_standing(row.rule, hers, own, newest) is AlertStanding.STANDS:
            found[row.patient_id].append(ListedAlert(row.rule, row.message, row.study_date, row.raised_at))
    return found
