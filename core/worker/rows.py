"""From the stored rows to what the model reads, and from what it says to the rows of a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from core.images import shows_the_breast
from core.installation import Installation
from core.refusals import Refusal
from core.rules import (
    Rank,
    RiskEnds,
    Trust,
    TrustLevel,
    ViewName,
    exact_age_years,
    growth_of,
    rank_among_reference,
    shares_told,
    trust_of,
)
from core.rules.vocabulary import DENSITIES, FINDINGS, FOUR_VIEWS
from core.worker.reading_ahead import WaitingImage
from db.tables import (
    Embedding,
    Image,
    Patient,
    Score,
    Study,
    StudyStatus,
)

if TYPE_CHECKING:
    from models.longitudinal import Movement, ViewReading, VisitAnswer
    from models.store import ModelCard
    from models.view import StandardView


OF_GROWTH = frozenset({"progression", "density"})
"""What of a score a diagnosis does not end."""


@dataclass
class ScoreItem:
    """How one study ended: scored, or refused with a reason."""

    patient: str
    study_uid: str
    study_date: date
    model: str
    malignancy: dict[str, float | None] = field(default_factory=dict)
    progression: float | None = None
    intervals: dict[str, Any] = field(default_factory=dict)
    risk: dict[str, dict[str, float]] = field(default_factory=dict)
    density: dict[str, float] = field(default_factory=dict)
    density_of_views: dict[str, Any] | None = None
    trust: Trust | None = None
    moved: dict[str, Any] | None = None
    rank: Rank | None = None
    refusal: Refusal | None = None

    def numbers(self) -> dict[str, Any]:
        """Return what the model said, in the shape of ``score --json``."""
        return {
            "malignancy": self.malignancy,
            "progression": self.progression,
            "intervals": self.intervals,
            "risk": self.risk,
            "density": self.density,
        }

    def to_json(self) -> dict[str, Any]:
        """Return one entry of ``scored``: numbers that may not be said are null, and stand under ``untrusted``.

        After a diagnosis those are risk and malignancy. Density then is that of a model of single views where one knows
        such pictures, which ``density_by`` names. Where a rank is shown for a number, it stands under ``rank``.
        """
        said = self.numbers()
        trusted = self.trust is not None and self.trust.is_trusted
        told = [name for name in said if trusted or (self.tells_growth and name in OF_GROWTH)]
        shown = {name: value if name in told else _silenced(value) for name, value in said.items()}
        other = None if self.tells_growth else self.density_of_views
        if other is not None:
            shown["density"] = shares_told(other)
        if self.tells_growth and self.intervals:
            shown["intervals"]["progression"] = self.intervals["progression"]
        return {
            "patient": self.patient,
            "study_uid": self.study_uid,
            "study_date": self.study_date.isoformat(),
            **shown,
            "trust": self.trust.to_json() if self.trust is not None else None,
            "moved": self.moved if trusted else None,
            "rank": self.rank.to_json() if self.rank is not None else None,
            "model": self.model,
            **({"density_by": other["model"]} if other is not None else {}),
            **({} if trusted else {"untrusted": said}),
        }

    @property
    def tells_growth(self) -> bool:
        """Say whether growth since the prior and density may be told."""
        return self.trust is not None and self.trust.tells_growth


def _silenced(said: Any) -> Any:
    """Return the same shape with null in the place of every number."""
    return {key: _silenced(value) for key, value in said.items()} if isinstance(said, dict) else None


@dataclass
class ScoringReport:
    """What a round of scoring did."""

    items: list[ScoreItem] = field(default_factory=list)
    stopped: str | None = None
    """Why the round ended before all was scored; None if it did not. What is left stays in the queue."""

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``score --json``."""
        stopped = {} if self.stopped is None else {"stopped": self.stopped}
        return {
            "scored": [item.to_json() for item in self.items if item.refusal is None],
            "refused": [
                {
                    "study_uid": item.study_uid,
                    "reason": item.refusal.reason,
                    "patient": item.patient,
                    "study_date": item.study_date.isoformat(),
                    "detail": item.refusal.text,
                }
                for item in self.items
                if item.refusal is not None
            ],
            **stopped,
        }


@dataclass
class Day:
    """One visit: the mammograms of a day, up to the study that is scored; `study` is the last of them, `uids` names all."""

    on: date
    age_years: float | None
    study: Study
    images: list[Image]
    uids: dict[int, str]


def history_of(here: Installation, study_id: int) -> list[Day]:
    """Return a woman's days with mammograms up to a study, oldest first; later studies are not looked at.

    Studies of one day are one visit: additional views are read together with those that led to them.
    """
    with here.database.read() as session:
        return history_in(session, study_id)


def history_in(session: Session, study_id: int) -> list[Day]:
    """Return what `history_of` does, as the caller's transaction sees it."""
    study = session.get_one(Study, study_id)
    patient = session.get_one(Patient, study.patient_id)
    up_to = or_(
        Study.study_date < study.study_date,
        and_(Study.study_date == study.study_date, Study.id <= study.id),
    )
    studies = session.scalars(
        select(Study)
        .where(Study.patient_id == study.patient_id, Study.modality == "MG", up_to)
        .order_by(Study.study_date, Study.id)
        .options(selectinload(Study.images))
    ).all()
    days: list[Day] = []
    for one in studies:
        usable = [image for image in one.images if shows_the_breast(image)]
        if days and days[-1].on == one.study_date:
            days[-1].study = one
            days[-1].images += usable
            days[-1].uids[one.id] = one.uid
        else:
            days.append(Day(one.study_date, _age_years(patient, one), one, usable, {one.id: one.uid}))
    return days


def _age_years(patient: Patient, study: Study) -> float | None:
    """Return her age at a study: from her birth date, else as the files state it, else None."""
    if patient.birth_date is not None:
        return exact_age_years(patient.birth_date, study.study_date)
    said = [image.file_says["age_years"] for image in study.images if "age_years" in image.file_says]
    return float(said[0]) if said else None


def reading_of(stored: Embedding) -> ViewReading:
    """Return a stored embedding as the sequence model reads it."""
    from models.longitudinal import ViewReading

    return ViewReading(
        vector=np.frombuffer(stored.vector, "<f4"),
        density=np.array([stored.density[key] for key in DENSITIES], np.float32),
        finding=np.array([stored.finding[key] for key in FINDINGS], np.float32),
        heat_map=np.frombuffer(stored.heat_map, "<f2").reshape(stored.heat_map_shape),
    )


def stored_readings(
    here: Installation, image_ids: Sequence[int], encoder_sha256: str
) -> dict[int, ViewReading]:
    """Return by image what the encoder has seen in those that it knows."""
    with here.database.read() as session:
        stored = session.scalars(
            select(Embedding).where(
                Embedding.image_id.in_(image_ids), Embedding.encoder_sha256 == encoder_sha256
            )
        ).all()
    return {row.image_id: reading_of(row) for row in stored}


def keep_readings(
    here: Installation,
    readings: Mapping[int, ViewReading],
    views: Mapping[int, StandardView],
    encoder_sha256: str,
) -> None:
    """Store by image what the encoder saw in its standard view; what another worker has stored meanwhile stays."""
    with here.database.write() as session:
        known = set(
            session.scalars(
                select(Embedding.image_id).where(
                    Embedding.image_id.in_(list(readings)), Embedding.encoder_sha256 == encoder_sha256
                )
            )
        )
        for image_id, reading in readings.items():
            if image_id not in known:
                transform = views[image_id].transform.to_json()
                session.add(embedding_of(image_id, encoder_sha256, reading, transform))


def images_waiting(here: Installation, encoder_sha256: str) -> list[WaitingImage]:
    """Return the images of pending studies that the encoder has not seen, about in the order of scoring.

    That is women by their latest change, of each the oldest study first (`core.worker.queue.Queue.take`); where
    scoring takes another order after all, an image is read when its turn comes.
    """
    known = select(Embedding.image_id).where(Embedding.encoder_sha256 == encoder_sha256)
    latest = func.max(Study.inputs_changed_at).over(partition_by=Study.patient_id)
    with here.database.read() as session:
        order = session.execute(
            select(Study.id, Study.patient_id, latest.label("latest"))
            .where(Study.status == StudyStatus.PENDING)
            .order_by(latest.desc(), Study.patient_id, Study.study_date, Study.id)
        ).all()
        images: dict[int, list[Image]] = {}
        for image in session.scalars(
            select(Image)
            .join(Study, Study.id == Image.study_id)
            .where(Study.status == StudyStatus.PENDING, Image.id.not_in(known))
            .order_by(Image.id)
        ):
            if shows_the_breast(image):
                images.setdefault(image.study_id, []).append(image)
        return [
            WaitingImage(image.id, image.sha256, image.source_name)
            for study, *_ in order
            for image in images.get(study, [])
        ]


def embedding_of(
    image_id: int, encoder_sha256: str, reading: ViewReading, transform: dict[str, Any]
) -> Embedding:
    """Return the row that keeps what the encoder said of an image."""
    return Embedding(
        image_id=image_id,
        encoder_sha256=encoder_sha256,
        dimensions=reading.vector.size,
        vector=reading.vector.astype("<f4").tobytes(),
        heat_map=reading.heat_map.astype("<f2").tobytes(),
        heat_map_shape=list(reading.heat_map.shape),
        transform=transform,
        finding=dict(zip(FINDINGS, map(float, reading.finding), strict=True)),
        density=dict(zip(DENSITIES, map(float, reading.density), strict=True)),
    )


def score_row(
    study: Study,
    card: ModelCard,
    history: list[Day],
    said: VisitAnswer,
    trust: Trust,
    left_out: Sequence[Mapping[str, str]],
    moved: dict[str, Any] | None,
) -> Score:
    """Return the row that keeps what the model said of a study: its numbers, weights, inputs and contributions."""
    seen = {ViewName(image.laterality.value, image.view) for image in history[-1].images}
    inputs: dict[str, list[str]] = {}
    for day in history:
        for image in day.images:
            inputs.setdefault(day.uids[image.study_id], []).append(image.sha256)
    risks = {
        f"risk_{year}y{suffix}": float(values[year - 1])
        for suffix, values in (("", said.risk), ("_low", said.risk_low), ("_high", said.risk_high))
        for year in range(1, 6)
    }
    contributions = [
        {"study_uid": day.study.uid, "study_date": day.on.isoformat(), "value": float(value)}
        for day, value in zip(history, said.contributions, strict=True)
    ]
    return Score(
        study_id=study.id,
        model=card.name,
        weights_sha256=card.weights_sha256,
        calibration=card.calibration,
        inputs=inputs,
        malignancy_left=said.malignancy["L"],
        malignancy_left_low=said.malignancy_low["L"],
        malignancy_left_high=said.malignancy_high["L"],
        malignancy_right=said.malignancy["R"],
        malignancy_right_low=said.malignancy_low["R"],
        malignancy_right_high=said.malignancy_high["R"],
        smallest_change=said.smallest_change,
        **_interval("progression", said.progression),
        **_interval("progression_after", said.progression_after),
        density_a=float(said.density[0]),
        density_b=float(said.density[1]),
        density_c=float(said.density[2]),
        density_d=float(said.density[3]),
        priors=len(history) - 1,
        missing_views=[view.code for view in FOUR_VIEWS if view not in seen],
        contributions=contributions,
        trust_level=trust.level.value,
        trust_doubt=trust.doubt.value if trust.doubt else None,
        trust_distance=trust.distance,
        trust_limit=trust.limit if trust.limit is not None and np.isfinite(trust.limit) else None,
        left_out=[dict(one) for one in left_out],
        moved=moved,
        **risks,
    )


def _interval(name: str, said: tuple[float, float, float] | None) -> dict[str, float | None]:
    value, low, high = said or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def moved_json(movement: Movement, from_study: str) -> dict[str, Any]:
    """Return why a score moved as its row keeps it; `from_study` is the prior's UID."""
    return {
        "from": movement.before,
        "to": movement.now,
        "from_study": from_study,
        "parts": [{"what": what, "log_odds": part} for what, part in movement.parts.items()],
    }


def previous_score(session: Session, history: list[Day], model: str) -> Score | None:
    """Return the newest score by `model` of the visit before the last one; None if there is none, or it is not trusted."""
    if len(history) < 2:
        return None
    newest = session.scalar(
        select(Score)
        .where(Score.study_id == history[-2].study.id, Score.model == model)
        .order_by(Score.id.desc())
        .limit(1)
    )
    return newest if newest is not None and newest.trust_level == TrustLevel.TRUSTED else None


def item_of(
    row: Score, study: Study, mrn: str, card_settings: Mapping[str, Any], ends: RiskEnds
) -> ScoreItem:
    """Return a stored score as ``score --json`` shows it, of a woman of whom `ends` tells."""
    trust = trust_of(row, on=study.study_date, ends=ends)
    uncalibrated = trust.level is TrustLevel.UNCALIBRATED
    growth, *growth_interval = growth_of(row, trust)
    return ScoreItem(
        patient=mrn,
        study_uid=study.uid,
        study_date=study.study_date,
        model=row.model,
        malignancy={"L": row.malignancy_left, "R": row.malignancy_right},
        progression=growth,
        intervals={
            "malignancy": {
                "L": [row.malignancy_left_low, row.malignancy_left_high],
                "R": [row.malignancy_right_low, row.malignancy_right_high],
            },
            "progression": growth_interval,
        },
        risk={
            str(year): {
                "value": getattr(row, f"risk_{year}y"),
                "low": getattr(row, f"risk_{year}y_low"),
                "high": getattr(row, f"risk_{year}y_high"),
            }
            for year in range(1, 6)
        },
        density={"A": row.density_a, "B": row.density_b, "C": row.density_c, "D": row.density_d},
        density_of_views=row.density_of_views,
        moved=row.moved,
        trust=trust,
        rank=rank_among_reference(card_settings, row.risk_5y) if uncalibrated else None,
    )
