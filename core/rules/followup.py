"""What is still open of a woman: an assessment that nothing has answered yet, and an alert that nobody has explained.

Pure: from what readers recorded and what happened beside the studies. Categories are those of BI-RADS v2025, where 0 asks for
more pictures, 3 for short-interval follow-up (usually at six months), 4 and 5 for tissue, and 6 is a cancer that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.rules.trends import add_months
from db.tables import EventKind, EventResult

__all__ = ["Happened", "OpenAssessment", "Reading", "explains", "is_under_treatment", "open_assessment"]

FOLLOW_UP_MONTHS = 6
FOLLOW_UP_GRACE_MONTHS = 1
"""A follow-up at six months may come a month early; an earlier study (another question, a repeated view) is none."""
CONCLUSIVE = frozenset({EventResult.BENIGN, EventResult.HIGH_RISK, EventResult.MALIGNANT})
"""Results that answer the question; after an inconclusive one it is asked again."""


@dataclass(frozen=True)
class Reading:
    """A study, and what a reader said of it: `category` is None while nobody has. `at` is when; None if that is not known.

    `blind` says that the reader recorded it while the score was covered, and has not changed it since.
    """

    on: date
    category: str | None = None
    at: datetime | None = None
    blind: bool = False


@dataclass(frozen=True)
class Happened:
    """What happened beside the studies; a biopsy may have its result."""

    kind: EventKind
    on: date
    result: EventResult | None = None
    laterality: str | None = None


@dataclass(frozen=True)
class OpenAssessment:
    """An assessment that waits for its answer: which, of which day, for what, and by when if that can be said.

    `biopsied_on` is the day of the last biopsy since, whose result is not there yet or not conclusive.
    """

    category: str
    of: date
    waits_for: str
    due: date | None = None
    biopsied_on: date | None = None


def open_assessment(visits: Sequence[Reading], happened: Iterable[Happened]) -> OpenAssessment | None:
    """Return the assessment that stands and is not answered; None where there is none.

    What a reader said last stands, until a diagnosis answers all. 0 is answered by a further study, 3 by one six months on or by a biopsy's result, 4 and 5
    by a biopsy's result alone: a study that nobody has read, or an inconclusive result, answers neither.

    Parameters
    ----------
    visits
        One a day, oldest first.
    happened
        In any order.
    """
    read = [visit for visit in visits if visit.category is not None]
    if not read or read[-1].category is None:
        return None
    last, category = read[-1], read[-1].category
    since = [one for one in happened if one.on >= last.on]
    if any(one.kind is EventKind.DIAGNOSIS for one in since):
        return None
    biopsies = [one for one in since if one.kind is EventKind.BIOPSY]
    further = [visit.on for visit in visits if visit.on > last.on]
    if category == "0":
        return None if further else OpenAssessment(category, last.on, "further pictures")
    asks_for_tissue = category[0] in "45"
    if not (asks_for_tissue or category == "3") or any(one.result in CONCLUSIVE for one in biopsies):
        return None
    if asks_for_tissue:
        biopsied_on = max((one.on for one in biopsies), default=None)
        waits_for = "biopsy result" if biopsied_on else "biopsy"
        return OpenAssessment(category, last.on, waits_for, biopsied_on=biopsied_on)
    earliest = add_months(last.on, FOLLOW_UP_MONTHS - FOLLOW_UP_GRACE_MONTHS)
    if any(on >= earliest for on in further):
        return None
    return OpenAssessment(category, last.on, "6-month follow-up", add_months(last.on, FOLLOW_UP_MONTHS))


def is_under_treatment(visits: Iterable[Reading], happened: Iterable[Happened]) -> bool:
    """Say whether a cancer is known: a diagnosis, a malignant biopsy, or BI-RADS 6. The clinic plans from then on."""
    known = any(one.kind is EventKind.DIAGNOSIS or one.result is EventResult.MALIGNANT for one in happened)
    return known or any(visit.category == "6" for visit in visits)


def explains(reading: Reading, *, study_on: date, raised_at: datetime) -> bool:
    """Say whether an assessment explains an alert of the study of a day.

    One of that study or a later one does, if it asks for something itself (0, 3, 4, 5, 6), or if who recorded it could have
    seen the alert. A negative one from before the alert was raised, or with the score covered, does not: she changed, and
    nobody has said why.
    """
    if reading.category is None or reading.on < study_on:
        return False
    if reading.category[0] in "03456":
        return True
    return reading.at is not None and reading.at >= raised_at and not reading.blind
