"""The axis of probabilities of a course: logarithmic, or linear where asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.rules import thresholds
from dashboard import look
from dashboard.charts import template

TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_NAMED = (TICKS, (0.001, 0.005, 0.01, 0.05, 0.1, 0.5), (0.001, 0.01, 0.1))
"""Ticks that are named, from many to few; all have their line."""
_LEAST = 0.0007
"""Where a logarithmic axis begins at the lowest: what is smaller is drawn there, and said to be below 0.1 %."""
_TICK_PX = 12


@dataclass(frozen=True)
class Scale:
    """An axis of probabilities (0..1) from `low` to `high`, `px` high."""

    low: float
    high: float
    linear: bool
    px: float

    @classmethod
    def over(cls, values: Iterable[float], *, linear: bool, px: float) -> Scale:
        """Return the axis that shows these values, and the thresholds."""
        # The highest threshold has room for its name above it.
        shown = [*values, *(band.lower * 1.3 for band in thresholds.risk_bands() if band.lower)]
        if linear:
            return cls(0.0, min(1.04, max(shown) * 1.08), True, px)
        low = max((tick for tick in TICKS if tick <= min(shown)), default=_LEAST)
        return cls(low / 1.15, min(1.0, max(shown) * 1.25), False, px)

    def drawn(self, value: float) -> float:
        """Return where a value is drawn, for traces and shapes: one below the axis stands at its beginning."""
        return max(value, self.low)

    def words(self, value: float) -> float:
        """Return where words beside a value stand: Plotly wants the logarithm there."""
        return self.drawn(value) if self.linear else math.log10(self.drawn(value))

    def height(self, value: float) -> float:
        """Return how high above the axis' beginning a value is drawn, in pixels."""
        low, high, at = map(self._along, (self.low, self.high, self.drawn(value)))
        return self.px * (at - low) / (high - low)

    def value(self, height: float) -> float:
        """Return the value that is drawn so many pixels above the beginning."""
        low, high = self._along(self.low), self._along(self.high)
        along = low + (high - low) * height / self.px
        return along if self.linear else float(10**along)

    def axis(self, domain: tuple[float, float]) -> dict[str, Any]:
        """Return it as Plotly has it."""
        if self.linear:
            return template.shares("probability", 0, self.high, domain=domain)
        within = [tick for tick in TICKS if self.low <= tick <= self.high]
        named = next((ticks for ticks in _NAMED if self._has_room(ticks)), _NAMED[-1])
        return template.axis(
            "probability",
            domain=domain,
            type="log",
            range=[math.log10(self.low), math.log10(self.high)],
            tickvals=within,
            ticktext=[look.percent(tick) if tick in named else "" for tick in within],
        )

    def _has_room(self, ticks: Iterable[float]) -> bool:
        heights = [self.height(tick) for tick in ticks if self.low <= tick <= self.high]
        return all(b - a >= _TICK_PX for a, b in itertools.pairwise(heights))

    def _along(self, value: float) -> float:
        return value if self.linear else math.log10(value)
