"""How many alerts a hundred women get, year by year."""

from __future__ import annotations

import polars as pl

from core.cohorts.disclosure import is_small, rounded
from core.cohorts.seeing.one_each import one_each
from core.cohorts.selection import Selection

__all__ = ["alerts_by_year"]


def alerts_by_year(selection: Selection) -> pl.DataFrame:
    """Return by calendar year of the visit: year, women (seen with a score), per_hundred (of them with an alert).

    A year in which few were seen is left out; one in which few had an alert, or few had none, has no rate.
    """
    visits = selection.told_visits("woman", "on", "alerts").with_columns(
        year=pl.col("on").dt.year(), alerts=pl.col("alerts").fill_null(0)
    )
    seen = (
        one_each(visits, "year", "alerts")
        .group_by("year")
        .agg(pl.len().alias("women"), (pl.col("alerts") > 0).sum().alias("alerted"))
        .sort("year")
    )
    rows = []
    for year, women, alerted in seen.iter_rows():
        if is_small(women):
            continue
        told = not is_small(alerted) and not is_small(women - alerted)
        rate = 100 * rounded(alerted) / max(rounded(women), rounded(alerted)) if told else None
        rows.append((year, rounded(women), rate))
    return pl.DataFrame(
        rows, schema={"year": pl.Int32, "women": pl.Int64, "per_hundred": pl.Float64}, orient="row"
    )
