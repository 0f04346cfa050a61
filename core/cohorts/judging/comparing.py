"""Two models, or two versions of one, on the same women: paired differences, and whom a threshold would call by one only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.cohorts.judging.calibration import observed_over_expected
from core.cohorts.judging.discrimination import auc_at, c_index
from core.cohorts.judging.outcomes import AtHorizon
from core.cohorts.judging.shares import Compared, Estimate, holm, paired, ratio

__all__ = ["Changed", "Pair", "changed_above", "compared"]


@dataclass(frozen=True)
class Pair:
    """A figure by both on the same women, the second less the first, and p that allows for all figures compared (Holm)."""

    name: str
    first: Estimate
    second: Estimate
    change: Compared
    p_adjusted: float


def compared(
    at: AtHorizon, time: ArrayLike, cause: ArrayLike, first: ArrayLike, second: ArrayLike
) -> list[Pair]:
    """Compare two scores of the same women at a horizon: ``auc``, ``c_index``, ``o_e``.

    The AUC's test is DeLong's where nobody is lost (10.2307/2531595); all allow for both scores being of the same women.

    Parameters
    ----------
    at
        What is known of them at the horizon.
    time, cause
        (n,) years followed, what ended it.
    first, second
        (n,) probabilities by the horizon.

    Raises
    ------
    ValueError
        If a figure does not exist for these women.
    """
    pairs = [
        ("auc", auc_at(at, first), auc_at(at, second)),
        ("c_index", c_index(time, cause, first), c_index(time, cause, second)),
        ("o_e", observed_over_expected(at, first), observed_over_expected(at, second)),
    ]
    changes = [paired(two, one) for _, one, two in pairs]
    adjusted = holm([change.p for change in changes])
    return [
        Pair(name, one, two, change, p)
        for (name, one, two), change, p in zip(pairs, changes, adjusted, strict=True)
    ]


@dataclass(frozen=True)
class Changed:
    """Women that a threshold calls by one score only, and what came of them.

    `women` is their number, `a_thousand` of a thousand, `cases` how many are known to have cancer by the horizon.
    """

    women: int
    a_thousand: Estimate
    cases: int


def changed_above(
    at: AtHorizon, first: ArrayLike, second: ArrayLike, threshold: float
) -> tuple[Changed, Changed]:
    """Return whom the second score calls at or above a threshold and the first does not; and the other way round."""
    before, after = np.asarray(first) >= threshold, np.asarray(second) >= threshold

    def changed(mark: NDArray[np.bool_]) -> Changed:
        one = ratio(mark.astype(np.float64), np.ones(len(mark)))
        scaled = Estimate(one.value * 1000, one.low * 1000, one.high * 1000, one.moves * 1000)
        return Changed(int(mark.sum()), scaled, int((mark & at.cancer).sum()))

    return changed(after & ~before), changed(before & ~after)
