"""How far the stored scores may be believed, as the pages read them: beside her diagnosis and the model's card."""

from __future__ import annotations

import enum
from dataclasses import replace
from datetime import date
from typing import Protocol

from core.installation import Installation
from core.records import cards
from core.rules import Rank, RiskEnds, Trust, TrustLevel, alert_rules, rank_among_reference, trust_of
from core.rules.comparable import SaidBy, TrustStored

__all__ = ["AlertStanding", "StoredScore", "alert_standing", "has_something_to_tell", "trust_and_rank"]


class StoredScore(SaidBy, TrustStored, Protocol):
    """What is needed of a score's row."""

    @property
    def risk_5y(self) -> float:
        """Return the probability of cancer within 5 years."""


def trust_and_rank(
    here: Installation, row: StoredScore, *, on: date, ends: RiskEnds
) -> tuple[Trust, Rank | None]:
    """Return how far a score may be believed, and its rank where it may be shown as one only.

    Where the model that made it is not installed any more, nobody can say among whom it would be ranked: it is withheld.
    """
    trust = trust_of(row, on=on, ends=ends)
    if trust.level is not TrustLevel.UNCALIBRATED:
        return trust, None
    rank = rank_among_reference(cards.settings_of(here, row.weights_sha256), row.risk_5y)
    return (trust, rank) if rank is not None else (replace(trust, level=TrustLevel.WITHHELD), None)


def has_something_to_tell(trust: Trust, rank: Rank | None) -> bool:
    """Say whether anything may be said of a score: a number, a rank, or growth and density after a diagnosis."""
    return trust.tells_growth or rank is not None


class AlertStanding(enum.StrEnum):
    """Whether an alert still asks for a look."""

    STANDS = "stands"
    ANSWERED = "answered"
    """By what ends risk: after a diagnosis no rule of screening speaks of her any more, after a death or the loss of both
    breasts none at all."""
    WITHHELD = "withheld"
    """It was raised by a score that may not be told, or its study has a newer one that may not."""
    CORRECTED = "corrected"
    """What it was raised by was corrected since; a person had seen to it before."""


def alert_standing(rule: str, ends: RiskEnds, own: Trust, newest: Trust | None) -> AlertStanding:
    """Say how an alert by a rule stands, acknowledged or not.

    `own` tells of the score that raised it, `newest` of the newest one of its study by the model that speaks. What it
    says of growth, a diagnosis alone does not end.
    """
    of_growth = any(one.rule == rule and one.is_of_growth for one in alert_rules())
    known = [own] if newest is None else [own, newest]
    if not all(trust.is_trusted or (of_growth and trust.tells_growth) for trust in known):
        return AlertStanding.WITHHELD
    answered = ends.ended_on is not None or (ends.diagnosed_on is not None and not of_growth)
    return AlertStanding.ANSWERED if answered else AlertStanding.STANDS
