"""Do the simulated lives meet what is published? Margins beside their targets, from lives, and of texture from a few drawn views."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import SIDES
from seed_data.women import lives
from seed_data.women.life import CaseMix, Life
from seed_data.women.rates import SLOWER_FALL_PER_YEAR, draw_doubling_days, median_doubling_days, sensitivity

SEED: Final = 4711
NATURAL: Final = CaseMix(cancer_rate=None, treated_rate=0.0)
AGE_BANDS: Final = ((40, 45), (45, 50), (50, 55), (55, 60), (60, 65), (65, 70), (70, 75))
BMI_BANDS: Final = ((0.0, 18.5), (18.5, 25.0), (25.0, 30.0), (30.0, 99.0))


@dataclass(frozen=True)
class Margin:
    """One figure of the simulated women beside its target; `n` is what it was counted on."""

    topic: str
    what: str
    simulated: float
    target: float | None
    low: float | None
    high: float | None
    n: int
    source: str

    @property
    def met(self) -> bool | None:
        """Say whether the figure lies in the range given for it; None where it has none."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.simulated <= self.high


def margins(women: int, bcsc: Path | None = None) -> list[Margin]:
    """Return all margins on `women` natural lives (and of enriched ones, where a topic needs cancers, a quarter as many, 1,000 at least)."""
    natural = [lives.draw_life(SEED, number, NATURAL) for number in range(1, women + 1)]
    enriched = [lives.draw_life(SEED + 1, number) for number in range(1, max(women // 4, 1000) + 1)]
    found = [
        *_density(natural),
        *_tracking(natural),
        *_incidence(natural),
        *_base_rates(natural),
        *_growth(enriched),
        *_sensitivity(),
        *_screening(enriched),
        *_control(enriched),
        _texture(),
    ]
    if bcsc is not None:
        found += _joint(natural, bcsc)
    return found


def _density(women: Sequence[Life]) -> list[Margin]:
    letters, ages, bmis = [], [], []
    for life in women:
        visit = life.visits[len(life.visits) // 2]
        letters.append(visit.density("L"))
        ages.append(life.age_years(visit.on))
        bmis.append(life.bmi)
    letter, age, bmi = np.array(letters), np.array(ages), np.array(bmis)
    dense = np.isin(letter, ["C", "D"])
    found = []
    for name, target in zip("ABCD", (10.0, 40.0, 40.0, 10.0), strict=True):
        share = 100 * float(np.mean(letter == name))
        found.append(
            Margin(
                "density, %", name, share, target, target - 9, target + 9, len(letter), "CLINICAL.md, Density"
            )
        )
    for (low, high), target in zip(AGE_BANDS, (57, 55, 46, 38, 33, 31, 26), strict=True):
        here = (age >= low) & (age < high)
        share = 100 * float(dense[here].mean()) if here.any() else math.nan
        found.append(
            Margin("C or D by age, %", f"{low}-{high - 1}", share, target, target - 5, target + 5, int(here.sum()),
                   "Sprague 2014")
        )  # fmt: skip
    for (low_bmi, high_bmi), target in zip(BMI_BANDS, (76, 59, 40, 25), strict=True):
        here = (bmi >= low_bmi) & (bmi < high_bmi)
        share = 100 * float(dense[here].mean()) if here.any() else math.nan
        found.append(
            Margin("C or D by BMI, %", f"{low_bmi:g}-{high_bmi:g}", share, target, target - 7, target + 7,
                   int(here.sum()), "CLINICAL.md, Density")
        )  # fmt: skip
    return found


def _tracking(women: Sequence[Life]) -> list[Margin]:
    pairs: dict[int, list[tuple[float, float]]] = {2: [], 4: [], 6: []}
    for life in women:
        for years, kept in pairs.items():
            for later in life.visits[1:]:
                gap = (later.on - life.visits[0].on).days / DAYS_PER_YEAR
                if abs(gap - years) < 0.35:
                    kept.append((life.visits[0].score["L"], later.score["L"]))
                    break
    found = []
    for (years, kept), target in zip(pairs.items(), (0.94, 0.93, 0.91), strict=True):
        values = np.array(kept)
        r = float(np.corrcoef(values.T)[0, 1])
        found.append(
            Margin("density tracking, r", f"{years} years", r, target, target - 0.03, target + 0.03, len(kept),
                   "CLINICAL.md, Density")
        )  # fmt: skip
    return found


def _incidence(women: Sequence[Life]) -> list[Margin]:
    bands = ((50, 55, 230.0), (60, 65, 350.0), (70, 75, 460.0))
    years = dict.fromkeys(bands, 0.0)
    cases = dict.fromkeys(bands, 0)
    for life in women:
        start = life.age_years(life.visits[-1].on)
        end = life.age_years(life.cancer_date or life.last_followup)
        for band in bands:
            years[band] += max(0.0, min(end, band[1]) - max(start, band[0]))
            cases[band] += life.cancer_date is not None and band[0] <= end < band[1]
    found = []
    for band in bands:
        rate = 1e5 * cases[band] / years[band] if years[band] else math.nan
        # Two standard errors of the count beside a fifth of the target for what the case mix adds (risk factors).
        margin = 0.2 * band[2] + 2 * 1e5 * math.sqrt(max(cases[band], 1)) / max(years[band], 1.0)
        found.append(
            Margin("incidence per 100,000 a year", f"{band[0]}-{band[1] - 1}", rate, band[2], band[2] - margin,
                   band[2] + margin, cases[band], "CLINICAL.md, Incidence")
        )  # fmt: skip
    return found


def _base_rates(women: Sequence[Life]) -> list[Margin]:
    """Count women with a cancer within 1..5 years of their last visit: what `train longitudinal --base-rates` takes."""
    years = np.array(
        [
            math.inf
            if life.true_cancer_date is None
            else (life.true_cancer_date - life.visits[-1].on).days / DAYS_PER_YEAR
            for life in women
        ]
    )
    return [
        Margin("cancer after the last visit, natural incidence", f"within {k} years", float((years <= k).mean()),
               None, None, None, int((years <= k).sum()), "these lives")
        for k in range(1, 6)
    ]  # fmt: skip


def _growth(women: Sequence[Life]) -> list[Margin]:
    rng = np.random.default_rng(SEED)
    found = []
    for age, target in ((45.0, 80.0), (60.0, 157.0), (75.0, 188.0)):
        drawn = [draw_doubling_days(rng, median_doubling_days(age)) for _ in range(4000)]
        middle = math.exp(float(np.mean(np.log(drawn))))
        found.append(
            Margin("doubling time, days, geometric mean", f"at {age:.0f}", middle, target, 0.85 * target,
                   1.15 * target, 4000, "Peer 1993")
        )  # fmt: skip
        if age == 60.0:
            found.append(
                Margin("doubling time, days, mean", f"at {age:.0f}", float(np.mean(drawn)), 212.0, 180.0, 245.0, 4000,
                       "Fournier 1980")
            )  # fmt: skip
            years = 3 * np.array(drawn) / DAYS_PER_YEAR
            found.append(
                Margin("10 to 20 mm, years, mean", f"at {age:.0f}", float(years.mean()), 1.7, 1.4, 2.1, 4000,
                       "Weedon-Fekjaer 2008")
            )  # fmt: skip
    recorded = [
        life.doubling_days for life in women if life.cancer_date and life.doubling_days and not life.treated
    ]
    found.append(
        Margin("doubling time, days, geometric mean", "cancers found after a record",
               math.exp(float(np.mean(np.log(recorded)))), None, None, None, len(recorded), "length-biased sample")
    )  # fmt: skip
    return found


def _sensitivity() -> list[Margin]:
    shares = {"A": 0.10, "B": 0.40, "C": 0.40, "D": 0.10}
    noise = np.random.default_rng(SEED).normal(0, CaseMix().detection_noise, 2000)
    found = []
    for size, target in ((5.0, 26.0), (10.0, 91.0)):
        by_density = {
            letter: 100 * float(np.mean([sensitivity(size, letter, float(shift)) for shift in noise]))
            for letter in shares
        }
        mean = sum(shares[letter] * value for letter, value in by_density.items())
        found.append(
            Margin("sensitivity by size, %", f"{size:.0f} mm", mean, target, target - 5, target + 5, 2000,
                   "Weedon-Fekjaer 2008")
        )  # fmt: skip
        found += [
            Margin("sensitivity by size, %", f"{size:.0f} mm, density {letter}", value, None, None, None, 2000,
                   "falls from A to D; assumption")
            for letter, value in by_density.items()
        ]  # fmt: skip
    return found


def _screening(women: Sequence[Life]) -> list[Margin]:
    found = [life for life in women if life.cancer_date is not None and not life.treated]
    felt = 100 * float(np.mean([life.found_by == "symptoms" for life in found]))
    slopes: dict[bool, list[float]] = {True: [], False: []}
    for life in found:
        first, last = life.visits[0], life.visits[-1]
        years = (last.on - first.on).days / DAYS_PER_YEAR
        for side in SIDES:
            slopes[side == life.cancer_side].append((last.score[side] - first.score[side]) / years)
    fall = float(np.mean(slopes[True]) - np.mean(slopes[False]))
    return [
        Margin("found by symptoms, %", "cancers after a record", felt, 25.0, 13.0, 35.0, len(found),
               "about a quarter are interval cancers; assumption"),
        Margin("density change a year", "affected minus other breast, SD", fall, SLOWER_FALL_PER_YEAR,
               0.02, 0.05, len(found), "Jiang 2023 (direction); size assumed"),
    ]  # fmt: skip


def _control(women: Sequence[Life]) -> list[Margin]:
    """Return what dates and visit counts alone tell of a cancer within five years: they should tell nothing."""
    auc, n = control_auc(women)
    return [
        Margin(
            "5-year AUC of a control",
            "dates and visit counts",
            auc,
            0.5,
            0.40,
            0.60,
            n,
            "0.5: dates must tell nothing",
        )
    ]


def control_auc(women: Iterable[Life]) -> tuple[float, int]:
    """Return (out-of-fold AUC, n) of a logistic regression on dates and visit counts at each last visit.

    Cancer within five years against none seen; women who were treated before are left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, outcome = [], []
    for life in women:
        if life.treated:
            continue
        last = life.visits[-1].on
        within = life.cancer_date is not None and (life.cancer_date - last).days <= 5 * DAYS_PER_YEAR
        if life.cancer_date is not None and not within:
            continue
        days = np.array([visit.on.toordinal() for visit in life.visits], float)
        gaps = np.diff(days)
        features.append([len(days), days[0], days[-1], days[-1] - days[0], gaps.mean(), gaps[-1], gaps.max()])
        outcome.append(within)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    predicted = cross_val_predict(model, np.array(features), outcome, cv=5, method="predict_proba")[:, 1]
    return float(roc_auc_score(outcome, predicted)), len(outcome)


def _joint(women: Sequence[Life], path: Path) -> list[Margin]:
    """Set the share of C or D by age and BMI together beside that of the BCSC teaching set."""
    real: dict[tuple[int, int], list[bool]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            age, bmi, density = float(row["age_c"]), float(row["bmi_c"]), row["density_c"]
            if bmi > 0 and density in "1234":
                _count(real, age, bmi, density in "34")
    simulated: dict[tuple[int, int], list[bool]] = {}
    for life in women:
        visit = life.visits[len(life.visits) // 2]
        _count(simulated, life.age_years(visit.on), life.bmi, visit.density("L") in "CD")
    found = []
    for cell in sorted(real):
        a, b = cell
        if len(real[cell]) < 100 or cell not in simulated:
            continue
        name = f"{AGE_BANDS[a][0]}-{AGE_BANDS[a][1] - 1}, BMI {BMI_BANDS[b][0]:g}-{BMI_BANDS[b][1]:g}"
        found.append(
            Margin("C or D by age and BMI, %", name, 100 * float(np.mean(simulated[cell])),
                   100 * float(np.mean(real[cell])), None, None, len(simulated[cell]), f"BCSC, n {len(real[cell])}")
        )  # fmt: skip
    return found


def _count(table: dict[tuple[int, int], list[bool]], age: float, bmi: float, dense: bool) -> None:
    a = next((index for index, (low, high) in enumerate(AGE_BANDS) if low <= age < high), None)
    b = next((index for index, (low, high) in enumerate(BMI_BANDS) if low <= bmi < high), None)
    if a is not None and b is not None:
        table.setdefault((a, b), []).append(dense)


def texture_exponents(women: int) -> list[float]:
    """Return the exponent of the power spectrum in the middle of one view of each of some women, at 0.4 mm a pixel."""
    from seed_data.women.views import imaged

    found = []
    for number in range(1, women + 1):
        life = lives.draw_life(SEED, number)
        film = next(iter(imaged(life, 0.4, life.visits[:1]))).film
        pixels = film.pixels[:, ::-1] if film.mirrored else film.pixels
        middle = pixels.shape[0] // 2
        found.append(spectrum_exponent(pixels[middle - 64 : middle + 64, 10:138].astype(float)))
    return found


def _texture() -> Margin:
    found = texture_exponents(24)
    return Margin(
        "texture", "exponent of 1/f^b, median", float(np.median(found)), 3.0, 1.7, 3.6, len(found),
        "CLINICAL.md; on real views at 0.4 mm: digital 2.0-2.4, film 1.7-3.6 (bodies.py)",
    )  # fmt: skip


def spectrum_exponent(patch: NDArray[np.floating]) -> float:
    """Return the exponent b of the power spectrum 1/f^b of a square patch (n, n), from 4 to n/6 cycles a side.

    The patch is windowed (Hann) and its periodogram averaged over rings, then fitted by least squares in logarithms.
    """
    n = patch.shape[0]
    if patch.shape != (n, n) or n < 64:
        raise ValueError("The patch must be square with at least 64 pixels a side.")
    window = np.outer(np.hanning(n), np.hanning(n))
    power = np.abs(np.fft.fftshift(np.fft.fft2((patch - patch.mean()) * window))) ** 2
    y, x = np.indices((n, n)) - n // 2
    ring = np.hypot(y, x).astype(int)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    f = np.arange(4, n // 6)
    return float(-np.polyfit(np.log(f), np.log(mean[f]), 1)[0])
