"""Scores with their outcomes in the form of BCRBench, so that its figures can be set beside ours.

BCRBench (github.com/sot176/BCRBench, MIT; ``src/utils``, `save_model_results_to_file`) writes ``model_results.json``: of each
exam `predictions` (five probabilities of cancer within 1 to 5 years), `censor_times` (0 to 4: the year, counted from 0, in
which cancer was found, or up to which she was followed without) and `golds` (1 where cancer was found within five years),
and `auc_per_year` by year, counted from 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.frame import HORIZONS
from core.cohorts.selection import Selection
from core.files import write_whole
from core.installation import Installation
from core.people import Person, audit
from core.rules.ages import DAYS_PER_YEAR

__all__ = ["Scores", "auc_per_year", "scores_of", "taken_by", "write_scores"]

YEARS = len(HORIZONS)


@dataclass(frozen=True)
class Scores:
    """An exam a row: `predictions` (n, 5), `censor_times` (n,) 0..4, `golds` (n,) 0 or 1; and how many were left out, why."""

    predictions: NDArray[np.float64]
    censor_times: NDArray[np.int64]
    golds: NDArray[np.int64]
    left_out: Mapping[str, int]
    definition: Mapping[str, Any]
    said_by: str
    patients: Sequence[int] = ()
    """Whose exams these are: for the trail, never in the document."""

    @property
    def exams(self) -> int:
        """Return the number of exams."""
        return len(self.golds)

    @property
    def events(self) -> int:
        """Return the number of exams with cancer within five years."""
        return int(self.golds.sum())

    @property
    def left_out_said(self) -> list[str]:
        """Say what was left out."""
        return [f"Left out: {many} exams, {why}." for why, many in self.left_out.items() if many]

    def summary(self) -> dict[str, Any]:
        """Return what a machine wants to know of it without reading it."""
        return {
            "exams": self.exams,
            "events": self.events,
            "left_out": dict(self.left_out),
            "said_by": self.said_by,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the document: BCRBench's keys, and under ``longview`` whose scores these are."""
        return {
            "auc_per_year": auc_per_year(self.predictions, self.censor_times, self.golds),
            "predictions": self.predictions.tolist(),
            "censor_times": self.censor_times.tolist(),
            "golds": self.golds.tolist(),
            "longview": {"definition": dict(self.definition), **self.summary()},
        }


def scores_of(selection: Selection) -> Scores:
    """Return the exams of a selection whose risk may be told, with what came after them.

    Cancer in the k-th year after the exam has the time k - 1. Without, the time is the whole years followed, five at
    most, less one: BCRBench counts a woman followed for k years as free of cancer in the k-th. One who was followed for
    less than a year it would count as free of cancer in the first, so she is left out. Exams of the day of a diagnosis or
    later are not told at all (`trust`). Rows stand by what they say, not by woman or day.
    """
    risks = [f"risk_{year}" for year in HORIZONS]
    exams = selection.told_visits("woman", "on", *risks).join(
        selection.women.select("woman", "diagnosed_on", "died_on", "mastectomy_on", "last_contact"),
        on="woman",
        how="left",
    )
    undated = exams.filter(pl.col("on").is_null())
    exams = exams.filter(pl.col("on").is_not_null())
    end = pl.min_horizontal("last_contact", "died_on", "mastectomy_on")
    timed = exams.with_columns(
        to_cancer=(pl.col("diagnosed_on") - pl.col("on")).dt.total_days() / DAYS_PER_YEAR,
        followed=((end - pl.col("on")).dt.total_days() / DAYS_PER_YEAR).floor(),
    ).with_columns(gold=pl.col("to_cancer").is_between(0, YEARS).fill_null(value=False))
    kept = timed.filter(pl.col("gold") | (pl.col("followed") >= 1))
    time = (
        pl.when("gold")
        .then(pl.col("to_cancer").ceil().clip(1, YEARS))
        .otherwise(pl.col("followed").clip(1, YEARS))
        .cast(pl.Int64)
        - 1
    )
    rows = kept.select(*risks, time=time, gold=pl.col("gold").cast(pl.Int64)).sort([*risks, "time", "gold"])
    return Scores(
        # A float32 as somebody reads it: 0.031, not 0.030999999493360519.
        predictions=np.round(rows.select(risks).to_numpy().astype(np.float64).reshape(-1, YEARS), 7),
        censor_times=rows["time"].to_numpy(),
        golds=rows["gold"].to_numpy(),
        left_out={
            "without cancer and followed for less than a year": len(timed) - len(kept),
            "without a day": len(undated),
        },
        definition=selection.definition.to_json(),
        said_by=selection.definition.model or selection.said_by,
        patients=_whose(selection, kept),
    )


def _whose(selection: Selection, exams: pl.DataFrame) -> list[int]:
    """Return whose exams they are by their rows; nobody's of a table that was kept as a cohort."""
    women = selection.women.filter(pl.col("woman").is_in(exams["woman"].unique().implode()))
    return [int(one) for one in women["patient_id"].drop_nulls().unique()]


def auc_per_year(
    predictions: NDArray[np.float64], censor_times: NDArray[np.int64], golds: NDArray[np.int64]
) -> dict[str, float | str]:
    """Return BCRBench's AUC by year, counted from 0; ``NA`` where only one kind of outcome is there.

    In year k count the exams with cancer by then, against those that were followed that far: cancer later is none yet.
    """
    from sklearn.metrics import roc_auc_score

    found: dict[str, float | str] = {}
    for year in range(YEARS):
        cancer = (golds == 1) & (censor_times <= year)
        counted = cancer | (censor_times >= year)
        outcome = cancer[counted]
        both = outcome.any() and not outcome.all()
        found[str(year)] = float(roc_auc_score(outcome, predictions[counted, year])) if both else "NA"
    return found


def taken_by(here: Installation, person: Person | None, scores: Scores) -> bytes:
    """Return the document, after the trail has it that rows of single exams went out, and to whom."""
    detail = {"exams": scores.exams, "form": "BCRBench", "from": "page" if person else "command line"}
    audit.note(here, person, "cohort_scores_exported", "cohort", detail, patients=scores.patients)
    return (json.dumps(scores.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_scores(here: Installation, scores: Scores, out: Path) -> None:
    """Write the document for its owner alone; at the command line, whose user has the files anyway."""
    write_whole(out, taken_by(here, None, scores))
