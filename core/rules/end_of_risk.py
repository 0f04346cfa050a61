"""From when on risk is not told of a woman: a cancer is known, she has died, or neither breast is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from core.rules.vocabulary import SIDES
from db.tables import EventKind

__all__ = [
    "END_OF_RISK",
    "NOTHING_ENDS",
    "BesideStudies",
    "RiskEnds",
    "both_breasts_gone_on",
    "died_on",
    "risk_ended_on",
    "words_of_end",
]

END_OF_RISK = (EventKind.DEATH, EventKind.MASTECTOMY)
"""Kinds of events that can end it."""


class BesideStudies(Protocol):
    """Anything that happened beside the studies."""

    @property
    def kind(self) -> EventKind:
        """Return what it was."""

    @property
    def on(self) -> date:
        """Return the day."""

    @property
    def laterality(self) -> str | None:
        """Return the breast, L or R; None where it was of no one side: of a mastectomy, both."""


def died_on(happened: Iterable[BesideStudies]) -> date | None:
    """Return the day of her death; None where none is on record."""
    return min((one.on for one in happened if one.kind is EventKind.DEATH), default=None)


def both_breasts_gone_on(happened: Iterable[BesideStudies]) -> date | None:
    """Return the day from which on neither breast is left: of a bilateral mastectomy, or of the later of two."""
    gone: dict[str, date] = {}
    for one in happened:
        if one.kind is EventKind.MASTECTOMY:
            for side in [one.laterality] if one.laterality else SIDES:
                gone[side] = min(one.on, gone.get(side, one.on))
    return max(gone.values()) if len(gone) == len(SIDES) else None


def words_of_end(happened: Iterable[BesideStudies]) -> str:
    """Say why no risk of hers is told any more; nothing while a breast is at risk."""
    happened = list(happened)
    if died := died_on(happened):
        return f"She died on {died}: no risk is told, and nothing is due."
    if gone := both_breasts_gone_on(happened):
        return f"Neither breast is left since {gone}: no risk is told, and no screening is due."
    return ""


def risk_ended_on(happened: Iterable[BesideStudies]) -> date | None:
    """Return the day from which on no breast of hers is at risk; None while one is."""
    return RiskEnds.of(happened).ended_on


@dataclass(frozen=True)
class RiskEnds:
    """From which days on risk is not told of a woman, as her events say; None where nothing of the kind is on record.

    After a diagnosis growth is told still (`core.rules.trust`); after a death, and where no breast is left, nothing is.
    """

    diagnosed_on: date | None = None
    died_on: date | None = None
    both_gone_on: date | None = None

    @classmethod
    def of(cls, happened: Iterable[BesideStudies]) -> RiskEnds:
        """Return what a woman's events end; other kinds than `END_OF_RISK` and diagnoses say nothing of it."""
        happened = list(happened)
        diagnosed = min((one.on for one in happened if one.kind is EventKind.DIAGNOSIS), default=None)
        return cls(diagnosed, died_on(happened), both_breasts_gone_on(happened))

    @property
    def ended_on(self) -> date | None:
        """The day from which on no breast of hers is at risk."""
        return min((day for day in (self.died_on, self.both_gone_on) if day), default=None)


NOTHING_ENDS = RiskEnds()
"""Of a woman of whom neither a diagnosis, nor a death, nor the loss of a breast is on record."""
