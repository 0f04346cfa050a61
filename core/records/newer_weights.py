"""What newer weights changed: alerts of each woman's newest study, by the earlier weights and by those that scored it last.

The two scores are told side by side, never as a course: a difference between them is one of models, not of the woman.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.records import cards
from core.records.covered import covered_study_ids
from core.rules import (
    AlertRule,
    Dated,
    Held,
    Judged,
    RiskEnds,
    Trust,
    judge,
    last_of_each_day,
    risk_ends,
    said_alike,
    score_rules,
    treatments,
    trust_of,
)
from core.rules.comparable import SaidBy
from db.tables import Event, Patient, Score, Study

__all__ = ["ChangedAlert", "RaisedBy", "changed_alerts", "raised_by"]

_WOMEN_AT_ONCE = 500


@dataclass(frozen=True)
class ChangedAlert:
    """An alert that the earlier weights raise and the newer do not, or the other way round.

    `before` and `now` are what its rule looks at, probabilities (0..1) or a change of one; None where nothing may be told
    or there is nothing to look at. `before_withheld` and `now_withheld` say that it may not be told.
    """

    mrn: str
    name: str | None
    simulated: bool
    study_uid: str
    on: date
    rule: AlertRule
    is_new: bool
    before: float | None
    now: float | None
    before_withheld: bool
    now_withheld: bool

    @property
    def label(self) -> str:
        """Return the name, or the MRN where no name is known."""
        return self.name or f"MRN {self.mrn}"


@needs(Permission.SEE_PATIENTS)
def changed_alerts(here: Installation, *, start: int = 0, count: int = 20) -> list[ChangedAlert]:
    """Return a page of the alerts that newer weights changed, by MRN and urgency; the shorter the fewer there are.

    Women whose newest study is covered until it is read are left out.
    """
    with here.database.read() as session:
        return list(itertools.islice(_all(here, session), start, start + count))


def _all(here: Installation, session: Session) -> Iterator[ChangedAlert]:
    """Go through the women who were scored by more than one set of weights or calibration."""
    versions = (
        select(Study.patient_id, Score.model, Score.weights_sha256, Score.calibration)
        .join(Study, Study.id == Score.study_id)
        .distinct()
        .subquery()
    )
    several = select(versions.c.patient_id).group_by(versions.c.patient_id).having(func.count() > 1)
    women = session.execute(
        select(Patient.id, Patient.mrn, Patient.name, Patient.simulated)
        .where(Patient.id.in_(several))
        .order_by(Patient.mrn)
    ).all()
    model = cards.speaking(here)
    for begin in range(0, len(women), _WOMEN_AT_ONCE):
        some = women[begin : begin + _WOMEN_AT_ONCE]
        ids = [woman.id for woman in some]
        scores = _scores(session, ids)
        ends = risk_ends(session, Event.patient_id.in_(ids))
        covered = covered_study_ids(here, session, Study.patient_id.in_(ids))
        treated: defaultdict[int, list[date]] = defaultdict(list)
        for patient_id, day in session.execute(treatments().where(Event.patient_id.in_(ids))):
            treated[patient_id].append(day)
        for woman in some:
            of_newest = [row.study_id for row in scores[woman.id] if row.model == model][-1:]
            if covered.isdisjoint(of_newest):
                days = _Days(ends[woman.id], treated[woman.id])
                yield from _of_woman(woman, scores[woman.id], model, days)


AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class RaisedBy:
    """By which rules each of two versions raises an alert of a woman at the last visit that both have scored.

    `asked` are the rules that both could be held against: a rule on a change needs a prior by both.
    """

    patient_id: int
    asked: frozenset[str]
    first: frozenset[str]
    second: frozenset[str]


@needs(Permission.SEE_COHORT)
def raised_by(
    here: Installation, patient_ids: Sequence[int], first: SaidBy, second: SaidBy
) -> Iterator[RaisedBy]:
    """Yield of each of some women what the alert rules say of the scores of either version, at the last visit with both.

    Left out are women of whom either may not be told there, and those whose study is covered until it is read.
    """
    rules = score_rules()
    with here.database.read() as session:
        scores = _scores(session, patient_ids)
        ends = risk_ends(session, Event.patient_id.in_(patient_ids))
        covered = covered_study_ids(here, session, Study.patient_id.in_(patient_ids))
        treated: defaultdict[int, list[date]] = defaultdict(list)
        for patient_id, day in session.execute(treatments().where(Event.patient_id.in_(patient_ids))):
            treated[patient_id].append(day)
    for patient_id, hers in scores.items():
        of_each = [
            {row.study_id: row for row in hers if said_alike((row, version))} for version in (first, second)
        ]
        last = next(
            (row.study_id for row in reversed(hers) if all(row.study_id in of for of in of_each)), None
        )
        if last is None or last in covered:
            continue
        days = _Days(ends[patient_id], treated[patient_id])
        one, other = (_Said.of(of[last], hers, days) for of in of_each)
        if not (one.trust.is_trusted and other.trust.is_trusted):
            continue
        asked = [rule for rule in rules if not rule.is_of_change or (one.has_prior and other.has_prior)]
        yield RaisedBy(
            patient_id,
            frozenset(rule.rule for rule in asked),
            frozenset(rule.rule for rule in asked if one.raises(rule)),
            frozenset(rule.rule for rule in asked if other.raises(rule)),
        )


def _scores(session: Session, patient_ids: Sequence[int]) -> defaultdict[int, list[AnyRow]]:
    """Return each woman's scores in the order of visit and of when they were made."""
    query = (
        select(
            Study.patient_id,
            Study.uid,
            Study.study_date,
            Score.study_id,
            Score.model,
            Score.weights_sha256,
            Score.calibration,
            Score.risk_5y,
            Score.smallest_change,
            Score.malignancy_left,
            Score.malignancy_right,
            Score.progression,
            Score.progression_low,
            Score.progression_high,
            Score.progression_after,
            Score.progression_after_low,
            Score.progression_after_high,
            Score.trust_level,
            Score.trust_doubt,
            Score.trust_distance,
            Score.trust_limit,
        )
        .join(Study, Study.id == Score.study_id)
        .where(Study.patient_id.in_(patient_ids))
        .order_by(Study.study_date, Study.id, Score.id)
    )
    found: defaultdict[int, list[AnyRow]] = defaultdict(list)
    for row in session.execute(query):
        found[row.patient_id].append(row)
    return found


def _of_woman(woman: AnyRow, scores: Sequence[AnyRow], model: str, days: _Days) -> Iterator[ChangedAlert]:
    spoken = [row for row in scores if row.model == model]
    if not spoken:
        return
    now = spoken[-1]
    others = (row for row in scores if row.study_id == now.study_id and not said_alike((row, now)))
    before = next(iter(reversed(list(others))), None)
    if before is None:
        return
    then, today = (_Said.of(row, scores, days) for row in (before, now))
    for rule in score_rules():
        if rule.is_of_change and not (then.has_prior and today.has_prior):
            continue  # nothing to set one of them beside: the alert stays as it is
        judged = then.judged(rule), today.judged(rule)
        values = [None if one is None else one.value for one in judged]
        was, is_ = then.raises(rule), today.raises(rule)
        if was != is_:
            yield ChangedAlert(
                mrn=woman.mrn,
                name=woman.name,
                simulated=woman.simulated,
                study_uid=now.uid,
                on=now.study_date,
                rule=rule,
                is_new=is_,
                before=values[0],
                now=values[1],
                before_withheld=not then.tells(rule),
                now_withheld=not today.tells(rule),
            )


@dataclass(frozen=True)
class _Days:
    """From when on risk is not told of a woman, and when treatments began."""

    ends: RiskEnds
    treated_on: Sequence[date]


@dataclass(frozen=True)
class _Said:
    """One score, how far it may be believed, and those of the visits before by the same weights and calibration."""

    trust: Trust
    held: Held

    @classmethod
    def of(cls, score: AnyRow, scores: Sequence[AnyRow], days: _Days) -> _Said:
        """Find what belongs to a score among all of the woman's."""

        def trust(row: AnyRow) -> Trust:
            return trust_of(row, on=row.study_date, ends=days.ends)

        before = [row for row in scores if row.study_date < score.study_date]
        alike = [row for row in before if said_alike((row, score))]
        earlier = [
            row for row in last_of_each_day(alike, lambda row: row.study_date) if trust(row).is_trusted
        ]
        # The prior is the visit before, not an earlier one that happens to have such a score.
        of_prior = earlier[-1:] if earlier and earlier[-1].study_id == before[-1].study_id else []
        held = Held(
            now=Dated(score.study_date, score),
            trust=trust(score),
            prior=Dated(of_prior[0].study_date, of_prior[0]) if of_prior else None,
            earlier=[Dated(row.study_date, row) for row in earlier],
            treated_on=days.treated_on,
        )
        return cls(trust(score), held)

    @property
    def has_prior(self) -> bool:
        return self.held.prior is not None

    def tells(self, rule: AlertRule) -> bool:
        return self.trust.is_trusted or (rule.is_of_growth and self.trust.tells_growth)

    def judged(self, rule: AlertRule) -> Judged | None:
        return judge(rule, self.held) if self.tells(rule) else None

    def raises(self, rule: AlertRule) -> bool:
        judged = self.judged(rule)
        return judged is not None and (judged.raised or judged.stands)
