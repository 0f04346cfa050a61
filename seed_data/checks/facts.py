"""Published longitudinal facts, as data: read from `facts.toml`, each with its source, bounds and what they are."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import Field, model_validator
from scipy.stats import binomtest

from core.rules import documents
from core.rules.documents import Words

__all__ = ["Fact", "facts"]

Edition = Literal["2025", "2026"]


class Fact(documents.Table):
    """One published figure and what it is measured by on simulated women; the file says what each key means."""

    topic: Words
    what: Words
    measure: Words
    source: Words
    value: float | None = None
    low: float | None = None
    high: float | None = None
    bounds: Literal["interval", "regions", "chosen"] | None = None
    counted: tuple[int, int] | None = Field(default=None, description="events and cases")
    percent: bool = False
    at_least: bool = False
    judged: bool = True
    used_by: tuple[Edition, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.counted is not None:
            if (self.value, self.low, self.high, self.bounds) != (None, None, None, None):
                raise ValueError("counted stands in place of value, low, high and bounds")
            if not 0 <= self.counted[0] <= self.counted[1] or self.counted[1] == 0:
                raise ValueError("counted is events and cases, and there are no more events than cases")
        elif (self.low is None) != (self.high is None) or (self.low is None) != (self.bounds is None):
            raise ValueError("low, high and bounds stand together")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low lies above high")
        if self.judged and self.range() is None:
            raise ValueError("what is judged has bounds")
        return self

    def published(self) -> float | None:
        """Return the published value in the unit of the table."""
        if self.counted is None:
            return self.value
        return self.counted[0] / self.counted[1] * (100.0 if self.percent else 1.0)

    def range(self) -> tuple[float, float] | None:
        """Return the bounds; of counts the 95 % interval by Wilson."""
        if self.counted is not None:
            said = binomtest(*self.counted).proportion_ci(method="wilson")
            times = 100.0 if self.percent else 1.0
            return float(said.low) * times, float(said.high) * times
        return None if self.low is None or self.high is None else (self.low, self.high)

    def met(self, low: float, high: float) -> bool | None:
        """Say whether an interval of simulated women meets the published range; None where it is not judged."""
        bounds = self.range()
        if not self.judged or bounds is None or low != low or high != high:
            return None
        return high >= bounds[0] and (self.at_least or low <= bounds[1])


class _Facts(documents.Document):
    fact: tuple[Fact, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unlike(self) -> Self:
        documents.unique([f"{one.topic}: {one.what}" for one in self.fact], "the fact")
        return self


@lru_cache(maxsize=1)
def facts() -> tuple[Fact, ...]:
    """Return the published facts in the order of the file; raises `core.rules.RulesError` for a file that is none."""
    return documents.read("facts.toml", _Facts, folder=files("seed_data.checks")).fact
