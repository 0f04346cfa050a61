"""Alerts: why a patient needs a look. Raised by her newest score, by the rules of `core.rules.alerts`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session, contains_eager

from core.installation import Installation
from core.people import audit
from core.rules import (
    NOTHING_ENDS,
    Dated,
    Held,
    RiskEnds,
    TrustLevel,
    judge,
    last_of_each_day,
    latest_score_ids,
    risk_ends,
    risk_ends_of,
    rules_in_force,
    said_alike,
    score_rules,
    treatments,
    trust_of,
)
from db.tables import Alert, AuditEntry, Event, Score, Study, StudyStatus, utc_now


def raise_alerts(
    session: Session, score: Score, previous: Score | None, ends: RiskEnds = NOTHING_ENDS
) -> list[Alert]:
    """Raise what the rules say of a score, inside the caller's transaction; return the alerts that stand.

    `previous` is the newest score of the visit before, None if there is none. A study has one alert a rule: scoring
    it again renews an alert that nobody has acknowledged, and withdraws one that no longer holds. Open alerts of
    earlier studies are closed as superseded, since this score has read those studies too; nothing is deleted. A level that
    was crossed at an earlier study, and that nobody has acknowledged, is told again at this one while she is above it.

    Scores by other weights or another calibration are not compared, as on the pages (`core.rules.comparable`): a rule
    on a change says nothing then, and leaves the alert it raised before as it is; an alert of an earlier study stays
    open until that study has a score that this one can be set beside. A person may acknowledge either. A change that is no
    more than positioning and exposure make is none, and raises nothing.

    From her diagnosis on only growth is told, from her death on, and where no breast is left, nothing (`ends`): the other
    rules raise nothing, and what they raised before is left to a person.
    """
    study = session.get_one(Study, score.study_id)
    if _has_newer(session, study):
        return []
    held = _held(session, study, score, previous, ends)
    ended = held.trust.is_ended
    alike = previous is None or said_alike((score, previous))
    rules = [rule for rule in score_rules() if not ended or (rule.is_of_growth and held.trust.tells_growth)]
    earlier = _open_of_earlier(session, study, score, [rule.rule for rule in rules] if ended else None)
    standing = {a.rule: a for a in session.scalars(select(Alert).where(Alert.study_id == study.id))}
    raised = []
    for rule in rules:
        alert = standing.get(rule.rule)
        if rule.is_of_change and not alike:
            raised += [alert] if alert is not None and alert.acknowledged_at is None else []
            continue
        judged = judge(rule, held)
        again = judged is not None and judged.stands and rule.rule in {one.rule for one in earlier}
        if judged is not None and (judged.raised or again):
            raised.append(_raise(session, alert, rule.rule, judged.sentence(rule), score, study))
        elif alert is not None and alert.acknowledged_at is None:
            # A level is above still at a study that tells it again, however often that study is scored.
            if judged is not None and judged.stands:
                raised.append(_raise(session, alert, rule.rule, judged.sentence(rule), score, study))
            else:
                _close(alert, "withdrawn when it was judged again")
    for alert in earlier:
        _close(alert, f"superseded by the study of {study.study_date}")
    return raised


def _raise(
    session: Session, alert: Alert | None, rule: str, message: str, score: Score, study: Study
) -> Alert:
    """Raise an alert, or renew it where nobody has acknowledged it."""
    if alert is None:
        alert = Alert(
            patient_id=study.patient_id,
            study_id=study.id,
            score_id=score.id,
            rule=rule,
            message=message[:256],
        )
        session.add(alert)
    elif alert.acknowledged_by_id is None:
        alert.score_id, alert.message, alert.acknowledged_at = score.id, message[:256], None
    return alert


def _held(session: Session, study: Study, score: Score, previous: Score | None, ends: RiskEnds) -> Held:
    """Gather what the rules are held against: the visits before with scores that may be shown."""
    before = [one for one in _scored_before(session, study, score.model) if _told(one, ends)]
    if previous is not None:
        day = previous.study.study_date
        before = [*(one for one in before if one.study.study_date < day), previous]
    earlier = [Dated(one.study.study_date, one) for one in before]
    hers = treatments().where(Event.patient_id == study.patient_id)
    return Held(
        now=Dated(study.study_date, score),
        trust=trust_of(score, on=study.study_date, ends=ends),
        prior=earlier[-1] if previous is not None else None,
        earlier=earlier,
        treated_on=[day for _, day in session.execute(hers)],
    )


def _told(score: Score, ends: RiskEnds) -> bool:
    return trust_of(score, on=score.study.study_date, ends=ends).is_trusted


def _scored_before(session: Session, study: Study, model: str) -> list[Score]:
    """Return the newest score of each earlier day, oldest first."""
    hers = select(Study.id).where(Study.patient_id == study.patient_id)
    query = (
        select(Score)
        .join(Study, Study.id == Score.study_id)
        .where(
            Study.patient_id == study.patient_id,
            Study.modality == "MG",
            Study.study_date < study.study_date,
            Score.id.in_(latest_score_ids(model).where(Score.study_id.in_(hers))),
        )
        .options(contains_eager(Score.study))
        .order_by(Study.study_date, Study.id)
    )
    return last_of_each_day(session.scalars(query), lambda one: one.study.study_date)


def _open_of_earlier(
    session: Session, study: Study, score: Score, rules: Sequence[str] | None
) -> Sequence[Alert]:
    """Return the open alerts of studies that the score can be set beside; `rules` narrows them, None does not."""
    beside = select(Score.study_id).where(
        Score.model == score.model,
        Score.weights_sha256 == score.weights_sha256,
        Score.calibration == score.calibration,
    )
    query = select(Alert).where(
        Alert.patient_id == study.patient_id,
        Alert.study_id != study.id,
        Alert.acknowledged_at.is_(None),
        Alert.study_id.in_(beside),
    )
    return session.scalars(query if rules is None else query.where(Alert.rule.in_(rules))).all()


def raise_alerts_before(
    session: Session, refused: Study, model: str, ends: RiskEnds = NOTHING_ENDS
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
    return raise_alerts(session, last, previous, ends)


def hold_against_new_rules(here: Installation, model: str) -> int | None:
    """Hold every woman's newest score against the rules if their edition is new here; return how many women that were.

    None where they were held against this edition before. One transaction a woman; a run that was cut off begins again.
    """
    edition = f"alert_rules:{rules_in_force().edition}"
    with here.database.read() as session:
        known = select(AuditEntry.id).where(
            AuditEntry.subject == edition, AuditEntry.action == "alert_rules_applied"
        )
        if session.scalar(known.limit(1)) is not None:
            return None
        ends = risk_ends(session, true())
        women = session.scalars(
            select(Study.patient_id)
            .join(Score, Score.study_id == Study.id)
            .where(Score.model == model)
            .distinct()
        ).all()
    for patient_id in women:
        with here.database.write() as session:
            _judge_newest(session, patient_id, model, ends[patient_id])
    with here.database.write() as session:
        audit.record(session, None, "alert_rules_applied", edition, {"women": len(women)})
    return len(women)


def judge_after_event(session: Session, patient_id: int, model: str) -> list[Alert]:
    """Judge a woman's newest score anew after an event of hers was recorded or taken back; return the alerts that stand.

    A diagnosis, a death or the loss of both breasts ends what is told of risk, and a treatment begins her slope anew. Inside the caller's transaction, with the
    event written. A study that waits to be scored is judged when it is.
    """
    return _judge_newest(session, patient_id, model, risk_ends_of(session, patient_id))


def _judge_newest(session: Session, patient_id: int, model: str, ends: RiskEnds) -> list[Alert]:
    last = _newest_score(session, patient_id, model, true())
    if last is None:
        return []
    previous = _newest_score(session, patient_id, model, Study.study_date < last.study.study_date)
    return raise_alerts(session, last, previous, ends)


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


def _close(alert: Alert, why: str) -> None:
    alert.acknowledged_at = utc_now()
    alert.message = f"{alert.message} ({why})"[:256]
