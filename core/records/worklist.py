"""The worklist: every woman in one row, in groups by what can be done about her."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records.listing import ListedStudy, ListedWoman, listed_women
from core.records.search import is_called
from core.records.standing import Standing
from core.rules import (
    Measure,
    Rank,
    age_years,
    is_within_noise,
    rule_of,
    said_alike,
    thresholds,
    trends,
    urgency,
    vocabulary,
)
from core.rules.end_of_risk import died_on, words_of_end
from core.rules.followup import OpenAssessment, Reading, explains, is_under_treatment, open_assessment
from db.tables import StudyStatus


class Column(enum.StrEnum):
    """What the worklist can be ordered by."""

    PATIENT = "patient"
    AGE = "age"
    LAST_STUDY = "last_study"
    RISK = "risk"
    CHANGE = "change"
    SLOPE = "slope"
    DENSITY = "density"
    ASSESSED = "assessed"
    NEXT_DUE = "next_due"
    ALERT = "alert"


@dataclass(frozen=True)
class Order:
    """A column, and whether its largest value (the latest day, the last letter) stands first."""

    column: Column
    descending: bool


class Group(enum.StrEnum):
    """The groups that the worklist counts, by what can be done about them."""

    TO_READ = "to read"
    CHANGED = "changed and unexplained"
    OPEN = "open assessment"
    NOT_SCORED = "not scored: read as usual"
    OVERDUE = "overdue"
    UNDER_TREATMENT = "under treatment or follow-up"
    ALL = "all"


@dataclass(frozen=True)
class RowAlert:
    """An open alert: by which rule, in words, of which study, since when; `explained` by what a reader recorded."""

    rule: str
    message: str
    on: date
    raised_at: datetime
    explained: bool


@dataclass(frozen=True)
class Notice:
    """What asks for a look as of today, by which rule and in words; it stands in no score and is not stored."""

    rule: str
    message: str


@dataclass(frozen=True)
class LastWord:
    """What a reader said last: the category, of the study of which day, who and when as far as that is known."""

    category: str
    on: date
    by: str | None
    at: datetime | None


@dataclass(frozen=True)
class CoursePoint:
    """One scored visit in a row's small course.

    `alike` says whether its score may be set beside the one of the visit before, `within_noise` whether their change is no
    more than positioning and exposure make, `complete` whether it has read all four views.
    """

    on: date
    risk_5y: float
    complete: bool = True
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
    """Whether the number is missing only because a diagnosis, a death or the loss of both breasts ends it, not because the
    model cannot read her."""
    change_since_prior: float | None
    change_is_noise: bool | None
    """Whether that change is no more than positioning and exposure make; None where it is not known."""
    factor: float | None
    """How many times the risk of the visit before it is; None where `change_since_prior` is."""
    prior_on: date | None
    density: str | None
    density_by_reader: bool
    unread: bool
    """Whether nobody has assessed her newest study."""
    last_word: LastWord | None
    open_assessment: OpenAssessment | None
    alerts: tuple[RowAlert, ...]
    """Open alerts of her scores, the most urgent first."""
    notices: tuple[Notice, ...]
    """Pictures that could not be read, an overdue study."""
    diagnosed: bool
    under_treatment: bool
    """Whether a cancer is known, from which on the clinic plans: no alert of screening is hers any more."""
    next_due: date | None
    overdue: bool
    standing: Standing[ListedStudy] = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """Return the name, or the MRN where no name is known."""
        return self.name or f"MRN {self.mrn}"

    @cached_property
    def slope(self) -> trends.Slope | None:
        """The slope of 5-year risk a year; None where her last score has no number. Fitted when it is asked for."""
        return self.standing.slope if self.risk_5y is not None else None

    @cached_property
    def course(self) -> tuple[CoursePoint, ...]:
        """Her scored visits, for a small course; put together when it is asked for."""
        return _course(self.standing.scored)

    @property
    def changed(self) -> bool:
        """Say whether an alert is open that nobody has explained; never of a woman whose cancer is known."""
        return not self.under_treatment and any(not alert.explained for alert in self.alerts)

    @property
    def not_scored(self) -> bool:
        """Say whether her last study has no number because it could not be read, or may not be told: it is read as usual."""
        withheld = bool(self.withheld) and not self.ended and self.rank is None
        return withheld or self.last_status is StudyStatus.REFUSED

    @property
    def urgency(self) -> float:
        """Return how urgent the alerts are that nobody has explained: 1 the most, infinite where there is none."""
        known = (urgency(alert.rule) for alert in self.alerts if not alert.explained)
        return min((rank for rank in known if rank is not None), default=math.inf)

    @property
    def band(self) -> str | None:
        """Return the key of the band of screening that her 5-year risk lies in; None after a diagnosis."""
        if self.risk_5y is None or self.diagnosed:
            return None
        return thresholds.risk_band(self.risk_5y).key

    def belongs_to(self, group: Group) -> bool:
        """Say whether this row counts in a group."""
        return {
            Group.TO_READ: self.unread,
            Group.CHANGED: self.changed,
            Group.OPEN: self.open_assessment is not None,
            Group.NOT_SCORED: self.not_scored,
            Group.OVERDUE: self.overdue,
            Group.UNDER_TREATMENT: self.under_treatment,
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

    @property
    def densities_meant(self) -> tuple[str, ...]:
        """Return the densities that are asked for; who asks for C or for D means a woman of either too."""
        either = set(self.densities) & set(vocabulary.DENSE.split("+"))
        return (*self.densities, *([vocabulary.DENSE] if either else ()))

    def admits(self, row: Row) -> bool:
        """Say whether a row passes everything but the group."""
        if not is_called(self.text, row.mrn, row.name):
            return False
        if self.age_from is not None and (row.age_years is None or row.age_years < self.age_from):
            return False
        if self.age_to is not None and (row.age_years is None or row.age_years > self.age_to):
            return False
        if self.densities and row.density not in self.densities_meant:
            return False
        return not self.bands or row.band in self.bands


@needs(Permission.SEE_PATIENTS)
def rows(here: Installation, *, today: date) -> list[Row]:
    """Read all women, what is changed and not explained first, in six queries whatever their number."""
    with here.database.read() as session:
        women = list(listed_women(here, session))
    return sorted((row_of(woman, today=today) for woman in women), key=_first_what_changed)


def row_of(woman: ListedWoman, *, today: date) -> Row:
    """Say a woman in one row, as of a day."""
    stands = woman.standing
    last, newest, prior = stands.last, stands.newest, stands.prior
    doubt, last_read = stands.doubt, stands.last_read
    # Where the last score is withheld or covered, an earlier one is not where she stands now.
    risk = newest.score.risk_5y if newest and newest.score and stands.is_told else None
    change = stands.change_since_prior
    visits = _readings(stands.studies)
    at_risk = stands.risk_ended_on is None
    alive = died_on(woman.happened) is None
    under_treatment = alive and (stands.diagnosed or is_under_treatment(visits, woman.happened))
    is_open = open_assessment(visits, woman.happened) if at_risk else None
    overdue = stands.is_overdue(today) and not under_treatment
    due = None if under_treatment else stands.next_due(today)
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
        withheld=words_of_end(woman.happened) or (doubt.sentence if doubt else ""),
        rank=last_read.rank if last_read and at_risk else None,
        ended=not at_risk or (doubt is not None and doubt.is_ended),
        change_since_prior=change,
        change_is_noise=stands.change_is_noise,
        factor=_factor(stands) if change is not None else None,
        prior_on=prior.on if prior and stands.is_told else None,
        density=stands.density,
        density_by_reader=stands.reader_density is not None,
        unread=bool(visits) and not visits[-1].is_read,
        last_word=_last_word(stands.studies),
        open_assessment=is_open,
        alerts=_alerts(woman, visits) if at_risk else (),
        notices=_notices(stands, today, overdue=overdue, due=due),
        diagnosed=stands.diagnosed,
        under_treatment=under_treatment,
        next_due=is_open.due if is_open and is_open.due else due,
        overdue=overdue,
        standing=stands,
    )


def _factor(stands: Standing[ListedStudy]) -> float | None:
    before, now = (visit.score.risk_5y.value for visit in stands.scored[-2:] if visit.score is not None)
    return now / before if before > 0 else None


def _readings(studies: Sequence[ListedStudy]) -> list[Reading]:
    """Return what readers said of each visit; what was recorded of one study of a day counts for all of them."""
    days: dict[date, Reading] = {}
    for study in studies:
        of_before = days.get(study.on)
        if study.bi_rads is not None or of_before is None:
            days[study.on] = Reading(study.on, study.bi_rads, study.assessed_at, study.blind, study.in_part)
    return list(days.values())


def _last_word(studies: Sequence[ListedStudy]) -> LastWord | None:
    said = (
        LastWord(study.bi_rads, study.on, study.assessed_by, study.assessed_at)
        for study in reversed(studies)
        if study.bi_rads is not None
    )
    return next(said, None)


def _alerts(woman: ListedWoman, visits: Sequence[Reading]) -> tuple[RowAlert, ...]:
    made = [
        RowAlert(
            alert.rule,
            alert.message,
            alert.on,
            alert.raised_at,
            any(explains(visit, study_on=alert.on, raised_at=alert.raised_at) for visit in visits),
        )
        for alert in woman.alerts
    ]
    return tuple(sorted(made, key=lambda alert: urgency(alert.rule) or math.inf))


def _notices(
    stands: Standing[ListedStudy], today: date, *, overdue: bool, due: date | None
) -> tuple[Notice, ...]:
    """Say by the rules on pictures and on time what asks for a look as of today."""
    quality, late = rule_of(Measure.QUALITY), rule_of(Measure.OVERDUE)
    found = []
    if quality is not None and (reason := _lack_of(stands)):
        found.append(Notice(quality.rule, quality.sentence.format(reason=reason)))
    if late is not None and overdue and due is not None:
        found.append(Notice(late.rule, late.sentence.format(due=f"{due:%Y-%m}")))
    return tuple(found)


def _lack_of(stands: Standing[ListedStudy]) -> str:
    """Say what is amiss with the pictures of her last study; nothing where nothing is."""
    last = stands.last
    if last is None:
        return ""
    if last.status is StudyStatus.REFUSED:
        return f"Not scored: {last.refusal}"
    if last.score is not None and last.score.missing_views:
        return f"Scored without {', '.join(view.replace('-', ' ') for view in last.score.missing_views)}"
    return ""


def _course(visits: Sequence[ListedStudy]) -> tuple[CoursePoint, ...]:
    scored = [(visit.on, visit.score) for visit in visits if visit.score is not None]
    first = [
        CoursePoint(on, score.risk_5y.value, complete=not score.missing_views) for on, score in scored[:1]
    ]
    steps = (
        CoursePoint(
            on,
            score.risk_5y.value,
            complete=not score.missing_views,
            alike=said_alike((before, score)),
            within_noise=is_within_noise(before, score),
        )
        for (_, before), (on, score) in itertools.pairwise(scored)
    )
    return (*first, *steps)


def _first_what_changed(row: Row) -> tuple[bool, float, bool, bool, bool, float, str]:
    return (
        not row.changed,
        row.urgency if row.changed else math.inf,
        row.open_assessment is None,
        row.last_status is not StudyStatus.REFUSED,
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
    """Return the rows of the wanted group that pass the filter, in the order of that group.

    What is to be read comes by the day of the study, which gives nothing away of what a score says of it; what is open or
    overdue by when it was due.
    """
    chosen = [row for row in found if row.belongs_to(wanted.group) and wanted.admits(row)]
    if wanted.group is Group.TO_READ:
        chosen.sort(key=lambda row: (row.last_study or date.min, row.mrn), reverse=True)
    elif wanted.group is Group.OPEN:
        chosen.sort(key=lambda row: (row.open_assessment.of if row.open_assessment else date.max, row.mrn))
    elif wanted.group is Group.OVERDUE:
        chosen.sort(key=lambda row: (row.next_due or date.max, row.mrn))
    return chosen


_VALUES: Mapping[Column, Callable[[Row], Any]] = {
    Column.PATIENT: lambda row: row.label.casefold(),
    Column.AGE: lambda row: row.age_years,
    Column.LAST_STUDY: lambda row: row.last_study,
    Column.RISK: lambda row: row.risk_5y,
    # What positioning makes is no change: it stands between those that rise and those that fall.
    Column.CHANGE: lambda row: 0.0 if row.change_is_noise else row.change_since_prior,
    Column.SLOPE: lambda row: row.slope.per_year if row.slope else None,
    Column.DENSITY: lambda row: row.density,
    Column.ASSESSED: lambda row: row.last_word.on if row.last_word else None,
    Column.NEXT_DUE: lambda row: row.next_due,
    Column.ALERT: lambda row: max((alert.raised_at for alert in row.alerts), default=None),
}


def ordered(found: Sequence[Row], order: Order) -> list[Row]:
    """Return rows by a column; what is not known stands last in both directions, equals stay in their order."""
    value = _VALUES[order.column]
    there = [row for row in found if value(row) is not None]
    lacking = [row for row in found if value(row) is None]
    return sorted(there, key=value, reverse=order.descending) + lacking
