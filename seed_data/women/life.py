"""What a simulated life is: a woman, her visits, her findings and what happened, without a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from core.rules import ages
from core.rules.vocabulary import Side
from seed_data.women.rates import (
    LARGEST_MM,
    MALIGNANT_KINDS,
    RELAPSE_MM,
    SMALLEST_MM,
    density_letter,
)


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
