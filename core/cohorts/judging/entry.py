"""How women go on from the visit that they enter with: years, what ended them, and who cannot be followed.

A woman enters at a fixed landmark (`core.cohorts.definition.Enters`), never at her last visit. She is followed until a
diagnosis, her death, the loss of both breasts, or the last day on which she was known of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.frame import HORIZONS
from core.cohorts.judging.outcomes import CANCER, DEATH, LEFT, NO_BREAST
from core.rules.ages import DAYS_PER_YEAR

__all__ = ["Entered", "entered"]

Numbers = NDArray[np.float64]
FIRST_MONTHS_YEARS = 0.5


@dataclass(frozen=True)
class Entered:
    """Women from their entry on, (n,) each; `risk` is (n, horizons) of 1 to 5 years.

    `rows` are their places among the women that were given. The others are counted by why they are not followed:
    `not_told` of whose entering visit no risk may be told, `otherwise` scored by other weights or calibration,
    `contradicting` whose dates cannot be, `not_followed` of whom nothing is known after that day, `early` who were left
    out with the first months.
    """

    rows: NDArray[np.int64]
    time: Numbers
    cause: NDArray[np.int64]
    risk: Numbers
    age: Numbers
    density: NDArray[np.str_]
    vendor: NDArray[np.str_]
    priors: NDArray[np.int64]
    missing_views: NDArray[np.bool_]
    study_id: NDArray[np.int64]
    not_told: int = 0
    otherwise: int = 0
    contradicting: int = 0
    not_followed: int = 0
    early: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def risk_of(self, horizon: int) -> Numbers:
        """Return the risks of a horizon, a whole number of years."""
        return self.risk[:, HORIZONS.index(horizon)]

    def among(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Entered:
        """Return some of the women."""
        names = (
            "rows", "time", "cause", "risk", "age", "density", "vendor", "priors", "missing_views", "study_id",
        )  # fmt: skip
        return replace(self, **{name: getattr(self, name)[kept] for name in names})

    def without_first_months(self, years: float = FIRST_MONTHS_YEARS) -> Entered:
        """Leave out the women whose follow-up ended within the first months: their cancer may have been there to be seen.

        Nobody's time begins later: of the others, who are known to be free of cancer then, all is as it was.
        """
        late = self.time > years
        return replace(self.among(late), early=int((~late).sum()))


def entered(entry: pl.DataFrame, women: pl.DataFrame, said_by: str) -> Entered:
    """Return how women go on from their entering visits.

    Parameters
    ----------
    entry, women
        A row a woman, in one order, with the columns of `core.cohorts.frame`.
    said_by
        The weights and calibration whose risks are judged: those of others are another model's.
    """
    on = _days(entry["on"])
    ends = {
        CANCER: _days(women["diagnosed_on"]),
        DEATH: _days(women["died_on"]),
        NO_BREAST: _days(women["mastectomy_on"]),
    }
    told = (entry["trust"].cast(pl.String) == "trusted").fill_null(False).to_numpy()
    alike = (entry["said_by"].cast(pl.String) == said_by).fill_null(False).to_numpy()
    last = _days(women["last_contact"])
    wrong = _contradicts(on, _days(women["last_on"]), last, ends)
    first, cause = _first_end(ends, last)
    time = (first - on).astype("timedelta64[D]").astype(np.float64) / DAYS_PER_YEAR
    followed = time > 0
    kept = told & alike & ~wrong & followed
    rows = np.flatnonzero(kept)
    of_entry = entry[rows]
    risk = of_entry.select(f"risk_{year}" for year in HORIZONS).to_numpy().astype(np.float64)
    return Entered(
        rows=rows,
        time=time[rows],
        cause=cause[rows],
        risk=risk.reshape(-1, len(HORIZONS)),
        age=of_entry["age"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        density=_words(of_entry["density"]),
        vendor=_words(of_entry["vendor"]),
        priors=of_entry["visit"].cast(pl.Int64).to_numpy(),
        missing_views=of_entry["missing_views"].fill_null(False).to_numpy(),
        study_id=of_entry["risk_of_study_id"].to_numpy(),
        not_told=int((~told).sum()),
        otherwise=int((told & ~alike).sum()),
        contradicting=int((told & alike & wrong).sum()),
        not_followed=int((told & alike & ~wrong & ~followed).sum()),
    )


def _days(series: pl.Series) -> NDArray[np.datetime64]:
    return series.to_numpy().astype("datetime64[D]")


def _words(series: pl.Series) -> NDArray[np.str_]:
    return series.cast(pl.String).fill_null("").to_numpy().astype(np.str_)


def _contradicts(
    on: NDArray[np.datetime64],
    last_visit: NDArray[np.datetime64],
    last_contact: NDArray[np.datetime64],
    ends: dict[int, NDArray[np.datetime64]],
) -> NDArray[np.bool_]:
    """Say whose dates cannot be: seen or known of after her death, or at an entry that lies after the end of her risk."""
    died, gone = ends[DEATH], ends[NO_BREAST]
    return (
        (last_visit > died)
        | (last_contact > died)
        | (ends[CANCER] > died)
        | (gone > died)
        | (on >= gone)
        | (on >= died)
    )


def _first_end(
    ends: dict[int, NDArray[np.datetime64]], last: NDArray[np.datetime64]
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Return the day on which each follow-up ends, and by what; of one day cancer comes first."""
    day, cause = last.copy(), np.full(len(last), LEFT)
    for what in (NO_BREAST, DEATH, CANCER):
        came = ~np.isnat(ends[what]) & (ends[what] <= day)
        day, cause = np.where(came, ends[what], day), np.where(came, what, cause)
    return day, cause
