"""A thousand cohorts drawn anew from very many women in a second or two, for the figures of one horizon.

Each woman is drawn a Poisson number of times with mean 1, as drawing with replacement nearly does of many (Hanley and
MacGibbon 2006, 10.1016/j.cmpb.2006.04.006; Chamandy et al. 2012). AUC, average precision and observed over expected depend
on a draw only through sums over the women between two cases in the order of score; those sums are taken of bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from core.cohorts.judging.discrimination import auc_at, average_precision, check_scores
from core.cohorts.judging.outcomes import AtHorizon

__all__ = ["Drawn", "draw_figures"]

Numbers = NDArray[np.float64]
AT_ONCE_BYTES = 4_000_000
"""Of draws that are held at once: what a processor's cache holds."""
_DEEPEST = 65_536


@dataclass(frozen=True)
class Drawn:
    """A figure as it is, its 95 % percentile interval, and its value in each draw (NaN where it does not exist)."""

    value: float
    low: float
    high: float
    draws: Numbers


def _poisson_table() -> NDArray[np.float32]:
    """Return how often a woman is drawn for each 16-bit number: Poisson with mean 1, to 1 in 65,536."""
    times = np.arange(12)
    below = np.cumsum(np.exp(-1 - gammaln(times + 1)))
    return np.searchsorted(below, (np.arange(_DEEPEST) + 0.5) / _DEEPEST).astype(np.float32)


def draw_figures(
    at: AtHorizon,
    risk: ArrayLike,
    *,
    times: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Drawn]:
    """Return ``auc``, ``average_precision`` and ``o_e`` at a horizon with bootstrap intervals by woman.

    The weights of those lost to follow-up are kept as they are in all draws.

    Parameters
    ----------
    at, risk
        (n,) as for `core.cohorts.judging.discrimination.auc_at`; of each woman one row.
    times, seed, level
        Draws, their seed, level of the intervals.
    progress
        Told the share done, 0..1.

    Raises
    ------
    ValueError
        If one of both outcomes does not occur, or too few draws have both.
    """
    values = check_scores(risk, len(at.cancer))
    as_it_is = {
        "auc": auc_at(at, values).value,
        "average_precision": average_precision(at, values),
        "o_e": float((at.weight * at.cancer).sum() / values.sum()),
    }
    order = np.argsort(values, kind="stable")
    values, case, weight = values[order], at.cancer[order], at.weight[order]
    drawn = _Draws(values, case, weight, seed)
    found = np.empty((times, 3))
    step = max(1, AT_ONCE_BYTES // (4 * len(values)))
    for first in range(0, times, step):
        last = min(times, first + step)
        found[first:last] = drawn.figures(last - first)
        progress(last / times)
    return {
        name: _drawn(as_it_is[name], found[:, place], level)
        for place, name in enumerate(("auc", "average_precision", "o_e"))
    }


def _drawn(value: float, draws: Numbers, level: float) -> Drawn:
    real = draws[np.isfinite(draws)]
    if len(real) < len(draws) / 2:
        raise ValueError("Too few draws have women with and without cancer: there are too few cases.")
    low, high = np.quantile(real, [(1 - level) / 2, (1 + level) / 2])
    return Drawn(value, float(low), float(high), draws)


class _Draws:
    """The women in the order of score, cut where a case's score begins and ends."""

    def __init__(self, values: Numbers, case: NDArray[np.bool_], weight: Numbers, seed: int) -> None:
        self.random = np.random.Generator(np.random.SFC64(seed))
        self.table = _poisson_table()
        scores = np.unique(values[case])
        begins, ends = np.searchsorted(values, scores, "left"), np.searchsorted(values, scores, "right")
        # Places 0, then begin and end of each case's score in turn: 2k + 1 pieces, empty ones left out by `add`.
        self.edges = np.concatenate([[0], np.column_stack([begins, ends]).ravel()])
        self.n = len(values)
        self.of_others = np.where(case, 0.0, weight).astype(np.float32)
        self.case_rows = np.flatnonzero(case)
        self.case_weight = weight[case].astype(np.float32)
        self.case_piece = np.searchsorted(scores, values[case])
        self.case_starts = np.searchsorted(self.case_piece, np.arange(len(scores)))
        self.values = values.astype(np.float32)

    def figures(self, many: int) -> Numbers:
        """Return AUC, average precision and observed over expected of some draws, (many, 3)."""
        bits = np.frombuffer(self.random.bytes(2 * many * self.n), np.uint16).reshape(many, self.n)
        times = self.table[bits]
        expected = times @ self.values
        of_cases = np.add.reduceat(times[:, self.case_rows] * self.case_weight, self.case_starts, axis=1)
        pieces = self._pieces(times * self.of_others)
        between, equal = pieces[:, 0::2], pieces[:, 1::2]
        below = np.cumsum(between[:, :-1] + np.pad(equal[:, :-1], ((0, 0), (1, 0))), axis=1)
        cases, others = of_cases.sum(axis=1), pieces.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = (of_cases * (below + equal / 2)).sum(axis=1) / (cases * others)
            found = np.cumsum(of_cases[:, ::-1], axis=1)
            taken = others[:, None] - below[:, ::-1] + found
            precise = (of_cases[:, ::-1] * found / taken).sum(axis=1) / cases
            return np.column_stack([auc, precise, cases / expected]).astype(np.float64)

    def _pieces(self, rows: NDArray[np.float32]) -> Numbers:
        """Sum each row between the edges."""
        starts = self.edges.clip(max=self.n - 1)
        sums = np.add.reduceat(rows, starts, axis=1).astype(np.float64)
        # `reduceat` gives the element itself where a piece is empty.
        empty = np.diff(np.append(self.edges, self.n)) == 0
        sums[:, empty] = 0
        return sums
