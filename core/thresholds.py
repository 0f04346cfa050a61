"""Thresholds as data: read once from `thresholds.toml`, each with its source."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from core.trends import add_months

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
    """When the next study is due, and when it counts as overdue, in months after the last."""

    interval_months: int
    overdue_after_months: int
    source: str

    def due(self, last: date) -> date:
        """Return when the study after that of the day `last` is due."""
        return add_months(last, self.interval_months)

    def is_overdue(self, last: date, today: date) -> bool:
        """Return whether the study after that of the day `last` should have come by `today`."""
        return today > add_months(last, self.overdue_after_months)


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(files("core").joinpath("thresholds.toml").read_text(encoding="utf-8"))


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
