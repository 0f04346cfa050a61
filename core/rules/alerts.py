"""Alert rules as data: read once from `alerts.toml`, each with its threshold, its sentence, its urgency and its source."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from string import Formatter
from typing import Annotated, Protocol

from pydantic import Field, model_validator

from core.rules import documents, trends
from core.rules.ages import years_between
from core.rules.comparable import GrowthStored, RiskSaid, SaidBy, growth_of, is_within_noise, said_alike
from core.rules.documents import Document, Probability, Table, Words
from core.rules.trust import Trust
from core.rules.vocabulary import SIDE_WORDS
from models.measures import safe_logit


class Measure(enum.StrEnum):
    """What a rule looks at; the last two stand in no score and are computed as of today, never stored."""

    RISK_5Y = "risk_5y"
    CHANGE = "change"
    SLOPE = "slope"
    MALIGNANCY_MAX = "malignancy_max"
    PROGRESSION = "progression"
    QUALITY = "quality"
    OVERDUE = "overdue"


_OF_A_LEVEL = (Measure.RISK_5Y, Measure.MALIGNANCY_MAX, Measure.PROGRESSION)
_OF_A_CHANGE = (Measure.CHANGE, Measure.SLOPE)
_SAYS: Mapping[Measure, frozenset[str]] = {
    Measure.RISK_5Y: frozenset({"value"}),
    Measure.CHANGE: frozenset({"value", "before", "ratio", "points", "time"}),
    Measure.SLOPE: frozenset({"slope", "visits"}),
    Measure.MALIGNANCY_MAX: frozenset({"side", "value"}),
    Measure.PROGRESSION: frozenset({"value"}),
    Measure.QUALITY: frozenset({"reason"}),
    Measure.OVERDUE: frozenset({"due"}),
}
LEAST_VISITS = 3
"""A slope of two visits is their change, which has a rule of its own."""


class AlertRule(Table):
    """One rule: raise an alert where `measure` lies above its threshold; the smaller `urgency`, the sooner it needs a look.

    A level has its threshold in `above`. A change has it in `quantile` of the changes of women without cancer
    (`Reference`); `otherwise` is the threshold of scores that were not measured there, and `least` the least change as a
    probability. `sentence` says it in words, with the fields that its measure knows.
    """

    rule: Words
    label: Words
    measure: Measure
    above: Probability | None = None
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    otherwise: Annotated[float, Field(gt=0)] | None = None
    least: Probability = 0.0
    urgency: Annotated[int, Field(ge=1)]
    sentence: Words
    why: Words
    source: Words

    @model_validator(mode="after")
    def _has_its_threshold(self) -> AlertRule:
        if (self.above is not None) != (self.measure in _OF_A_LEVEL):
            raise ValueError("above belongs to a level, and a level needs it")
        if (self.quantile is not None) != (self.measure in _OF_A_CHANGE):
            raise ValueError("quantile belongs to a change or a slope, and they need it")
        asked = {name for _, name, _, _ in Formatter().parse(self.sentence) if name is not None}
        if unknown := asked - _SAYS[self.measure]:
            raise ValueError(f"the sentence asks for {', '.join(sorted(unknown))}, which is not known here")
        return self

    @property
    def is_of_growth(self) -> bool:
        """Say whether it looks at growth since the prior, which a diagnosis does not end."""
        return self.measure is Measure.PROGRESSION

    @property
    def is_of_change(self) -> bool:
        """Say whether it sets a score beside those of the visits before."""
        return self.measure in _OF_A_CHANGE

    @property
    def is_of_a_score(self) -> bool:
        """Say whether a score raises it; the others are computed as of today and not stored."""
        return self.measure not in (Measure.QUALITY, Measure.OVERDUE)


class Reference(Table):
    """Changes and slopes of 5-year risk among women without cancer, by the weights and calibration that were measured.

    `ratio` and `slope` (0..1 a year) are the quantiles at `shares`; `fires` says how often all rules together speak there.
    """

    model: Words
    weights_sha256: Words
    calibration: Words
    measured_on: Words
    fires: Words
    shares: Annotated[tuple[Probability, ...], Field(min_length=1)]
    ratio: tuple[float, ...]
    slope: tuple[float, ...]

    @model_validator(mode="after")
    def _rising(self) -> Reference:
        for name, values in (("shares", self.shares), ("ratio", self.ratio), ("slope", self.slope)):
            if list(values) != sorted(set(values)) or len(values) != len(self.shares):
                raise ValueError(f"{name} must rise and be as many as shares")
        return self

    def knows(self, score: SaidBy) -> bool:
        """Say whether a score is one of those that were measured."""
        by = (score.model, score.weights_sha256) == (self.model, self.weights_sha256)
        return by and score.calibration.endswith(self.calibration)


class AlertRules(Document):
    """The file of alert rules."""

    reference: Reference
    alert: Annotated[tuple[AlertRule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> AlertRules:
        documents.unique([rule.rule for rule in self.alert], "the rule")
        documents.unique([rule.urgency for rule in self.alert], "the urgency")
        for rule in self.alert:
            if rule.quantile is not None and rule.quantile not in self.reference.shares:
                raise ValueError(f"the quantile {rule.quantile} of {rule.rule} is not among the shares")
        return self

    def threshold(self, rule: AlertRule, score: SaidBy) -> float | None:
        """Return what a score's measure must exceed; None where nothing was measured of such scores."""
        if rule.quantile is None:
            return rule.above
        if not self.reference.knows(score):
            return rule.otherwise
        values = self.reference.ratio if rule.measure is Measure.CHANGE else self.reference.slope
        return values[self.reference.shares.index(rule.quantile)]


@cache
def rules_in_force() -> AlertRules:
    """Return the alert rules with their edition; raises `documents.RulesError` if the file is damaged."""
    return documents.read("alerts.toml", AlertRules)


def alert_rules() -> tuple[AlertRule, ...]:
    """Return the alert rules in force, most urgent first."""
    return tuple(sorted(rules_in_force().alert, key=lambda rule: rule.urgency))


def score_rules() -> tuple[AlertRule, ...]:
    """Return the rules that a score is held against, most urgent first."""
    return tuple(rule for rule in alert_rules() if rule.is_of_a_score)


def rule_of(measure: Measure) -> AlertRule | None:
    """Return the most urgent rule in force on a measure; None where there is none."""
    return next((rule for rule in alert_rules() if rule.measure is measure), None)


def urgency(rule: str) -> int | None:
    """Return how urgent an alert by this rule is, 1 the most; None for a rule that is not in force any more."""
    return next((one.urgency for one in alert_rules() if one.rule == rule), None)


class AlertingScore(RiskSaid, GrowthStored, Protocol):
    """What the rules look at of a score; see `db.tables.Score`."""

    malignancy_left: float | None
    malignancy_right: float | None


@dataclass(frozen=True)
class Dated:
    """A score, and the day of its study."""

    on: date
    score: AlertingScore


@dataclass(frozen=True)
class Held:
    """What a rule is held against: a woman's newest score, how far it may be believed, and what came before.

    `prior` is the visit before; None if there is none, or its score may not be shown. `earlier` are all visits before
    with scores that may be shown, oldest first, the prior among them. `treated_on` are the days on which treatments began.
    """

    now: Dated
    trust: Trust
    prior: Dated | None = None
    earlier: Sequence[Dated] = ()
    treated_on: Sequence[date] = ()

    @property
    def course(self) -> list[Dated]:
        """Return the visits that the newest score can be set beside, and itself as the last."""
        alike = [visit for visit in self.earlier if said_alike((visit.score, self.now.score))]
        return [*alike, self.now]


@dataclass(frozen=True)
class Judged:
    """What a rule finds: the value it looks at, whether that raises an alert, and the words for it.

    `stands` says of a level that was crossed before that it is above still.
    """

    value: float
    raised: bool
    words: Mapping[str, str] = field(default_factory=dict)
    stands: bool = False

    def sentence(self, rule: AlertRule) -> str:
        """Say it."""
        return rule.sentence.format(**self.words)


def judge(rule: AlertRule, held: Held) -> Judged | None:
    """Hold a woman's newest score against a rule; None where there is nothing that speaks.

    A change speaks only between scores by the same weights and calibration, and where it is more than positioning and
    exposure make, as far as that was measured.
    """
    match rule.measure:
        case Measure.CHANGE:
            return _change(rule, held)
        case Measure.SLOPE:
            return _slope(rule, held)
        case Measure.RISK_5Y:
            return _crossed(rule, held)
        case Measure.MALIGNANCY_MAX:
            return _malignancy(rule, held.now.score)
        case Measure.PROGRESSION:
            value = growth_of(held.now.score, held.trust)[0]
            return None if value is None else _level(rule, value)
    return None


def _level(rule: AlertRule, value: float, **words: str) -> Judged:
    return Judged(
        value, rule.above is not None and value > rule.above, {"value": percent_words(value), **words}
    )


def _malignancy(rule: AlertRule, score: AlertingScore) -> Judged | None:
    known = {"L": score.malignancy_left, "R": score.malignancy_right}
    sides = {side: value for side, value in known.items() if value is not None}
    if not sides:
        return None
    side = max(sides, key=sides.__getitem__)
    return _level(rule, sides[side], side=SIDE_WORDS[side])


def _change(rule: AlertRule, held: Held) -> Judged | None:
    now, prior = held.now, held.prior
    threshold = rules_in_force().threshold(rule, now.score)
    if prior is None or threshold is None or not said_alike((prior.score, now.score)):
        return None
    if is_within_noise(prior.score, now.score):
        return None
    before, value = float(prior.score.risk_5y), float(now.score.risk_5y)
    if before <= 0:
        return None
    words = {
        "value": percent_words(value),
        "before": percent_words(before),
        "ratio": f"{value / before:.1f}" if value / before < 9.95 else f"{value / before:.0f}",
        "points": f"{100 * (value - before):+.1f}",
        "time": _time(prior.on, now.on),
    }
    return Judged(value / before, value / before > threshold and value - before > rule.least, words)


def _slope(rule: AlertRule, held: Held) -> Judged | None:
    threshold = rules_in_force().threshold(rule, held.now.score)
    visits = trends.since_treatment([*held.earlier, held.now], held.treated_on)
    scores = [visit.score for visit in visits]
    if threshold is None or len(visits) < LEAST_VISITS or not said_alike(scores):
        return None
    line = trends.slope_of_risk([visit.on for visit in visits], scores)
    if line is None or line.low is None or line.low <= 0:
        return None
    words = {"slope": f"{100 * line.per_year:+.1f}", "visits": str(line.visits)}
    return Judged(line.per_year, line.per_year > threshold, words)


def _crossed(rule: AlertRule, held: Held) -> Judged:
    """Judge a level that is crossed from below.

    She is above from her first score on, or from the visit on whose change since her lowest score is more than noise; a
    creeping rise is so told once, when it has become one. Below the level she is below.
    """
    above, lowest, states = False, None, [False]
    for visit in held.course:
        score = visit.score
        rose = lowest is None or not is_within_noise(lowest, score)
        above = float(score.risk_5y) > (rule.above or 0.0) and (above or rose)
        states.append(above)
        if lowest is None or safe_logit(float(score.risk_5y)) < safe_logit(float(lowest.risk_5y)):
            lowest = score
    (before, now), value = list(itertools.pairwise(states))[-1], float(held.now.score.risk_5y)
    return Judged(value, now and not before, {"value": percent_words(value)}, stands=now)


def _time(since: date, until: date) -> str:
    months = round(12 * years_between(since, until))
    return f"{months} months" if months < 48 else f"{months / 12:.0f} years"


def percent_words(value: float) -> str:
    """Return a probability (0..1) as a sentence says it: one decimal below ten per cent, and "< 0.1 %" below that."""
    if 0 < value < 0.001:
        return "< 0.1 %"
    return f"{value * 100:.1f} %" if value < 0.0995 else f"{value * 100:.0f} %"
