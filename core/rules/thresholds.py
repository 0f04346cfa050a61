"""Thresholds as data: read once from `thresholds.toml`, each with its source."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from core.rules.trends import add_months, age_years

Measure = Literal["risk_5y", "risk_2y_change", "malignancy_max", "progression"]


@dataclass(frozen=True)
class RiskBand:
    """A band of 5-year risk, from `lower` (inclusive, 0..1) up to the next band."""

    key: str
    label: str
    lower: float
    source: str


@dataclass(frozen=True)
class AlertRule:
    """Raise an alert when `measure` of a score is above `above`."""

    rule: str
    label: str
    measure: Measure
    above: float
    source: str


@dataclass(frozen=True)
class ScreeningInterval:
    """When the next study is due, and when it counts as overdue, in months after the last; ages in whole years.

    A woman whose birth date is not known counts as of screening age.
    """

    from_age: int
    to_age: int
    interval_months: int
    overdue_after_months: int
    source: str

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
        return add_months(self._begins(last, birth_date), self.interval_months)

    def is_overdue(self, last: date, birth_date: date | None, today: date) -> bool:
        """Return whether the study after that of the day `last` should have come by `today`."""
        if self.due(last, birth_date, today) is None:
            return False
        return today > add_months(self._begins(last, birth_date), self.overdue_after_months)

    def _begins(self, last: date, birth_date: date | None) -> date:
        """Return the day the interval is counted from, so that it does not end before the first screening age."""
        if birth_date is None:
            return last
        return max(last, add_months(birth_date, 12 * self.from_age - self.interval_months))


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(files("core.rules").joinpath("thresholds.toml").read_text(encoding="utf-8"))


def edition() -> str:
    """Return the edition of the thresholds in force."""
    return str(_document()["edition"])


def risk_bands() -> tuple[RiskBand, ...]:
    """Return the bands of 5-year risk, lowest first."""
    return tuple(RiskBand(b["key"], b["label"], b["from"], b["source"]) for b in _document()["risk_5y"])


def risk_band(risk_5y: float) -> RiskBand:
    """Return the band that a 5-year risk (0..1) lies in."""
    return [band for band in risk_bands() if risk_5y >= band.lower][-1]


def alert_rules() -> tuple[AlertRule, ...]:
    """Return the alert rules in force."""
    return tuple(AlertRule(**rule) for rule in _document()["alert"])


def screening_interval() -> ScreeningInterval:
    """Return the screening interval in force."""
    return ScreeningInterval(**_document()["screening"])
