"""From what the networks say to probabilities that come true and agree.

A woman's risk within k years comes from both breasts' yearly hazards by a line on the scale of log-odds (Platt 1999), one for
each horizon; a breast's from its own hazards by a line of its own. Then the odds of both breasts are multiplied by the one
factor with which ``1 - (1 - L_k) (1 - R_k)`` is her risk. So malignancy of a breast is its risk within the first year, and
what is said of a breast and of the woman can never contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.longitudinal.spread import Spread
from models.measures import Logistic, censoring_weights, fit_logistic, horizon_labels, safe_logit

__all__ = ["Calibration", "LogOdds", "Outcomes", "Risks", "apart", "fit_calibration", "of_either", "of_woman"]

FARTHEST = 40.0
"""Log-odds; what is said of breasts and of the woman lies less far apart."""
HALVINGS = 60
"""Of that span; then nothing is left of it in floating point."""

Growth = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Raw log-odds of progression, labels, and what each counts."""


@dataclass(frozen=True)
class Outcomes:
    """What became of n women after the visit at which they are calibrated on.

    Parameters
    ----------
    years_to_cancer, years_followed
        (n,) as for `horizon_labels`.
    cancer_breast
        (n,) 0 for left, 1 for right, -1 where no cancer was seen or the breast is unknown.
    stands_for
        (n,) how many women each stands for, where they were drawn by their outcome; None: each for herself.
    """

    years_to_cancer: NDArray[np.float64]
    years_followed: NDArray[np.float64]
    cancer_breast: NDArray[np.int64]
    stands_for: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Risks:
    """Calibrated probabilities of cancer within 1..5 years, each with its 90 % interval.

    Parameters
    ----------
    breast, breast_low, breast_high
        (…, 2, 5) by breast, left first.
    value, low, high
        (…, 5) in either breast.

    In both none falls with the horizon, and ``max(L, R) <= value <= L + R``.
    """

    breast: NDArray[np.float64]
    breast_low: NDArray[np.float64]
    breast_high: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class LogOdds:
    """Calibrated log-odds of the woman's risk (…, 5) and of each breast's (…, 2, 5), with the members' in front."""

    woman: NDArray[np.float64]
    woman_members: NDArray[np.float64]
    breast: NDArray[np.float64]
    breast_members: NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The calibration of a longitudinal model, fitted on validation women only.

    Parameters
    ----------
    risk
        One `Logistic` for each horizon, 1 to 5 years: from the woman's raw risk to the probability of cancer.
    breast
        The same for a breast, from its own raw risk; where it was not fitted, as the networks say.
    progression, progression_after
        For progression, before a diagnosis and after one.
    baseline_5y
        Mean 5-year risk of the validation women's visits: what is said of a woman of whom nothing is seen.
    fitted_on
        Plain words for the card.
    prior_shift
        Log-odds added to the risk within 1 to 5 years, from where cancer is as common as among the validation women to
        where the model is used (`moved`). The first is added to progression before a diagnosis too.
    spread
        How far intervals reach, and which change is one.
    """

    risk: tuple[Logistic, ...] = (Logistic(),) * 5
    breast: tuple[Logistic, ...] = (Logistic(),) * 5
    progression: Logistic = Logistic()
    progression_after: Logistic = Logistic()
    baseline_5y: float = 0.0167
    fitted_on: str = "not calibrated"
    prior_shift: tuple[float, ...] = (0.0,) * 5
    spread: Spread = field(default_factory=Spread)

    def moved(self, rates: Sequence[float], to: Sequence[float]) -> Calibration:
        """Return the calibration for women among whom cancer is as common as `to` instead of as `rates`.

        By Bayes, with what women with and without cancer look like unchanged, the log-odds of each horizon move by the
        difference of the log-odds of its two rates (Saerens et al. 2002, 10.1162/089976602753284446).

        Parameters
        ----------
        rates, to
            Share of women with a cancer within 1, 2, 3, 4, 5 years of a study; above 0, below 1, never falling.

        Raises
        ------
        ValueError
            If there are not five of each, or they are no such shares.
        """
        for shares in (rates, to):
            if len(shares) != len(self.risk) or not all(0 < share < 1 for share in shares):
                raise ValueError(
                    "Five shares between 0 and 1 are needed: cancers within 1, 2, 3, 4, 5 years."
                )
            if any(later < sooner for sooner, later in pairwise(shares)):
                raise ValueError("More women have a cancer within more years: the shares must not fall.")
        shift = safe_logit(np.asarray(to)) - safe_logit(np.asarray(rates))
        return replace(self, prior_shift=tuple(float(value) for value in shift))

    def as_fitted(self) -> Calibration:
        """Return the calibration for women among whom cancer is as common as among the validation women."""
        return replace(self, prior_shift=(0.0,) * len(self.risk))

    @property
    def baseline(self) -> float:
        """`baseline_5y` where the model is used."""
        return float(expit(safe_logit(self.baseline_5y) + self.prior_shift[-1]))

    def progressions(
        self, members: NDArray[Any], lacking: NDArray[np.float64] | None = None, *, after: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return calibrated probabilities of progression, before a diagnosis or after one, with their 90 % intervals.

        Parameters
        ----------
        members
            (members, …, 2) raw log-odds by breast.
        lacking
            (…, 2, 4) what the study lacks, as `models.longitudinal.lacks` finds it; None: nothing.
        after
            Whether a diagnosis came before; then nothing is moved to where cancer is rare.

        Returns
        -------
        value, low, high
            (…, 2) each.
        """
        lines = self.growth_log_odds(members, after=after)
        value = lines.mean(axis=0)
        below, above = self.spread.reach("progression", apart(lines)[..., None], lacking)
        return expit(value), expit(value - below[..., 0]), expit(value + above[..., 0])

    def growth_log_odds(self, members: NDArray[Any], *, after: bool = False) -> NDArray[np.float64]:
        """Return the members' calibrated log-odds of progression (members, …, 2)."""
        line, shift = (self.progression_after, 0.0) if after else (self.progression, self.prior_shift[0])
        return line.of_logit(members) + shift

    def risks(self, hazards: NDArray[Any], lacking: NDArray[np.float64] | None = None) -> Risks:
        """Return calibrated risk of each breast and of the woman.

        Parameters
        ----------
        hazards
            (members, …, 2, 5) yearly hazards.
        lacking
            (…, 2, 4) what the study lacks, as `models.longitudinal.lacks` finds it; None: nothing.
        """
        odds = self.log_odds(hazards)
        value = odds.breast
        below, above = self.spread.reach("breast", apart(odds.breast_members), lacking)
        breast, breast_low, breast_high = (
            _rising(expit(line)) for line in (value, value - below, value + above)
        )
        value, lacks = odds.woman, None if lacking is None else of_woman(lacking)
        below, above = self.spread.reach("risk", apart(odds.woman_members), lacks)
        risk = of_either(breast)
        return Risks(
            breast,
            breast_low,
            breast_high,
            risk,
            np.minimum(_rising(expit(value - below)), risk),
            np.maximum(_rising(expit(value + above)), risk),
        )

    def smallest_change(self, risk_5y: float, *, dense: bool) -> float | None:
        """Return the smallest change of 5-year risk, in log-odds, that is one at this risk; None if not measured.

        `dense` says whether the breasts are of density C or D.
        """
        return self.spread.smallest("risk", float(safe_logit(risk_5y)) - self.prior_shift[-1], dense=dense)

    def log_odds(self, hazards: NDArray[Any]) -> LogOdds:
        """Return calibrated log-odds from the members' yearly hazards (members, …, 2, 5).

        The members agree or not on the woman too: their spread is hers, not that of two breasts at their worst.
        """
        shift = np.asarray(self.prior_shift)
        woman = _on_lines(self.risk, _raw(np.asarray(hazards, np.float64).sum(axis=-2))) + shift
        breast = _on_lines(self.breast, _raw(hazards)) + shift
        middle, each = _agreeing(woman.mean(axis=0), breast.mean(axis=0)), _agreeing(woman, breast)
        return LogOdds(
            safe_logit(of_either(middle)), safe_logit(of_either(each)), safe_logit(middle), safe_logit(each)
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """Read what `to_json` gave, or what an earlier release wrote."""
        progression = Logistic(**values["progression"])
        after = values.get("progression_after")
        return cls(
            risk=tuple(Logistic(**line) for line in values["risk"]),
            breast=tuple(Logistic(**line) for line in values.get("breast", [{}] * 5)),
            progression=progression,
            progression_after=progression if after is None else Logistic(**after),
            baseline_5y=float(values["baseline_5y"]),
            fitted_on=str(values["fitted_on"]),
            prior_shift=tuple(float(value) for value in values.get("prior_shift", (0.0,) * 5)),
            spread=Spread.from_json(values["spread"]) if "spread" in values else Spread(),
        )


def of_woman(lacking: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (…, 4) what the woman's risk lacks, from (…, 2, 4) by breast: views of both count, visits once."""
    left, right = lacking[..., 0, :], lacking[..., 1, :]
    return np.concatenate([(left + right)[..., :2], left[..., 2:]], axis=-1)


def of_either(breast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of cancer in either breast, (…, 5), from that in each, (…, 2, 5)."""
    # Between the larger and the sum to the last bit, which 1 - (1 - L)(1 - R) in floating point is not.
    left, right = breast[..., 0, :], breast[..., 1, :]
    larger, smaller = np.maximum(left, right), np.minimum(left, right)
    return np.asarray(larger + smaller * (1 - larger))


def fit_calibration(
    hazards: NDArray[np.float64],
    outcomes: Outcomes,
    progression: Growth,
    progression_after: Growth,
    fitted_on: str,
    before: Calibration | None = None,
) -> Calibration:
    """Calibrate on validation women.

    Parameters
    ----------
    hazards
        (members, n, 2, 5) raw yearly hazards at the n visits.
    outcomes
        What became of the n women.
    progression, progression_after
        Raw log-odds, labels and what each counts, one for each breast-visit of which it is known, before a diagnosis and
        after.
    fitted_on
        Plain words for the card.
    before
        An earlier calibration, whose lines of progression are kept where too few breasts say anything, and whose spread
        is kept until it is measured anew.

    Returns
    -------
    Calibration
        Where too few women say anything of a horizon, the line of the nearest horizon stands in: a raw risk among
        calibrated ones would lift all after it. `fitted_on` says so.
    """
    risk, fitted_on = _fit_lines(
        _raw(np.asarray(hazards, np.float64).sum(axis=-2)).mean(axis=0)[:, None], outcomes, fitted_on, "women"
    )
    breast, fitted_on = _fit_lines(_raw(hazards).mean(axis=0), outcomes, fitted_on, "breasts")
    growth, how = _fit_growth(progression, before.progression if before else None, Logistic())
    fitted_on += how and f"; too few breasts for progression: {how}"
    after, how = _fit_growth(progression_after, before.progression_after if before else None, growth)
    fitted_on += how and f"; too few breasts for progression after a diagnosis: {how}"
    spread = before.spread if before else Spread()
    calibration = Calibration(risk, breast, growth, after, fitted_on=fitted_on, spread=spread)
    if len(outcomes.cancer_breast):
        said = calibration.risks(hazards).value[..., -1]
        calibration = replace(calibration, baseline_5y=float(np.average(said, weights=outcomes.stands_for)))
    return calibration


def _fit_growth(growth: Growth, before: Logistic | None, otherwise: Logistic) -> tuple[Logistic, str]:
    """Fit a line of progression; where too few breasts say anything, the earlier one stands in, or `otherwise`."""
    try:
        return fit_logistic(*growth), ""
    except ValueError:
        if before is not None:
            return before, "as before"
        return otherwise, "not calibrated" if otherwise == Logistic() else "as before a diagnosis"


def _raw(hazards: NDArray[Any]) -> NDArray[np.float64]:
    """Return raw log-odds of cancer within 1..5 years: ``1 - exp(-H_k)``, H_k the hazards of years 1..k summed."""
    return safe_logit(-np.expm1(-np.cumsum(np.asarray(hazards, np.float64), axis=-1)))


def _on_lines(lines: Sequence[Logistic], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([line.of_logit(raw[..., k]) for k, line in enumerate(lines)], axis=-1)


def _agreeing(woman: NDArray[np.float64], breast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each breast's risk (…, 2, 5) such that together they are the woman's.

    Parameters
    ----------
    woman, breast
        (…, 5) and (…, 2, 5) calibrated log-odds.
    """
    # Of logarithms of the chance to stay free of cancer, which lose nothing where risks are small.
    free = -np.logaddexp(0, woman)
    low, high = np.full(woman.shape, -FARTHEST), np.full(woman.shape, FARTHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_much = -np.logaddexp(0, breast + middle[..., None, :]).sum(axis=-2) < free
        low, high = np.where(too_much, low, middle), np.where(too_much, middle, high)
    return _rising(expit(breast + ((low + high) / 2)[..., None, :]))


def _fit_lines(
    raw: NDArray[np.float64], outcomes: Outcomes, fitted_on: str, whose: str
) -> tuple[tuple[Logistic, ...], str]:
    """Fit one line for each horizon and say what could not be fitted.

    Parameters
    ----------
    raw
        (n, 1, 5) log-odds of women, or (n, 2, 5) of their breasts; cancers of unknown side tell nothing of breasts.
    """
    sides = raw.shape[1]
    fitted: dict[int, Logistic] = {}
    for k in range(raw.shape[-1]):
        label, known = horizon_labels(outcomes.years_to_cancer, outcomes.years_followed, k + 1)
        weight = censoring_weights(
            outcomes.years_to_cancer, outcomes.years_followed, k + 1, outcomes.stands_for
        )
        if outcomes.stands_for is not None:
            weight = weight * outcomes.stands_for
        if sides > 1:
            known &= (label == 0) | (outcomes.cancer_breast >= 0)
        here = (
            label[:, None] * (outcomes.cancer_breast[:, None] == np.arange(sides))
            if sides > 1
            else label[:, None]
        )
        with suppress(ValueError):
            fitted[k] = fit_logistic(
                raw[known, :, k].ravel(), here[known].ravel(), np.repeat(weight[known], sides)
            )
    lines = []
    for k in range(raw.shape[-1]):
        at = min(fitted, key=lambda year: abs(year - k), default=None)
        lines.append(Logistic() if at is None else fitted[at])
        if at != k:
            instead = "not calibrated" if at is None else f"by the line of year {at + 1}"
            fitted_on += f"; too few {whose} for year {k + 1}: {instead}"
    return tuple(lines), fitted_on


def _rising(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum.accumulate(risk, axis=-1)


def apart(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the members' standard deviation, from (members, …); 0 of one member."""
    return np.asarray(lines.std(axis=0, ddof=1) if len(lines) > 1 else np.zeros(lines.shape[1:]))
