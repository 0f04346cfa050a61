"""Alerts: why a patient needs a look. Raised by her newest score, by the rules of `core.rules.alerts`."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from core.rules import (
    AlertRule,
    Measure,
    TrustLevel,
    alert_rules,
    is_after_diagnosis,
    measured,
    said_alike,
    trust_of,
)
from core.rules.vocabulary import SIDE_WORDS
from db.tables import Alert, Score, Study, StudyStatus, utc_now


def raise_alerts(
    session: Session, score: Score, previous: Score | None, diagnosed_on: date | None = None
) -> list[Alert]:
    """Raise what the rules say of a score, inside the caller's transaction; return the alerts that stand.

    `previous` is the newest score of the visit before, None if there is none. A study has one alert a rule: scoring
    it again renews an alert that nobody has acknowledged, and withdraws one that no longer holds. Open alerts of
    earlier studies are closed as superseded, since this score has read those studies too; nothing is deleted.

    Scores by other weights or another calibration are not compared, as on the pages (`core.rules.comparable`): a rule
    on a change says nothing then, and leaves the alert it raised before as it is; an alert of an earlier study stays
    open until that study has a score that this one can be set beside. A person may acknowledge either. A change that is no
    more than positioning and exposure make is none, and raises nothing; what its level says stays.

    From her diagnosis on (`diagnosed_on`) only growth is told: the other rules raise nothing, and what they raised before
    is left to a person.
    """
    study = session.get_one(Study, score.study_id)
    if _has_newer(session, study):
        return []
    standing = {a.rule: a for a in session.scalars(select(Alert).where(Alert.study_id == study.id))}
    alike = previous is None or said_alike((score, previous))
    ended = is_after_diagnosis(study.study_date, diagnosed_on)
    trust = trust_of(score, on=study.study_date, diagnosed_on=diagnosed_on)
    rules = [rule for rule in alert_rules() if rule.is_of_growth or not ended]
    raised = []
    for rule in rules:
        if rule.is_of_change and not alike:
            kept = standing.get(rule.rule)
            raised += [kept] if kept is not None and kept.acknowledged_at is None else []
            continue
        value = measured(rule, score, trust, previous)
        alert = standing.get(rule.rule)
        if value is not None and value > rule.above:
            message = f"{rule.label}: {_said(rule, score, value, previous)}"
            if alert is None:
                alert = Alert(
                    patient_id=study.patient_id,
                    study_id=study.id,
                    score_id=score.id,
                    rule=rule.rule,
                    message=message,
                )
                session.add(alert)
            elif alert.acknowledged_by_id is None:
                alert.score_id, alert.message, alert.acknowledged_at = score.id, message, None
            raised.append(alert)
        elif alert is not None and alert.acknowledged_at is None:
            _close(alert, "withdrawn when the study was scored again")
    beside = select(Score.study_id).where(
        Score.model == score.model,
        Score.weights_sha256 == score.weights_sha256,
        Score.calibration == score.calibration,
    )
    earlier = select(Alert).where(
        Alert.patient_id == study.patient_id,
        Alert.study_id != study.id,
        Alert.acknowledged_at.is_(None),
        Alert.study_id.in_(beside),
    )
    if ended:
        earlier = earlier.where(Alert.rule.in_([rule.rule for rule in rules]))
    for alert in session.scalars(earlier):
        _close(alert, f"superseded by the study of {study.study_date}")
    return raised


def raise_alerts_before(
    session: Session, refused: Study, model: str, diagnosed_on: date | None = None
) -> list[Alert]:
    """Raise the alerts of the study before one that was refused and has no score: its score is the newest there is.

    Inside the caller's transaction, with the refusal written; returns the alerts that stand, as `raise_alerts` does.
    """
    if session.scalar(select(Score.id).where(Score.study_id == refused.id).limit(1)) is not None:
        return []
    earlier = or_(
        Study.study_date < refused.study_date,
        (Study.study_date == refused.study_date) & (Study.id < refused.id),
    )
    last = _newest_score(session, refused.patient_id, model, earlier)
    if last is None or last.study.status is not StudyStatus.SCORED:
        return []  # one that waits raises its own when it is scored
    previous = _newest_score(session, refused.patient_id, model, Study.study_date < last.study.study_date)
    return raise_alerts(session, last, previous, diagnosed_on)


def _newest_score(session: Session, patient_id: int, model: str, which: ColumnElement[bool]) -> Score | None:
    """Return the newest score of the last of these studies; None where there is none, or it may not be shown."""
    newest = session.scalar(
        select(Score)
        .join(Study, Study.id == Score.study_id)
        .where(Study.patient_id == patient_id, Study.modality == "MG", Score.model == model, which)
        .order_by(Study.study_date.desc(), Study.id.desc(), Score.id.desc())
        .limit(1)
    )
    return newest if newest is not None and newest.trust_level == TrustLevel.TRUSTED else None


def _has_newer(session: Session, study: Study) -> bool:
    """Tell whether a newer study has a score or may get one: one that was refused at once has nothing to say."""
    later = or_(
        Study.study_date > study.study_date, (Study.study_date == study.study_date) & (Study.id > study.id)
    )
    scored = select(Score.id).where(Score.study_id == Study.id).exists()
    speaks = or_(Study.status != StudyStatus.REFUSED, scored)
    newer = select(Study.id).where(
        Study.patient_id == study.patient_id, Study.modality == "MG", later, speaks
    )
    return session.scalar(newer.limit(1)) is not None


def _said(rule: AlertRule, score: Score, value: float, previous: Score | None) -> str:
    if rule.measure is Measure.MALIGNANCY_MAX:
        side = SIDE_WORDS["L" if score.malignancy_left == value else "R"]
        return f"{side} {_percent(value)}"
    if rule.measure is Measure.RISK_2Y_CHANGE:
        since: date | None = previous.study.study_date if previous else None
        return f"2-year risk {_percent(score.risk_2y)}, {value * 100:+.0f} points since {since}"
    return _percent(value)


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %" if value < 0.0995 else f"{value * 100:.0f} %"


def _close(alert: Alert, why: str) -> None:
    alert.acknowledged_at = utc_now()
    alert.message = f"{alert.message} ({why})"[:256]
