"""Charts that notice a lasting change: two-sided cumulative sums of scores, with a limit that is fitted to false alarms.

Each value becomes a score of about mean 0 and variance 1 among those of a reference period; the sums run upwards and
downwards of what the scores exceed `ALLOWANCE` by (Page, Biometrika 1954, 10.2307/2333009; NIST/SEMATECH e-Handbook of
Statistical Methods, 6.3.2.3). All charts share one limit. Years are resampled from the reference period, in blocks, since what
comes one after the other may be alike (Politis and Romano, JASA 1994, 10.1080/01621459.1994.10476870), and each is judged by a
reference that was resampled too, since the true mean is not known (Gandy and Kvaløy, Scand J Stat 2013,
10.1002/sjos.12006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = [
    "ALLOWANCE",
    "FALSE_ALARMS_A_YEAR",
    "Alarm",
    "Limit",
    "Scale",
    "first_alarm",
    "fit_limit",
    "running",
]

ALLOWANCE = 0.25
"""In standard deviations: half the shift that is noticed soonest. 0.5 is usual; a change of detector moves some measures by
little more than half a standard deviation, and the many studies of a year ask for few false alarms."""
FALSE_ALARMS_A_YEAR = 0.25
"""What the limit is set for: a quarter of what is promised, which is one."""
CLIPPED = 4.0
"""No study counts more than this: one odd study must not raise an alarm."""
MOST_REFERENCE = 5_000
"""Studies of the reference that years are drawn from; of more, every so many-th."""
LONGEST = 10_000
"""Studies of a resampled year; for a longer one the limit is raised as the tail of a cumulative sum falls."""
DRAWN_VALUES = 1_000_000
FEWEST_YEARS, MOST_YEARS = 100, 400

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How the values of one measure become scores.

    Parameters
    ----------
    values
        (U,) the different values of the reference, ascending.
    scores
        (U,) the score of each: a normal score of its mid-rank (van der Waerden), or, for yes and no, standardised.
    is_share
        Whether the measure is yes (1) or no (0).
    """

    values: Numbers
    scores: Numbers
    is_share: bool

    @classmethod
    def of(cls, reference: Numbers, *, is_share: bool) -> Scale:
        """Fit the scale to a reference; NaN is unknown and left out."""
        known = reference[~np.isnan(reference)]
        if is_share:
            values = np.array([0.0, 1.0])
            counts = np.array([np.count_nonzero(known == value) for value in values])
        else:
            values, counts = np.unique(known, return_counts=True)
        return cls(values, _scores(counts[None].astype(float), is_share=is_share)[0], is_share)

    def __call__(self, values: Numbers) -> Numbers:
        """Return the scores of values; one between two of the reference has a score between theirs, NaN stays."""
        if not len(self.values):
            return np.full(len(values), np.nan)
        return np.interp(values, self.values, self.scores)


def _scores(counts: Numbers, *, is_share: bool) -> Numbers:
    """Return (B, U) scores of values that B references hold (B, U) times."""
    n = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if is_share:
        share = (counts[:, 1:] + 0.5) / (n + 1)  # where none is yes, a first one is no impossibility
        scores = np.concatenate([-share, 1 - share], axis=1) / np.sqrt(share * (1 - share))
    else:
        rank = np.cumsum(counts, axis=1) - counts / 2
        scores = ndtri(np.clip(rank / n, 0.5 / n, 1 - 0.5 / n))
    return np.clip(scores, -CLIPPED, CLIPPED)


def _sums(scores: Numbers, direction: int) -> Numbers:
    """Return the one-sided cumulative sums (…, n) of scores; what is not known moves nothing."""
    steps = np.where(np.isnan(scores), 0.0, direction * scores - ALLOWANCE)
    total = np.cumsum(steps, axis=-1)
    return total - np.minimum(np.minimum.accumulate(total, axis=-1), 0)


@dataclass(frozen=True)
class Alarm:
    """A chart has passed its limit: at which value, since which the sum was above 0, and whether upwards (1) or downwards (-1)."""

    at: int
    since: int
    direction: int


def first_alarm(scores: Numbers, limit: float) -> Alarm | None:
    """Return the first alarm of one chart (n,); None where it stays below the limit.

    What comes after it is no news: the reference is that of before a change, and has to be chosen anew.
    """
    first: Alarm | None = None
    for direction in (1, -1):
        sums = _sums(scores, direction)
        above = np.flatnonzero(sums > limit)
        if len(above) and (first is None or above[0] < first.at):
            idle = np.flatnonzero(sums[: above[0]] == 0)
            first = Alarm(int(above[0]), int(idle[-1]) + 1 if len(idle) else 0, direction)
    return first


def running(scores: Numbers) -> Numbers:
    """Return (n,) the higher of the two sums after each value."""
    return np.maximum(_sums(scores, 1), _sums(scores, -1))


@dataclass(frozen=True)
class Limit:
    """The limit that all charts share, and what the resampled years without a change say of it.

    `false_alarms_a_year` is the expected number, with its 95 % upper bound `at_most`; `years` how many were resampled, of
    `studies` each; `raised_by` is what was added because a year has more studies than were resampled.
    """

    value: float
    false_alarms_a_year: float
    at_most: float
    years: int
    studies: int
    raised_by: float


def fit_limit(
    measures: Numbers, is_share: NDArray[np.bool_], *, studies_a_year: int, in_a_row: int = 1, seed: int = 0
) -> Limit:
    """Fit the limit to a reference period without a change.

    Parameters
    ----------
    measures
        (n, K) the studies of the reference in order of time, a column a measure; NaN is unknown.
    is_share
        (K,) which measures are yes or no.
    studies_a_year
        As many come in a year.
    in_a_row
        Mean number of studies that are drawn together: those of a week.
    """
    measures = measures[:: max(1, len(measures) // MOST_REFERENCE)]
    studies = min(max(studies_a_year, 1), LONGEST)
    years = int(np.clip(DRAWN_VALUES // studies, FEWEST_YEARS, MOST_YEARS))
    rng = np.random.default_rng(seed)
    reference = _blocks(rng, len(measures), (years, len(measures)), in_a_row)
    stream = _blocks(rng, len(measures), (years, studies), in_a_row)
    highest = np.zeros(years)
    for column, share in zip(measures.T, is_share, strict=True):
        scores = _resampled(column, reference, stream, is_share=bool(share))
        for direction in (1, -1):
            np.maximum(highest, _sums(scores, direction).max(axis=1), out=highest)
    quiet = math.exp(-FALSE_ALARMS_A_YEAR)
    value = float(np.quantile(highest, quiet, method="higher"))
    alarmed = int(np.count_nonzero(highest > value))
    # The tail of a cumulative sum of normal scores falls by exp(-2 * ALLOWANCE) a unit (Siegmund 1985).
    raised_by = math.log(max(studies_a_year / studies, 1)) / (2 * ALLOWANCE)
    return Limit(
        value + raised_by,
        -math.log1p(-alarmed / years),
        -math.log1p(-_at_most(alarmed, years)),
        years,
        studies,
        raised_by,
    )


def _at_most(found: int, of: int) -> float:
    """Return the upper 95 % bound of a share (Wilson, JASA 1927, 10.1080/01621459.1927.10502953)."""
    z = 1.96
    share = found / of
    middle = share + z**2 / (2 * of)
    return (middle + z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))) / (1 + z**2 / of)


def _blocks(rng: np.random.Generator, n: int, shape: tuple[int, int], in_a_row: int) -> NDArray[np.intp]:
    """Return places (shape) among n, in blocks of about `in_a_row` that follow each other, the first after the last."""
    begins = rng.random(shape) < 1 / max(in_a_row, 1)
    begins[:, 0] = True
    place = np.arange(shape[1])
    block = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    starts = rng.integers(0, n, shape)
    return (np.take_along_axis(starts, block, axis=1) + place - block) % n


def _resampled(
    column: Numbers, reference: NDArray[np.intp], stream: NDArray[np.intp], *, is_share: bool
) -> Numbers:
    """Return the scores (B, N) of resampled years, each by its own resampled reference."""
    unknown = np.isnan(column)
    values, codes = np.unique(np.where(unknown, 0.0, column), return_inverse=True)
    if is_share:  # no and yes have their places, though one of them may not occur
        values, codes = np.array([0.0, 1.0]), (np.where(unknown, 0.0, column) == 1).astype(np.intp)
    rows = np.arange(len(reference))[:, None] * len(values)
    weights = (~unknown).astype(float)[reference]
    counts = np.bincount((codes[reference] + rows).ravel(), weights.ravel(), len(reference) * len(values))
    scores = _scores(counts.reshape(len(reference), -1).astype(np.float64), is_share=is_share)
    drawn = np.take_along_axis(scores, codes[stream], axis=1)
    drawn[unknown[stream]] = np.nan
    return drawn
