"""Screen-detected and interval cancers of a cohort, as they may be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from core.cohorts.disclosure import count_said, few, is_small, smallest_group
from core.cohorts.judge import Judged, NothingToTell
from core.cohorts.judging.screening import (
    Fate,
    Screens,
    auc_of_fate,
    screening_figures,
    screens_of,
    share_above,
)
from core.cohorts.judging.shares import Estimate
from core.cohorts.once import once
from core.rules import thresholds

__all__ = ["Screened", "screened"]

_KINDS = ((Fate.SCREEN_DETECTED, "screen-detected"), (Fate.INTERVAL, "interval"))


@dataclass(frozen=True)
class Screened:
    """What became of the cohort's screens: `figures` (figure, value, low, high, unit), `scores` (cancers, women, auc …)."""

    counted: str
    figures: pl.DataFrame
    scores: pl.DataFrame


@once
def screened(judged: Judged) -> Screened:
    """Return what the readers' screens found, what came between them, and how the model had scored either.

    Raises
    ------
    NothingToTell
        If there are no assessed screens, or too few cancers of either kind.
    """
    selection = judged.selection
    visits = selection.visits_of("woman", "on", "recall", "risk_1", "trust")
    screens = screens_of(
        visits, selection.women, interval_months=thresholds.screening_interval().interval_months
    )
    counted = int((screens.fate != Fate.NOT_FOLLOWED).sum())
    if not counted:
        raise NothingToTell(
            "No screen here has a reader's assessment and was followed until the next was due: nothing can be told apart."
        )
    many = {fate: screens.cancers(fate) for fate, _ in _KINDS}
    recalls = int(screens.recalled.sum())
    if any(is_small(one) for one in (counted, recalls, *many.values())):
        raise NothingToTell(
            f"{few().capitalize()} women were recalled, or have a screen-detected or an interval cancer: nothing is told of so few."
        )
    found = screening_figures(screens)
    rows = [
        (words, *_times(1000, found[name]), "of 1,000 screens")
        for name, words in (
            ("recalled", "recalled"),
            ("found", "screen-detected"),
            ("interval", "interval cancers"),
        )
    ]
    rows += [
        (words, *_times(100, found[name]), "%")
        for name, words in (
            ("sensitivity", "screen-detected of both"),
            ("precision", "cancers among the recalled"),
        )
        if name in found
    ]
    not_followed = int((screens.fate == Fate.NOT_FOLLOWED).sum())
    left = [(screens.not_read, "without an assessment"), (not_followed, "not followed to the next")]
    beside = ", ".join(f"{count_said(one)} {words}" for one, words in left if one)
    said = f"{count_said(counted)} assessed screens" + (f"; not counted: {beside}" if beside else "")
    return Screened(
        said,
        pl.DataFrame(rows, schema=["figure", "value", "low", "high", "unit"], orient="row"),
        _scores(screens),
    )


def _scores(screens: Screens) -> pl.DataFrame:
    """Return how the score at the screen told each kind of cancer from none: cancers, women, auc and its interval.

    `above` is the share scored at least as high as the highest tenth of the screens without a cancer.
    """
    told = screens.risk[(screens.fate == Fate.NO_CANCER) & np.isfinite(screens.risk)]
    rows: list[tuple[object, ...]] = []
    for fate, words in _KINDS:
        many = int(((screens.fate == fate) & np.isfinite(screens.risk)).sum())
        if not many or is_small(many) or len(told) < smallest_group():
            continue
        auc, above = auc_of_fate(screens, fate), share_above(screens, fate, float(np.quantile(told, 0.9)))
        rows.append((words, count_said(many), *_told(auc), *_told(above)))
    names = ["cancers", "women", "auc", "auc_low", "auc_high", "above", "above_low", "above_high"]
    kinds = [pl.String, pl.String, *(pl.Float64,) * 6]
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def _told(one: Estimate) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in (one.value, one.low, one.high))


def _times(factor: float, one: Estimate) -> tuple[float | None, ...]:
    return tuple(None if value is None else factor * value for value in _told(one))
