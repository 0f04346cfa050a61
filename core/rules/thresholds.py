"""Thresholds as data: read once from `thresholds.toml`, each with its source."""

from datetime import date
from functools import cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from core.rules import documents
from core.rules.ages import age_years
from core.rules.documents import Document, Probability, Table, Words
from core.rules.trends import add_months


class RiskBand(Table):
    """A band of 5-year risk, from `lower` (inclusive, 0..1) up to the next band; it holds for women of these whole years."""

    key: Words
    label: Words
    lower: Annotated[Probability, Field(alias="from")]
    source: Words
    from_age: Annotated[int, Field(ge=0, le=120)] = 0
    to_age: Annotated[int, Field(ge=0, le=120)] = 120

    @model_validator(mode="after")
    def _of_some_age(self) -> Self:
        if self.from_age > self.to_age:
            raise ValueError("from_age lies above to_age")
        return self

    @property
    def holds_for(self) -> str:
        """Say in words for whom it holds."""
        return f"women of {self.from_age} to {self.to_age} without a diagnosis"

    def days(self, birth_date: date | None) -> tuple[date, date]:
        """Return the first day on which it holds for a woman and the first on which it does not any more.

        A woman whose birth date is not known counts as of these ages.
        """
        if birth_date is None:
            return date.min, date.max
        return add_months(birth_date, 12 * self.from_age), add_months(birth_date, 12 * (self.to_age + 1))


class ScreeningInterval(Table):
    """When the next study is due, and when it counts as overdue, in months after the last; ages in whole years.

    A woman whose birth date is not known counts as of screening age.
    """

    from_age: Annotated[int, Field(ge=0, le=120)]
    to_age: Annotated[int, Field(ge=0, le=120)]
    interval_months: Annotated[int, Field(ge=1)]
    overdue_after_months: Annotated[int, Field(ge=1)]
    source: Words

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_age > self.to_age:
            raise ValueError("from_age lies above to_age")
        if self.overdue_after_months < self.interval_months:
            raise ValueError("overdue_after_months is shorter than interval_months")
        return self

    @property
    def outside(self) -> str:
        """Say in words why no next study is due at another age."""
        return f"outside the screening ages, {self.from_age} to {self.to_age}"

    def due(self, last: date, birth_date: date | None, today: date) -> date | None:
        """Return when the study after that of the day `last` is due; None outside the screening ages.

        What counts is her age on the day the next study can come: when it is due, or `today` if that has passed. A
        woman who came before the first screening age is due when she reaches it, at the earliest.
        """
        age = age_years(birth_date, max(add_months(last, self.interval_months), today))
        if age is not None and not self.from_age <= age <= self.to_age:
            return None
        return self.due_in_range(last, birth_date)

    def due_in_range(self, last: date, birth_date: date | None) -> date:
        """Return when the study after that of the day `last` is due as long as she is of screening age."""
        return add_months(self._begins(last, birth_date), self.interval_months)

    def overdue_in_range(self, last: date, birth_date: date | None) -> date:
        """Return the day after which it is overdue as long as she is of screening age."""
        return add_months(self._begins(last, birth_date), self.overdue_after_months)

    def is_overdue(self, last: date, birth_date: date | None, today: date) -> bool:
        """Return whether the study after that of the day `last` should have come by `today`."""
        if self.due(last, birth_date, today) is None:
            return False
        return today > self.overdue_in_range(last, birth_date)

    def _begins(self, last: date, birth_date: date | None) -> date:
        """Return the day the interval is counted from, so that it does not end before the first screening age."""
        if birth_date is None:
            return last
        return max(last, add_months(birth_date, 12 * self.from_age - self.interval_months))


class Thresholds(Document):
    """The file of thresholds."""

    risk_5y: Annotated[tuple[RiskBand, ...], Field(min_length=1)]
    screening: ScreeningInterval

    @model_validator(mode="after")
    def _from_nothing_upwards(self) -> Self:
        lower = [band.lower for band in self.risk_5y]
        documents.unique([band.key for band in self.risk_5y], "the band")
        if lower[0] != 0 or lower != sorted(set(lower)):
            raise ValueError("the bands of risk_5y must begin at 0 and each lie above the one before")
        return self


@cache
def _in_force() -> Thresholds:
    return documents.read("thresholds.toml", Thresholds)


def edition() -> str:
    """Return the edition of the thresholds in force."""
    return _in_force().edition


def risk_bands() -> tuple[RiskBand, ...]:
    """Return the bands of 5-year risk, lowest first."""
    return _in_force().risk_5y


def risk_band(risk_5y: float) -> RiskBand:
    """Return the band that a 5-year risk (0..1) lies in."""
    return [band for band in risk_bands() if risk_5y >= band.lower][-1]


def screening_interval() -> ScreeningInterval:
    """Return the screening interval in force."""
    return _in_force().screening
