"""How good the model is for a cohort, as it may be told: tables of figures with intervals, nothing of a few women.

The estimators are those of `core.cohorts.judging`; here the women of a selection are handed to them, and what comes out is
rounded, joined or left out as `core.cohorts.disclosure` asks.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.disclosure import count_said, few, is_small, may_be_told, rounded, smallest_group
from core.cohorts.frame import HORIZONS
from core.cohorts.judging import calibration as calibrated
from core.cohorts.judging.discrimination import auc_at, average_precision, c_index, precision_curve, roc_curve
from core.cohorts.judging.entry import Entered, entered
from core.cohorts.judging.outcomes import CANCER, DEATH, NO_BREAST, AtHorizon, outcomes_at
from core.cohorts.judging.shares import Estimate
from core.cohorts.judging.subgroups import by_subgroup
from core.cohorts.judging.survival import kaplan_meier
from core.cohorts.judging.usefulness import above_threshold, decision_curve
from core.cohorts.once import once
from core.cohorts.selection import Selection
from core.rules import thresholds

__all__ = ["THRESHOLDS", "Asking", "Judged", "NothingToTell", "judged"]

THRESHOLDS = (0.005, 0.01, 0.0166, 0.017, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.20)
"""Thresholds of risk that can be asked for: fixed, so that no two differ by a hair's breadth."""
DECISION_THRESHOLDS = tuple(round(0.0025 * step, 4) for step in range(1, 41))
KEPT = 16
FEWEST_STEPS = 4
"""Of a curve that is drawn."""


class NothingToTell(ValueError):
    """Why a figure has nothing to show: a sentence for its place."""


@dataclass(frozen=True)
class Asking:
    """What is asked of a cohort: the horizon in whole years, and whether the first six months are left out."""

    horizon: int = 5
    without_first_months: bool = False


@dataclass(frozen=True)
class Judged:
    """The women of a selection from their entry on, at a horizon, and the figures of them."""

    selection: Selection
    asking: Asking

    @cached_property
    def said_by(self) -> str:
        """The weights and calibration that are judged: those that the definition names, else those of most visits."""
        return self.selection.definition.model or self.selection.said_by

    @cached_property
    def all_entered(self) -> Entered:
        """The women who can be followed."""
        return entered(self.selection.entry, self.selection.women, self.said_by)

    @cached_property
    def entered(self) -> Entered:
        """Those of them who are counted."""
        everyone = self.all_entered
        return everyone.without_first_months() if self.asking.without_first_months else everyone

    @cached_property
    def risk(self) -> NDArray[np.float64]:
        """Their risks of the horizon."""
        return self.entered.risk_of(self.asking.horizon)

    @cached_property
    def at(self) -> AtHorizon:
        """What is known of them at the horizon.

        Raises
        ------
        NothingToTell
            If nobody can be followed so far, or too few have cancer, or none.
        """
        self._check_followed()
        try:
            at = outcomes_at(self.entered.time, self.entered.cause, self.asking.horizon)
        except ValueError as error:
            raise NothingToTell(str(error)) from error
        years = self.years_words
        if not at.cases:
            raise NothingToTell(
                f"No cancer is on record within {years} of entry: nothing can be judged. Choose a longer horizon, or women "
                "who were followed longer."
            )
        if is_small(at.cases):
            raise NothingToTell(
                f"{few().capitalize()} women have a cancer within {years} of entry: nothing is told of so few, and no "
                "figure would be certain."
            )
        if not at.others or is_small(at.others):
            raise NothingToTell(f"Too few women are known to have no cancer within {years} of entry.")
        if np.ptp(self.risk) == 0:
            raise NothingToTell("All these women have the same risk: nobody is told from anybody by it.")
        return at

    @cached_property
    def content(self) -> str:
        """What the figures of the horizon are computed from, as a hash: the same women as before have the same."""
        parts = (self.at.cancer, self.at.weight, self.risk)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    @property
    def years_words(self) -> str:
        """Say the horizon."""
        return "1 year" if self.asking.horizon == 1 else f"{self.asking.horizon} years"

    @property
    def risk_words(self) -> str:
        """Name the risk of the horizon."""
        return f"{self.asking.horizon}-year risk"

    def _check_followed(self) -> None:
        everyone = self.all_entered
        if not len(self.selection.women):
            raise NothingToTell("No women fit this definition.")
        if not len(everyone):
            if everyone.not_followed:
                raise NothingToTell(
                    "No woman is known of after the day she entered: there is no follow-up. It comes with a later visit, "
                    "an event or a contact."
                )
            if everyone.contradicting:
                raise NothingToTell(
                    "The dates of these women contradict each other: they were seen after their death or the loss of "
                    "both breasts. Correct the events on record."
                )
            raise NothingToTell("Of no woman here a risk may be told at the visit that she enters with.")
        if is_small(len(self.entered)) or not len(self.entered):
            raise NothingToTell(f"{few().capitalize()} women can be followed: nothing is told of so few.")

    def _check_both(self) -> None:
        """Raise `NothingToTell` where `at` does."""
        _ = self.at

    # ----- who is followed

    @cached_property
    def counted(self) -> str:
        """Say who is counted in the figures of one horizon, and for how long they were followed."""
        of = self.entered
        cases = int(((of.cause == CANCER) & (of.time <= self.asking.horizon)).sum())
        months = ", without the first 6 months" if self.asking.without_first_months else ""
        return (
            f"{count_said(len(of))} women followed{months}, {count_said(cases)} with a cancer within {self.years_words}; "
            f"{self.selection.definition.entry_words}"
        )

    def followed(self) -> list[tuple[str, str, str]]:
        """Return what is known of their follow-up: what, the number in words, more in words."""
        self._check_followed()
        of = self.entered
        median = _median_of_followed(of)
        counts = [int((of.cause == cause).sum()) for cause in (CANCER, DEATH, NO_BREAST)]
        lost = [
            ("not told", self.all_entered.not_told),
            ("scored otherwise", self.all_entered.otherwise),
            ("dates contradict", self.all_entered.contradicting),
            ("not seen again", self.all_entered.not_followed),
            ("ended in 6 months", of.early),
        ]
        out = ", ".join(f"{words} {count_said(many)}" for words, many in lost if many)
        return [
            (
                "women followed",
                count_said(len(of)),
                f"median {median:.1f} years" if median is not None else "",
            ),
            ("diagnosed", count_said(counts[0]), "at any time after entry"),
            ("died first", count_said(counts[1]), "before a diagnosis"),
            ("both breasts removed", count_said(counts[2]), "before a diagnosis"),
            ("not counted", count_said(sum(many for _, many in lost)), out or "none"),
        ]

    # ----- discrimination and calibration at the horizon

    @once
    def headline(self) -> pl.DataFrame:
        """Return the figures of the horizon: figure, value, low, high (95 %, by woman); null where one does not exist."""
        at, risk = self.at, self.risk
        rows: list[tuple[str, float | None, float | None, float | None]] = [
            _row("AUC", auc_at(at, risk)),
            _row("C-index, whole follow-up", c_index(self.entered.time, self.entered.cause, risk)),
            ("average precision", average_precision(at, risk), None, None),
            _row("observed over expected", calibrated.observed_over_expected(at, risk)),
        ]
        try:
            intercept, slope = calibrated.calibration(at, risk)
            rows += [_row("calibration intercept", intercept), _row("calibration slope", slope)]
        except ValueError:
            rows += [("calibration intercept", None, None, None), ("calibration slope", None, None, None)]
        return pl.DataFrame(rows, schema=["figure", "value", "low", "high"], orient="row")

    @once
    def by_horizon(self) -> pl.DataFrame:
        """Return AUC and observed over expected of each horizon: years, women with cancer, values and intervals."""
        self._check_followed()
        rows = []
        for years in HORIZONS:
            try:
                at = outcomes_at(self.entered.time, self.entered.cause, years)
            except ValueError:
                continue
            if not at.cases or is_small(at.cases) or is_small(at.others) or not at.others:
                continue
            risk = self.entered.risk_of(years)
            auc, o_e = auc_at(at, risk), calibrated.observed_over_expected(at, risk)
            rows.append(
                (years, rounded(at.cases), auc.value, auc.low, auc.high, o_e.value, o_e.low, o_e.high)
            )
        if not rows:
            raise NothingToTell("At no horizon are there women enough with and without a cancer.")
        names = ["years", "women", "auc", "auc_low", "auc_high", "o_e", "o_e_low", "o_e_high"]
        return _numbers(pl.DataFrame(rows, schema=names, orient="row"))

    def _check_steps(self, steps: int) -> None:
        """Raise `NothingToTell` where a curve has so few steps that its straight pieces would be taken for the model."""
        if steps < FEWEST_STEPS:
            raise NothingToTell(
                f"{count_said(self.at.cases)} women with a cancer within {self.years_words} are too few for a curve, of which "
                f"each step holds {smallest_group()} of them and more. The figures in numbers hold."
            )

    @once
    def roc(self) -> pl.DataFrame:
        """Return the ROC curve: false_alarms and found, shares of women without and with cancer; a step holds no few women."""
        curve = roc_curve(self.at, self.risk, smallest_group())
        self._check_steps(len(curve.found))
        return pl.DataFrame(
            {"false_alarms": np.append(0.0, curve.alarmed), "found": np.append(0.0, curve.found)}
        )

    @once
    def precision(self) -> pl.DataFrame:
        """Return precision over the share found; a step holds no few women."""
        curve = precision_curve(self.at, self.risk, smallest_group())
        self._check_steps(len(curve.found))
        return pl.DataFrame({"found": curve.found, "precision": curve.precision})

    @once
    def tenths(self) -> pl.DataFrame:
        """Return expected and observed share with cancer by tenth of risk: women, expected, observed, low, high."""
        self._check_both()
        found = calibrated.by_tenth(
            self.entered.time, self.entered.cause, self.risk, self.asking.horizon, fewest=smallest_group()
        )
        rows = [(rounded(one.women), one.expected, one.observed, one.low, one.high) for one in found]
        return pl.DataFrame(rows, schema=["women", "expected", "observed", "low", "high"], orient="row")

    # ----- acting above a threshold

    def told_thresholds(self, among: Sequence[float]) -> list[float]:
        """Return which thresholds may be told of: between two of them, and beyond the ends, are none or no few women."""
        at, risk = self.at, self.risk
        marks = (at.cancer, at.known & ~at.cancer, np.ones(len(risk), bool))
        before = [0, 0, 0]
        kept = []
        for threshold in sorted(among):
            now = [int((mark & (risk < threshold)).sum()) for mark in marks]
            steps = [a - b for a, b in zip(now, before, strict=True)]
            rest = [int(mark.sum()) - a for mark, a in zip(marks, now, strict=True)]
            if not any(is_small(many) for many in (*steps, *rest)):
                kept.append(threshold)
                before = now
        return kept

    @once
    def at_threshold(self, threshold: float) -> pl.DataFrame:
        """Return what follows from recalling all women at or above a threshold: figure, value, low, high, unit.

        Raises
        ------
        NothingToTell
            If one of the four groups holds few women, so that something would be told of them.
        """
        if threshold not in self.told_thresholds(THRESHOLDS):
            raise NothingToTell(
                f"At this threshold {few()} women with or without a cancer lie above it, below it, or between it and "
                "the next: choose another one."
            )
        one = above_threshold(self.at, self.risk, threshold)
        rows: list[tuple[Any, ...]] = [
            (*_row("recalled", one.recalled), "of 1,000 women"),
            (*_row("found", one.found), "of 1,000 women"),
            (*_row("missed", one.missed), "of 1,000 women"),
            (*_row("recalled without cancer", one.false), "of 1,000 women"),
        ]
        for name, share in (
            ("sensitivity", one.sensitivity),
            ("specificity", one.specificity),
            ("cancers among the recalled", one.precision),
        ):
            if share is not None:
                rows.append((*_times(100, _row(name, share)), "%"))
        return pl.DataFrame(rows, schema=["figure", "value", "low", "high", "unit"], orient="row")

    @once
    def decision(self) -> pl.DataFrame:
        """Return the decision curve, net benefit a thousand women: threshold, model, low, high, everybody."""
        self._check_both()
        told = self.told_thresholds([one for one in DECISION_THRESHOLDS if one <= float(self.risk.max())])
        if len(told) < 2:
            raise NothingToTell("Between no two thresholds there are women enough for a curve.")
        rows = [
            (
                one.threshold,
                *(1000 * x for x in (one.value.value, one.value.low, one.value.high, one.everybody)),
            )
            for one in decision_curve(self.at, self.risk, told)
        ]
        return pl.DataFrame(rows, schema=["threshold", "model", "low", "high", "everybody"], orient="row")

    # ----- by group

    @once
    def subgroups(self) -> tuple[pl.DataFrame, int]:
        """Return AUC and observed over expected by group, and how many comparisons were made.

        Columns: grouping, group, women, auc, auc_low, auc_high, o_e, o_e_low, o_e_high, p (of the AUC against all others),
        p_adjusted (Holm); null where too few women are behind it.
        """
        self._check_both()
        found = by_subgroup(self.entered, self.asking.horizon, lambda many: not is_small(many) and many > 0)
        rows: list[tuple[Any, ...]] = []
        for one in found:
            if not may_be_told(one.women, len(self.entered)):
                rows.append((one.grouping, one.group, None, *(None,) * 8))
                continue
            auc, o_e = (_row("", figure)[1:] if figure else (None,) * 3 for figure in (one.auc, one.o_e))
            rows.append((one.grouping, one.group, rounded(one.women), *auc, *o_e, one.p, one.p_adjusted))
        names = [
            "grouping", "group", "women", "auc", "auc_low", "auc_high", "o_e", "o_e_low", "o_e_high", "p", "p_adjusted",
        ]  # fmt: skip
        table = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
        return _numbers(table), sum(one.p is not None for one in found)


def _row(name: str, one: Estimate) -> tuple[str, float | None, float | None, float | None]:
    value, low, high = (float(end) if np.isfinite(end) else None for end in (one.value, one.low, one.high))
    return name, value, low, high


def _times(factor: float, row: tuple[str, float | None, float | None, float | None]) -> tuple[Any, ...]:
    return row[0], *(None if value is None else factor * value for value in row[1:])


def _numbers(table: pl.DataFrame) -> pl.DataFrame:
    """Give columns without any value a type: of numbers."""
    empty = [name for name, kind in table.schema.items() if kind == pl.Null]
    return table.with_columns(pl.col(name).cast(pl.Float64) for name in empty)


def _median_of_followed(of: Entered) -> float | None:
    """Return the median follow-up in years by the reverse Kaplan-Meier method (Schemper and Smith 1996); None if not reached."""
    curve = kaplan_meier(of.time, of.cause == 0)
    reached = np.flatnonzero(curve.value <= 0.5)
    return float(curve.times[reached[0]]) if len(reached) else None


_lock = threading.Lock()
_kept: OrderedDict[tuple[object, ...], Judged] = OrderedDict()


def judged(selection: Selection, asking: Asking) -> Judged:
    """Return a selection to be judged; that of the last few questions is kept, with what was computed of it."""
    key = (id(selection.frame), selection.frame.read_at, selection.definition.model_dump_json(), asking)
    with _lock:
        if (known := _kept.get(key)) is not None and known.selection.frame is selection.frame:
            _kept.move_to_end(key)
            return known
        found = _kept[key] = Judged(selection, asking)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found


def bands_of(risk_5: NDArray[np.float64]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the labels of the bands of 5-year risk, and in which each woman is at entry."""
    bands = thresholds.risk_bands()
    return [band.label for band in bands], np.digitize(risk_5, [band.lower for band in bands[1:]])
