"""The worklist: every woman in one row, what needs a look first."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from core.installation import Installation
from core.records import cards
from core.records.search import is_called
from core.refusals import refusal_text
from core.rules import last_of_each_day, last_said, latest_score_ids, said_alike, thresholds, trends
from db.tables import Alert, Event, EventKind, Patient, Score, Study, StudyStatus, utc_now

NEW_FOR = timedelta(days=7)
"""A score counts as new for a week, or until the reader's assessment is recorded."""


class Column(enum.StrEnum):
    """What the worklist can be ordered by."""

    PATIENT = "patient"
    AGE = "age"
    LAST_STUDY = "last_study"
    RISK = "risk"
    CHANGE = "change"
    DENSITY = "density"
    NEXT_DUE = "next_due"
    ALERT = "alert"


@dataclass(frozen=True)
class Order:
    """A column, and whether its largest value (the latest day, the last letter) stands first."""

    column: Column
    descending: bool


class Group(enum.StrEnum):
    """The groups that the worklist counts."""

    NEEDS_A_LOOK = "needs a look"
    OVERDUE = "overdue"
    NEW = "new scores"
    ALL = "all"


@dataclass(frozen=True)
class CoursePoint:
    """One scored visit in a row's small course."""

    on: date
    risk_5y: float


@dataclass(frozen=True)
class Row:
    """One woman in the worklist. Probabilities are 0..1; unknown is None."""

    mrn: str
    name: str | None
    simulated: bool
    age_years: int | None
    last_study: date | None
    last_status: StudyStatus | None
    refusal: str
    studies: int
    risk_5y: float | None
    risk_5y_low: float | None
    risk_5y_high: float | None
    scored_on: date | None
    change_since_prior: float | None
    prior_on: date | None
    course: tuple[CoursePoint, ...]
    density: str | None
    density_by_reader: bool
    alerts: tuple[str, ...]
    alert_rules: tuple[str, ...]
    diagnosed: bool
    next_due: date | None
    overdue: bool
    new: bool

    @property
    def label(self) -> str:
        """Return the name, or the MRN where no name is known."""
        return self.name or f"MRN {self.mrn}"

    @property
    def needs_a_look(self) -> bool:
        """Say whether an alert is open or her last study was refused."""
        return bool(self.alerts) or self.last_status is StudyStatus.REFUSED

    @property
    def band(self) -> str | None:
        """Return the key of the band that her 5-year risk lies in."""
        return None if self.risk_5y is None else thresholds.risk_band(self.risk_5y).key

    def belongs_to(self, group: Group) -> bool:
        """Say whether this row counts in a group."""
        return {
            Group.NEEDS_A_LOOK: self.needs_a_look,
            Group.OVERDUE: self.overdue,
            Group.NEW: self.new,
            Group.ALL: True,
        }[group]


@dataclass(frozen=True)
class Filter:
    """What a person narrows the worklist to; empty means no narrowing."""

    text: str = ""
    group: Group = Group.ALL
    age_from: int | None = None
    age_to: int | None = None
    densities: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()

    @property
    def narrows(self) -> bool:
        """Say whether anything but the group is narrowed."""
        return replace(self, group=Group.ALL) != Filter()

    def admits(self, row: Row) -> bool:
        """Say whether a row passes everything but the group."""
        if not is_called(self.text, row.mrn, row.name):
            return False
        if self.age_from is not None and (row.age_years is None or row.age_years < self.age_from):
            return False
        if self.age_to is not None and (row.age_years is None or row.age_years > self.age_to):
            return False
        if self.densities and row.density not in self.densities:
            return False
        return not self.bands or row.band in self.bands


def rows(here: Installation, *, today: date, now: datetime | None = None) -> list[Row]:
    """Read all women, what needs a look first, in five queries whatever their number."""
    now = now or utc_now()
    with here.database.read() as session:
        patients = session.execute(
            select(Patient.id, Patient.mrn, Patient.name, Patient.simulated, Patient.birth_date)
        ).all()
        studies = defaultdict(list)
        for study in session.execute(
            select(
                Study.id,
                Study.patient_id,
                Study.study_date,
                Study.status,
                Study.refusal_detail,
                Study.refusal_reason,
                Study.reader_density,
                Study.assessed_at,
            ).order_by(Study.study_date, Study.id)
        ):
            studies[study.patient_id].append(study)
        scores = {
            score.study_id: score
            for score in session.execute(
                select(
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
                ).where(Score.id.in_(latest_score_ids(cards.speaking(here))))
            )
        }
        alerts = defaultdict(list)
        for alert in session.execute(
            select(Alert.patient_id, Alert.rule, Alert.message)
            .where(Alert.acknowledged_at.is_(None))
            .order_by(Alert.id)
        ):
            alerts[alert.patient_id].append(alert)
        diagnosed = set(session.scalars(select(Event.patient_id).where(Event.kind == EventKind.DIAGNOSIS)))
    interval = thresholds.screening_interval()
    found = []
    for patient in patients:
        hers = studies[patient.id]
        scored = last_of_each_day(
            ((study, scores[study.id]) for study in hers if study.id in scores),
            lambda visit: visit[0].study_date,
        )
        last = hers[-1] if hers else None
        newest = scored[-1] if scored else None
        prior = scored[-2] if len(scored) > 1 else None
        comparable = newest and prior and said_alike((newest[1], prior[1]))
        of_the_day = [study for study in hers if newest and study.study_date == newest[0].study_date]
        density = last_said(study.reader_density for study in of_the_day)
        by_reader = density is not None
        if newest and density is None:
            density = _likeliest_density(newest[1])
        found.append(
            Row(
                mrn=patient.mrn,
                name=patient.name,
                simulated=patient.simulated,
                age_years=trends.age_years(patient.birth_date, today),
                last_study=last.study_date if last else None,
                last_status=last.status if last else None,
                refusal=refusal_text(last.refusal_reason, last.refusal_detail) if last else "",
                studies=len(hers),
                risk_5y=newest[1].risk_5y if newest else None,
                risk_5y_low=newest[1].risk_5y_low if newest else None,
                risk_5y_high=newest[1].risk_5y_high if newest else None,
                scored_on=newest[0].study_date if newest else None,
                change_since_prior=newest[1].risk_5y - prior[1].risk_5y
                if newest and prior and comparable
                else None,
                prior_on=prior[0].study_date if prior else None,
                course=tuple(CoursePoint(study.study_date, score.risk_5y) for study, score in scored),
                density=density,
                density_by_reader=by_reader,
                alerts=tuple(alert.message for alert in alerts[patient.id]),
                alert_rules=tuple(alert.rule for alert in alerts[patient.id]),
                # After a diagnosis the clinic plans the follow-up; the screening interval no longer says when.
                diagnosed=patient.id in diagnosed,
                next_due=interval.due(last.study_date, patient.birth_date, today)
                if last and patient.id not in diagnosed
                else None,
                overdue=last is not None
                and patient.id not in diagnosed
                and interval.is_overdue(last.study_date, patient.birth_date, today),
                new=newest is not None
                and last_said(study.assessed_at for study in of_the_day) is None
                and newest[1].computed_at > now - NEW_FOR,
            )
        )
    return sorted(found, key=_urgency)


def _likeliest_density(score: Any) -> str:
    return max("ABCD", key=lambda letter: float(getattr(score, f"density_{letter.lower()}")))


# Most urgent first: what speaks of disease now, then of change, then of level.
_RULES_BY_URGENCY = ("malignancy", "risk_jump", "progression", "risk_high")


def _urgency(row: Row) -> tuple[bool, int, bool, float, str]:
    ranks = [_RULES_BY_URGENCY.index(rule) for rule in row.alert_rules if rule in _RULES_BY_URGENCY]
    return (
        not row.needs_a_look,
        min(ranks, default=len(_RULES_BY_URGENCY)),
        not row.overdue,
        -(row.risk_5y or 0.0),
        row.mrn,
    )


def counts(found: Iterable[Row]) -> dict[Group, int]:
    """Count the rows of each group."""
    listed = list(found)
    return {group: sum(row.belongs_to(group) for row in listed) for group in Group}


def choose(found: Sequence[Row], wanted: Filter) -> list[Row]:
    """Return the rows of the wanted group that pass the filter, in their order."""
    return [row for row in found if row.belongs_to(wanted.group) and wanted.admits(row)]


_VALUES: Mapping[Column, Callable[[Row], Any]] = {
    Column.PATIENT: lambda row: row.label.casefold(),
    Column.AGE: lambda row: row.age_years,
    Column.LAST_STUDY: lambda row: row.last_study,
    Column.RISK: lambda row: row.risk_5y,
    Column.CHANGE: lambda row: row.change_since_prior,
    Column.DENSITY: lambda row: row.density,
    Column.NEXT_DUE: lambda row: row.next_due,
    Column.ALERT: lambda row: len(row.alerts),
}


def ordered(found: Sequence[Row], order: Order) -> list[Row]:
    """Return rows by a column; what is not known stands last in both directions, equals stay in their order."""
    value = _VALUES[order.column]
    there = [row for row in found if value(row) is not None]
    lacking = [row for row in found if value(row) is None]
    return sorted(there, key=value, reverse=order.descending) + lacking
