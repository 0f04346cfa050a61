"""Where a woman stands: her last study, newest and prior score, change, density, when the next study is due.

Pure: from her studies, in the order of date and id, to what the worklist, her record and its pages say alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from core.rules import (
    Trust,
    is_within_noise,
    last_of_each_day,
    last_said,
    said_alike,
    thresholds,
    trends,
)
from core.rules.comparable import RiskSaid

__all__ = ["Interval", "Standing"]


@dataclass(frozen=True)
class Interval:
    """A probability (0..1) with its 90 % interval."""

    value: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.value


class ScoreSaid(RiskSaid, Protocol):
    """What a standing needs of a score."""

    @property
    def computed_at(self) -> datetime:
        """Return when it was computed."""

    @property
    def risk_5y(self) -> Interval:
        """Return the probability of cancer within 5 years."""


class StudySaid(Protocol):
    """What a standing needs of a study."""

    @property
    def on(self) -> date:
        """Return its day."""

    @property
    def score(self) -> ScoreSaid | None:
        """Return the score that counts; None where there is none, or it may not be shown as a number."""

    @property
    def doubt(self) -> Trust | None:
        """Return how far its score may be believed where it may not be shown as a number."""

    @property
    def covered(self) -> bool:
        """Return whether its score is covered until the study is read."""

    @property
    def model_density(self) -> str | None:
        """Return the density that the model finds likeliest, where it knows such pictures."""

    @property
    def reader_density(self) -> str | None:
        """Return the density that a reader recorded."""

    @property
    def assessed_at(self) -> datetime | None:
        """Return when a reader assessed it."""


AStudy = TypeVar("AStudy", bound=StudySaid)


@dataclass(frozen=True)
class Standing(Generic[AStudy]):
    """A woman's standing by her studies, oldest first, her birth date, whether a diagnosis is on record, and her treatments."""

    studies: Sequence[AStudy]
    birth_date: date | None
    diagnosed: bool
    treated_on: Sequence[date] = ()
    """The days on which treatments began."""
    risk_ended_on: date | None = None
    """The day of her death, or from which on neither breast is left; from then on no risk of hers is told, none is due."""

    @cached_property
    def read(self) -> tuple[AStudy, ...]:
        """The studies that a model has read, oldest first; of the studies of one day the last one, which has read all."""
        by_model = (s for s in self.studies if s.score is not None or s.doubt is not None or s.covered)
        return tuple(last_of_each_day(by_model, lambda s: s.on))

    @cached_property
    def scored(self) -> tuple[AStudy, ...]:
        """Those of `read` whose scores may be shown as numbers."""
        return tuple(study for study in self.read if study.score is not None)

    @property
    def last(self) -> AStudy | None:
        """The last study, scored or not."""
        return self.studies[-1] if self.studies else None

    @property
    def last_read(self) -> AStudy | None:
        """The last visit that a model has read."""
        return self.read[-1] if self.read else None

    @property
    def doubt(self) -> Trust | None:
        """How far the score of the last visit may be believed where it may not be shown: an earlier one is not where she stands."""
        return self.last_read.doubt if self.last_read else None

    @property
    def covered(self) -> bool:
        """Whether the score of the last visit is covered until it is read: an earlier one is not where she stands."""
        return self.last_read is not None and self.last_read.covered

    @property
    def is_told(self) -> bool:
        """Whether the score of the last visit that a model has read is shown as a number: it is of a woman at risk."""
        return self.risk_ended_on is None and self.last_read is not None and self.last_read.score is not None

    @property
    def newest(self) -> AStudy | None:
        """The last scored visit."""
        return self.scored[-1] if self.scored else None

    @property
    def prior(self) -> AStudy | None:
        """The scored visit before the last one: that of an earlier day."""
        return self.scored[-2] if len(self.scored) > 1 else None

    @property
    def change_since_prior(self) -> float | None:
        """The change of 5-year risk from the visit before to the last one, where both were scored alike and may be shown."""
        scores = _scores(self.scored[-2:])
        if not self.is_told or len(scores) < 2 or not said_alike(scores):
            return None
        prior, newest = scores
        return newest.risk_5y.value - prior.risk_5y.value

    @property
    def change_is_noise(self) -> bool | None:
        """Whether that change is no more than positioning and exposure make; None where it is not known, or no change told."""
        scores = _scores(self.scored[-2:])
        if self.change_since_prior is None:
            return None
        return is_within_noise(*scores)

    @property
    def slope(self) -> trends.Slope | None:
        """The slope of 5-year risk over her visits since a treatment (see `trends.SLOPE_METHOD`), where all were scored alike."""
        visits = trends.since_treatment(self.scored, self.treated_on)
        scores = _scores(visits)
        if not said_alike(scores):
            return None
        return trends.slope_of_risk([visit.on for visit in visits], scores)

    @cached_property
    def of_the_day(self) -> tuple[AStudy, ...]:
        """The studies of the day of the last visit that a model has read: they are one visit."""
        return tuple(study for study in self.studies if self.last_read and study.on == self.last_read.on)

    @property
    def reader_density(self) -> str | None:
        """The density that a reader recorded on the day of the last visit that was read, in whichever of its studies."""
        return last_said(study.reader_density for study in self.of_the_day)

    @property
    def density(self) -> str | None:
        """The density at the last visit that was read: the reader's where recorded, else the model's likeliest."""
        return self.reader_density or (self.last_read.model_density if self.last_read else None)

    def next_due(self, today: date) -> date | None:
        """Return when the next study is due by the screening interval in force.

        None without any study, outside the screening ages, once no breast is at risk, and after a diagnosis: from then
        on the clinic plans the follow-up.
        """
        if self.last is None or self.diagnosed or self.risk_ended_on:
            return None
        return thresholds.screening_interval().due(self.last.on, self.birth_date, today)

    def is_overdue(self, today: date) -> bool:
        """Say whether the next study should have come by now."""
        if self.last is None or self.diagnosed or self.risk_ended_on:
            return False
        return thresholds.screening_interval().is_overdue(self.last.on, self.birth_date, today)


def _scores(visits: Sequence[AStudy]) -> list[ScoreSaid]:
    return [visit.score for visit in visits if visit.score is not None]
