"""Two models, or two versions of one, on the same women of a cohort: what is stored of both is set side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlalchemy import func, select

from core.cohorts.disclosure import count_said, few, is_small, may_be_told
from core.cohorts.frame import HORIZONS
from core.cohorts.judge import Judged, NothingToTell
from core.cohorts.judging.comparing import changed_above, compared
from core.cohorts.judging.outcomes import outcomes_at
from core.installation import Installation
from core.rules import NOTHING_ENDS, trust_of
from db.tables import Score, Study

__all__ = ["Beside", "Version", "set_beside", "versions"]

CHUNK = 10_000


@dataclass(frozen=True)
class Version:
    """Weights and calibration of a model that have scored studies here; `studies` says how many."""

    model: str
    weights_sha256: str
    calibration: str
    studies: int

    @property
    def words(self) -> str:
        """Name it."""
        return f"{self.model}, weights {self.weights_sha256[:12]}, {self.calibration}"


def versions(here: Installation) -> list[Version]:
    """Return all versions that have scored studies here, the last that began first."""
    parts = (Score.model, Score.weights_sha256, Score.calibration)
    query = (
        select(*parts, func.count(Score.study_id.distinct()))
        .group_by(*parts)
        .order_by(func.min(Score.id).desc())
    )
    with here.database.read() as session:
        return [Version(*row) for row in session.execute(query)]


def _risks(here: Installation, version: Version, study_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the risks (n, horizons) that a version says of some studies; NaN where it says none, or none may be told.

    The studies are of before any diagnosis, and of women with a breast at risk.
    """
    columns = [getattr(Score, f"risk_{year}y") for year in HORIZONS]
    trust = (Score.trust_level, Score.trust_doubt, Score.trust_distance, Score.trust_limit)
    query = (
        select(Score.study_id, Study.study_date, *trust, *columns)
        .join(Study, Study.id == Score.study_id)
        .where(
            Score.model == version.model,
            Score.weights_sha256 == version.weights_sha256,
            Score.calibration == version.calibration,
        )
        .order_by(Score.id)
    )
    place = {int(study): number for number, study in enumerate(study_ids)}
    found = np.full((len(study_ids), len(HORIZONS)), np.nan)
    with here.database.read() as session:
        for row in session.execute(query.execution_options(yield_per=CHUNK)):
            number = place.get(row[0])
            if number is not None:
                told = trust_of(row, on=row[1], ends=NOTHING_ENDS).is_trusted
                found[number] = row[-len(HORIZONS) :] if told else np.nan
    return found


@dataclass(frozen=True)
class Beside:
    """Two versions on the same women: figures (figure, first, second, difference, low, high, p, p_adjusted), and changes."""

    counted: str
    figures: pl.DataFrame
    changes: pl.DataFrame


def set_beside(
    here: Installation, judged: Judged, first: Version, second: Version, threshold: float
) -> Beside:
    """Compare two versions on the women whose entering visit both may tell of.

    Raises
    ------
    NothingToTell
        If both have scored too few of these women, or too few of those have cancer.
    """
    of, horizon = judged.all_entered, judged.asking.horizon
    risks = [_risks(here, version, of.study_id) for version in (first, second)]
    both = np.isfinite(risks[0][:, 0]) & np.isfinite(risks[1][:, 0])
    if judged.asking.without_first_months:
        both &= of.time > 0.5
    hers = of.among(both)
    ones, others = (risk[both][:, HORIZONS.index(horizon)] for risk in risks)
    if not len(hers):
        raise NothingToTell(
            "No woman of this cohort was scored by both at the visit that she enters with. Score again with the other model "
            "(python -m core score --all), or choose other versions."
        )
    try:
        at = outcomes_at(hers.time, hers.cause, horizon)
        if not at.cases or is_small(at.cases) or not at.others or is_small(at.others):
            raise NothingToTell(f"{few().capitalize()} women who were scored by both have a cancer, or none.")
        pairs = compared(at, hers.time, hers.cause, ones, others)
    except NothingToTell:
        raise
    except ValueError as error:
        raise NothingToTell(str(error)) from error
    names = {"auc": "AUC", "c_index": "C-index, whole follow-up", "o_e": "observed over expected"}
    rows = [
        (
            names[one.name], one.first.value, one.second.value,
            one.change.difference, one.change.low, one.change.high, one.change.p, one.p_adjusted,
        )
        for one in pairs
    ]  # fmt: skip
    columns = ["figure", "first", "second", "difference", "low", "high", "p", "p_adjusted"]
    gained, lost = changed_above(at, ones, others, threshold)
    changes = []
    for words, change in (("only the second", gained), ("only the first", lost)):
        told = (
            may_be_told(change.women, len(hers))
            and not is_small(change.cases)
            and not is_small(change.women - change.cases)
        )
        rate = change.a_thousand
        values = (rate.value, rate.low, rate.high) if told else (None, None, None)
        changes.append((words, *values, count_said(change.cases) if told else few()))
    return Beside(
        f"{count_said(len(hers))} women scored by both at entry, {count_said(at.cases)} with a cancer within {judged.years_words}",
        pl.DataFrame(rows, schema=columns, orient="row"),
        pl.DataFrame(
            changes,
            schema={"called_by": pl.String, "a_thousand": pl.Float64, "low": pl.Float64, "high": pl.Float64, "with_cancer": pl.String},
            orient="row",
        ),
    )  # fmt: skip
