"""Published rates and curves from which lives are drawn, and the choices beside them.

Every constant stands next to its source; CLINICAL.md is the project's page of clinical facts. Where a constant has no
source it is called an assumption.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from core.rules.vocabulary import DENSITIES

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
