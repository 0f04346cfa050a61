"""What follows of a correction, written in its transaction: emptied studies, scores, the queue, alerts, lesions; and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.corrections.ledger import Ledger
from core.corrections.state import QUEUED_AS, State, state_of
from core.incoming import rescoring
from core.worker import judge_after_event
from db.sessions import WITH_PUT_AWAY
from db.tables import Alert, Image, Lesion, Score, Study, StudyStatus, utc_now

__all__ = ["alerts_go_with_studies", "changed_inputs", "follow", "follow_undoing"]


def changed_inputs(before: State, after: State) -> list[int]:
    """Return the studies whose score is made of something else than before, or of nothing any more."""
    everything = [*before.inputs, *(study_id for study_id in after.inputs if study_id not in before.inputs)]
    return [study_id for study_id in everything if before.inputs.get(study_id) != after.inputs.get(study_id)]


def _put_emptied_away(ledger: Ledger, before: State) -> None:
    """Put studies away that had films before and have none any more."""
    ledger.session.flush()
    for seen in before.studies.values():
        study = ledger.session.get(Study, seen.study_id)
        if study is None or not seen.films:
            continue
        films = select(func.count()).select_from(Image).where(Image.study_id == study.id)
        if not ledger.session.scalar(films):
            ledger.put_away(study)


def _move_lesions(ledger: Ledger, before: State, women: Collection[int]) -> None:
    """Let a lesion go where all images go that it was measured on; one on images of two women stays where it is."""
    after = state_of(ledger.session, women).measured
    for lesion_id, of in after.items():
        lesion = ledger.session.get_one(Lesion, lesion_id)
        if before.measured.get(lesion_id) == {lesion.patient_id} and len(of) == 1:
            ledger.set(lesion, patient_id=next(iter(of)))


def follow(ledger: Ledger, before: State, women: Collection[int], model: str) -> tuple[State, dict[str, Any]]:
    """Let everything else follow of what was changed; return what stands then, and what undoing needs beside the fields."""
    session = ledger.session
    _put_emptied_away(ledger, before)
    _move_lesions(ledger, before, women)
    alerts_go_with_studies(session, women)
    after = state_of(session, women)
    changed = changed_inputs(before, after)
    scores: list[int] = []
    for study_id in changed:
        scores += _put_scores_away(session, study_id, ledger.correction_id)
        rescoring.queue_again(session, Study.id == study_id, inputs_changed=True)
    _judge_newest(session, before, after, model)
    return after, {
        "scores": scores,
        "inputs": {str(one): before.inputs.get(one) for one in changed},
        "queued_as": {str(one): before.studies[one].queued_as for one in changed if one in before.studies},
        "alerts": {str(alert.alert_id): dict(alert.stands) for alert in before.alerts.values()},
        "newest": {str(woman): study_id for woman, study_id in before.newest.items()},
    }


def follow_undoing(
    session: Session,
    correction_id: int,
    kept: Mapping[str, Any],
    before: State,
    women: Collection[int],
    model: str,
) -> tuple[State, set[int]]:
    """Let everything else follow of fields that were set back; return what stands then, and which studies' scores are back.

    A study whose score is made again of what it was made of before has its scores back, and its place in the queue; the
    others are scored anew.
    """
    alerts_go_with_studies(session, women)
    after = state_of(session, women)
    back = set()
    for study_id in changed_inputs(before, after):
        _put_scores_away(session, study_id, correction_id)
        inputs = after.inputs.get(study_id)
        if inputs is not None and kept["inputs"].get(str(study_id)) == inputs:
            _bring_scores_back(session, study_id, correction_id, kept["scores"])
            _queue_as(session, study_id, kept["queued_as"][str(study_id)])
            back.add(study_id)
        else:
            rescoring.queue_again(session, Study.id == study_id, inputs_changed=True)
    as_it_was = {
        woman for woman, study_id in after.newest.items() if kept["newest"].get(str(woman)) == study_id
    }
    anew = set(changed_inputs(before, after)) - back
    _restore_alerts(session, kept["alerts"], as_it_was, anew)
    _judge_newest(session, before, after, model, but_not=as_it_was)
    return after, back


def _restore_alerts(
    session: Session, alerts: Mapping[str, Mapping[str, Any]], women: set[int], anew: set[int]
) -> None:
    """Let these women's alerts stand as they stood, unless a person has seen to one since, or its study is scored anew.

    What was raised since at a study that is not their last one any more is over.
    """
    for alert_id, stood in alerts.items():
        alert = session.get(Alert, int(alert_id))
        if alert is None or alert.patient_id not in women or alert.study_id in anew:
            continue
        if alert.acknowledged_by_id != stood["acknowledged_by_id"]:
            continue
        alert.score_id, alert.message = stood["score_id"], stood["message"]
        alert.acknowledged_at = _moment(stood["acknowledged_at"])
    raised_since = select(Alert).where(
        Alert.patient_id.in_(women),
        Alert.id.not_in([int(alert_id) for alert_id in alerts]),
        Alert.study_id.not_in(anew),
        Alert.acknowledged_at.is_(None),
    )
    for alert in session.scalars(raised_since):
        alert.acknowledged_at = utc_now()
        alert.message = f"{alert.message} (withdrawn when a correction was undone)"[:256]
    session.flush()


def alerts_go_with_studies(session: Session, women: Collection[int]) -> None:
    """Let the alerts of these women's studies be alerts of whom the studies are."""
    session.flush()
    rows = session.execute(
        select(Alert, Study.patient_id)
        .join(Study, Study.id == Alert.study_id)
        .where(Study.patient_id.in_(women), Alert.patient_id != Study.patient_id),
        execution_options=WITH_PUT_AWAY,
    )
    for alert, patient_id in rows.all():
        alert.patient_id = patient_id
    session.flush()


def _put_scores_away(session: Session, study_id: int, correction_id: int) -> list[int]:
    scores = session.scalars(select(Score).where(Score.study_id == study_id)).all()
    for score in scores:
        score.put_away_by_id = correction_id
    session.flush()
    return [score.id for score in scores]


def _bring_scores_back(session: Session, study_id: int, correction_id: int, scores: list[int]) -> None:
    session.execute(
        update(Score)
        .where(Score.study_id == study_id, Score.id.in_(scores), Score.put_away_by_id == correction_id)
        .values(put_away_by_id=None)
        .execution_options(synchronize_session="fetch")
    )


def _queue_as(session: Session, study_id: int, stood: Mapping[str, Any]) -> None:
    """Give a study its place in the queue back; whoever is at it now computes of what is not stored any more."""
    rescoring.queue_again(session, Study.id == study_id)
    session.flush()
    study = session.get_one(Study, study_id, populate_existing=True)
    for name in QUEUED_AS:
        value = stood[name]
        if name == "status":
            value = StudyStatus(value)
        elif name in ("refused_at", "inputs_changed_at"):
            value = _moment(value)
        setattr(study, name, value)
    session.flush()


def _judge_newest(
    session: Session, before: State, after: State, model: str, but_not: Collection[int] = ()
) -> None:
    """Judge a woman's last study by the alert rules where it, or what happened to her, is another than before."""
    for patient_id, study_id in after.newest.items():
        same = before.newest.get(patient_id) == study_id and (
            before.events.get(patient_id) == after.events.get(patient_id)
        )
        if not same and patient_id not in but_not:
            judge_after_event(session, patient_id, model)
    session.flush()


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
