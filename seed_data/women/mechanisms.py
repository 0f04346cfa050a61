"""Mechanisms of how breast cancer announces itself, by edition: what the simulator of 2025 knows, and that of 2026.

The weights that are shipped, their calibration and their domain were proved on women of 2025, so that edition is the usual
one and gives the same bytes for the same seed. Women of 2026 are asked for. What 2026 adds, each by itself:

- **Growth by population.** Times from 10 to 20 mm as estimated from screening of 395,188 women: mean 1.7 years, one in
  twenty under 1.2 months, one in twenty over 6.3 years (Weedon-Fekjaer 2008, the paper of the sensitivity by size). As a
  lognormal: log-SD ln(6.3 / 0.1) / (2 x 1.645) = 1.26, median 0.77 years, a volume doubling time of 94 days at 50 to 69.
  It moves with age as Peer 1993 measured, and with grade as the medians 317 / 288 / 195 days of Nanaa 2025 stand to each
  other. Edition 2025 takes Peer's own 157 days and 0.80: tumours measured on two films, which leaves the fastest out.
- **In situ and non-progressive.** Of preclinical cancers 4.5 % (0.1-14.8) never progress (Ryser 2022); they are clusters
  of calcifications that only screening finds. Clusters that screening finds are in situ in three of four: assumption.
- **Texture.** What the tissue looks like beyond its density carries risk that stays: odds ratio 1.15 per SD (Malkov 2016:
  0.87, 0.79-0.95, of one measure of many, density adjusted for). Read anew at each visit with the reproducibility of
  serial examinations, 0.91 (volumetric density: "Volumetric breast density assessment: reproducibility in serial
  examinations"; no figure for texture itself is known here).
- **Early signs.** Years before its cancer is found, a breast looks a little more suspicious at one place than it did. A
  sign is a number per breast and visit, mean 0 and SD 1 in breasts without cancer; in the breast that will have one it
  rises by 0.25 a year from 6.9 years before the diagnosis. So a perfect reader of one study, both breasts before it, has
  23.0 % of later cancers above nine in ten healthy women four years before, and 38.3 % two years before: what Larsen 2023
  counted of an AI's highest score on prior rounds (122 of 531, 389 of 1,016). That half of a healthy breast's sign is its
  own and stays, and half is new at each study, is an assumption; what history gains depends on it, so the table of
  `python -m seed_data sensitivity --mechanisms` moves it.
- **Look-alikes.** Tissue that looks like cancer and is none: of women without cancer 16.3 % are recalled from a first study
  and 9.6 % from later ones, which priors stand beside (Hubbard 2011, BCSC, 169,456 women; comparison halves the odds). In
  edition 2025 one healthy woman in twenty shows a suspicious finding, and a spiculated mass or a cluster of many specks
  is always cancer, so that one look tells a perfect reader nearly all and history has nothing to add. Here so many more
  are drawn that 16.3 % show one; 41 of 100 (1 - 9.6 / 16.3) were there before and stay as they are, the others are of one
  study, as tissue that lies over tissue is.
- **Slower fall** of density in the affected breast is contested (Jiang 2023, P 0.04; no effect in KARMA, Azam 2020, which
  looked at the other breast): on in 2025, off in 2026, and moved in that table.

All constants were fixed before women of 2026 were first held against the published facts, but for the look-alikes: those
came after a first table had shown the risk at the index study forty times that of six years before, where three times is
published. None was chosen by what history gains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = [
    "EDITIONS",
    "OF_2025",
    "OF_2026",
    "Look",
    "LookAlike",
    "Mechanisms",
    "draw_doubling_days",
    "draw_grade",
    "draw_look_alikes",
    "draws_non_progressive",
    "looks",
    "sign_rise",
    "texture_of",
    "texture_risk",
]

# Weedon-Fekjaer 2008, ages 50-69: see above. Days are of volume doubling; a diameter doubles in three.
POPULATION_LOG_SD: Final = 1.26
POPULATION_MEDIAN_DAYS: Final = 94.0
# What Peer 1993 measured at 50-70, by which the growth at other ages is set.
REFERENCE_MEDIAN_DAYS: Final = 157.0
FASTEST_DAYS, SLOWEST_DAYS = 10.0, 2500.0
# Median volume doubling times by grade (Nanaa 2025). How many cancers are of which grade when they begin: assumption
# (of interval cancers 86 % are grade 2 or 3, Nanaa 2025).
GRADE_DAYS: Final = {1: 317.0, 2: 288.0, 3: 195.0}
GRADE_SHARES: Final = {1: 0.20, 2: 0.45, 3: 0.35}

NON_PROGRESSIVE_SHARE: Final = 0.045  # of preclinical cancers (Ryser 2022)
IN_SITU_SHARE: Final = 0.75  # of clusters of calcifications found by screening: assumption
NON_PROGRESSIVE_MM: Final = 12.0  # median width at which they stay: assumption
NON_PROGRESSIVE_LOG_SD: Final = 0.4

TEXTURE_RISK_PER_SD: Final = 1.15  # Malkov 2016
TEXTURE_NOISE_VARIANCE: Final = 0.09

SIGN_RISE_PER_YEAR: Final = 0.25  # Larsen 2023: see above
SIGN_RISES_FROM_YEARS: Final = 6.9
SIGN_STABLE_SHARE: Final = 0.5  # assumption, moved in the table of mechanisms

# Women without cancer with a suspicious finding in one study (Hubbard 2011), and in edition 2025 (580 healthy women at
# their last visit, seed 50); the share of look-alikes that stand out of the tissue (`visibility`; 1,035 of 1,200 women).
FALSE_POSITIVE_FIRST: Final = 0.163
FALSE_POSITIVE_LATER: Final = 0.096
SUSPICIOUS_BEFORE: Final = 0.050
LOOK_ALIKES_VISIBLE: Final = 0.87
LOOK_ALIKE_STAYS: Final = 1 - FALSE_POSITIVE_LATER / FALSE_POSITIVE_FIRST
LOOK_ALIKE_SHARES: Final = {
    "spiculated mass": 0.42, "indistinct mass": 0.18, "distortion": 0.09, "calcifications": 0.23,
}  # fmt: skip
"""As of cancers (`MALIGNANT_KINDS`), but for round masses, of which edition 2025 has enough: assumption."""
LOOK_ALIKE_MM: Final = 9.0  # as indistinct benign masses (`lives`): assumption
LOOK_ALIKE_LOG_SD: Final = 0.35


@dataclass(frozen=True)
class Mechanisms:
    """Which mechanisms are at work; `edition` names the set they come from.

    `sign_stable_share`: how much of the variance of a healthy breast's sign is the same at every visit (0..1).
    """

    edition: str
    growth: bool = False
    in_situ: bool = False
    texture: bool = False
    early_signs: bool = False
    look_alikes: bool = False
    slower_fall: bool = False
    sign_stable_share: float = SIGN_STABLE_SHARE

    @property
    def tells_more(self) -> bool:
        """Say whether a truth table holds what edition 2025 has not: texture or signs."""
        return self.texture or self.early_signs


OF_2025: Final = Mechanisms("2025", slower_fall=True)
OF_2026: Final = Mechanisms(
    "2026", growth=True, in_situ=True, texture=True, early_signs=True, look_alikes=True
)
EDITIONS: Final = {one.edition: one for one in (OF_2025, OF_2026)}


@dataclass(frozen=True)
class Look:
    """What a reader could measure at one visit beside density and findings: in SDs; None where it is not at work."""

    texture: float | None
    signs: dict[str, float]


@dataclass(frozen=True)
class LookAlike:
    """A finding that looks like cancer and is none; `visit` is the only study that shows it, None if every one does."""

    kind: str
    side: str
    diameter_mm: float
    visit: int | None
    shape_seed: int


def draw_look_alikes(key: tuple[int, int], visits: int) -> list[LookAlike]:
    """Draw a woman's look-alikes: those that stay, and those of each study."""
    rng = np.random.default_rng([*key, 23])
    shown = 1 - (1 - FALSE_POSITIVE_FIRST) / (1 - SUSPICIOUS_BEFORE)
    rate = -math.log(1 - shown) / LOOK_ALIKES_VISIBLE
    places: list[int | None] = [None] * int(rng.poisson(rate * LOOK_ALIKE_STAYS))
    for visit in range(visits):
        places += [visit] * int(rng.poisson(rate * (1 - LOOK_ALIKE_STAYS)))
    weights = np.array(list(LOOK_ALIKE_SHARES.values()))
    return [
        LookAlike(
            str(rng.choice(list(LOOK_ALIKE_SHARES), p=weights / weights.sum())),
            "L" if rng.random() < 0.5 else "R",
            float(np.clip(rng.lognormal(math.log(LOOK_ALIKE_MM), LOOK_ALIKE_LOG_SD), 3.5, 25)),
            visit,
            int(rng.integers(2**31)),
        )
        for visit in places
    ]


def draw_grade(rng: np.random.Generator) -> int:
    """Draw the histologic grade, 1 to 3, of a cancer that begins."""
    return int(rng.choice(list(GRADE_SHARES), p=list(GRADE_SHARES.values())))


def draw_doubling_days(rng: np.random.Generator, grade: int, median_at_age: float) -> float:
    """Draw a volume doubling time in days for a grade, and an age at which Peer's median is `median_at_age` days."""
    logs = {one: math.log(days) for one, days in GRADE_DAYS.items()}
    middle = sum(GRADE_SHARES[one] * logs[one] for one in logs)
    between = sum(GRADE_SHARES[one] * (logs[one] - middle) ** 2 for one in logs)
    within = math.sqrt(POPULATION_LOG_SD**2 - between)
    at_age = math.log(POPULATION_MEDIAN_DAYS * median_at_age / REFERENCE_MEDIAN_DAYS)
    return float(np.clip(rng.lognormal(at_age + logs[grade] - middle, within), FASTEST_DAYS, SLOWEST_DAYS))


def draws_non_progressive(rng: np.random.Generator, window_years: float, felt_window_years: float) -> bool:
    """Draw whether a cancer never progresses.

    Cancers that do are drawn by when they would be felt, evenly over `felt_window_years`; those that do not, by when they
    begin, evenly over `window_years`. Both are as many a year, so the longer window holds more of its kind.
    """
    odds = NON_PROGRESSIVE_SHARE / (1 - NON_PROGRESSIVE_SHARE) * window_years / felt_window_years
    return bool(rng.random() < odds / (1 + odds))


def texture_of(key: tuple[int, int]) -> float:
    """Return a woman's texture in SDs of all women, the same at every visit."""
    return float(np.random.default_rng([*key, 21]).standard_normal())


def texture_risk(texture: float) -> float:
    """Return the relative risk that a texture carries; its mean over all women is 1."""
    log_risk = math.log(TEXTURE_RISK_PER_SD)
    return math.exp(log_risk * texture - log_risk**2 / 2)


def sign_rise(years_before_diagnosis: float) -> float:
    """Return by how many SDs the sign of a breast has risen so long before its cancer is found; 0 after that."""
    if years_before_diagnosis < 0:
        return 0.0
    return SIGN_RISE_PER_YEAR * max(SIGN_RISES_FROM_YEARS - years_before_diagnosis, 0.0)


def looks(
    mechanisms: Mechanisms,
    key: tuple[int, int],
    years_before_diagnosis: Sequence[float] | None,
    visits: int,
    side: str | None,
) -> list[Look]:
    """Return what each visit shows; `years_before_diagnosis` of each visit and the affected `side`, None without cancer."""
    if not mechanisms.tells_more:
        return [Look(None, {})] * visits
    rng = np.random.default_rng([*key, 22])
    texture, stable = texture_of(key), mechanisms.sign_stable_share
    own = rng.standard_normal(2)
    found = []
    for index in range(visits):
        noise = rng.standard_normal(3)
        read = math.sqrt(1 - TEXTURE_NOISE_VARIANCE) * texture + math.sqrt(TEXTURE_NOISE_VARIANCE) * noise[2]
        signs = {
            one: float(math.sqrt(stable) * own[place] + math.sqrt(1 - stable) * noise[place])
            for place, one in enumerate(("L", "R"))
        }
        if side is not None and years_before_diagnosis is not None:
            signs[side] += sign_rise(years_before_diagnosis[index])
        found.append(
            Look(
                float(read) if mechanisms.texture else None,
                signs if mechanisms.early_signs else {},
            )
        )
    return found
