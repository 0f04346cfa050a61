"""From what the networks say to probabilities that come true and agree: one line for each horizon, of each breast.

A breast's risk within k years comes from its own yearly hazards, by a line on the scale of log-odds (Platt 1999). All
else follows: malignancy of a breast is its risk within the first year, and a woman's risk within k years is
``1 - (1 - L_k) (1 - R_k)``. So what is said of a breast and of the woman can never contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit

from models.longitudinal.spread import Spread
from models.measures import FEWEST, Logistic, censoring_weights, fit_logistic, horizon_labels, safe_logit

__all__ = ["Calibration", "LogOdds", "Outcomes", "Risks", "apart", "fit_calibration", "of_either", "of_woman"]

FARTHEST_SHIFT = 12.0
"""Log-odds; no two places where cancer occurs differ by more."""


@dataclass(frozen=True)
class Outcomes:
    """What became of n women after the visit at which they are calibrated on.

    Parameters
    ----------
    years_to_cancer, years_followed
        (n,) as for `horizon_labels`.
    cancer_breast
        (n,) 0 for left, 1 for right, -1 where no cancer was seen or the breast is unknown.
    """

    years_to_cancer: NDArray[np.float64]
    years_followed: NDArray[np.float64]
    cancer_breast: NDArray[np.int64]


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
    breast
        One `Logistic` for each horizon, 1 to 5 years: from a breast's raw risk to the probability of cancer in it.
    progression, progression_after
        For progression, before a diagnosis and after one.
    baseline_5y
        Mean 5-year risk of the validation women's visits: what is said of a woman of whom nothing is seen.
    fitted_on
        Plain words for the card.
    prior_shift
        Log-odds added to a breast's risk within 1 to 5 years, from where cancer is as common as among the validation
        women to where the model is used. The first is added to progression before a diagnosis too.
    spread
        How far intervals reach, and which change is one.
    """

    breast: tuple[Logistic, ...] = (Logistic(),) * 5
    progression: Logistic = Logistic()
    progression_after: Logistic = Logistic()
    baseline_5y: float = 0.0167
    fitted_on: str = "not calibrated"
    prior_shift: tuple[float, ...] = (0.0,) * 5
    spread: Spread = field(default_factory=Spread)

    def moved(
        self, hazards: NDArray[np.float64], outcomes: Outcomes, to: Sequence[float], *, whose: str
    ) -> Calibration:
        """Return the calibration for women among whom cancer is as common as `to`.

        What women with and without cancer look like is taken to be the same there; only how many there are of each
        differs (Saerens et al. 2002, 10.1162/089976602753284446). So the women at hand are weighed as they would be met
        there, and the breasts' log-odds are moved until the risks said of them come true on average.

        Parameters
        ----------
        hazards, outcomes
            As for `fit_calibration`.
        to
            Share of women with a cancer within 1, 2, 3, 4, 5 years of a study; above 0, below 1, never falling.
        whose
            Whose share of cancers this moves away from, in words.

        Raises
        ------
        ValueError
            If there are not five shares, or they are no such shares.
        """
        if len(to) != len(self.breast) or not all(0 < share < 1 for share in to):
            raise ValueError("Five shares between 0 and 1 are needed: cancers within 1, 2, 3, 4, 5 years.")
        if any(later < sooner for sooner, later in pairwise(to)):
            raise ValueError("More women have a cancer within more years: the shares must not fall.")
        lines = self.as_fitted()._lines(hazards).mean(axis=0)
        shift: list[float] = []
        for k, share in enumerate(to):
            label, weight = _labelled(outcomes, k + 1)
            rate = float(np.clip((weight * label).sum() / max(weight.sum(), 1e-9), 1e-4, 1 - 1e-4))
            there = weight * np.where(label == 1, share / rate, (1 - share) / (1 - rate))
            shift.append(_shift_to(lines[..., k], there, share))
        said = ", ".join(f"{100 * rate:.2g}" for rate in to)
        moved = f"{self.fitted_on}; moved from {whose}'s share of cancers to {said} % within 1..5 years"
        return replace(self, prior_shift=tuple(shift), fitted_on=moved)

    def as_fitted(self) -> Calibration:
        """Return the calibration for women among whom cancer is as common as among the validation women."""
        return replace(self, prior_shift=(0.0,) * len(self.breast))

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

    def smallest_change(self, risk_5y: float) -> float | None:
        """Return the smallest change of 5-year risk, in log-odds, that is one at this risk; None if not measured."""
        return self.spread.smallest("risk", float(safe_logit(risk_5y)) - self.prior_shift[-1])

    def log_odds(self, hazards: NDArray[Any]) -> LogOdds:
        """Return calibrated log-odds from the members' yearly hazards (members, …, 2, 5).

        The members agree or not on the woman too: their spread is hers, not that of two breasts at their worst.
        """
        lines = self._lines(hazards)
        centre = lines.mean(axis=0)
        return LogOdds(
            safe_logit(of_either(_rising(expit(centre)))),
            safe_logit(of_either(_rising(expit(lines)))),
            centre,
            lines,
        )

    def _lines(self, hazards: NDArray[Any]) -> NDArray[np.float64]:
        """Return calibrated log-odds by member, breast and horizon."""
        raw = _raw(hazards)
        lines = np.stack([line.of_logit(raw[..., k]) for k, line in enumerate(self.breast)], axis=-1)
        return lines + np.asarray(self.prior_shift)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """Read what `to_json` gave.

        A calibration made when risk was one line for the whole woman is read with that line for each of her breasts,
        and says so: it was fitted on something else.
        """
        lines, fitted_on = values.get("breast"), str(values["fitted_on"])
        if lines is None:
            lines = values["risk"]
            fitted_on += "; one line of the whole woman stands in for each of her breasts"
        progression = Logistic(**values["progression"])
        after = values.get("progression_after")
        return cls(
            breast=tuple(Logistic(**line) for line in lines),
            progression=progression,
            progression_after=progression if after is None else Logistic(**after),
            baseline_5y=float(values["baseline_5y"]),
            fitted_on=fitted_on,
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
    progression: tuple[NDArray[np.float64], NDArray[np.float64]],
    progression_after: tuple[NDArray[np.float64], NDArray[np.float64]],
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
        Pairs of raw log-odds and labels, one for each breast-visit of which it is known, before a diagnosis and after.
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
    centre = _raw(hazards).mean(axis=0)
    fitted: dict[int, Logistic] = {}
    for k in range(centre.shape[-1]):
        with suppress(ValueError):
            fitted[k] = _fit_breasts(centre[..., k], outcomes, k + 1)
    nearest = [min(fitted, key=lambda at: abs(at - k), default=None) for k in range(centre.shape[-1])]
    lines = [Logistic() if at is None else fitted[at] for at in nearest]
    for k, at in enumerate(nearest):
        if at != k:
            instead = "not calibrated" if at is None else f"by the line of year {at + 1}"
            fitted_on += f"; too few women for year {k + 1}: {instead}"
    growth, how = _fit_growth(progression, before.progression if before else None, Logistic())
    fitted_on += how and f"; too few breasts for progression: {how}"
    after, how = _fit_growth(progression_after, before.progression_after if before else None, growth)
    fitted_on += how and f"; too few breasts for progression after a diagnosis: {how}"
    spread = before.spread if before else Spread()
    calibration = Calibration(tuple(lines), growth, after, fitted_on=fitted_on, spread=spread)
    if centre.shape[0]:
        calibration = replace(
            calibration, baseline_5y=float(calibration.risks(hazards).value[..., -1].mean())
        )
    return calibration


def _fit_growth(
    pair: tuple[NDArray[np.float64], NDArray[np.float64]], before: Logistic | None, otherwise: Logistic
) -> tuple[Logistic, str]:
    """Fit a line of progression; where too few breasts say anything, the earlier one stands in, or `otherwise`."""
    try:
        return fit_logistic(*pair), ""
    except ValueError:
        if before is not None:
            return before, "as before"
        return otherwise, "not calibrated" if otherwise == Logistic() else "as before a diagnosis"


def _raw(hazards: NDArray[Any]) -> NDArray[np.float64]:
    """Return raw log-odds of cancer within 1..5 years: ``1 - exp(-H_k)``, H_k the hazards of years 1..k summed."""
    return safe_logit(-np.expm1(-np.cumsum(np.asarray(hazards, np.float64), axis=-1)))


def _rising(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum.accumulate(risk, axis=-1)


def apart(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the members' standard deviation, from (members, …); 0 of one member."""
    return np.asarray(lines.std(axis=0, ddof=1) if len(lines) > 1 else np.zeros(lines.shape[1:]))


def _labelled(outcomes: Outcomes, years: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by woman whether cancer came within `years`, and what she counts (0 where it is not known)."""
    label, _ = horizon_labels(outcomes.years_to_cancer, outcomes.years_followed, years)
    return label, censoring_weights(outcomes.years_to_cancer, outcomes.years_followed, years)


def _fit_breasts(raw: NDArray[np.float64], outcomes: Outcomes, years: int) -> Logistic:
    """Fit one line for both breasts by maximum likelihood, with the weak pull of `fit_logistic`.

    Of a cancer whose breast is not known, what counts is that it is in one of the two. Then the intercept is moved until
    as many women are said to have cancer as had it: two breasts of one woman are not quite independent.

    Parameters
    ----------
    raw
        (n, 2) raw log-odds.
    """
    label, weight = _labelled(outcomes, years)
    known = weight > 0
    x, y, w, side = raw[known], label[known], weight[known], outcomes.cancer_breast[known]
    if min(y.sum(), (1 - y).sum()) < FEWEST:
        raise ValueError(f"{y.sum():.0f} events of {len(y)} women are too few, or too many, to calibrate on.")
    here = (y[:, None] == 1) & (side[:, None] == np.arange(2))
    unknown = (y == 1) & (side < 0)
    told = ~unknown

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        intercept, slope = line[0], np.exp(line[1])
        z = intercept + slope * x
        p = expit(z)
        neither = np.prod(1 - p[unknown], axis=1)
        value = (w[told, None] * (np.logaddexp(0, z[told]) - here[told] * z[told])).sum()
        value -= (w[unknown] * np.log(np.maximum(1 - neither, 1e-12))).sum()
        off = w[:, None] * (p - here)
        off[unknown] = -(w[unknown] * neither / np.maximum(1 - neither, 1e-12))[:, None] * p[unknown]
        pull = 0.5 * (line[1] / 0.5) ** 2
        return float(value + pull), np.array([off.sum(), (off * slope * x).sum() + line[1] / 0.25])

    fit = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B")
    intercept, slope = float(fit.x[0]), float(np.exp(fit.x[1]))
    return Logistic(intercept + _shift_to(intercept + slope * x, w, float((w * y).sum() / w.sum())), slope)


def _shift_to(lines: NDArray[np.float64], weight: NDArray[np.float64], share: float) -> float:
    """Return what is to be added to the breasts' log-odds (n, 2) for the women's mean risk to be `share`."""

    def off(shift: float) -> float:
        risk = of_either(expit(lines + shift)[..., None])[..., 0]
        return float(np.average(risk, weights=weight)) - share

    return float(brentq(off, -FARTHEST_SHIFT, FARTHEST_SHIFT))
