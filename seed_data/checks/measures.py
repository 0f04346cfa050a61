"""What is counted on followed women for each published fact: functions of the women and of a weight for each.

Weights bring women to natural incidence; a bootstrap over women multiplies them by how often each was drawn. A measure is
NaN where the simulator has nothing to count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.rules.ages import DAYS_PER_YEAR
from seed_data.checks.followed import Followed
from seed_data.women import mechanisms
from seed_data.women.mechanisms import Mechanisms
from seed_data.women.rates import draw_doubling_days, median_doubling_days

__all__ = ["DRAWN", "MEASURES", "Measure", "growth_years"]

Weights = NDArray[np.float64]
Rows = NDArray[np.bool_]
Measure = Callable[[Followed, Weights], float]

TOP_SHARE: Final = 0.9
STEP_YEARS: Final = 0.6  # how far from a round number of years a study may lie
FALLS_A_YEAR: Final = 0.10  # Azam 2020: a density that falls by more than this share a year is falling
FEWEST: Final = 10


def _share(of: Rows, among: Rows, weight: Weights) -> float:
    total = weight[among].sum()
    return math.nan if total <= 0 else 100 * float(weight[among & of].sum() / total)


def _quantile(values: NDArray[np.float64], weight: Weights, at: float) -> float:
    kept = (weight > 0) & np.isfinite(values)
    if kept.sum() < FEWEST:
        return math.nan
    order = np.argsort(values[kept])
    ranked, passed = values[kept][order], np.cumsum(weight[kept][order])
    return float(ranked[np.searchsorted(passed, at * passed[-1])])


def _auc(label: Rows, score: NDArray[np.float64], weight: Weights) -> float:
    from sklearn.metrics import roc_auc_score

    kept = weight > 0
    if min(label[kept].sum(), (~label[kept]).sum()) < FEWEST or not np.isfinite(score[kept]).all():
        return math.nan
    return float(roc_auc_score(label[kept], score[kept], sample_weight=weight[kept]))


def _negative(women: pd.DataFrame) -> Rows:
    """Return women whose last study found nothing."""
    return ~women["at_last"].to_numpy(bool)


def _interval(women: pd.DataFrame, years: float, after: float = 0.0) -> Rows:
    """Return cancers that would have been felt within so many years of a negative study had no other come before."""
    felt = women["felt_years"].to_numpy(float)
    return _negative(women) & (felt > after) & (felt <= years)


def _column(women: pd.DataFrame, name: str) -> Rows:
    return women[name].to_numpy(bool)


def _visible_before_interval(years: float) -> Measure:
    return lambda f, weight: _share(_column(f.women, "visible"), _interval(f.women, years), weight)


def _visible_before_screening(f: Followed, weight: Weights) -> float:
    return _share(_column(f.women, "prior_visible"), np.isfinite(f.women["prior"].to_numpy(float)), weight)


def _limit(f: Followed, weight: Weights) -> float:
    """Return the risk that one healthy woman in ten exceeds at her last study."""
    last = f.studies[f.studies["is_last"]]
    healthy = weight[last["woman"]] * ~_column(f.women, "cancer")[last["woman"]]
    return _quantile(last["risk"].to_numpy(float), healthy, TOP_SHARE)


def _top(f: Followed, weight: Weights, chosen: Rows) -> float:
    above = f.studies["risk"].to_numpy(float) > _limit(f, weight)
    return _share(above, chosen, weight[f.studies["woman"]])


def _of_study(f: Followed, column: str) -> NDArray[np.float64]:
    return f.women[column].to_numpy(float)[f.studies["woman"]]


def _top_before_screening(f: Followed, weight: Weights) -> float:
    number = f.studies.groupby("woman").cumcount().to_numpy() + 1
    return _top(f, weight, number == _of_study(f, "prior"))


def _top_before_interval(f: Followed, weight: Weights) -> float:
    here = _interval(f.women, 2.0)[f.studies["woman"]]
    return _top(f, weight, here & f.studies["is_last"].to_numpy(bool))


def _top_four_years_before(f: Followed, weight: Weights) -> float:
    near = (f.studies["years_before"] - 4).abs().to_numpy(float) < STEP_YEARS
    return _top(f, weight, near & (_of_study(f, "screened") > 0))


def _top_long_before(f: Followed, weight: Weights) -> float:
    years = f.studies["years_before"].to_numpy(float)
    return _top(f, weight, f.studies["is_last"].to_numpy(bool) & (years > 2) & (years <= 5))


def _with_index(f: Followed) -> Rows:
    """Return studies of women whose cancer was found within a year of a study, as Lehman 2026 chose them."""
    index = f.studies["years_before"].to_numpy(float) <= 1.0
    return np.isin(f.studies["woman"].to_numpy(), f.studies["woman"].to_numpy()[index])


def _median_risk(f: Followed, weight: Weights, nearest: float, farthest: float) -> float:
    years = f.studies["years_before"].to_numpy(float)
    chosen = _with_index(f) & (years >= nearest) & (years < farthest)
    return _quantile(f.studies["risk"].to_numpy(float), weight[f.studies["woman"]] * chosen, 0.5)


def _rise_over_six_years(f: Followed, weight: Weights) -> float:
    return _median_risk(f, weight, 0, 1) / _median_risk(f, weight, 5, 7)


def _rise_in_last_year(f: Followed, weight: Weights) -> float:
    return _median_risk(f, weight, 0, 1) / _median_risk(f, weight, 1, 2.5)


def _slope(f: Followed, weight: Weights, chosen: Rows) -> float:
    """Return the slope within women, percentage points a year: each woman has her own level."""
    studies = f.studies[chosen]
    place = studies["woman"].to_numpy()
    risk, age = (studies[name].to_numpy(float) for name in ("risk", "age_years"))
    count = np.bincount(place, minlength=len(f.women))[place]
    centred_age = age - np.bincount(place, age, len(f.women))[place] / count
    centred_risk = risk - np.bincount(place, risk, len(f.women))[place] / count
    w = weight[place]
    total = float((w * centred_age**2).sum())
    return math.nan if total <= 0 else float((w * centred_age * centred_risk).sum()) / total


def _slope_with_cancer(f: Followed, weight: Weights) -> float:
    years = f.studies["years_before"].to_numpy(float)
    return _slope(f, weight, _with_index(f) & (years < 7))


def _slope_without_cancer(f: Followed, weight: Weights) -> float:
    return _slope(f, weight, ~_column(f.women, "cancer")[f.studies["woman"]])


def _doubling(f: Followed, weight: Weights) -> float:
    here = _interval(f.women, 3.0) & _column(f.women, "lesion_visible")
    if (weight[here] > 0).sum() < FEWEST:
        return math.nan
    days = f.women["doubling"].to_numpy(float)[here]
    return math.exp(float(np.average(np.log(days), weights=weight[here])))


def _doubling_of_grade(grade: int) -> Measure:
    def measure(f: Followed, weight: Weights) -> float:
        here = _interval(f.women, 3.0) & _column(f.women, "lesion_visible")
        here &= f.women["grade"].to_numpy(float) == grade
        return _quantile(f.women["doubling"].to_numpy(float), weight * here, 0.5)

    return measure


def _interval_rate(year: int) -> Measure:
    def measure(f: Followed, weight: Weights) -> float:
        age = f.women["age"].to_numpy(float)
        screened = _negative(f.women) & (age >= 50) & (age < 65)
        return 10 * _share(_interval(f.women, year, year - 1), screened, weight)

    return measure


def _interval_of_incidence(year: int) -> Measure:
    def measure(f: Followed, weight: Weights) -> float:
        screened = _negative(f.women) & (weight > 0)
        of_screened = _share(_interval(f.women, year, year - 1), screened, weight)
        return of_screened / float(
            np.average(f.women["rate"].to_numpy(float)[screened], weights=weight[screened])
        )

    return measure


def _of_healthy(name: str) -> Measure:
    return lambda f, weight: _share(_column(f.women, name), ~_column(f.women, "cancer"), weight)


def _by_density(cancers: Callable[[pd.DataFrame], Rows]) -> Measure:
    def measure(f: Followed, weight: Weights) -> float:
        here, letter = cancers(f.women), f.women["density"].to_numpy()
        dense, fatty = (_share(here, letter == one, weight) for one in "DA")
        return dense / fatty if fatty > 0 else math.nan

    return measure


def _screened(women: pd.DataFrame) -> Rows:
    return _column(women, "screened")


def _of_screened(name: str) -> Measure:
    return lambda f, weight: _share(_column(f.women, name), _screened(f.women), weight)


def _in_situ_of_interval(f: Followed, weight: Weights) -> float:
    felt = _column(f.women, "cancer") & ~_screened(f.women)
    return _share(_column(f.women, "in_situ"), felt, weight)


def _tracking(years: int) -> Measure:
    """Correlate densities so many years apart, what age and body mass say of each taken out, as published."""

    def measure(f: Followed, weight: Weights) -> float:
        then, later = (f.women[f"{word}_{years}"].to_numpy(float) for word in ("then", "later"))
        here = np.isfinite(then) & (weight > 0)
        root = np.sqrt(weight[here])
        aged = f.women[f"aged_{years}"].to_numpy(float)[here]
        known = [np.ones_like(aged), aged, aged**2, aged**3]
        bmi = f.women["bmi"].to_numpy(float)[here]
        design = np.stack([*known, bmi, bmi**2, bmi**3], axis=1) * root[:, None]
        left = []
        for said in (then[here] * root, later[here] * root):
            left.append(said - design @ np.linalg.lstsq(design, said, rcond=None)[0])
        return float((left[0] @ left[1]) / math.sqrt((left[0] @ left[0]) * (left[1] @ left[1])))

    return measure


def _mean(name: str) -> Measure:
    def measure(f: Followed, weight: Weights) -> float:
        here = _column(f.women, "cancer") & (weight > 0)
        return float(np.average(f.women[name].to_numpy(float)[here], weights=weight[here]))

    return measure


def _odds_ratio(exposure: NDArray[np.float64], f: Followed, weight: Weights, also: tuple[str, ...]) -> float:
    """Return the odds ratio of a cancer found in follow-up for one unit of exposure, other columns adjusted for."""
    from sklearn.linear_model import LogisticRegression

    others = f.women[list(also)].to_numpy(float)
    design = np.column_stack([exposure, others])
    here = np.isfinite(design).all(axis=1) & (weight > 0)
    if not here.any():
        return math.nan
    outcome = _column(f.women, "observed")[here]
    spread = design[here].std(axis=0)
    if here.sum() < FEWEST or outcome.sum() < FEWEST or not spread.all():
        return math.nan
    fitted = LogisticRegression(C=np.inf, max_iter=200).fit(
        (design[here] - design[here].mean(axis=0)) / spread, outcome, sample_weight=weight[here]
    )
    return math.exp(float(fitted.coef_[0, 0]) / float(spread[0]))


def _texture_odds_ratio(f: Followed, weight: Weights) -> float:
    return _odds_ratio(f.women["texture"].to_numpy(float), f, weight, ("age", "gland"))


def _stable_against_falling(f: Followed, weight: Weights) -> float:
    fall = f.women["other_fall"].to_numpy(float)
    return _odds_ratio(np.where(fall > FALLS_A_YEAR, 0.0, 1.0), f, weight, ("age",))


def _known(f: Followed, years: float = 5.0) -> tuple[Rows, Rows]:
    """Return whose cancer was found within so many years of the last study, and of whom that is known."""
    found = _column(f.women, "observed") & (f.women["years"].to_numpy(float) <= years)
    return found, found | (f.women["followed"].to_numpy(float) >= years)


def _asymmetry_auc(f: Followed, weight: Weights) -> float:
    found, known = _known(f)
    return _auc(found, f.women["asymmetry"].to_numpy(float), weight * known)


def _reader_auc(name: str, *, negative: bool = False) -> Measure:
    def measure(f: Followed, weight: Weights) -> float:
        last = f.studies[f.studies["is_last"]].set_index("woman").sort_index()
        found, known = _known(f)
        if negative:
            known = known & _negative(f.women)
        return _auc(found, last[name].to_numpy(float), weight * known)

    return measure


def _gain(f: Followed, weight: Weights) -> float:
    return _reader_auc("with_history")(f, weight) - _reader_auc("risk")(f, weight)


MEASURES: Final[dict[str, Measure]] = {
    "visible_before_interval": _visible_before_interval(3.0),
    "visible_before_interval_2": _visible_before_interval(2.0),
    "visible_before_screening": _visible_before_screening,
    "top_before_screening": _top_before_screening,
    "top_before_interval": _top_before_interval,
    "top_four_years_before": _top_four_years_before,
    "top_long_before": _top_long_before,
    "rise_over_six_years": _rise_over_six_years,
    "rise_in_last_year": _rise_in_last_year,
    "slope_with_cancer": _slope_with_cancer,
    "slope_without_cancer": _slope_without_cancer,
    "doubling_of_interval": _doubling,
    "doubling_grade_1": _doubling_of_grade(1),
    "doubling_grade_2": _doubling_of_grade(2),
    "doubling_grade_3": _doubling_of_grade(3),
    "interval_year_1": _interval_rate(1),
    "interval_year_2": _interval_rate(2),
    "interval_year_3": _interval_rate(3),
    "interval_of_incidence_1": _interval_of_incidence(1),
    "interval_of_incidence_2": _interval_of_incidence(2),
    "interval_of_incidence_3": _interval_of_incidence(3),
    "suspicious_alone": _of_healthy("suspicious"),
    "suspicious_beside_priors": _of_healthy("suspicious_new"),
    "interval_by_density": _by_density(lambda women: _interval(women, 2.0)),
    "screened_by_density": _by_density(_screened),
    "in_situ_of_screened": _of_screened("in_situ"),
    "in_situ_of_interval": _in_situ_of_interval,
    "non_progressive_of_screened": _of_screened("still"),
    "tracking_2": _tracking(2),
    "tracking_4": _tracking(4),
    "tracking_6": _tracking(6),
    "slower_fall": _mean("fall"),
    "denser_side": _mean("denser"),
    "stable_against_falling": _stable_against_falling,
    "texture_odds_ratio": _texture_odds_ratio,
    "tissue_auc": _reader_auc("tissue", negative=True),
    "asymmetry_auc": _asymmetry_auc,
    "auc_last": _reader_auc("risk"),
    "gain": _gain,
}


def growth_years(at_work: Mechanisms, rng: np.random.Generator, women: int) -> NDArray[np.float64]:
    """Return from 10 to 20 mm, in years, of cancers as they begin in women of 50 to 69: nothing has selected them."""
    ages = rng.uniform(50, 70, women)
    medians = [median_doubling_days(float(age)) for age in ages]
    if at_work.growth:
        days = [mechanisms.draw_doubling_days(rng, mechanisms.draw_grade(rng), median) for median in medians]
    else:
        days = [draw_doubling_days(rng, median) for median in medians]
    return 3 * np.array(days) / DAYS_PER_YEAR


DRAWN: Final[dict[str, Callable[[NDArray[np.float64]], float]]] = {
    "growth_mean": lambda years: float(years.mean()),
    "growth_fast": lambda years: float(np.quantile(years, 0.05)),
    "growth_slow": lambda years: float(np.quantile(years, 0.95)),
}
"""What is counted on `growth_years` instead."""
