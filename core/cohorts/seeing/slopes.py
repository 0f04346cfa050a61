"""How fast 5-year risk rises in single women, beside what was published."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from core.cohorts.disclosure import is_small, table_told
from core.cohorts.quantiles import quantiles
from core.cohorts.seeing.courses import Group, apart
from core.cohorts.seeing.published import published
from core.cohorts.selection import Selection
from core.rules.trends import Z_95

__all__ = ["PublishedRow", "slopes"]


@dataclass(frozen=True)
class PublishedRow:
    """A published slope beside a group: 0..1 a year, with its interval where there is one."""

    group: str
    per_year: float
    low: float | None
    high: float | None


def slopes(selection: Selection) -> tuple[pl.DataFrame, list[PublishedRow], str]:
    """Return slopes of 5-year risk by what became of the women, the published ones, and their source.

    Returns
    -------
    table
        group, mean, low, high (its 95 % interval by the women's scatter), lower_quartile, median, upper_quartile (all in
        percentage points of 5-year risk a year), women.
    """
    hers = (
        selection.women.select("woman", "slope", "diagnosed_on")
        .with_columns(entered=selection.entry["on"])
        .filter(pl.col("diagnosed_on").is_null() | (pl.col("diagnosed_on") > pl.col("entered")))
        .drop_nulls("slope")
        .with_columns(
            group=pl.when(pl.col("diagnosed_on").is_null())
            .then(pl.lit(Group.NONE.value))
            .otherwise(pl.lit(Group.CANCER.value)),
            points=100 * pl.col("slope").cast(pl.Float64),
        )
    )
    rows = []
    for group, of in apart(hers):
        n = len(of)
        if is_small(n) or not n:
            continue
        points = of["points"].to_numpy()
        mean, error = float(points.mean()), float(points.std(ddof=1)) / math.sqrt(n)
        rows.append((group.value, mean, mean - Z_95 * error, mean + Z_95 * error, *_quartiles(points), n))
    names = ("mean", "low", "high", "lower_quartile", "median", "upper_quartile")
    schema = {"group": pl.String, **dict.fromkeys(names, pl.Float64), "women": pl.Int64}
    rule = published().slopes
    beside = [
        PublishedRow(group.value, 100 * one.per_year, _hundred(one.low), _hundred(one.high))
        for group, one in ((Group.CANCER, rule.cancer), (Group.NONE, rule.none))
    ]
    return table_told(pl.DataFrame(rows, schema=schema, orient="row")), beside, rule.source


def _quartiles(points: object) -> list[float | None]:
    lower, middle, upper = quantiles(points, (0.25, 0.5, 0.75))  # type: ignore[arg-type]
    return [lower, middle, upper]


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share
