"""Natural history of a cancer under screening: how it grows, who finds it and when, how it is treated."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np

from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import SIDES, Side
from seed_data.women import mechanisms as mechanism
from seed_data.women.findings import draw_position, pick
from seed_data.women.life import CaseMix, LifeEvent, LifeLesion
from seed_data.women.mechanisms import Mechanisms
from seed_data.women.persons import Person, last_age
from seed_data.women.rates import (
    CALCIFICATION_DOUBLING_FACTOR,
    CLINICAL_LOG_SD,
    CLINICAL_MM,
    HORIZON_YEARS,
    LARGEST_MM,
    LATER_MISSED_SHARE,
    MALIGNANT_KINDS,
    NON_PROGRESSIVE_YEARS_BEFORE,
    RELAPSE_MM,
    SMALLEST_MM,
    STOPS_COMING_SHARE,
    draw_doubling_days,
    median_doubling_days,
    sensitivity,
)


@dataclass(frozen=True)
class Tumour:
    """A cancer as it grew, and when and how it is found; `felt_on` is None where it never would be felt."""

    lesion: LifeLesion
    found_on: date
    found_by: Literal["screening", "symptoms"]
    felt_on: date | None


@dataclass(frozen=True)
class Screening:
    """Under which calendar a tumour is drawn: it is found after the last of `dates` and by `latest`."""

    mix: CaseMix
    person: Person
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
        return median_doubling_days(last_age(self.person)) / self.mix.growth_speed

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


def draw_tumour(
    rng: np.random.Generator, at_work: Mechanisms, breast_mm: tuple[float, float, float], under: Screening
) -> Tumour | None:
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
            return Tumour(lesion, *found, felt_on)
    return None


def _draw_tumour_anew(
    rng: np.random.Generator, at_work: Mechanisms, breast_mm: tuple[float, float, float], under: Screening
) -> Tumour | None:
    """Do what `draw_tumour` does with growth by population, in situ and non-progressive cancers, as far as at work.

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
        return Tumour(lesion, found_on, found_by, felt_on)
    return None


def _draw_course(
    rng: np.random.Generator,
    at_work: Mechanisms,
    side: Side,
    position_mm: tuple[float, float, float],
    under: Screening,
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


def treat(rng: np.random.Generator, tumour: Tumour, end: date) -> tuple[list[LifeLesion], list[LifeEvent]]:
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
