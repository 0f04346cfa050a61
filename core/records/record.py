"""The reading of one woman's record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.images import hanging
from core.incoming import called, taken_of
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records import cards
from core.records.assessments import Assessment, assessments_of
from core.records.covered import covered_study_ids
from core.records.events import event_entry
from core.records.patient_record import (
    AlertEntry,
    Contribution,
    Moved,
    PatientRecord,
    ViewImage,
    Visit,
    VisitScore,
)
from core.records.standing import Interval
from core.records.trusted import AlertStanding, alert_standing, has_something_to_tell, trust_and_rank
from core.refusals import refusal_text
from core.rules import (
    MEASURED_FLAGS,
    Rank,
    RiskEnds,
    Trust,
    ViewName,
    growth_of,
    latest_score_ids,
    likeliest_density,
    remarks_on_study,
    trust_of,
    vocabulary,
)
from core.rules.hanging_protocols import Edge
from db.sessions import WITH_PUT_AWAY
from db.tables import (
    Alert,
    Embedding,
    Event,
    Image,
    Score,
    Study,
    StudyStatus,
    User,
)

__all__ = ["record_of", "statuses"]


@needs(Permission.SEE_PATIENTS)
def record_of(here: Installation, mrn: str) -> PatientRecord | None:
    """Read a woman's whole record in a fixed number of queries; None if there is no such MRN.

    An MRN that was merged into another one leads to that woman, under the MRN that she has.
    """
    with here.database.read() as session:
        patient = called(session, mrn)
        if patient is None:
            return None
        studies = session.scalars(
            select(Study).where(Study.patient_id == patient.id).order_by(Study.study_date, Study.id)
        ).all()
        images = _images(here, session, patient.id)
        names = dict(session.execute(select(User.id, User.display_name)).all())
        events = session.scalars(
            select(Event).where(Event.patient_id == patient.id).order_by(Event.event_date, Event.id)
        ).all()
        ends = RiskEnds.of(event_entry(event) for event in events)
        said = _said(here, session, patient.id, ends)
        covered = covered_study_ids(here, session, Study.patient_id == patient.id)
        assessments = assessments_of(session, studies, names)
        alerts = session.execute(
            select(Alert, Study.study_date, Score)
            .join(Study, Study.id == Alert.study_id)
            .join(Score, Score.id == Alert.score_id)
            .where(
                Alert.patient_id == patient.id,
                Study.put_away_by_id.is_(None),
                # What a person has seen to stays told; what a correction took from under an open alert does not.
                or_(Score.put_away_by_id.is_(None), Alert.acknowledged_by_id.is_not(None)),
            )
            .order_by(Alert.raised_at.desc(), Alert.id),
            execution_options=WITH_PUT_AWAY,
        )
        return PatientRecord(
            mrn=patient.mrn,
            name=patient.name,
            birth_date=patient.birth_date,
            sex=patient.sex.value if patient.sex else None,
            simulated=patient.simulated,
            visits=tuple(
                _visit(
                    study, images[study.id], said.get(study.id), study.id in covered, assessments[study.id]
                )
                for study in studies
            ),
            events=tuple(event_entry(event) for event in events),
            alerts=tuple(
                _alert(alert, on, score, said.get(alert.study_id), ends, names)
                for alert, on, score in alerts
                if alert.study_id not in covered
            ),
        )


def _alert(
    alert: Alert,
    on: date,
    score: Score,
    newest: _Said | None,
    ends: RiskEnds,
    names: Mapping[int, str],
) -> AlertEntry:
    own = trust_of(score, on=on, ends=ends)
    if score.put_away_by_id is not None:
        standing = AlertStanding.CORRECTED
    else:
        standing = alert_standing(alert.rule, ends, own, newest.trust if newest else None)
    return AlertEntry(
        alert_id=alert.id,
        rule=alert.rule,
        message="" if standing in (AlertStanding.WITHHELD, AlertStanding.CORRECTED) else alert.message,
        standing=standing,
        study_date=on,
        raised_at=alert.raised_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=names.get(alert.acknowledged_by_id or 0),
        acknowledgement=alert.acknowledgement,
    )


def _images(here: Installation, session: Session, patient_id: int) -> defaultdict[int, list[ViewImage]]:
    rows = session.scalars(
        select(Image)
        .join(Study, Study.id == Image.study_id)
        .where(Study.patient_id == patient_id)
        .order_by(Image.id)
    ).all()
    seen_flipped: dict[int, dict[str, Any]] = dict(
        session.execute(
            select(Embedding.image_id, Embedding.transform)
            .join(Image, Image.id == Embedding.image_id)
            .join(Study, Study.id == Image.study_id)
            .where(Study.patient_id == patient_id)
        ).all()
    )
    remarks = _remarks(rows)
    found: defaultdict[int, list[ViewImage]] = defaultdict(list)
    for image in rows:
        chest_wall: Edge | None
        if image.view in vocabulary.OTHER_KIND_WORDS:
            chest_wall = None  # what lies at which edge of it says nothing, and nobody mirrors it
        elif "flipped" in seen_flipped.get(image.id, {}):
            # The model turned the chest wall to the left: what it had to turn ended at the right.
            chest_wall = Edge.RIGHT if seen_flipped[image.id]["flipped"] else Edge.LEFT
        else:
            chest_wall = hanging.chest_wall_side_of_object(here.images, image.thumbnail_sha256)
        found[image.study_id].append(
            ViewImage(
                sop_uid=image.sop_uid,
                laterality=image.laterality.value,
                view=image.view,
                rows=image.rows,
                columns=image.columns,
                spacing_mm=image.pixel_spacing_mm,
                quality_flags=tuple(str(flag) for flag in image.quality_flags),
                chest_wall=chest_wall,
                remarks=remarks.get(image.id, ()),
            )
        )
    return found


def _remarks(rows: Sequence[Image]) -> dict[int, tuple[str, ...]]:
    """Return what is to be said of how images were taken, by their ids: of those only that were flagged at intake."""
    studies: defaultdict[int, list[Image]] = defaultdict(list)
    for image in rows:
        studies[image.study_id].append(image)
    said: dict[int, tuple[str, ...]] = {}
    for images in studies.values():
        if all(MEASURED_FLAGS.isdisjoint(image.quality_flags) for image in images):
            continue
        for image, remarks in zip(images, remarks_on_study([taken_of(one) for one in images]), strict=True):
            said[image.id] = tuple(one.text for one in remarks if one.flag.value in image.quality_flags)
    return said


@dataclass(frozen=True)
class _Said:
    """What the model said of one study, and how far that may be believed."""

    score: VisitScore
    trust: Trust
    rank: Rank | None
    density: str | None
    density_by: str | None


def _said(here: Installation, session: Session, patient_id: int, ends: RiskEnds) -> dict[int, _Said]:
    rows = session.execute(
        select(Score, Study.study_date)
        .join(Study, Study.id == Score.study_id)
        .where(Score.id.in_(latest_score_ids(cards.speaking(here), patient_id=patient_id)))
    ).all()
    found = {}
    for score, on in rows:
        trust, rank = trust_and_rank(here, score, on=on, ends=ends)
        other = score.density_of_views if not trust.tells_growth else None
        found[score.study_id] = _Said(
            score=_visit_score(score, trust),
            trust=trust,
            rank=rank,
            density=likeliest_density(score, trust),
            density_by=str(other["model"]) if other else None,
        )
    return found


def _visit_score(score: Score, trust: Trust) -> VisitScore:
    growth = growth_of(score, trust)
    return VisitScore(
        model=score.model,
        weights_sha256=score.weights_sha256,
        calibration=score.calibration,
        computed_at=score.computed_at,
        risk={
            years: Interval(
                getattr(score, f"risk_{years}y"),
                getattr(score, f"risk_{years}y_low"),
                getattr(score, f"risk_{years}y_high"),
            )
            for years in range(1, 6)
        },
        malignancy={"L": score.malignancy_left, "R": score.malignancy_right},
        progression=growth[0],
        density={"A": score.density_a, "B": score.density_b, "C": score.density_c, "D": score.density_d},
        priors=score.priors,
        missing_views=tuple(ViewName.of_code(str(view)) for view in score.missing_views),
        contributions=tuple(
            Contribution(str(c["study_uid"]), date.fromisoformat(str(c["study_date"])), float(c["value"]))
            for c in score.contributions
        ),
        moved=_moved(score),
        malignancy_interval={
            "L": _interval(score.malignancy_left, score.malignancy_left_low, score.malignancy_left_high),
            "R": _interval(score.malignancy_right, score.malignancy_right_low, score.malignancy_right_high),
        },
        progression_interval=_interval(*growth),
        smallest_change=score.smallest_change,
    )


def _interval(value: float | None, low: float | None, high: float | None) -> Interval | None:
    """Return a value with its interval; None where either is not known."""
    return None if value is None or low is None or high is None else Interval(value, low, high)


def _moved(score: Score) -> Moved | None:
    if score.moved is None:
        return None
    return Moved(
        from_study=str(score.moved["from_study"]),
        before=float(score.moved["from"]),
        now=float(score.moved["to"]),
        parts={str(part["what"]): float(part["log_odds"]) for part in score.moved["parts"]},
    )


def _visit(
    study: Study,
    images: Sequence[ViewImage],
    said: _Said | None,
    is_covered: bool,
    assessment: Assessment,
) -> Visit:
    covers = is_covered and said is not None and has_something_to_tell(said.trust, said.rank)
    said = None if covers else said
    trusted = said is not None and said.trust.is_trusted
    tells_growth = said is not None and said.trust.tells_growth
    return Visit(
        study_uid=study.uid,
        on=study.study_date,
        modality=study.modality,
        description=study.description,
        status=study.status,
        refusal=refusal_text(study.refusal_reason, study.refusal_detail),
        images=tuple(images),
        score=said.score if said and trusted else None,
        progression=said.score.progression if said and tells_growth else None,
        progression_interval=said.score.progression_interval if said and tells_growth else None,
        # Density is recorded before it is shown, also where nothing else may be told.
        model_density=said.density if said and not is_covered else None,
        density_by=said.density_by if said and not is_covered else None,
        covered=covers,
        doubt=said.trust if said and not trusted else None,
        rank=said.rank if said else None,
        untrusted=said.score if said and not trusted else None,
        assessment=assessment,
    )


@needs(Permission.SEE_PATIENTS)
def statuses(here: Installation, study_uids: Sequence[str]) -> dict[str, StudyStatus]:
    """Return where each of these studies stands on its way to a score."""
    with here.database.read() as session:
        rows = session.execute(select(Study.uid, Study.status).where(Study.uid.in_(list(study_uids))))
        return dict(rows.all())
