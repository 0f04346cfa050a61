"""From what the networks say to probabilities that come true: logistic calibration, one for each horizon."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.measures import Logistic, censoring_weights, fit_logistic, horizon_labels, safe_logit

__all__ = ["Calibration", "fit_calibration"]

Z_90 = 1.6448536269514722
"""Half width of a two-sided 90 % interval of the normal distribution."""


@dataclass(frozen=True)
class Calibration:
    """The calibration of a longitudinal model, fitted on validation women only.

    Parameters
    ----------
    risk
        One `Logistic` for each horizon, 1 to 5 years.
    malignancy, progression
        For malignancy per breast and progression.
    widen
        The members' spread is multiplied by this to give the interval.
    baseline_5y
        Mean 5-year risk of the validation women's visits: what is said of a woman of whom nothing is seen.
    fitted_on
        Plain words for the card.
    prior_shift
        Log-odds added to the risk within 1 to 5 years, from where cancer is as common as among the validation women
        to where the model is used (`moved`). The first is added to malignancy and progression too.
    """

    risk: tuple[Logistic, ...] = (Logistic(),) * 5
    malignancy: Logistic = Logistic()
    progression: Logistic = Logistic()
    widen: float = 1.0
    baseline_5y: float = 0.0167
    fitted_on: str = "not calibrated"
    prior_shift: tuple[float, ...] = (0.0,) * 5

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

    def malignancies(self, raw_logit: Any) -> NDArray[np.float64]:
        """Return calibrated probabilities of malignancy from raw log-odds."""
        return np.asarray(expit(self.malignancy.of_logit(raw_logit) + self.prior_shift[0]))

    def progressions(self, raw_logit: Any) -> NDArray[np.float64]:
        """Return calibrated probabilities of progression from raw log-odds."""
        return np.asarray(expit(self.progression.of_logit(raw_logit) + self.prior_shift[0]))

    def risks(
        self, members: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return calibrated risk with its 90 % interval from the members' risks.

        Parameters
        ----------
        members
            (members, …, 5) raw risk within 1..5 years.

        Returns
        -------
        value, low, high
            (…, 5) each. None falls with the horizon, and low <= value <= high.
        """
        raw = safe_logit(members)
        lines = np.stack([line.of_logit(raw[..., k]) for k, line in enumerate(self.risk)], axis=-1)
        lines += np.asarray(self.prior_shift)
        centre = lines.mean(axis=0)
        half = Z_90 * self.widen * (lines.std(axis=0, ddof=1) if len(lines) > 1 else 0.0)
        value, low, high = (
            np.maximum.accumulate(expit(line), axis=-1) for line in (centre, centre - half, centre + half)
        )
        return value, low, high

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """Read what `to_json` gave."""
        return cls(
            risk=tuple(Logistic(**line) for line in values["risk"]),
            malignancy=Logistic(**values["malignancy"]),
            progression=Logistic(**values["progression"]),
            widen=float(values["widen"]),
            baseline_5y=float(values["baseline_5y"]),
            fitted_on=str(values["fitted_on"]),
            prior_shift=tuple(float(value) for value in values.get("prior_shift", (0.0,) * 5)),
        )


def fit_calibration(
    risk_members: NDArray[np.float64],
    years_to_cancer: NDArray[np.float64],
    years_followed: NDArray[np.float64],
    malignancy: tuple[NDArray[np.float64], NDArray[np.float64]],
    progression: tuple[NDArray[np.float64], NDArray[np.float64]],
    fitted_on: str,
    before: Calibration | None = None,
) -> Calibration:
    """Calibrate on validation women.

    Parameters
    ----------
    risk_members
        (members, n, 5) raw risks at the n visits.
    years_to_cancer, years_followed
        (n,) as for `horizon_labels`.
    malignancy, progression
        Pairs of raw log-odds and labels, one for each breast-visit of which it is known.
    fitted_on
        Plain words for the card.
    before
        An earlier calibration, whose lines of malignancy and progression are kept where too few breasts say anything.

    Returns
    -------
    Calibration
        Where too few women say anything of a horizon, the line of the nearest horizon stands in: a raw risk among
        calibrated ones would lift all after it. `fitted_on` says so.
    """
    centre = safe_logit(risk_members).mean(axis=0)
    fitted: dict[int, Logistic] = {}
    for k in range(centre.shape[-1]):
        label, known = horizon_labels(years_to_cancer, years_followed, k + 1)
        weight = censoring_weights(years_to_cancer, years_followed, k + 1)
        with suppress(ValueError):
            fitted[k] = fit_logistic(centre[known, k], label[known], weight[known])
    nearest = [min(fitted, key=lambda at: abs(at - k), default=None) for k in range(centre.shape[-1])]
    lines = [Logistic() if at is None else fitted[at] for at in nearest]
    for k, at in enumerate(nearest):
        if at != k:
            instead = "not calibrated" if at is None else f"by the line of year {at + 1}"
            fitted_on += f"; too few women for year {k + 1}: {instead}"
    breasts: dict[str, Logistic] = {}
    for name, pair in (("malignancy", malignancy), ("progression", progression)):
        try:
            breasts[name] = fit_logistic(*pair)
        except ValueError:
            breasts[name] = getattr(before or Calibration(), name)
            fitted_on += f"; too few breasts for {name}: {'as before' if before else 'not calibrated'}"
    base = expit(lines[-1].of_logit(centre[:, -1])).mean() if len(centre) else 0.0167
    return Calibration(
        risk=tuple(lines),
        malignancy=breasts["malignancy"],
        progression=breasts["progression"],
        baseline_5y=float(base),
        fitted_on=fitted_on,
    )
