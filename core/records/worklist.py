"""The worklist: every woman in one row, what needs a look first."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from core.installation import Installation
from core.records.listing import ListedStudy, ListedWoman, listed_women
from core.records.search import is_called
from core.rules import Doubt, Rank, age_years, is_within_noise, said_alike, thresholds, urgency
from db.tables import StudyStatus, utc_now


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
    DIAGNOSED = "after a diagnosis"
    NOT_SCORED = "not scored: read as usual"
    ALL = "all"


@dataclass(frozen=True)
class CoursePoint:
    """One scored visit in a row's small course.

    `alike` says whether its score may be set beside the one of the visit before, `within_noise` whether their change is no
    more than positioning and exposure make.
    """

    on: date
    risk_5y: float
    alike: bool = True
    within_noise: bool | None = None


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
    covered: bool
    """Whether the score of her last study is covered until it is read; then nothing here tells of it."""
    withheld: str
    """Why her last study has no number, though a model has read it; empty otherwise."""
    rank: Rank | None
    """What stands in the place of a number that was never calibrated on such women."""
    ended: bool
    """Whether the number is missing only because a diagnosis ends it, not because the model cannot read her."""
    change_since_prior: float | None
    change_is_noise: bool | None
    """Whether that change is no more than positioning and exposure make; None where it is not known."""
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
        """Return the key of the band of screening that her 5-year risk lies in; None after a diagnosis."""
        if self.risk_5y is None or self.diagnosed:
            return None
        return thresholds.risk_band(self.risk_5y).key

    def belongs_to(self, group: Group) -> bool:
        """Say whether this row counts in a group."""
        return {
            Group.NEEDS_A_LOOK: self.needs_a_look,
            Group.OVERDUE: self.overdue,
            Group.NEW: self.new,
            Group.DIAGNOSED: self.diagnosed,
            Group.NOT_SCORED: bool(self.withheld) and not self.ended and self.rank is None,
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
    """Read all women, what needs a look first, in six queries whatever their number."""
    now = now or utc_now()
    with here.database.read() as session:
        women = list(listed_women(here, session))
    return sorted((row_of(woman, today=today, now=now) for woman in women), key=_urgency)


def row_of(woman: ListedWoman, *, today: date, now: datetime) -> Row:
    """Say a woman in one row, as of a day and a moment."""
    stands = woman.standing
    last, newest, prior = stands.last, stands.newest, stands.prior
    doubt, last_read = stands.doubt, stands.last_read
    # Where the last score is withheld or covered, an earlier one is not where she stands now.
    risk = newest.score.risk_5y if newest and newest.score and stands.is_told else None
    return Row(
        mrn=woman.mrn,
        name=woman.name,
        simulated=woman.simulated,
        age_years=age_years(woman.birth_date, today),
        last_study=last.on if last else None,
        last_status=last.status if last else None,
        refusal=last.refusal if last else "",
        studies=len(stands.studies),
        risk_5y=risk.value if risk else None,
        risk_5y_low=risk.low if risk else None,
        risk_5y_high=risk.high if risk else None,
        scored_on=newest.on if newest and stands.is_told else None,
        covered=stands.covered,
        withheld=doubt.sentence if doubt else "",
        rank=last_read.rank if last_read else None,
        ended=doubt is not None and doubt.doubt is Doubt.AFTER_DIAGNOSIS,
        change_since_prior=stands.change_since_prior,
        change_is_noise=stands.change_is_noise,
        prior_on=prior.on if prior and stands.is_told else None,
        course=_course(stands.scored),
        density=stands.density,
        density_by_reader=stands.reader_density is not None,
        alerts=tuple(alert.message for alert in woman.alerts),
        alert_rules=tuple(alert.rule for alert in woman.alerts),
        diagnosed=stands.diagnosed,
        next_due=stands.next_due(today),
        overdue=stands.is_overdue(today),
        new=stands.is_new(now),
    )


def _course(visits: Sequence[ListedStudy]) -> tuple[CoursePoint, ...]:
    scored = [(visit.on, visit.score) for visit in visits if visit.score is not None]
    first = [CoursePoint(on, score.risk_5y.value) for on, score in scored[:1]]
    steps = (
        CoursePoint(on, score.risk_5y.value, said_alike((before, score)), is_within_noise(before, score))
        for (_, before), (on, score) in itertools.pairwise(scored)
    )
    return (*first, *steps)


def _urgency(row: Row) -> tuple[bool, float, bool, float, str]:
    known = [rank for rule in row.alert_rules if (rank := urgency(rule)) is not None]
    return (
        not row.needs_a_look,
        min(known, default=math.inf),
        not row.overdue,
        # After a diagnosis, and where no number may be said, she has no place in an order by risk.
        0.0 if row.diagnosed else -(row.risk_5y or 0.0),
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
    # What positioning makes is no change: it stands between those that rise and those that fall.
    Column.CHANGE: lambda row: 0.0 if row.change_is_noise else row.change_since_prior,
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
