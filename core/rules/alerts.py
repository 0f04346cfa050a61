"""Alert rules as data: read once from `alerts.toml`, each with its threshold, its urgency and its source."""

from __future__ import annotations

import enum
from functools import cache
from typing import Annotated

from pydantic import Field, model_validator

from core.rules import documents
from core.rules.documents import Document, Probability, Table, Words


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
