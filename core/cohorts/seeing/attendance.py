"""How the women come: the time from visit to visit, and who is due, overdue, or has come as was asked."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import polars as pl

from core.cohorts.disclosure import cells_told, rounded
from core.cohorts.selection import Selection
from core.cohorts.who import joined_words
from core.rules import thresholds
from core.rules.ages import DAYS_PER_MONTH

__all__ = ["due", "gaps"]

GAP_STARTS = (6, 10, 15, 21, 27, 39)
"""First months of the bands of time from one visit to the next: about a year lies in 10–14, about two in 21–26."""


def gaps(selection: Selection) -> pl.DataFrame:
    """Return how long women stay away: months (from one visit to the next), women (by their longest), visits (all such steps).

    A woman counts once, with the longest time between two of hers; a step of few women is joined with its neighbours.
    """
    # The rows are in the order of woman and day.
    visits = selection.visits_of("woman", "on").drop_nulls("on")
    woman = visits["woman"].to_numpy()
    months = np.diff(visits["on"].to_physical().to_numpy()) / DAYS_PER_MONTH
    same = woman[1:] == woman[:-1]
    longest = np.full(len(selection.frame.women), -1.0)
    np.maximum.at(longest, woman[1:][same], months[same])
    longest = longest[longest >= 0]
    places = np.digitize(longest, GAP_STARTS)
    counts = np.bincount(places, minlength=len(GAP_STARTS) + 1).tolist()
    words = [f"under {GAP_STARTS[0]}"]
    words += [f"{low}–{high - 1}" for low, high in itertools.pairwise(GAP_STARTS)]
    words.append(f"{GAP_STARTS[-1]} and more")
    return cells_told(words, counts, name="months", words=joined_words)


def due(selection: Selection) -> tuple[pl.DataFrame, date]:
    """Return who is expected, as of the day on which the rows were read: state, women, share (0..1); and that day."""
    today = selection.frame.read_at.date()
    # Of a woman whose visits have no day it cannot be said.
    dated = selection.women.filter(pl.col("last_on").is_not_null())
    women = dated.select("due_on", "overdue_from", "diagnosed_on", "died_on")
    late = (pl.lit(today) - pl.col("overdue_from")).dt.total_days() / DAYS_PER_MONTH
    state = women.select(
        pl.when(
            pl.col("diagnosed_on").is_not_null()
            | pl.col("died_on").is_not_null()
            | pl.col("due_on").is_null()
        )
        .then(pl.lit(4))
        .when(pl.col("due_on") > today)
        .then(pl.lit(0))
        .when(pl.col("overdue_from").is_null() | (late <= 0))
        .then(pl.lit(1))
        .when(late <= 12)
        .then(pl.lit(2))
        .otherwise(pl.lit(3))
    ).to_series()
    words = ["not due yet", "due now", "overdue, up to a year", "overdue, longer", "none due"]
    counts = np.bincount(state.to_numpy(), minlength=len(words)).tolist()
    told = cells_told(words, counts, name="state").filter(pl.col("women") > 0)
    whole = rounded(selection.n)
    return told.with_columns(share=(pl.col("women") / whole).clip(0, 1)), today


def interval_words() -> str:
    """Say after how long the next study is due."""
    rule = thresholds.screening_interval()
    return (
        f"Due {rule.interval_months} months after the last study, overdue {rule.overdue_after_months} months after it, "
        f"from {rule.from_age} to {rule.to_age} years of age ({rule.source})"
    )
