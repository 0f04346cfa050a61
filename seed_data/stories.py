"""The stories of the demo: courses worth looking at, and the simulated women who play them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from seed_data.women import lives
from seed_data.women.life import CaseMix, Life, LifeVisit

__all__ = ["SEED", "STORIES", "STORY_OF", "Read", "Story", "cast", "dated"]

SEED: Final = 20261
MOST_WOMEN: Final = 200
# Many cancers and treatments, so that a few women show every course; stated on every page as simulated.
MIX: Final = CaseMix(cancer_rate=0.5, benign_per_woman=1.1, treated_rate=0.3)


@dataclass(frozen=True)
class Read:
    """What the simulated reader said of a last study, and of the study before it where that matters.

    `biopsied_after_days`: a biopsy followed whose result is not back.
    """

    bi_rads: str
    note: str = ""
    prior: str | None = None
    biopsied_after_days: int | None = None


UNREAD: Final = None
NEGATIVE: Final = Read("1")
BENIGN: Final = Read("2")
BEFORE_THE_SCORE: Final = Read("2", "Read without the score: nothing new.")
TREATED: Final = Read("2", "After treatment, no sign of recurrence.")
KNOWN: Final = Read("6", "Known cancer under treatment.")


@dataclass(frozen=True)
class Story:
    """A course of events that the demo shows: `fits` picks lives; `days_ago` is how long the last visit is past.

    `worn`: her films are scratched and dusty as no shipped model has learned them, so that its numbers are withheld.
    `read`: what the reader said of the last study of each woman who plays it, in turn; None where nobody has read it yet.
    `untold`: what came after the last visit is not known yet.
    """

    title: str
    fits: Callable[[Life], bool]
    days_ago: tuple[int, int]
    worn: bool = False
    read: tuple[Read | None, ...] = (BENIGN,)
    untold: bool = False


def _cancer_mm(life: Life, visit: LifeVisit) -> float:
    return max((size for lesion, size in life.lesions_on(visit.on) if lesion.malignant), default=0.0)


def _found_after_days(life: Life) -> float:
    """Return days from the last visit to the diagnosis, infinite for a woman without (or treated before)."""
    if life.cancer_date is None or life.treated:
        return math.inf
    return (life.cancer_date - life.visits[-1].on).days


def _growing(life: Life) -> bool:
    return (
        life.found_by == "screening"
        and _found_after_days(life) < 50
        and len(life.visits) >= 4
        and _cancer_mm(life, life.visits[-1]) >= 9
        and _cancer_mm(life, life.visits[-2]) >= 3.5
    )


def _missed_on_screen(life: Life) -> bool:
    return (
        60 < _found_after_days(life) < 400
        and life.found_by == "symptoms"
        and _cancer_mm(life, life.visits[-1]) >= 5
    )


def _not_yet_found(life: Life) -> bool:
    return (
        200 < _found_after_days(life) < 800
        and _cancer_mm(life, life.visits[-1]) >= 5
        and _cancer_mm(life, life.visits[-2]) >= 2
    )


def _therapy(life: Life, detail: str) -> bool:
    return life.treated and any(event.detail == detail for event in life.events)


def _responds(life: Life) -> bool:
    sizes = [_cancer_mm(life, visit) for visit in life.visits]
    regrows = any(lesion.regrows_from is not None for lesion in life.lesions)
    return (
        _therapy(life, "endocrine therapy")
        and regrows
        and max(sizes) >= 7
        and sizes[-1] > 3
        and len(sizes) >= 5
    )


def _relapses(life: Life) -> bool:
    again = any(lesion.name == "M2" for lesion in life.lesions)
    return _therapy(life, "breast-conserving surgery") and again and _cancer_mm(life, life.visits[-1]) > 4


def _operated(life: Life) -> bool:
    return _therapy(life, "breast-conserving surgery") and _cancer_mm(life, life.visits[-1]) == 0


def _well(life: Life) -> bool:
    return life.true_cancer_date is None and not life.treated


def _stable_benign(life: Life) -> bool:
    last = life.lesions_on(life.visits[-1].on)
    return _well(life) and any(
        size >= 9
        and lesion.since < life.visits[0].on
        and lesion.kind in ("fibroadenoma", "indistinct benign mass")
        for lesion, size in last
    )


def _cyst_goes(life: Life) -> bool:
    return _well(life) and any(
        lesion.kind == "cyst"
        and lesion.gone_on is not None
        and lesion.diameter_mm(life.visits[-1].on) == 0
        and any(lesion.diameter_mm(visit.on) >= 9 for visit in life.visits[:-1])
        for lesion in life.lesions
    )


def _benign_calcifications(life: Life) -> bool:
    return _well(life) and any(
        lesion.kind == "benign calcifications" for lesion, _ in life.lesions_on(life.visits[-1].on)
    )


def _dense(life: Life) -> bool:
    return _well(life) and life.visits[-1].study_density == "D"


def _misses_visits(life: Life) -> bool:
    return _well(life) and len(life.missed) >= 2


def _misses_views(life: Life) -> bool:
    return _well(life) and any(len(visit.views) < 4 for visit in life.visits)


def _nothing_found(life: Life) -> bool:
    return _well(life) and not life.lesions


STORIES: Final = (
    # So lately that nothing has come of it yet: the alert stands, and nobody has explained it.
    Story(
        "cancer grows and is seen at screening",
        _growing,
        (3, 14),
        read=(BEFORE_THE_SCORE, UNREAD),
        untold=True,
    ),
    Story(
        "stable benign mass",
        _stable_benign,
        (20, 300),
        read=(Read("3", "Mass with smooth margins: probably benign."), BENIGN),
    ),
    Story("interval cancer", _missed_on_screen, (420, 600), read=(NEGATIVE, BENIGN)),
    Story("nothing found", _nothing_found, (700, 1000), read=(NEGATIVE,)),
    Story("medicine: response, then relapse", _responds, (10, 120), read=(KNOWN, UNREAD)),
    Story("cancer not found yet", _not_yet_found, (3, 60), read=(NEGATIVE, UNREAD), untold=True),
    Story(
        "very dense breasts",
        _dense,
        (20, 300),
        read=(Read("4A", "Indistinct mass: biopsy."), Read("0", "Asymmetry in one view: spot views.")),
    ),
    Story("cyst comes and goes", _cyst_goes, (20, 300), read=(Read("2", prior="3"), BENIGN)),
    Story("operated, well since", _operated, (20, 200), read=(TREATED,)),
    Story("missed visits", _misses_visits, (20, 900), read=(NEGATIVE,)),
    Story("missing views", _misses_views, (20, 300), read=(NEGATIVE, BENIGN)),
    Story(
        "operated, relapse",
        _relapses,
        (10, 90),
        read=(Read("4B", "Mass at the scar: biopsy.", biopsied_after_days=8), TREATED),
    ),
    Story(
        "benign calcifications",
        _benign_calcifications,
        (20, 300),
        read=(Read("4A", "Grouped calcifications: biopsy.", biopsied_after_days=18), BENIGN),
    ),
    Story("old, scratched films", _well, (10, 500), worn=True, read=(BENIGN, NEGATIVE)),
)
STORY_OF: Final = {story.title: story for story in STORIES}


def cast(women: int, until: date) -> list[tuple[str, Life]]:
    """Choose women for the stories in turn: (story, life), the last visits on or before `until`.

    The same numbers give the same women; `until` moves their dates only.
    """
    if not 1 <= women <= MOST_WOMEN:
        raise ValueError(f"The demo holds 1 to {MOST_WOMEN} women.")
    wanted = [STORIES[index % len(STORIES)] for index in range(women)]
    chosen: list[tuple[str, Life]] = []
    drawn: list[Life] = []
    used: set[int] = set()
    for index, story in enumerate(wanted):
        number = 0
        while True:
            if number == len(drawn):
                drawn.append(lives.draw_life(SEED, number + 1, MIX))
            if number not in used and story.fits(drawn[number]):
                break
            number += 1
        used.add(number)
        ago = int(np.random.default_rng([SEED, index]).integers(*story.days_ago))
        name = f"Sim-{index + 1:04d}"
        chosen.append((story.title, dated(number + 1, name, until - timedelta(days=ago))))
    return chosen


def dated(number: int, name: str, last_visit: date) -> Life:
    """Return a woman of the demo, her last visit on a day."""
    return lives.draw_life(SEED, number, MIX, name=name, last_visit=last_visit)
