"""Cancers that screening found, and those that came between two screens, told apart by what the reader said first."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.judging.discrimination import auc_at
from core.cohorts.judging.outcomes import AtHorizon
from core.cohorts.judging.shares import Estimate, Scale, estimate, ratio

__all__ = ["Fate", "Screens", "auc_of_fate", "screening_figures", "screens_of", "share_above"]

DETECTED_MONTHS = 12


class Fate(enum.IntEnum):
    """What became of a screen."""

    NO_CANCER = 0
    SCREEN_DETECTED = 1
    INTERVAL = 2
    OTHERWISE = 3
    NOT_FOLLOWED = 4


@dataclass(frozen=True)
class Screens:
    """Screens with an assessment, (n,) each: whose, what was said, what became of it; `risk` has NaN where none may be told.

    `not_read` is how many more screens nobody has assessed.
    """

    woman: NDArray[np.int64]
    recalled: NDArray[np.bool_]
    fate: NDArray[np.int64]
    risk: NDArray[np.float64]
    not_read: int

    def cancers(self, fate: Fate) -> int:
        """Return how many women had such a cancer: each belongs to one screen."""
        return int((self.fate == fate).sum())


def screens_of(
    visits: pl.DataFrame, women: pl.DataFrame, *, interval_months: int, risk: str = "risk_1"
) -> Screens:
    """Return what became of each screen.

    Screen-detected: a positive assessment (by its first version), and a diagnosis within 12 months. Interval: a negative
    one, and a diagnosis before the next screen was due, none having come before. Other cancers that followed a screen
    before the next are `OTHERWISE`: after a negative one when the next was overdue, or later than 12 months after a
    positive one. A screen without a cancer has to be followed until the next one came or was due, or no breast was at risk.

    Parameters
    ----------
    visits, women
        With the columns of `core.cohorts.frame`: woman, on, recall, risk, and what ended each woman's risk.
    interval_months
        After how long the next screen is due.
    """
    ended = pl.min_horizontal("died_on", "mastectomy_on").alias("ended")
    hers = women.select("woman", "diagnosed_on", "last_contact", ended)
    rows = (
        visits.select("woman", "on", "recall", risk)
        .sort("woman", "on")
        .with_columns(pl.col("on").shift(-1).over("woman").alias("next"))
        .join(hers, on="woman", how="inner", maintain_order="left")
        .filter(
            (pl.col("diagnosed_on").is_null() | (pl.col("on") <= pl.col("diagnosed_on")))
            & (pl.col("ended").is_null() | (pl.col("on") < pl.col("ended")))
        )
        .with_columns(
            pl.col("on").dt.offset_by(f"{interval_months}mo").alias("due"),
            pl.col("on").dt.offset_by(f"{DETECTED_MONTHS}mo").alias("year_later"),
        )
    )
    # A cancer belongs to the last screen up to its day.
    hit = pl.col("diagnosed_on").is_not_null() & (
        pl.col("next").is_null() | (pl.col("next") > pl.col("diagnosed_on"))
    )
    known = (
        pl.col("next").is_not_null()
        | (pl.col("last_contact") >= pl.col("due"))
        | (pl.col("ended").is_not_null() & (pl.col("ended") <= pl.col("due")))
    )
    fate = (
        pl.when(hit & pl.col("recall") & (pl.col("diagnosed_on") <= pl.col("year_later")))
        .then(Fate.SCREEN_DETECTED.value)
        .when(hit & ~pl.col("recall") & (pl.col("diagnosed_on") < pl.col("due")))
        .then(Fate.INTERVAL.value)
        .when(hit)
        .then(Fate.OTHERWISE.value)
        .when(known)
        .then(Fate.NO_CANCER.value)
        .otherwise(Fate.NOT_FOLLOWED.value)
    )
    read = rows.with_columns(fate.alias("fate")).filter(pl.col("recall").is_not_null())
    return Screens(
        woman=read["woman"].cast(pl.Int64).to_numpy(),
        recalled=read["recall"].to_numpy().astype(bool),
        fate=read["fate"].cast(pl.Int64).to_numpy(),
        risk=read[risk].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        not_read=len(rows) - len(read),
    )


def _by_woman(screens: Screens, mark: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the marked screens of each woman."""
    _, place = np.unique(screens.woman, return_inverse=True)
    return np.asarray(np.bincount(place, weights=mark.astype(np.float64)), np.float64)


def screening_figures(screens: Screens) -> dict[str, Estimate]:
    """Return what screening found, by woman: recalls, cancers found and interval cancers, each a share of screens.

    Also ``sensitivity`` (found of found and interval) and ``precision`` (found of recalled); each is left out where it is of
    nobody. Screens that were not followed long enough are not counted.

    Raises
    ------
    ValueError
        If there is no screen with an assessment that was followed.
    """
    counted = screens.fate != Fate.NOT_FOLLOWED
    if not counted.any():
        raise ValueError("No assessed screen was followed until the next was due.")
    every = _by_woman(screens, counted)
    recalled = _by_woman(screens, counted & screens.recalled)
    found = _by_woman(screens, screens.fate == Fate.SCREEN_DETECTED)
    between = _by_woman(screens, screens.fate == Fate.INTERVAL)
    figures = {
        "recalled": ratio(recalled, every),
        "found": ratio(found, every),
        "interval": ratio(between, every),
    }
    if (found + between).sum():
        figures["sensitivity"] = ratio(found, found + between)
    if recalled.sum():
        figures["precision"] = ratio(found, recalled)
    return figures


def auc_of_fate(screens: Screens, fate: Fate) -> Estimate:
    """Return how well the score of a screen tells a kind of cancer from no cancer, with its interval by woman.

    Raises
    ------
    ValueError
        If one of both does not occur among screens whose score may be told.
    """
    rows = np.isin(screens.fate, (fate, Fate.NO_CANCER)) & np.isfinite(screens.risk)
    at = AtHorizon(screens.fate[rows] == fate, np.ones(int(rows.sum())))
    found = auc_at(at, screens.risk[rows])
    _, place = np.unique(screens.woman[rows], return_inverse=True)
    return estimate(found.value, np.asarray(np.bincount(place, weights=found.moves), np.float64), Scale.LOGIT)


def share_above(screens: Screens, fate: Fate, threshold: float) -> Estimate:
    """Return of which share of such screens the score was at or above a threshold; raises ValueError where there is none."""
    rows = (screens.fate == fate) & np.isfinite(screens.risk)
    above = rows & (screens.risk >= threshold)
    if not rows.any():
        raise ValueError("There is no such screen whose score may be told.")
    return ratio(_by_woman(screens, above), _by_woman(screens, rows))
