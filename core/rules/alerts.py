"""Alert rules as data: read once from `alerts.toml`, each with its threshold, its urgency and its source."""

from __future__ import annotations

import enum
from functools import cache
from typing import Annotated, Protocol

from pydantic import Field, model_validator

from core.rules import documents
from core.rules.comparable import GrowthStored, RiskSaid, growth_of, is_within_noise, said_alike
from core.rules.documents import Document, Probability, Table, Words
from core.rules.trust import Trust


class Measure(enum.StrEnum):
    """What of a score a rule looks at; all are probabilities (0..1) or a change of one."""

    RISK_5Y = "risk_5y"
    RISK_2Y_CHANGE = "risk_2y_change"
    MALIGNANCY_MAX = "malignancy_max"
    PROGRESSION = "progression"


class AlertRule(Table):
    """Raise an alert when `measure` of a score is above `above`; the smaller `urgency`, the sooner it needs a look."""

    rule: Words
    label: Words
    measure: Measure
    above: Probability
    urgency: Annotated[int, Field(ge=1)]
    source: Words

    @property
    def is_of_growth(self) -> bool:
        """Say whether it looks at growth since the prior, which a diagnosis does not end."""
        return self.measure is Measure.PROGRESSION

    @property
    def is_of_change(self) -> bool:
        """Say whether it sets a score beside the one of the visit before."""
        return self.measure is Measure.RISK_2Y_CHANGE


class AlertRules(Document):
    """The file of alert rules."""

    alert: Annotated[tuple[AlertRule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> AlertRules:
        documents.unique([rule.rule for rule in self.alert], "the rule")
        documents.unique([rule.urgency for rule in self.alert], "the urgency")
        return self


@cache
def rules_in_force() -> AlertRules:
    """Return the alert rules with their edition; raises `documents.RulesError` if the file is damaged."""
    return documents.read("alerts.toml", AlertRules)


def alert_rules() -> tuple[AlertRule, ...]:
    """Return the alert rules in force, most urgent first."""
    return tuple(sorted(rules_in_force().alert, key=lambda rule: rule.urgency))


def urgency(rule: str) -> int | None:
    """Return how urgent an alert by this rule is, 1 the most; None for a rule that is not in force any more."""
    return next((one.urgency for one in alert_rules() if one.rule == rule), None)


class AlertingScore(RiskSaid, GrowthStored, Protocol):
    """What the rules look at of a score; see `db.tables.Score`."""

    risk_2y: float
    malignancy_left: float | None
    malignancy_right: float | None


def measured(
    rule: AlertRule, score: AlertingScore, trust: Trust, previous: AlertingScore | None
) -> float | None:
    """Return what a rule looks at of a score; None where there is nothing that speaks.

    A change speaks only between scores by the same weights and calibration, and where it is more than positioning and
    exposure make, as far as that was measured.

    Parameters
    ----------
    rule, score
        Of which rule, and what is stored of the score.
    trust
        How far the score may be believed: after a diagnosis growth is another probability than before.
    previous
        The score of the visit before; None if there is none that may be shown.
    """
    if rule.is_of_growth:
        return growth_of(score, trust)[0]
    if rule.is_of_change:
        if previous is None or not said_alike((previous, score)) or is_within_noise(previous, score):
            return None
        return score.risk_2y - previous.risk_2y
    if rule.measure is Measure.MALIGNANCY_MAX:
        known = [v for v in (score.malignancy_left, score.malignancy_right) if v is not None]
        return max(known, default=None)
    return float(score.risk_5y)
