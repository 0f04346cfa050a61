"""How women go from band to band of 5-year risk, visit by visit."""

from __future__ import annotations

import numpy as np
import polars as pl

from core.cohorts.disclosure import is_small, table_told
from core.cohorts.selection import Selection
from core.rules import thresholds

__all__ = ["STEPS", "flow"]

STEPS = 3
"""From so many visits on the next one is looked for."""
DIAGNOSED, NO_MORE = "diagnosed", "no later visit"


def flow(selection: Selection) -> pl.DataFrame:
    """Return how many women go from which band to which: step (1: from the first visit to the second), from, to, women.

    Visits are those from entry on whose risk may be told and that were scored by the same. After the last of them a woman
    is diagnosed, or has no later visit. Flows of few women are left out; where that is but one of a band, the least of the
    others goes too, so that it is not what is missing from the band.
    """
    entered = selection.entry.select("woman", pl.col("on").alias("entered"))
    bands = thresholds.risk_bands()
    risk, band = pl.col("risk_5").cast(pl.Float64).round(7), pl.lit(bands[0].label)
    for one in bands[1:]:
        band = pl.when(risk >= one.lower).then(pl.lit(one.label)).otherwise(band)
    hers = (
        selection.told_visits("woman", "on", "risk_5")
        .join(entered, on="woman", how="inner", maintain_order="left")
        .filter(pl.col("on") >= pl.col("entered"))
        .join(selection.women.select("woman", "diagnosed_on"), on="woman", how="left", maintain_order="left")
        .with_columns(band=band)
        .pipe(_numbered)
        .filter(pl.col("number") <= STEPS + 1)
    )  # fmt: skip
    ends = pl.when(pl.col("diagnosed_on").is_not_null()).then(pl.lit(DIAGNOSED)).otherwise(pl.lit(NO_MORE))
    moved = hers.with_columns(
        to=pl.when(pl.col("woman") == pl.col("woman").shift(-1))
        .then(pl.col("band").shift(-1))
        .otherwise(ends),
        step=pl.col("number").cast(pl.Int64),
    ).filter(pl.col("step") <= STEPS)
    table = moved.group_by("step", pl.col("band").alias("from"), "to").agg(
        pl.len().cast(pl.Int64).alias("women")
    )
    order = {name: place for place, name in enumerate([*(band.label for band in bands), DIAGNOSED, NO_MORE])}
    table = table.sort(
        "step",
        *(pl.col(end).replace_strict(order, return_dtype=pl.Int64, default=99) for end in ("from", "to")),
    )
    return table_told(_without_single_gaps(table))


def _numbered(visits: pl.DataFrame) -> pl.DataFrame:
    """Return the visits, which are in the order of woman and day, with the number of each among hers, from 1 on."""
    woman = visits["woman"].to_numpy()
    places = np.arange(len(woman))
    begins = np.flatnonzero(np.diff(woman.astype(np.int64), prepend=-1)) if len(woman) else places
    first = np.repeat(begins, np.diff(np.append(begins, len(woman))))
    return visits.with_columns(number=pl.Series(places - first + 1))


def _without_single_gaps(table: pl.DataFrame) -> pl.DataFrame:
    """Leave the least flow out of a band of which exactly one flow is of few women."""
    kept = []
    for _, of in table.group_by(["step", "from"], maintain_order=True):
        small = [women for women in of["women"] if is_small(women)]
        if len(small) == 1 and len(of) > 1:
            least = of.filter(pl.col("women") > small[0])["women"].min()
            place = of["women"].to_list().index(least)
            of = pl.concat([of[:place], of[place + 1 :]])
        kept.append(of)
    return pl.concat(kept) if kept else table
