"""Simulated life courses: who she is, how her breasts age, what grows in them, when she is seen and diagnosed.

A life knows no pixels. Its constants and their sources stand in `rates`.

How a record is drawn, so that dates and visit counts do not tell the outcome: the calendar of visits (first age,
interval, misses, number of visits) and the length of follow-up are drawn first and alike for all women. Only then
is it decided whether a tumour is on its way, and its course is drawn from natural history under that calendar,
conditional on its not having been found before the last visit of the record. So a record is what an archive holds
of a woman without breast cancer until its last study, with the cancer register consulted afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from core.rules import ages
from core.rules.ages import DAYS_PER_YEAR
from core.rules.vocabulary import SIDES, STANDARD_VIEWS, Side
from seed_data.women import mechanisms as mechanism
from seed_data.women.findings import draw_benign, look_alikes
from seed_data.women.life import CaseMix, Life, LifeEvent, LifeLesion, LifeVisit
from seed_data.women.mechanisms import OF_2025, Mechanisms
from seed_data.women.persons import (
    RESIDUAL_SD,
    Person,
    draw_person,
    hazard_scale,
    last_age,
    mean_score,
    relative_risk,
)
from seed_data.women.rates import (
    BREAST_DIFFERENCE_VARIANCE,
    HORIZON_YEARS,
    OBSERVED_SHARE,
    SLOWER_FALL_PER_YEAR,
    TRACKING_NOISE_VARIANCE,
    TRACKING_YEARS,
    density_letter,
    incidence,
)
from seed_data.women.tumours import Screening, Tumour, draw_tumour, treat


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


def _scores(rng: np.random.Generator, person: Person, dates: list[date]) -> dict[Side, list[float]]:
    """Draw both breasts' latent density at each visit.

    A person's score that drifts (tracking), a small difference of the breasts, reading noise per visit. The person's
    part carries 1 - noise - difference of the variance that age and BMI leave.
    """
    drift, difference = person.person_score, rng.normal(0, math.sqrt(BREAST_DIFFERENCE_VARIANCE))
    noise_sd = math.sqrt(TRACKING_NOISE_VARIANCE)
    scores: dict[Side, list[float]] = {"L": [], "R": []}
    for index, on in enumerate(dates):
        if index:
            keep = math.exp(-(on - dates[index - 1]).days / DAYS_PER_YEAR / TRACKING_YEARS)
            drift = keep * drift + math.sqrt(1 - keep**2) * float(rng.standard_normal())
        base = mean_score(person.first_age + (on - dates[0]).days / DAYS_PER_YEAR, person.bmi)
        shared = math.sqrt(1 - TRACKING_NOISE_VARIANCE - BREAST_DIFFERENCE_VARIANCE) * drift
        for side in SIDES:
            sign = 1 if side == "L" else -1
            residual = shared + sign * difference + noise_sd * float(rng.standard_normal())
            scores[side].append(base + RESIDUAL_SD * residual)
    return scores


def _breast_mm(rng: np.random.Generator, bmi: float) -> tuple[float, float, float]:
    """Draw depth, width and height of her breasts in mm.

    Breast size grows with BMI; clipped so that a breast fits an 18 x 24 cm detector. Assumption.
    """
    scale = float(np.clip(1 + 0.022 * (bmi - 27) + rng.normal(0, 0.08), 0.72, 1.28))
    return 92.0 * scale, 84.0 * scale, 86.0 * scale


def _chance_of_a_tumour(person: Person, mix: CaseMix, relative: float) -> float:
    """Return the probability that one is on its way at her last visit, enriched as the mix says."""
    share = None if mix.cancer_rate is None else min(mix.cancer_rate / OBSERVED_SHARE, 0.97)
    enrichment, mean_relative = hazard_scale(share)
    rate = incidence(last_age(person) + HORIZON_YEARS / 2)
    return 1 - math.exp(-enrichment * HORIZON_YEARS * rate * relative / mean_relative)


@dataclass(frozen=True)
class _Course:
    """What comes over a woman: the cancer drawn for her, what it is and leaves in her breasts, and what is done about it."""

    tumour: Tumour | None = None
    lesions: Sequence[LifeLesion] = ()
    events: Sequence[LifeEvent] = ()
    treated: bool = False


def _draw_course(
    rng: np.random.Generator,
    mechanisms: Mechanisms,
    breast_mm: tuple[float, float, float],
    calendar: Screening,
    followup_end: date,
    *,
    treated: bool,
) -> _Course:
    """Draw a cancer that is found after the last visit or, to be `treated`, between two visits of the record."""
    if not treated:
        tumour = draw_tumour(rng, mechanisms, breast_mm, calendar)
        return _Course() if tumour is None else _Course(tumour, [tumour.lesion])
    dates = calendar.dates
    until = 1 + int(rng.integers(0, max(len(dates) - 3, 1)))
    within = replace(calendar, dates=dates[: until + 1], latest=dates[until + 1])
    tumour = draw_tumour(rng, mechanisms, breast_mm, within)
    return _Course() if tumour is None else _Course(tumour, *treat(rng, tumour, followup_end), treated=True)


def _fall_slower(scores: list[float], dates: list[date]) -> None:
    """Let the density of the breast in which a cancer grows fall more slowly with the years, in place."""
    for index, on in enumerate(dates):
        scores[index] += SLOWER_FALL_PER_YEAR * ((on - dates[0]).days / DAYS_PER_YEAR)


def _visits(
    rng: np.random.Generator,
    mechanisms: Mechanisms,
    key: tuple[int, int],
    dates: list[date],
    scores: dict[Side, list[float]],
    tumour: Tumour | None,
) -> tuple[LifeVisit, ...]:
    """Return the visits: the density of each, the views taken, and what `mechanisms` let the tissue show."""
    seen = mechanism.looks(
        mechanisms,
        key,
        None if tumour is None else [ages.years_between(on, tumour.found_on) for on in dates],
        len(dates),
        None if tumour is None else tumour.lesion.side,
    )
    return tuple(
        LifeVisit(
            index, on, {"L": scores["L"][index], "R": scores["R"][index]}, _views(rng),
            texture=seen[index].texture, signs=seen[index].signs,
        )
        for index, on in enumerate(dates)
    )  # fmt: skip


def name_of(seed: int, number: int) -> str:
    """Return what the n-th woman of a seed is called: her MRN."""
    return f"Sim-{seed}-{number:04d}"


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
    person = draw_person(rng)
    drawn_last = date(2012, 1, 2) + timedelta(days=int(rng.integers(0, 2730)))
    last = last_visit or drawn_last
    dates = [last - timedelta(days=person.visit_days[-1] - day) for day in person.visit_days]
    birth = dates[0] - timedelta(days=round(person.first_age * DAYS_PER_YEAR))
    followup_end = last + timedelta(days=round(person.followup_years * DAYS_PER_YEAR))

    breast_mm = _breast_mm(rng, person.bmi)
    scores = _scores(rng, person, dates)
    letters = {side: [density_letter(score) for score in scores[side]] for side in SIDES}
    relative = relative_risk(person, letters["L"][-1], last_age(person))
    if mechanisms.texture:
        relative *= mechanism.texture_risk(mechanism.texture_of((seed, number)))
    on_its_way = rng.random() < _chance_of_a_tumour(person, mix, relative)
    treated = bool(rng.random() < mix.treated_rate) and len(dates) >= 4

    lesions = draw_benign(rng, mix, breast_mm, dates[0], last, last_age(person))
    if mechanisms.look_alikes:
        lesions += look_alikes((seed, number), breast_mm, dates)
    horizon = last + timedelta(days=HORIZON_YEARS * DAYS_PER_YEAR)
    calendar = Screening(mix, person, dates, letters, horizon)
    course = _Course()
    if treated or on_its_way:
        course = _draw_course(rng, mechanisms, breast_mm, calendar, followup_end, treated=treated)
    tumour = course.tumour
    if tumour is not None and mechanisms.slower_fall:
        _fall_slower(scores[tumour.lesion.side], dates)
    found = tumour if tumour is not None and tumour.found_on <= followup_end else None
    events = list(course.events)
    if found is not None and not course.treated:
        events.append(
            LifeEvent("diagnosis", found.found_on, None, found.lesion.side, f"found by {found.found_by}")
        )
    return Life(
        name=name or name_of(seed, number),
        key=(seed, number),
        birth_date=birth,
        bmi=round(person.bmi, 1),
        relatives=person.relatives,
        menopause_on=birth + timedelta(days=round(person.menopause_age * DAYS_PER_YEAR)),
        hormone_therapy=person.hormone_therapy,
        prior_biopsy=person.prior_biopsy,
        breast_mm=breast_mm,
        visits=_visits(rng, mechanisms, (seed, number), dates, scores, tumour),
        lesions=(*lesions, *course.lesions),
        cancer_date=found.found_on if found else None,
        cancer_side=found.lesion.side if found else None,
        found_by=found.found_by if found else None,
        last_followup=followup_end,
        treated=course.treated,
        missed=tuple(last - timedelta(days=person.visit_days[-1] - day) for day in person.missed_days),
        events=tuple(events),
        true_cancer_date=tumour.found_on if tumour else None,
        relative_risk=relative,
        doubling_days=tumour.lesion.doubling_days if tumour else None,
        felt_on=tumour.felt_on if tumour else None,
        true_found_by=tumour.found_by if tumour else None,
    )
