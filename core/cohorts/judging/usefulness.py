"""What follows from acting above a threshold: recalls, found and missed a thousand women, and net benefit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.cohorts.judging.discrimination import check_scores
from core.cohorts.judging.outcomes import AtHorizon
from core.cohorts.judging.shares import Estimate, Scale, ratio

__all__ = ["AtThreshold", "NetBenefit", "above_threshold", "decision_curve"]

Numbers = NDArray[np.float64]
THOUSAND = 1000.0


@dataclass(frozen=True)
class AtThreshold:
    """What follows from recalling every woman at or above a threshold.

    `recalled`, `found`, `missed` and `false` are of a thousand women; the others shares, None where they are of nobody.
    `numbers` are the women behind them: with cancer above and below, without above and below, and those not known.
    """

    threshold: float
    recalled: Estimate
    found: Estimate
    missed: Estimate
    false: Estimate
    sensitivity: Estimate | None
    specificity: Estimate | None
    precision: Estimate | None
    numbers: tuple[int, int, int, int, int]


def above_threshold(at: AtHorizon, score: ArrayLike, threshold: float, level: float = 0.95) -> AtThreshold:
    """Return what follows from a threshold, by what is known at the horizon; those lost are stood in for.

    Raises
    ------
    ValueError
        If a score is no number, or there is nobody.
    """
    values = check_scores(score, len(at.cancer))
    above, everyone = values >= threshold, np.ones(len(values))
    case, other = np.where(at.cancer, at.weight, 0.0), np.where(at.cancer, 0.0, at.weight)

    def a_thousand(part: Numbers) -> Estimate:
        one = ratio(part, everyone, level=level)
        return Estimate(one.value * THOUSAND, one.low * THOUSAND, one.high * THOUSAND, one.moves * THOUSAND)

    def share(part: Numbers, whole: Numbers) -> Estimate | None:
        return ratio(part, whole, level=level) if whole.sum() > 0 else None

    known_other = at.known & ~at.cancer
    return AtThreshold(
        threshold,
        recalled=a_thousand(above.astype(np.float64)),
        found=a_thousand(case * above),
        missed=a_thousand(case * ~above),
        false=a_thousand(other * above),
        sensitivity=share(case * above, case),
        specificity=share(other * ~above, other),
        precision=share(case * above, (case + other) * above),
        numbers=(
            int((at.cancer & above).sum()),
            int((at.cancer & ~above).sum()),
            int((known_other & above).sum()),
            int((known_other & ~above).sum()),
            int((~at.known).sum()),
        ),
    )


@dataclass(frozen=True)
class NetBenefit:
    """At a threshold, the net benefit of acting on the score, with its interval, and of acting on everybody."""

    threshold: float
    value: Estimate
    everybody: float
    above: int
    """Women at or above it."""


def decision_curve(
    at: AtHorizon, risk: ArrayLike, thresholds: Sequence[float], level: float = 0.95
) -> list[NetBenefit]:
    """Return the net benefit over thresholds: true positives less false ones, weighed by the odds of the threshold.

    Vickers and Elkin 2006, 10.1177/0272989X06295361; with those lost and competing events Vickers et al. 2008,
    10.1186/1472-6947-8-53. Of acting on nobody it is 0.

    Raises
    ------
    ValueError
        If a threshold does not lie between 0 and 1, or a risk is no number.
    """
    values = check_scores(risk, len(at.cancer))
    case, other = np.where(at.cancer, at.weight, 0.0), np.where(at.cancer, 0.0, at.weight)
    everyone = np.ones(len(values))
    found = []
    for threshold in thresholds:
        if not 0 < threshold < 1:
            raise ValueError("A threshold of risk lies between 0 and 1.")
        odds = threshold / (1 - threshold)
        above = values >= threshold
        value = ratio((case - odds * other) * above, everyone, Scale.PLAIN, level)
        everybody = float((case - odds * other).mean())
        found.append(NetBenefit(threshold, value, everybody, int(above.sum())))
    return found
