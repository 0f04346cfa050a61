"""All women with what the worklist needs of them, read in five queries whatever their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.records.standing import Interval, Standing
from core.refusals import refusal_text
from core.rules import Trust, is_trusted, latest_score_ids, trust_of, vocabulary
from db.tables import Alert, Event, EventKind, Patient, Score, Study, StudyStatus

__all__ = ["ListedAlert", "ListedScore", "ListedStudy", "ListedWoman", "listed_women"]


@dataclass(frozen=True)
class ListedScore:
    """What the worklist needs of a score; see `standing.ScoreSaid`."""

    model: str
    weights_sha256: str
    calibration: str
    computed_at: datetime
    risk_5y: Interval
    density: tuple[float, float, float, float]

    @property
    def likeliest_density(self) -> str:
        """Return the density category, A to D, that the model finds likeliest."""
        return vocabulary.likeliest(dict(zip(vocabulary.DENSITIES, self.density, strict=True)))


@dataclass(frozen=True)
class ListedStudy:
    """What the worklist needs of a study; see `standing.StudySaid`."""

    on: date
    status: StudyStatus
    refusal: str
    reader_density: str | None
    assessed_at: datetime | None
    score: ListedScore | None
    doubt: Trust | None
    """How far its score may be believed where it may not be shown as a number; None where it may, or there is none."""


@dataclass(frozen=True)
class ListedAlert:
    """An alert that nobody has acknowledged."""

    rule: str
    message: str


@dataclass(frozen=True)
class ListedWoman:
    """A woman, where she stands, and what is open."""

    mrn: str
    name: str | None
    simulated: bool
    birth_date: date | None
    standing: Standing[ListedStudy]
    alerts: Sequence[ListedAlert]


def listed_women(session: Session, model: str) -> Iterator[ListedWoman]:
    """Yield every woman, her scores those by `model`."""
    patients = session.execute(
        select(Patient.id, Patient.mrn, Patient.name, Patient.simulated, Patient.birth_date)
    ).all()
    studies = _studies(session, _scores(session, model), _doubts(session, model))
    alerts = _open_alerts(session)
    diagnosed = set(session.scalars(select(Event.patient_id).where(Event.kind == EventKind.DIAGNOSIS)))
    for patient_id, mrn, name, simulated, birth_date in patients:
        standing = Standing(studies[patient_id], birth_date, patient_id in diagnosed)
        yield ListedWoman(mrn, name, simulated, birth_date, standing, alerts[patient_id])


def _studies(
    session: Session, scores: dict[int, ListedScore], doubts: dict[int, Trust]
) -> defaultdict[int, list[ListedStudy]]:
    found: defaultdict[int, list[ListedStudy]] = defaultdict(list)
    query = select(
        Study.id,
        Study.patient_id,
        Study.study_date,
        Study.status,
        Study.refusal_reason,
        Study.refusal_detail,
        Study.reader_density,
        Study.assessed_at,
    ).order_by(Study.study_date, Study.id)
    for study in session.execute(query):
        found[study.patient_id].append(
            ListedStudy(
                on=study.study_date,
                status=study.status,
                refusal=refusal_text(study.refusal_reason, study.refusal_detail),
                reader_density=study.reader_density,
                assessed_at=study.assessed_at,
                score=scores.get(study.id),
                doubt=doubts.get(study.id),
            )
        )
    return found


def _scores(session: Session, model: str) -> dict[int, ListedScore]:
    query = select(
        Score.study_id,
        Score.model,
        Score.weights_sha256,
        Score.calibration,
        Score.computed_at,
        Score.risk_5y,
        Score.risk_5y_low,
        Score.risk_5y_high,
        Score.density_a,
        Score.density_b,
        Score.density_c,
        Score.density_d,
    ).where(Score.id.in_(latest_score_ids(model)), is_trusted())
    return {
        score.study_id: ListedScore(
            model=score.model,
            weights_sha256=score.weights_sha256,
            calibration=score.calibration,
            computed_at=score.computed_at,
            risk_5y=Interval(score.risk_5y, score.risk_5y_low, score.risk_5y_high),
            density=(score.density_a, score.density_b, score.density_c, score.density_d),
        )
        for score in session.execute(query)
    }


def _doubts(session: Session, model: str) -> dict[int, Trust]:
    query = select(Score).where(Score.id.in_(latest_score_ids(model)), ~is_trusted())
    return {score.study_id: trust_of(score) for score in session.scalars(query)}


def _open_alerts(session: Session) -> defaultdict[int, list[ListedAlert]]:
    found: defaultdict[int, list[ListedAlert]] = defaultdict(list)
    query = (
        select(Alert.patient_id, Alert.rule, Alert.message)
        .where(Alert.acknowledged_at.is_(None))
        .order_by(Alert.id)
    )
    for patient_id, rule, message in session.execute(query):
        found[patient_id].append(ListedAlert(rule, message))
    return found
