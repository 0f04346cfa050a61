"""Simulated women beside published longitudinal facts: a row a fact, with an interval by bootstrap over women."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from seed_data.checks.facts import Fact, facts
from seed_data.checks.followed import Followed, follow
from seed_data.checks.measures import DRAWN, MEASURES, growth_years
from seed_data.women.mechanisms import Mechanisms

__all__ = ["Row", "beside_facts", "printed"]

SEED: Final = 20261
TIMES: Final = 200


@dataclass(frozen=True)
class Row:
    """One fact and what simulated women of an edition show: value and 95 % interval, NaN where there is nothing."""

    fact: Fact
    edition: str
    simulated: float
    low: float
    high: float

    @property
    def met(self) -> bool | None:
        """Say whether the interval meets the published range; None where that is not judged or nothing was counted."""
        return self.fact.met(self.low, self.high)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; None in place of NaN."""
        bounds = self.fact.range()
        said: dict[str, Any] = {
            "topic": self.fact.topic, "what": self.fact.what, "published": self.fact.published(),
            "published_range": bounds, "bounds": "interval" if self.fact.counted else self.fact.bounds,
            "edition": self.edition, "simulated": self.simulated, "interval": (self.low, self.high),
            "met": self.met, "at_least": self.fact.at_least,
            "constant_taken": self.edition in self.fact.used_by, "source": self.fact.source,
        }  # fmt: skip
        if self.simulated != self.simulated:
            said |= {"simulated": None, "interval": None}
        return said


def beside_facts(
    women: int, mechanisms: Mechanisms, *, seed: int = SEED, jobs: int = 1, times: int = TIMES
) -> list[Row]:
    """Return a row for each published fact, counted on so many women; as many others teach the readers."""
    followed = follow(women, seed, mechanisms, jobs=jobs)
    rng = np.random.default_rng(seed)
    grown = growth_years(mechanisms, rng, 4 * women)
    draws = rng.multinomial(len(followed.women), np.full(len(followed.women), 1 / len(followed.women)), times)
    known: dict[str, tuple[float, float, float]] = {}
    rows = []
    for fact in facts():
        if fact.measure not in known:
            known[fact.measure] = (
                _of_growth(fact.measure, grown, rng, times)
                if fact.measure in DRAWN
                else _of_women(fact.measure, followed, draws)
            )
        rows.append(Row(fact, mechanisms.edition, *known[fact.measure]))
    return rows


def _of_women(name: str, followed: Followed, draws: NDArray[np.int64]) -> tuple[float, float, float]:
    measure, weight = MEASURES[name], followed.weight
    value = measure(followed, weight)
    if value != value:
        return value, value, value
    low, high = np.nanquantile([measure(followed, weight * drawn) for drawn in draws], (0.025, 0.975))
    return value, float(low), float(high)


def _of_growth(
    name: str, grown: NDArray[np.float64], rng: np.random.Generator, times: int
) -> tuple[float, float, float]:
    measure = DRAWN[name]
    drawn = [measure(rng.choice(grown, len(grown))) for _ in range(times)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return measure(grown), float(low), float(high)


def printed(rows: Sequence[Row]) -> Table:
    """Return the table for a terminal, one column for each edition among the rows."""
    editions = list(dict.fromkeys(row.edition for row in rows))
    table = Table("topic", "what", "published", *(f"edition {one}" for one in editions), "source")
    by_fact: dict[Fact, dict[str, Row]] = {}
    for row in rows:
        by_fact.setdefault(row.fact, {})[row.edition] = row
    before = ""
    for fact, found in by_fact.items():
        topic = fact.topic if fact.topic != before else ""
        before = fact.topic
        table.add_row(topic, fact.what, _said(fact), *(_cell(found[one]) for one in editions), fact.source)
    return table


def _said(fact: Fact) -> str:
    value, bounds = fact.published(), fact.range()
    if value is None:
        return "–"
    least = "≥ " if fact.at_least else ""
    around = "" if bounds is None else f" ({bounds[0]:.3g}–{bounds[1]:.3g})"
    return f"{least}{value:.3g}{around}"


def _cell(row: Row) -> str:
    if row.simulated != row.simulated:
        return "none" if row.fact.judged else "–"
    verdict = {True: " inside", False: " OUTSIDE", None: ""}[row.met]
    taken = " *" if row.edition in row.fact.used_by else ""
    return f"{row.simulated:.3g} ({row.low:.3g}–{row.high:.3g}){verdict}{taken}"
