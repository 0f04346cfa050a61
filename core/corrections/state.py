"""What is stored of the women whom a correction is about, as it is before and after: what scores are made of, and what stands.

Which scores are made anew is not worked out kind by kind: it is those of the studies whose inputs, as the worker reads
them, are others than before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.corrections.ledger import plain
from core.worker import history_in
from db.sessions import WITH_PUT_AWAY
from db.tables import Alert, Event, Image, Lesion, Measurement, Patient, Score, Study

__all__ = ["QUEUED_AS", "SeenAlert", "SeenStudy", "State", "state_of"]

QUEUED_AS = ("status", "refusal_reason", "refusal_detail", "refused_at", "inputs_changed_at")
"""Where a study stands in the queue, apart from who is at it."""
ALERT_STANDS = (
    "score_id", "message", "acknowledged_at", "acknowledged_by_id", "acknowledgement",
)  # fmt: skip


@dataclass(frozen=True)
class SeenStudy:
    """A study as it stands: whose and when, its films, whether it has a score, who assessed it, its place in the queue."""

    study_id: int
    uid: str
    patient_id: int
    mrn: str
    on: date
    films: int
    scored: bool
    assessed_by: str | None
    assessed: str | None
    queued_as: Mapping[str, Any]


@dataclass(frozen=True)
class SeenAlert:
    """An alert as it stands."""

    alert_id: int
    study_id: int
    is_open: bool
    message: str
    stands: Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """What stands of some women. `inputs` says of each study with mammograms what its score is made of, as a digest.

    `newest` is each woman's last study with mammograms; `events` are what happened to her beside, and when; `measured` names by lesion the women whose images it was measured on.
    `stamp` changes whenever something changes that a correction could be about.
    """

    inputs: Mapping[int, str]
    newest: Mapping[int, int]
    events: Mapping[int, frozenset[tuple[int, date]]]
    studies: Mapping[int, SeenStudy]
    alerts: Mapping[int, SeenAlert]
    measured: Mapping[int, frozenset[int]]
    stamp: str


def state_of(session: Session, patient_ids: Collection[int]) -> State:
    """Look at the women as the caller's transaction sees them."""
    session.flush()
    session.expire_all()
    studies = _studies(session, patient_ids)
    mammograms = session.scalars(
        select(Study.id)
        .where(Study.patient_id.in_(patient_ids), Study.modality == "MG")
        .order_by(Study.study_date, Study.id)
    ).all()
    return State(
        inputs={study_id: _inputs(session, study_id) for study_id in mammograms},
        newest={studies[study_id].patient_id: study_id for study_id in mammograms},
        events=_events(session, patient_ids),
        studies=studies,
        alerts=_alerts(session, patient_ids),
        measured=_measured(session, patient_ids),
        stamp=_stamp(session, patient_ids),
    )


def _inputs(session: Session, study_id: int) -> str:
    """Return a digest of what the score of a study is made of: the visits up to it, her ages, the views."""
    days = history_in(session, study_id)
    return _digest(
        [
            [day.on, day.age_years, sorted([image.id, image.laterality, image.view] for image in day.images)]
            for day in days
        ]
    )


def _studies(session: Session, patient_ids: Collection[int]) -> dict[int, SeenStudy]:
    films: dict[int, int] = dict(
        session.execute(
            select(Image.study_id, func.count())
            .join(Study, Study.id == Image.study_id)
            .where(Study.patient_id.in_(patient_ids))
            .group_by(Image.study_id)
        ).all()
    )
    scored = set(
        session.scalars(
            select(Score.study_id).join(Study).where(Study.patient_id.in_(patient_ids)).distinct()
        )
    )
    rows = session.execute(
        select(Study, Patient.mrn)
        .join(Patient, Patient.id == Study.patient_id)
        .where(Study.patient_id.in_(patient_ids))
        .order_by(Study.study_date, Study.id)
    )
    return {
        study.id: SeenStudy(
            study_id=study.id,
            uid=study.uid,
            patient_id=study.patient_id,
            mrn=mrn,
            on=study.study_date,
            films=films.get(study.id, 0),
            scored=study.id in scored,
            assessed_by=study.assessed_by.display_name if study.assessed_by else None,
            assessed=study.bi_rads,
            queued_as={name: plain(getattr(study, name)) for name in QUEUED_AS},
        )
        for study, mrn in rows
    }


def _alerts(session: Session, patient_ids: Collection[int]) -> dict[int, SeenAlert]:
    """Return the alerts of her studies with those of scores that do not count any more."""
    rows = session.execute(
        select(Alert, Score.put_away_by_id)
        .join(Score, Score.id == Alert.score_id)
        .join(Study, Study.id == Alert.study_id)
        .where(Study.patient_id.in_(patient_ids))
        .order_by(Alert.id),
        execution_options=WITH_PUT_AWAY,
    )
    return {
        alert.id: SeenAlert(
            alert_id=alert.id,
            study_id=alert.study_id,
            is_open=alert.acknowledged_at is None and put_away is None,
            message=alert.message,
            stands={name: plain(getattr(alert, name)) for name in ALERT_STANDS},
        )
        for alert, put_away in rows
    }


def _events(session: Session, patient_ids: Collection[int]) -> dict[int, frozenset[tuple[int, date]]]:
    found: dict[int, set[tuple[int, date]]] = {}
    rows = session.execute(
        select(Event.patient_id, Event.id, Event.event_date).where(Event.patient_id.in_(patient_ids))
    )
    for patient_id, event_id, on in rows:
        found.setdefault(patient_id, set()).add((event_id, on))
    return {patient_id: frozenset(events) for patient_id, events in found.items()}


def _measured(session: Session, patient_ids: Collection[int]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    rows = session.execute(
        select(Measurement.lesion_id, Study.patient_id)
        .join(Lesion, Lesion.id == Measurement.lesion_id)
        .join(Image, Image.id == Measurement.image_id)
        .join(Study, Study.id == Image.study_id)
        .where(Lesion.patient_id.in_(patient_ids), Measurement.removed_at.is_(None)),
        execution_options=WITH_PUT_AWAY,
    )
    for lesion_id, patient_id in rows:
        found.setdefault(lesion_id, set()).add(patient_id)
    return {lesion_id: frozenset(women) for lesion_id, women in found.items()}


def _stamp(session: Session, patient_ids: Collection[int]) -> str:
    hers = Study.patient_id.in_(patient_ids)
    tables = [
        select(
            Patient.id, Patient.mrn, Patient.name, Patient.birth_date, Patient.sex, Patient.put_away_by_id
        ).where(Patient.id.in_(patient_ids)),
        select(Study.id, Study.patient_id, Study.study_date, Study.put_away_by_id, Study.bi_rads).where(hers),
        select(
            Image.id, Image.study_id, Image.laterality, Image.view, Image.quality_flags, Image.put_away_by_id
        )
        .join(Study, Study.id == Image.study_id)
        .where(hers),
        select(Lesion.id, Lesion.patient_id, Lesion.version).where(Lesion.patient_id.in_(patient_ids)),
        select(Event.id, Event.patient_id, Event.event_date, Event.end_date).where(
            Event.patient_id.in_(patient_ids)
        ),
    ]
    rows = [
        sorted(
            ([*row] for row in session.execute(query, execution_options=WITH_PUT_AWAY)), key=lambda r: r[0]
        )
        for query in tables
    ]
    return _digest(rows)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=plain, sort_keys=True).encode()).hexdigest()
