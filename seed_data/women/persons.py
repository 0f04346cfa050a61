"""Who a simulated woman is before any tumour: her age, risk factors and calendar, and how common such women are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from core.rules.ages import DAYS_PER_YEAR
from seed_data.women.life import CaseMix, Life
from seed_data.women.rates import (
    DENSITY_AGES,
    DENSITY_BMI,
    DENSITY_PROBIT_BY_AGE,
    DENSITY_PROBIT_BY_BMI,
    HORIZON_YEARS,
    MISSED_VISIT_SHARE,
    OBSERVED_SHARE,
    RISK_BIOPSY,
    RISK_BMI_PER_5,
    RISK_BY_DENSITY,
    RISK_FAMILY,
    VISIT_COUNT_SHARES,
    VISIT_COUNTS,
    density_letter,
    incidence,
)


@dataclass(frozen=True)
class Person:
    """What is drawn before any tumour: the woman and her calendar."""

    first_age: float
    bmi: float
    relatives: int
    menopause_age: float
    hormone_therapy: bool
    prior_biopsy: bool
    interval_years: float
    visit_days: tuple[int, ...]
    missed_days: tuple[int, ...]
    person_score: float
    followup_years: float


def draw_person(rng: np.random.Generator) -> Person:
    """Draw who she is and when she comes."""
    # Screening every one or two years; women enter at 40 and later, most before 60 (USPSTF 2024: 40 to 74).
    first_age = float(rng.triangular(40, 46, 70))
    # US women, median about 27; the BCSC teaching set (exams.csv, 23,969 exams) has a median of 25.8.
    bmi = float(np.clip(rng.lognormal(math.log(26.6), 0.19), 16.5, 46))
    # 15 % with a first-degree relative; 17 % of the BCSC teaching set have one, and its 11 % take hormones.
    relatives = int(rng.choice([0, 1, 2], p=[0.85, 0.13, 0.02]))
    menopause_age = float(np.clip(rng.normal(51.0, 4.0), 40, 59))  # Gold 2011: median 51
    hormone_therapy = bool(rng.random() < 0.12)
    prior_biopsy = bool(rng.random() < 0.18)  # 26 % in the BCSC teaching set: assumption
    interval = 1.0 if rng.random() < 0.4 else 2.0
    wanted = int(rng.choice(VISIT_COUNTS, p=VISIT_COUNT_SHARES))
    days, slot = [0], 0
    missed: list[int] = []
    while len(days) < wanted:
        slot += 1
        day = int(slot * interval * DAYS_PER_YEAR + rng.normal(0, 36))
        day = max(day, days[-1] + 150)
        (missed if rng.random() < MISSED_VISIT_SHARE else days).append(day)
    followup = float(rng.uniform(5, 8) if rng.random() < 0.6 else rng.uniform(0.5, 5))
    return Person(
        first_age, bmi, relatives, menopause_age, hormone_therapy, prior_biopsy, interval, tuple(days),
        tuple(missed), float(rng.standard_normal()), followup,
    )  # fmt: skip


def mean_score(age_years: float, bmi: float) -> float:
    """Return the mean latent density at an age and a BMI, scaled so that both sets of margins hold."""
    by_age = float(np.interp(age_years, DENSITY_AGES, DENSITY_PROBIT_BY_AGE))
    by_bmi = float(np.interp(bmi, DENSITY_BMI, DENSITY_PROBIT_BY_BMI))
    return by_age + 0.93 * (by_bmi + 0.17)  # -0.17: mean of the BMI term over the women drawn here


RESIDUAL_SD: Final = 0.90  # so that the variance given age is 1, the BMI term carrying the rest


def relative_risk(person: Person, letter: str, age: float) -> float:
    """Return her risk as a multiple of that of a woman of her age with density B and none of these."""
    risk = RISK_BY_DENSITY[letter] * RISK_FAMILY ** min(person.relatives, 2)
    risk *= RISK_BIOPSY if person.prior_biopsy else 1.0
    if age > person.menopause_age:
        risk *= RISK_BMI_PER_5 ** ((person.bmi - 27.0) / 5.0)
    return risk


def last_age(person: Person) -> float:
    """Return her age in years at her last visit."""
    return person.first_age + person.visit_days[-1] / DAYS_PER_YEAR


def _reference_letter(person: Person) -> str:
    score = mean_score(last_age(person), person.bmi) + RESIDUAL_SD * person.person_score
    return density_letter(score)


@lru_cache(maxsize=8)
def hazard_scale(share: float | None) -> tuple[float, float]:
    """Return (scale, mean relative risk): the enrichment that gives `share` of women a tumour on its way."""
    rng = np.random.default_rng(20251121)
    people = [draw_person(rng) for _ in range(4000)]
    relative = np.array([relative_risk(p, _reference_letter(p), last_age(p)) for p in people])
    rates = np.array([incidence(last_age(p) + HORIZON_YEARS / 2) for p in people])
    hazard = HORIZON_YEARS * rates * relative / relative.mean()
    if share is None:
        return 1.0, float(relative.mean())
    low, high = 0.1, 1e4
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if np.mean(1 - np.exp(-middle * hazard)) < share else (low, middle)
    return low, float(relative.mean())


def natural_rate(life: Life) -> float:
    """Return breast cancers a woman-year in life for a woman like her at her last visit."""
    return incidence(life.age_years(life.visits[-1].on)) * life.relative_risk / hazard_scale(None)[1]


def natural_weight(life: Life, mix: CaseMix) -> float:
    """Return how many times as common such a woman is in life as among women of a mix, up to one factor for all.

    By the odds with which a tumour was drawn to be on her way; for women who were not treated.
    """
    share = None if mix.cancer_rate is None else min(mix.cancer_rate / OBSERVED_SHARE, 0.97)
    age = life.age_years(life.visits[-1].on)
    rate = HORIZON_YEARS * incidence(age + HORIZON_YEARS / 2) * life.relative_risk
    enriched, natural = (scale / mean * rate for scale, mean in (hazard_scale(share), hazard_scale(None)))
    if life.true_cancer_date is None:
        return math.exp(enriched - natural)
    return (1 - math.exp(-natural)) / (1 - math.exp(-enriched))
