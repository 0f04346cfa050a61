"""The rows of an export: of some women, table by table, each in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.records.trusted import AlertStanding, alert_standing
from core.rules import (
    RiskEnds,
    Trust,
    ViewName,
    growth_of,
    latest_score_ids,
    risk_ends,
    shares_told,
    trust_of,
)
from core.rules.vocabulary import DENSITIES_SAID, density_name
from db.tables import (
    Alert,
    AssessmentVersion,
    Correction,
    Event,
    Image,
    Lesion,
    Measurement,
    Patient,
    RiskFactors,
    Score,
    Study,
)

__all__ = ["NUMBERS", "Chunk", "Rows"]

Chunk = dict[str, list[dict[str, Any]]]
"""Rows by table."""
_RISKS = tuple(f"risk_{year}y{end}" for year in range(1, 6) for end in ("", "_low", "_high"))

_MALIGNANCIES = tuple(
    f"malignancy_{side}{end}" for side in ("left", "right") for end in ("", "_low", "_high")
)
_PROGRESSION = ("progression", "progression_low", "progression_high")
_DENSITIES = ("density_a", "density_b", "density_c", "density_d")
OF_RISK = (*_MALIGNANCIES, *_RISKS, "smallest_change")
"""What a diagnosis ends; growth and density it does not."""
NUMBERS = (*_MALIGNANCIES, *_PROGRESSION, *_RISKS, "smallest_change", *_DENSITIES)
"""What a score says: empty where it may not be said; what the model would have said stands under `untrusted`."""


class Rows:
    """Gathers the rows of some women, by id. `tables` are the tables and their columns, `people` who somebody is by id.

    `model` is the one that speaks; without `names` what says who a woman is is left out.

    >>> Rows(session, women, tables, model="longitudinal-sim", people={}).all()
    """

    def __init__(
        self,
        session: Session,
        women: Mapping[int, Patient],
        tables: Mapping[str, tuple[str, ...]],
        *,
        model: str,
        people: Mapping[int, str],
        names: bool = True,
    ) -> None:
        self._session, self._women, self._tables = session, women, tables
        self._model, self._people, self._names = model, people, names
        self._chunk: Chunk = {table: [] for table in tables}
        self._trusts: dict[int, Trust] = {}
        self._newest: dict[int, Trust] = {}

    def all(self) -> Chunk:
        """Return the rows of all tables."""
        for gather in (
            self._patients, self._studies, self._assessments, self._images, self._scores, self._events,
            self._risk_factors, self._measurements, self._alerts, self._corrections,
        ):  # fmt: skip
            gather()
        return self._chunk

    def _add(self, table: str, woman: int, source: Any, **others: Any) -> None:
        """Add a row: each column from `others`, or as the source has it."""
        row = {"patient": self._women[woman].mrn, "simulated": int(self._women[woman].simulated)}
        for name in self._tables[table]:
            row[name] = _plain(others[name] if name in others else getattr(source, name))
        self._chunk[table].append(row)

    def _by(self, user_id: int | None) -> str | None:
        return self._people.get(user_id or 0)

    @property
    def _hers(self) -> Any:
        return Study.patient_id.in_(self._women)

    @cached_property
    def _study_by_id(self) -> dict[int, Study]:
        studies = select(Study).where(self._hers).order_by(Study.study_date, Study.id)
        return {study.id: study for study in self._session.scalars(studies)}

    @cached_property
    def _ends(self) -> Mapping[int, RiskEnds]:
        return risk_ends(self._session, Event.patient_id.in_(self._women))

    def _patients(self) -> None:
        hidden = {} if self._names else {"name": None, "birth_date": None}
        for woman in self._women.values():
            self._add("patients", woman.id, woman, **hidden)

    def _studies(self) -> None:
        for study in self._study_by_id.values():
            self._add(
                "studies",
                study.patient_id,
                study,
                study_uid=study.uid,
                assessed_by=self._by(study.assessed_by_id),
            )

    def _assessments(self) -> None:
        order = AssessmentVersion.study_id, AssessmentVersion.version
        for version in self._session.scalars(
            select(AssessmentVersion).join(Study).where(self._hers).order_by(*order)
        ):
            study = self._study_by_id[version.study_id]
            signed_by = self._by(version.signed_by_id)
            self._add("assessments", study.patient_id, version, study_uid=study.uid, signed_by=signed_by)

    def _images(self) -> None:
        for image in self._session.scalars(select(Image).join(Study).where(self._hers).order_by(Image.id)):
            study = self._study_by_id[image.study_id]
            self._add("images", study.patient_id, image, study_uid=study.uid)

    def _scores(self) -> None:
        of_hers = latest_score_ids(self._model).join(Study, Study.id == Score.study_id).where(self._hers)
        speaking = set(self._session.scalars(of_hers))
        for score in self._session.scalars(select(Score).join(Study).where(self._hers).order_by(Score.id)):
            study = self._study_by_id[score.study_id]
            trust = trust_of(score, on=study.study_date, ends=self._ends[study.patient_id])
            self._trusts[score.id] = trust
            if score.id in speaking:
                self._newest[study.id] = trust
            growth = dict(zip(_PROGRESSION, growth_of(score, trust), strict=True))
            silenced = _silenced(trust)
            said = {name: growth[name] if name in growth else getattr(score, name) for name in silenced}
            self._add(
                "scores", study.patient_id, score,
                study_uid=study.uid, study_date=study.study_date, speaks=int(score.id in speaking),
                trust_level=trust.level, trust_reason=trust.sentence, untrusted=said or None,
                **(growth | dict.fromkeys(silenced) | _density_of_views(score, trust)),
            )  # fmt: skip

    def _events(self) -> None:
        for event in self._session.scalars(
            select(Event).where(Event.patient_id.in_(self._women)).order_by(Event.event_date, Event.id)
        ):
            self._add("events", event.patient_id, event)

    def _risk_factors(self) -> None:
        for factors in self._session.scalars(
            select(RiskFactors)
            .where(RiskFactors.patient_id.in_(self._women))
            .order_by(RiskFactors.recorded_on)
        ):
            self._add("risk_factors", factors.patient_id, factors)

    def _measurements(self) -> None:
        for measured, lesion, image, study in self._session.execute(
            select(Measurement, Lesion, Image, Study)
            .join(Lesion, Lesion.id == Measurement.lesion_id)
            .join(Image, Image.id == Measurement.image_id)
            .join(Study, Study.id == Image.study_id)
            .where(Lesion.patient_id.in_(self._women), Measurement.removed_at.is_(None))
            .order_by(Measurement.id)
        ):
            self._add(
                "measurements", lesion.patient_id, measured,
                lesion_id=lesion.id, lesion=lesion.label, kind=lesion.kind, laterality=lesion.laterality, node=lesion.node,
                organ=lesion.organ, lesion_status=lesion.status, lesion_note=lesion.note, study_uid=study.uid,
                study_date=study.study_date, sop_uid=image.sop_uid, view=measured.view_code,
                view_now=ViewName(image.laterality.value, image.view).code,
                measured_by=self._by(measured.measured_by_id),
            )  # fmt: skip

    def _alerts(self) -> None:
        for alert in self._session.scalars(
            # Not those of what was corrected since.
            select(Alert)
            .join(Study, Study.id == Alert.study_id)
            .join(Score, Score.id == Alert.score_id)
            .where(Alert.patient_id.in_(self._women))
            .order_by(Alert.id)
        ):
            standing = alert_standing(
                alert.rule,
                self._ends[alert.patient_id],
                self._trusts[alert.score_id],
                self._newest.get(alert.study_id),
            )
            withheld = standing is AlertStanding.WITHHELD
            message = "Raised by a score that is withheld." if withheld else alert.message
            self._add(
                "alerts", alert.patient_id, alert, study_uid=self._study_by_id[alert.study_id].uid,
                message=message, acknowledged_by=self._by(alert.acknowledged_by_id),
            )  # fmt: skip

    def _corrections(self) -> None:
        by_mrn = {woman.mrn: woman.id for woman in self._women.values()}
        hidden = {} if self._names else {"says": None, "reason": None}
        for row in self._session.scalars(
            select(Correction).where(Correction.mrn.in_(by_mrn)).order_by(Correction.id)
        ):
            self._add(
                "corrections", by_mrn[row.mrn], row, correction=row.id, other_patient=row.other_mrn, **hidden,
                made_by=self._by(row.made_by_id), undone_by=self._by(row.undone_by_id),
            )  # fmt: skip


def _density_of_views(score: Score, trust: Trust) -> dict[str, Any]:
    """Return density as a model of single views says it, where the score may not tell its own; empty where none does.

    Where that model does not tell C from D both are empty, and what it says of the two together has a column of its own.
    """
    if trust.tells_growth or score.density_of_views is None:
        return {"density_by": None, "density_c_or_d": None}
    shares = shares_told(score.density_of_views)
    told = {
        f"density_{density_name(said).lower().replace(' ', '_')}": shares.get(said) for said in DENSITIES_SAID
    }
    return told | {"density_by": score.density_of_views["model"]}


def _silenced(trust: Trust) -> tuple[str, ...]:
    """Return which numbers of a score may not be said."""
    if trust.is_trusted:
        return ()
    return OF_RISK if trust.tells_growth else NUMBERS


def _plain(value: Any) -> Any:
    """Return what JSON can hold: dates and moments in ISO, enumerations by their value."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bool):
        return int(value)
    return value.value if hasattr(value, "value") else value
