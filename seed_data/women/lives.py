"""Simulated life courses: who she is, how her breasts age, what grows in them, when she is seen and diagnosed.

A life knows no pixels. Every constant stands next to its source; CLINICAL.md is the project's page of clinical
facts. Where a constant has no source it is called an assumption.

How a record is drawn, so that dates and visit counts do not tell the outcome: the calendar of visits (first age,
interval, misses, number of visits) and the length of follow-up are drawn first and alike for all women. Only then
is it decided whether a tumour is on its way, and its course is drawn from natural history under that calendar,
conditional on its not having been found before the last visit of the record. So a record is what an archive holds
of a woman without breast cancer until its last study, with the cancer register consulted afterwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from core.rules import ages, vocabulary
from core.rules.vocabulary import DENSITIES, STANDARD_VIEWS
from seed_data.women import mechanisms as mechanism
from seed_data.women.mechanisms import OF_2025, Mechanisms

Side = vocabulary.Side
SIDES: Final = vocabulary.SIDES
DAYS_PER_YEAR: Final = ages.DAYS_PER_YEAR

# Share of women with density C or D by age: Sprague 2014, in CLINICAL.md. Probits of 57 55 46 38 33 31 26 %.
DENSITY_AGES: Final = np.array([35.0, 42.5, 47.5, 52.5, 57.5, 62.5, 67.5, 72.5, 85.0])
DENSITY_PROBIT_BY_AGE: Final = np.array([0.20, 0.176, 0.126, -0.100, -0.305, -0.440, -0.496, -0.643, -0.75])
# The same by BMI (< 18.5 / -25 / -30 / >= 30: 76 59 40 25 %): probits at the middles of the bands.
DENSITY_BMI: Final = np.array([15.0, 17.5, 22.5, 27.5, 34.0, 45.0])
DENSITY_PROBIT_BY_BMI: Final = np.array([0.95, 0.706, 0.228, -0.253, -0.674, -1.1])
# A/B/C/D about 10/40/40/10 % over all women (CLINICAL.md): cut points of the latent density score.
DENSITY_CUTS: Final = np.array([-1.55, 0.0, 1.10])
# Fibroglandular share of the projected breast by latent score. The cuts fall at 8, 25 and 50 %: classes of the
# BI-RADS fourth edition (quartiles) drawn down, as area measures run below visual ones. Assumption.
GLAND_SCORE: Final = np.array([-3.5, -1.55, 0.0, 1.10, 2.0, 3.5])
GLAND_SHARE: Final = np.array([0.015, 0.08, 0.25, 0.48, 0.66, 0.82])
# A woman's density tracks itself, r 0.94/0.93/0.91 at 2/4/6 years (CLINICAL.md): 0.955 exp(-t / 123 years).
TRACKING_YEARS: Final = 123.0
TRACKING_NOISE_VARIANCE: Final = 0.045
BREAST_DIFFERENCE_VARIANCE: Final = 0.03  # left and right correlate about 0.95: assumption
# Density falls more slowly in the breast that develops cancer (Jiang 2023, in CLINICAL.md): latent units a year.
SLOWER_FALL_PER_YEAR: Final = 0.035

# Incidence per 100,000 women a year (CLINICAL.md).
INCIDENCE_AGES: Final = np.array([35.0, 42.0, 52.0, 62.0, 72.0, 85.0])
INCIDENCE: Final = np.array([60.0, 130.0, 230.0, 350.0, 460.0, 460.0]) / 1e5
# Relative risks: density A-D against B (BCSC model, Tice 2008, rounded); a first-degree relative 1.8 (Collaborative
# Group 2001); a prior biopsy 1.4 (Tice 2008); BMI after menopause 1.12 per 5 units (Renehan 2008).
RISK_BY_DENSITY: Final = {"A": 0.55, "B": 1.0, "C": 1.5, "D": 2.0}
RISK_FAMILY: Final = 1.8
RISK_BIOPSY: Final = 1.4
RISK_BMI_PER_5: Final = 1.12

# Volume doubling time: geometric means 80 / 157 / 188 days under 50 / 50-70 / over 70 (Peer 1993, in CLINICAL.md).
# A log-SD of 0.80 makes the mean at 50-70 216 days (Fournier 1980: 212, range 44-1869).
DOUBLING_AGES: Final = np.array([40.0, 47.0, 55.0, 65.0, 73.0])
DOUBLING_DAYS: Final = np.array([80.0, 85.0, 150.0, 165.0, 188.0])
DOUBLING_LOG_SD: Final = 0.80
# Clusters of calcifications are mostly in-situ disease and spread more slowly: assumption, 1.5 times.
CALCIFICATION_DOUBLING_FACTOR: Final = 1.5
# Sensitivity of a screening study by size: 26 % at 5 mm, 91 % at 10 mm (Weedon-Fekjaer 2008, in CLINICAL.md), a
# logistic curve in mm as in that paper; shifted by density (sensitivity falls from A to D), near zero on average.
SENSITIVITY_AT_5_MM: Final = -1.046
SENSITIVITY_PER_MM: Final = 0.672
SENSITIVITY_BY_DENSITY: Final = {"A": 0.6, "B": 0.3, "C": -0.3, "D": -0.9}
# Diameter at which a cancer makes itself felt: median 22 mm, log-SD 0.35. Assumption, from series without screening.
CLINICAL_MM: Final = 22.0
CLINICAL_LOG_SD: Final = 0.35
SMALLEST_MM: Final = 0.5
LARGEST_MM: Final = 55.0
RELAPSE_MM: Final = (
    26.0  # a relapse under follow-up is found and treated before it grows beyond this: assumption
)

# A tumour on its way is drawn to be found within this long after the last visit; it covers five years of risk and the
# longest follow-up. A choice, not a fact.
HORIZON_YEARS: Final = 8.0
# Cancers that never progress may have begun so long before the last visit: screening has found the older ones. A choice.
NON_PROGRESSIVE_YEARS_BEFORE: Final = 20.0
# Share of the women with a tumour on its way whose diagnosis falls inside their follow-up: measured on 4,000 lives.
OBSERVED_SHARE: Final = 0.66
# Three visits or more, so that there is a history; counts and misses are assumptions.
VISIT_COUNTS: Final = np.array([3, 4, 5, 6, 7, 8])
VISIT_COUNT_SHARES: Final = np.array([0.18, 0.20, 0.20, 0.16, 0.14, 0.12])
MISSED_VISIT_SHARE: Final = 0.10
# After the record: rounds missed, and women who stop coming (about a quarter of cancers in screened populations
# are interval cancers). Assumption.
LATER_MISSED_SHARE: Final = 0.20
STOPS_COMING_SHARE: Final = 0.15

# How cancers and benign findings look, by share: assumptions (masses before calcifications before distortions, and about
# a fifth of screen-detected cancers in situ, mostly calcifications).
MALIGNANT_KINDS: Final = {
    "spiculated mass": 0.42,
    "indistinct mass": 0.18,
    "round mass": 0.08,
    "distortion": 0.09,
    "calcifications": 0.23,
}
BENIGN_KINDS: Final = {
    "cyst": 0.28,
    "fibroadenoma": 0.26,
    "lymph node": 0.10,
    "benign calcifications": 0.20,
    "coarse calcification": 0.06,
    "indistinct benign mass": 0.06,
    "radial scar": 0.04,
}


@dataclass(frozen=True)
class CaseMix:
    """What a set of simulated women is made of. The default is enriched: far more cancers than in life.

    The defaults are choices; how the gain of history moves with them is what `python -m seed_data sensitivity` shows.

    `cancer_rate`: expected share of women whose cancer is found within their follow-up; None: natural incidence.
    `benign_per_woman`: mean number of benign findings. `treated_rate`: share of women who are diagnosed during the
    record, treated and imaged again. `growth_speed` divides doubling times; `detection_noise` is the SD (logit) of
    how conspicuous cancers of one size are. `findings_per_breast` makes a set to practise on instead
    (`seed_data.women.practice`).
    """

    cancer_rate: float | None = 0.30
    benign_per_woman: float = 0.9
    treated_rate: float = 0.04
    growth_speed: float = 1.0
    detection_noise: float = 0.7
    detection_delay_mm: float = 0.0
    findings_per_breast: float | None = None


@dataclass(frozen=True)
class LifeLesion:
    """One finding, placed in breast coordinates.

    `position_mm`: x from the chest wall towards the nipple, y lateral positive, z upwards, origin at the chest wall
    behind the nipple. `since` is the day it became `start_mm` wide; its volume doubles every `doubling_days` (never,
    if infinite) up to `largest_mm`. From `shrinks_from` its volume halves every `halving_days`, until
    `regrows_from`; on `gone_on` it is removed or resolved.
    """

    name: str
    side: Side
    kind: str
    malignant: bool
    position_mm: tuple[float, float, float]
    since: date
    start_mm: float
    doubling_days: float = math.inf
    largest_mm: float = LARGEST_MM
    conspicuity: float = 1.0
    shape_seed: int = 0
    shrinks_from: date | None = None
    halving_days: float = math.inf
    regrows_from: date | None = None
    gone_on: date | None = None
    grade: int | None = None
    in_situ: bool = False

    @property
    def looks_malignant(self) -> bool:
        """Say whether it is drawn as cancers are: it is one, or a look-alike."""
        return self.kind in MALIGNANT_KINDS

    def diameter_mm(self, on: date) -> float:
        """Return the diameter on a day, 0 where it is not there (yet, or any more)."""
        if on < self.since or (self.gone_on is not None and on >= self.gone_on):
            return 0.0
        grown_until = on if self.shrinks_from is None else min(on, self.shrinks_from)
        doublings = (grown_until - self.since).days / self.doubling_days
        log2_size = min(math.log2(self.start_mm) + doublings / 3, math.log2(self.largest_mm))
        if self.shrinks_from is not None and on > self.shrinks_from:
            shrunk_until = on if self.regrows_from is None else min(on, self.regrows_from)
            log2_size -= (shrunk_until - self.shrinks_from).days / self.halving_days / 3
            if self.regrows_from is not None and on > self.regrows_from:
                regrown = log2_size + (on - self.regrows_from).days / self.doubling_days / 3
                log2_size = max(log2_size, min(regrown, math.log2(RELAPSE_MM)))
        size = min(2.0**log2_size, self.largest_mm)
        return size if size >= SMALLEST_MM else 0.0


@dataclass(frozen=True)
class LifeEvent:
    """What happened beside the visits; `kind` is one of the product's event kinds."""

    kind: Literal["biopsy", "diagnosis", "surgery", "therapy", "note"]
    on: date
    until: date | None
    side: Side | None
    detail: str


@dataclass(frozen=True)
class LifeVisit:
    """One screening or follow-up visit: density per breast and which views were taken.

    `again` numbers a study that was taken once more on the same day, positioned and exposed anew; empty: the first.
    `texture` and `signs` (by breast) are what `seed_data.women.mechanisms` adds, in SDs.
    """

    number: int
    on: date
    score: dict[Side, float]
    views: tuple[tuple[Side, str], ...]
    again: tuple[int, ...] = ()
    texture: float | None = None
    signs: dict[str, float] = field(default_factory=dict)

    def density(self, side: Side) -> str:
        """Return the BI-RADS density letter of one breast."""
        return density_letter(self.score[side])

    @property
    def study_density(self) -> str:
        """Return the letter of the denser breast, which is what a report states."""
        return density_letter(max(self.score.values()))


@dataclass(frozen=True)
class Life:
    """One simulated woman as an archive and a cancer register would know her, and the truth beside it.

    `felt_on` is the day on which her cancer would make itself felt had no screening found it; None if never.
    `true_cancer_date` and `true_found_by` are known also of a cancer that is found after her follow-up.
    """

    name: str
    key: tuple[int, int]
    birth_date: date
    bmi: float
    relatives: int
    menopause_on: date
    hormone_therapy: bool
    prior_biopsy: bool
    breast_mm: tuple[float, float, float]
    visits: tuple[LifeVisit, ...]
    lesions: tuple[LifeLesion, ...]
    cancer_date: date | None
    cancer_side: Side | None
    found_by: Literal["screening", "symptoms"] | None
    last_followup: date
    treated: bool
    missed: tuple[date, ...] = ()
    events: tuple[LifeEvent, ...] = ()
    true_cancer_date: date | None = None
    relative_risk: float = 1.0
    doubling_days: float | None = None
    felt_on: date | None = None
    true_found_by: Literal["screening", "symptoms"] | None = None
    extra: dict[str, float] = field(default_factory=dict)

    def age_years(self, on: date) -> float:
        """Return her age on a day."""
        return ages.years_between(self.birth_date, on)

    def lesions_on(self, on: date, side: Side | None = None) -> list[tuple[LifeLesion, float]]:
        """Return the findings present on a day with their diameters in mm, visible or not."""
        present = [(lesion, lesion.diameter_mm(on)) for lesion in self.lesions if side in (None, lesion.side)]
        return [(lesion, size) for lesion, size in present if size > 0]

    def progressed(self, visit: LifeVisit, side: Side) -> bool | None:
        """Say whether cancer in one breast has grown since the previous study; None at the first.

        RECIST 1.1 (CLINICAL.md): at least 20 % and 5 mm above the smallest size so far, or a new lesion, which here
        is one of 5 mm or more that measured less than 3 mm at the prior.
        """
        if visit.number == 0:
            return None
        priors = [v.on for v in self.visits[: visit.number]]
        for lesion in self.lesions:
            if not lesion.malignant or lesion.side != side:
                continue
            now, sizes = lesion.diameter_mm(visit.on), [lesion.diameter_mm(on) for on in priors]
            nadir = min((size for size in sizes if size > 0), default=0.0)
            if now >= 5.0 and sizes[-1] < 3.0:
                return True
            if sizes[-1] > 0 and now >= 1.2 * nadir and now >= nadir + 5.0 and now > sizes[-1]:
                return True
        return False


def density_letter(score: float) -> str:
    """Return A-D for a latent density score."""
    return DENSITIES[int(np.searchsorted(DENSITY_CUTS, score, side="right"))]


def gland_share(score: float) -> float:
    """Return the fibroglandular share (0..1) of the projected breast for a latent density score."""
    return float(np.interp(score, GLAND_SCORE, GLAND_SHARE))


def sensitivity(diameter_mm: float, letter: str, conspicuity_logit: float = 0.0) -> float:
    """Return the probability that a screening study finds a cancer of this size in a breast of this density."""
    if diameter_mm < 2.0:
        return 0.0
    logit = SENSITIVITY_AT_5_MM + SENSITIVITY_PER_MM * (diameter_mm - 5.0)
    return 1.0 / (1.0 + math.exp(-(logit + SENSITIVITY_BY_DENSITY[letter] + conspicuity_logit)))


def median_doubling_days(age_years: float) -> float:
    """Return the median volume doubling time in days of a cancer at an age."""
    return float(np.interp(age_years, DOUBLING_AGES, DOUBLING_DAYS))


def draw_doubling_days(rng: np.random.Generator, median_days: float) -> float:
    """Draw one tumour's volume doubling time in days around a median."""
    return float(np.clip(rng.lognormal(math.log(median_days), DOUBLING_LOG_SD), 15, 2500))


def incidence(age_years: float) -> float:
    """Return breast cancers a woman-year at an age, for a woman of average risk."""
    return float(np.interp(age_years, INCIDENCE_AGES, INCIDENCE))


@dataclass(frozen=True)
class _Person:
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


def _draw_person(rng: np.random.Generator) -> _Person:
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
    return _Person(
        first_age, bmi, relatives, menopause_age, hormone_therapy, prior_biopsy, interval, tuple(days),
        tuple(missed), float(rng.standard_normal()), followup,
    )  # fmt: skip


def _mean_score(age_years: float, bmi: float) -> float:
    """Return the mean latent density at an age and a BMI, scaled so that both sets of margins hold."""
    by_age = float(np.interp(age_years, DENSITY_AGES, DENSITY_PROBIT_BY_AGE))
    by_bmi = float(np.interp(bmi, DENSITY_BMI, DENSITY_PROBIT_BY_BMI))
    return by_age + 0.93 * (by_bmi + 0.17)  # -0.17: mean of the BMI term over the women drawn here


_RESIDUAL_SD: Final = 0.90  # so that the variance given age is 1, the BMI term carrying the rest


def _relative_risk(person: _Person, letter: str, age: float) -> float:
    risk = RISK_BY_DENSITY[letter] * RISK_FAMILY ** min(person.relatives, 2)
    risk *= RISK_BIOPSY if person.prior_biopsy else 1.0
    if age > person.menopause_age:
        risk *= RISK_BMI_PER_5 ** ((person.bmi - 27.0) / 5.0)
    return risk


def _last_age(person: _Person) -> float:
    return person.first_age + person.visit_days[-1] / DAYS_PER_YEAR


def _reference_letter(person: _Person) -> str:
    score = _mean_score(_last_age(person), person.bmi) + _RESIDUAL_SD * person.person_score
    return density_letter(score)


@lru_cache(maxsize=8)
def _hazard_scale(share: float | None) -> tuple[float, float]:
    """Return (scale, mean relative risk): the enrichment that gives `share` of women a tumour on its way."""
    rng = np.random.default_rng(20251121)
    people = [_draw_person(rng) for _ in range(4000)]
    relative = np.array([_relative_risk(p, _reference_letter(p), _last_age(p)) for p in people])
    rates = np.array([incidence(_last_age(p) + HORIZON_YEARS / 2) for p in people])
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
    return incidence(life.age_years(life.visits[-1].on)) * life.relative_risk / _hazard_scale(None)[1]


def natural_weight(life: Life, mix: CaseMix) -> float:
    """Return how many times as common such a woman is in life as among women of a mix, up to one factor for all.

    By the odds with which a tumour was drawn to be on her way; for women who were not treated.
    """
    share = None if mix.cancer_rate is None else min(mix.cancer_rate / OBSERVED_SHARE, 0.97)
    age = life.age_years(life.visits[-1].on)
    rate = HORIZON_YEARS * incidence(age + HORIZON_YEARS / 2) * life.relative_risk
    enriched, natural = (scale / mean * rate for scale, mean in (_hazard_scale(share), _hazard_scale(None)))
    if life.true_cancer_date is None:
        return math.exp(enriched - natural)
    return (1 - math.exp(-natural)) / (1 - math.exp(-enriched))


def draw_position(
    rng: np.random.Generator, breast_mm: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Draw a place inside the breast, the upper outer quadrant most often (about half of cancers arise there)."""
    depth, width, height = breast_mm
    x = float(rng.uniform(0.14, 0.72))
    reach = math.sqrt(1 - x**2) * 0.72
    outer, upper = rng.random() < 0.66, rng.random() < 0.62
    y = float(rng.beta(1.3, 1.5)) * reach * (1 if outer else -1)
    z = float(rng.beta(1.3, 1.5)) * reach * (1 if upper else -1)
    shrink = min(1.0, reach / (math.hypot(y, z) + 1e-6))
    return x * depth, y * shrink * width, z * shrink * height


def pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """Draw one of the keys by its share."""
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _draw_benign(
    rng: np.random.Generator,
    mix: CaseMix,
    breast_mm: tuple[float, float, float],
    first: date,
    last: date,
    age: float,
) -> list[LifeLesion]:
    """Draw benign findings: some there from the start, some new; they stay, grow slowly, or go. Assumptions."""
    found = []
    span_days = (last - first).days
    for index in range(int(rng.poisson(mix.benign_per_woman))):
        kind, side = pick(rng, BENIGN_KINDS), SIDES[int(rng.random() < 0.5)]
        old = rng.random() < 0.62
        offset = -int(rng.uniform(200, 2500)) if old else int(rng.uniform(0, max(span_days, 1)))
        size, doubling, largest = 0.0, math.inf, LARGEST_MM
        gone = None
        if kind == "cyst":
            size = float(rng.lognormal(math.log(11), 0.4))
            if age < 60 or rng.random() < 0.5:
                gone = first + timedelta(days=offset + int(rng.lognormal(math.log(900), 0.7)))
        elif kind == "fibroadenoma":
            size = float(rng.lognormal(math.log(11), 0.4))
            if rng.random() < 0.45:
                size, doubling, largest = size * 0.6, float(rng.uniform(500, 1800)), size * 1.6
        elif kind == "lymph node":
            size = float(rng.uniform(4, 9))
        elif kind == "benign calcifications":
            size = float(rng.uniform(6, 22))
            if rng.random() < 0.3:
                doubling, largest = float(rng.uniform(900, 2500)), size * 1.5
        elif kind == "coarse calcification":
            size = float(rng.uniform(2.5, 9))
        elif kind == "indistinct benign mass":
            size = float(rng.lognormal(math.log(9), 0.35))
            if rng.random() < 0.4:
                size, doubling, largest = size * 0.7, float(rng.uniform(400, 1500)), size * 1.4
        else:
            size = float(rng.uniform(7, 15))
        position = draw_position(rng, breast_mm)
        if kind == "lymph node":
            position = (0.3 * breast_mm[0], 0.55 * breast_mm[1], 0.45 * breast_mm[2])
        found.append(
            LifeLesion(
                f"B{index + 1}",
                side,
                kind,
                False,
                position,
                first + timedelta(days=offset),
                max(size, 1.5),
                doubling,
                largest,
                float(np.exp(rng.normal(0, 0.2))),
                int(rng.integers(2**31)),
                gone_on=gone,
            )
        )
    return found


def _look_alikes(
    key: tuple[int, int], breast_mm: tuple[float, float, float], dates: list[date]
) -> list[LifeLesion]:
    """Return findings that look like cancer and are none: there from before the first visit, or on one day only."""
    rng, found = np.random.default_rng([*key, 24]), []
    for index, one in enumerate(mechanism.draw_look_alikes(key, len(dates))):
        since = dates[0] - timedelta(days=1000) if one.visit is None else dates[one.visit]
        found.append(
            LifeLesion(
                f"A{index + 1}", SIDES[one.side == "R"], one.kind, False, draw_position(rng, breast_mm), since,
                one.diameter_mm, conspicuity=float(np.exp(rng.normal(0, 0.2))), shape_seed=one.shape_seed,
                gone_on=None if one.visit is None else since + timedelta(days=1),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class _Tumour:
    lesion: LifeLesion
    found_on: date
    found_by: Literal["screening", "symptoms"]
    felt_on: date | None


@dataclass(frozen=True)
class _Screening:
    """Under which calendar a tumour is drawn: it is found after the last of `dates` and by `latest`."""

    mix: CaseMix
    person: _Person
    dates: list[date]
    letters: dict[Side, list[str]]
    latest: date

    @property
    def last(self) -> date:
        """Return the day of the last visit."""
        return self.dates[-1]

    @property
    def median_days(self) -> float:
        """Return the median volume doubling time at her age."""
        return median_doubling_days(_last_age(self.person)) / self.mix.growth_speed

    def felt_mm(self, rng: np.random.Generator) -> float:
        """Draw the diameter at which a cancer makes itself felt."""
        median = math.log(CLINICAL_MM + self.mix.detection_delay_mm)
        return float(np.clip(rng.lognormal(median, CLINICAL_LOG_SD), 8, 50))

    def felt_on(self, rng: np.random.Generator) -> date:
        """Draw the day on which it does, evenly in time."""
        return self.last + timedelta(days=float(rng.uniform(0, (HORIZON_YEARS + 8) * DAYS_PER_YEAR)))

    def first_found(
        self, rng: np.random.Generator, lesion: LifeLesion, noise: float, felt_on: date
    ) -> tuple[date, Literal["screening", "symptoms"]] | None:
        """Draw when and how a cancer is found; None if before the last visit, or not by `latest`."""
        found_on = felt_on
        found_by: Literal["screening", "symptoms"] = "symptoms"
        rounds, stops = list(self.dates), rng.random() < STOPS_COMING_SHARE
        step = timedelta(days=self.person.interval_years * DAYS_PER_YEAR)
        while rounds[-1] + step <= self.latest + step:
            rounds.append(rounds[-1] + step)
        for index, on in enumerate(rounds):
            if on >= felt_on:
                break
            if index >= len(self.dates) and (stops or rng.random() < LATER_MISSED_SHARE):
                continue
            letter = self.letters[lesion.side][min(index, len(self.dates) - 1)]
            size = lesion.diameter_mm(on) - self.mix.detection_delay_mm
            if rng.random() < sensitivity(size, letter, noise):
                found_on, found_by = on, "screening"
                break
        if found_by == "screening":
            if found_on < self.last:
                return None
            found_on = found_on + timedelta(days=int(rng.integers(8, 46)))
        return (found_on, found_by) if self.last < found_on <= self.latest else None


def _draw_tumour(
    rng: np.random.Generator, at_work: Mechanisms, breast_mm: tuple[float, float, float], under: _Screening
) -> _Tumour | None:
    """Draw a tumour that is found after the last visit and by the latest day, or None if none would be.

    Natural history under screening by rejection: when it would make itself felt is uniform in time; visits, and the
    screening rounds after the record, may find it first; a course found before the last visit is drawn again.
    """
    if at_work.growth or at_work.in_situ:
        return _draw_tumour_anew(rng, at_work, breast_mm, under)
    side = SIDES[int(rng.random() < 0.5)]
    kind = pick(rng, MALIGNANT_KINDS)
    median = under.median_days
    if kind == "calcifications":
        median *= CALCIFICATION_DOUBLING_FACTOR
    position = draw_position(rng, breast_mm)
    for _ in range(400):
        doubling = draw_doubling_days(rng, median)
        felt_mm, felt_on = under.felt_mm(rng), under.felt_on(rng)
        noise = float(rng.normal(0, under.mix.detection_noise))
        years = 3 * math.log2(felt_mm / SMALLEST_MM) * doubling
        since = felt_on - timedelta(days=years)
        lesion = LifeLesion(
            "M1", side, kind, True, position, since, SMALLEST_MM, doubling, LARGEST_MM,
            math.exp(0.22 * noise), int(rng.integers(2**31)),
        )  # fmt: skip
        found = under.first_found(rng, lesion, noise, felt_on)
        if found is not None:
            return _Tumour(lesion, *found, felt_on)
    return None


def _draw_tumour_anew(
    rng: np.random.Generator, at_work: Mechanisms, breast_mm: tuple[float, float, float], under: _Screening
) -> _Tumour | None:
    """Do what `_draw_tumour` does with growth by population, in situ and non-progressive cancers, as far as at work.

    Kind, grade and course are drawn anew at each try, so that screening leaves over of each what it leaves in life.
    """
    side, position = SIDES[int(rng.random() < 0.5)], draw_position(rng, breast_mm)
    for _ in range(400):
        lesion, felt_on = _draw_course(rng, at_work, side, position, under)
        noise = float(rng.normal(0, under.mix.detection_noise))
        lesion = replace(lesion, conspicuity=math.exp(0.22 * noise), shape_seed=int(rng.integers(2**31)))
        found = under.first_found(rng, lesion, noise, felt_on or date.max)
        if found is None:
            continue
        found_on, found_by = found
        if at_work.in_situ and lesion.kind == "calcifications" and found_by == "screening":
            in_situ = felt_on is None or bool(rng.random() < mechanism.IN_SITU_SHARE)
            lesion = replace(lesion, in_situ=in_situ, grade=None if in_situ else lesion.grade)
        return _Tumour(lesion, found_on, found_by, felt_on)
    return None


def _draw_course(
    rng: np.random.Generator,
    at_work: Mechanisms,
    side: Side,
    position_mm: tuple[float, float, float],
    under: _Screening,
) -> tuple[LifeLesion, date | None]:
    """Draw one cancer's growth around a last visit, and the day on which it would be felt; None if it never is."""
    window = NON_PROGRESSIVE_YEARS_BEFORE + HORIZON_YEARS
    still = at_work.in_situ and mechanism.draws_non_progressive(rng, window, HORIZON_YEARS + 8)
    kind = "calcifications" if still else pick(rng, MALIGNANT_KINDS)
    grade = mechanism.draw_grade(rng) if at_work.growth else None
    slower = CALCIFICATION_DOUBLING_FACTOR if kind == "calcifications" else 1.0
    doubling = slower * (
        draw_doubling_days(rng, under.median_days)
        if grade is None
        else mechanism.draw_doubling_days(rng, grade, under.median_days)
    )
    lesion = LifeLesion("M1", side, kind, True, position_mm, under.last, SMALLEST_MM, doubling, grade=grade)
    if still:
        largest = rng.lognormal(math.log(mechanism.NON_PROGRESSIVE_MM), mechanism.NON_PROGRESSIVE_LOG_SD)
        years = float(rng.uniform(-NON_PROGRESSIVE_YEARS_BEFORE, HORIZON_YEARS))
        began = under.last + timedelta(days=years * DAYS_PER_YEAR)
        return replace(lesion, since=began, largest_mm=float(np.clip(largest, 4, 25)), grade=None), None
    felt_mm, felt_on = under.felt_mm(rng), under.felt_on(rng)
    grown = timedelta(days=3 * math.log2(felt_mm / SMALLEST_MM) * doubling)
    return replace(lesion, since=felt_on - grown), felt_on


def _treat(rng: np.random.Generator, tumour: _Tumour, end: date) -> tuple[list[LifeLesion], list[LifeEvent]]:
    """Let a diagnosed cancer be treated: an operation leaving a scar, or medicine with response and relapse.

    How often and how fast are assumptions. These women's cancer comes before their last visit, so risk is not judged in
    them; their relapses count as progression.
    """
    lesion, found = tumour.lesion, tumour.found_on
    events = [
        LifeEvent("biopsy", found - timedelta(days=7), None, lesion.side, f"core biopsy, {lesion.kind}"),
        LifeEvent("diagnosis", found, None, lesion.side, f"invasive cancer, found by {tumour.found_by}"),
    ]
    if rng.random() < 0.55:
        operated = found + timedelta(days=int(rng.integers(25, 60)))
        lesions = [
            replace(lesion, gone_on=operated),
            LifeLesion(
                "S1", lesion.side, "scar", False, lesion.position_mm, operated, float(rng.uniform(9, 16)),
                shape_seed=int(rng.integers(2**31)),
            ),
        ]  # fmt: skip
        events.append(LifeEvent("surgery", operated, None, lesion.side, "breast-conserving surgery"))
        events.append(
            LifeEvent(
                "therapy",
                operated + timedelta(days=40),
                operated + timedelta(days=75),
                lesion.side,
                "radiotherapy",
            )
        )
        if rng.random() < 0.35:
            again = operated + timedelta(days=int(rng.uniform(300, 1100)))
            x, y, z = lesion.position_mm
            lesions.append(
                replace(
                    lesion, name="M2", since=again, start_mm=2.0, position_mm=(x, y * 0.8, z * 0.8), largest_mm=RELAPSE_MM,
                    shape_seed=int(rng.integers(2**31)),
                )
            )  # fmt: skip
        return lesions, events
    start = found + timedelta(days=int(rng.integers(14, 40)))
    stop = start + timedelta(days=int(rng.uniform(500, 1100)))
    relapse = stop if rng.random() < 0.6 else None
    events.append(LifeEvent("therapy", start, stop if stop < end else None, lesion.side, "endocrine therapy"))
    shrinking = replace(
        lesion, shrinks_from=start, halving_days=float(rng.uniform(110, 240)), regrows_from=relapse
    )
    return [shrinking], events


def _views(rng: np.random.Generator) -> tuple[tuple[Side, str], ...]:
    """Draw which views were taken: four, but for one visit in twenty with one missing, one in a hundred one breast."""
    views: list[tuple[Side, str]] = [(side, view) for side in SIDES for view in STANDARD_VIEWS]
    luck = rng.random()
    if luck < 0.01:
        kept = SIDES[int(rng.random() < 0.5)]
        return tuple(item for item in views if item[0] == kept)
    if luck < 0.06:
        views.pop(int(rng.integers(4)))
    return tuple(views)


def draw_life(
    seed: int,
    number: int,
    mix: CaseMix | None = None,
    *,
    name: str | None = None,
    last_visit: date | None = None,
    mechanisms: Mechanisms = OF_2025,
) -> Life:
    """Draw woman `number` (from 1) of the set `seed`; the same arguments always give the same life.

    `last_visit` fixes the day of the last visit; otherwise it lies between 2012 and mid-2019, whatever happens after.
    `mechanisms` says how her cancer grows and announces itself.
    """
    mix = mix or CaseMix()
    rng = np.random.default_rng([seed, number, 1])
    person = _draw_person(rng)
    drawn_last = date(2012, 1, 2) + timedelta(days=int(rng.integers(0, 2730)))
    last = last_visit or drawn_last
    dates = [last - timedelta(days=person.visit_days[-1] - day) for day in person.visit_days]
    birth = dates[0] - timedelta(days=round(person.first_age * DAYS_PER_YEAR))
    followup_end = last + timedelta(days=round(person.followup_years * DAYS_PER_YEAR))

    # Breast size grows with BMI; clipped so that a breast fits an 18 x 24 cm detector. Assumption.
    scale = float(np.clip(1 + 0.022 * (person.bmi - 27) + rng.normal(0, 0.08), 0.72, 1.28))
    breast_mm = (92.0 * scale, 84.0 * scale, 86.0 * scale)

    # Density: a person's score that drifts (tracking), a small difference of the breasts, reading noise per visit.
    drift, difference = person.person_score, rng.normal(0, math.sqrt(BREAST_DIFFERENCE_VARIANCE))
    noise_sd = math.sqrt(TRACKING_NOISE_VARIANCE)
    scores: dict[Side, list[float]] = {"L": [], "R": []}
    for index, on in enumerate(dates):
        if index:
            keep = math.exp(-(on - dates[index - 1]).days / DAYS_PER_YEAR / TRACKING_YEARS)
            drift = keep * drift + math.sqrt(1 - keep**2) * float(rng.standard_normal())
        age = person.first_age + (on - dates[0]).days / DAYS_PER_YEAR
        # The person's part carries 1 - noise - difference of the residual variance.
        base = _mean_score(age, person.bmi)
        shared = math.sqrt(1 - TRACKING_NOISE_VARIANCE - BREAST_DIFFERENCE_VARIANCE) * drift
        for side in SIDES:
            sign = 1 if side == "L" else -1
            residual = shared + sign * difference + noise_sd * float(rng.standard_normal())
            scores[side].append(base + _RESIDUAL_SD * residual)

    letters = {side: [density_letter(score) for score in scores[side]] for side in SIDES}
    age_last = _last_age(person)
    relative = _relative_risk(person, letters["L"][-1], age_last)
    if mechanisms.texture:
        relative *= mechanism.texture_risk(mechanism.texture_of((seed, number)))
    share = None if mix.cancer_rate is None else min(mix.cancer_rate / OBSERVED_SHARE, 0.97)
    enrichment, mean_relative = _hazard_scale(share)
    hazard = enrichment * HORIZON_YEARS * incidence(age_last + HORIZON_YEARS / 2) * relative / mean_relative
    on_its_way = rng.random() < 1 - math.exp(-hazard)
    treated = bool(rng.random() < mix.treated_rate) and len(dates) >= 4

    lesions = _draw_benign(rng, mix, breast_mm, dates[0], last, age_last)
    if mechanisms.look_alikes:
        lesions += _look_alikes((seed, number), breast_mm, dates)
    tumour: _Tumour | None = None
    events: list[LifeEvent] = []
    if treated:
        until = 1 + int(rng.integers(0, max(len(dates) - 3, 1)))
        under = _Screening(mix, person, dates[: until + 1], letters, dates[until + 1])
        tumour = _draw_tumour(rng, mechanisms, breast_mm, under)
        treated = tumour is not None
        if tumour is not None:
            course, events = _treat(rng, tumour, followup_end)
            lesions += course
    elif on_its_way:
        horizon = last + timedelta(days=HORIZON_YEARS * DAYS_PER_YEAR)
        under = _Screening(mix, person, dates, letters, horizon)
        tumour = _draw_tumour(rng, mechanisms, breast_mm, under)
        if tumour is not None:
            lesions.append(tumour.lesion)
    if tumour is not None and mechanisms.slower_fall:
        side = tumour.lesion.side
        for index, on in enumerate(dates):
            years = (on - dates[0]).days / DAYS_PER_YEAR
            scores[side][index] += SLOWER_FALL_PER_YEAR * years

    observed = tumour is not None and tumour.found_on <= followup_end
    if tumour is not None and observed and not treated:
        events.append(
            LifeEvent("diagnosis", tumour.found_on, None, tumour.lesion.side, f"found by {tumour.found_by}")
        )
    seen = mechanism.looks(
        mechanisms,
        (seed, number),
        None if tumour is None else [ages.years_between(on, tumour.found_on) for on in dates],
        len(dates),
        None if tumour is None else tumour.lesion.side,
    )
    visits = tuple(
        LifeVisit(
            index, on, {"L": scores["L"][index], "R": scores["R"][index]}, _views(rng),
            texture=seen[index].texture, signs=seen[index].signs,
        )
        for index, on in enumerate(dates)
    )  # fmt: skip
    return Life(
        name=name or f"Sim-{seed}-{number:04d}",
        key=(seed, number),
        birth_date=birth,
        bmi=round(person.bmi, 1),
        relatives=person.relatives,
        menopause_on=birth + timedelta(days=round(person.menopause_age * DAYS_PER_YEAR)),
        hormone_therapy=person.hormone_therapy,
        prior_biopsy=person.prior_biopsy,
        breast_mm=breast_mm,
        visits=visits,
        lesions=tuple(lesions),
        cancer_date=tumour.found_on if tumour is not None and observed else None,
        cancer_side=tumour.lesion.side if tumour is not None and observed else None,
        found_by=tumour.found_by if tumour is not None and observed else None,
        last_followup=followup_end,
        treated=treated,
        missed=tuple(last - timedelta(days=person.visit_days[-1] - day) for day in person.missed_days),
        events=tuple(events),
        true_cancer_date=tumour.found_on if tumour is not None else None,
        relative_risk=relative,
        doubling_days=tumour.lesion.doubling_days if tumour is not None else None,
        felt_on=tumour.felt_on if tumour is not None else None,
        true_found_by=tumour.found_by if tumour is not None else None,
    )
