"""A woman's rows as bytes, as they are kept: one record of a woman, one of each visit.

Half a million rows of fifty columns would be 25 million Python objects to fetch; as bytes they are one array of records.
Numbers are little-endian; what is not known is NaN, `NO_DAY`, `NO_MOMENT` or `UNKNOWN`, and null in the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from core.cohorts.happenings import EVENT_KINDS, column_of
from core.cohorts.looks import AXIS_NAMES
from core.rules.vocabulary import BI_RADS, DENSITIES_SAID

__all__ = [
    "BI_RADS_CODES",
    "DENSITY_BY",
    "DENSITY_CODES",
    "HORIZONS",
    "NO_DAY",
    "NO_MOMENT",
    "SIDES",
    "TRUSTS",
    "UNKNOWN",
    "VISIT",
    "WOMAN",
    "Packed",
    "Words",
    "day_number",
    "moment_number",
]

HORIZONS = (1, 2, 3, 4, 5)
"""Years within which a risk is told."""
TRUSTS = ("none", "trusted", "uncalibrated", "withheld")
"""How far a visit's score may be believed; ``none`` where there is none, or it is covered until the study is read."""
NO_DAY = -(2**31)
NO_MOMENT = -(2**63)
UNKNOWN = -1
DENSITY_CODES = ("", *DENSITIES_SAID)
DENSITY_BY = ("", "reader", "model")
BI_RADS_CODES = ("", *BI_RADS, "4")
SIDES = ("", "L", "R")

_RISKS = [f"{what}_{year}" for what in ("risk", "low", "high") for year in HORIZONS]
VISIT = np.dtype(
    [
        ("study_id", "<i8"), ("bi_rads_first_at", "<i8"), ("on", "<i4"),
        ("said_by", "<u4"), ("model", "<u4"), ("doubt", "<u4"), ("vendor", "<u4"),
        ("age", "<f4"), *((name, "<f4") for name in _RISKS),
        ("malignancy", "<f4"), ("progression", "<f4"), ("smallest_change", "<f4"),
        ("distance", "<f4"), ("limit", "<f4"), ("brightness", "<f4"), *((name, "<f4") for name in AXIS_NAMES),
        ("scored", "u1"), ("trust", "u1"), ("density", "u1"), ("density_by", "u1"), ("bi_rads", "u1"),
        ("read_first", "u1"), ("recall", "i1"), ("views", "u1"), ("alerts", "u1"),
    ]
)  # fmt: skip
"""One visit, without what follows from its place among her visits."""
WOMAN = np.dtype(
    [
        *((name, "<i4") for name in (
            "birth_date", "diagnosed_on", "died_on", "mastectomy_on", "last_contact", "treated_on",
            "due_on", "due_until", "overdue_from", "truth_onset",
        )),
        ("treatments", "<u4"), ("bmi", "<f4"), ("slope", "<f4"), ("slope_low", "<f4"), ("slope_high", "<f4"),
        ("events", "<u2"), ("simulated", "u1"), ("diagnosis_side", "u1"),
        ("relatives", "i1"), ("postmenopausal", "i1"), ("hormone_therapy", "i1"), ("prior_biopsy", "i1"),
        *((column_of(kind), "<u8") for kind in EVENT_KINDS),
    ]
)  # fmt: skip
"""One woman, without what her visits say."""
_EPOCH = date(1970, 1, 1).toordinal()
_MOMENT_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Packed:
    """A woman's rows: `woman` is one record of `WOMAN`, `visits` one of `VISIT` a visit, oldest first."""

    patient_id: int
    woman: bytes
    visits: bytes


class Words(dict[str, int]):
    """Numbers of the words that rows are kept with, 1 and up; what has none yet gets the next one. The empty word is 0."""

    def __init__(self, known: Mapping[str, int]) -> None:
        super().__init__(known)
        self._known = frozenset(known)
        self[""] = 0

    def __missing__(self, word: str) -> int:
        self[word] = number = max(self.values(), default=0) + 1
        return number

    @property
    def new(self) -> dict[str, int]:
        """Those that came since."""
        return {word: number for word, number in self.items() if word and word not in self._known}


def day_number(day: date | None) -> int:
    """Return the days since 1970, or `NO_DAY`."""
    return NO_DAY if day is None else day.toordinal() - _EPOCH


def moment_number(moment: datetime | None) -> int:
    """Return the microseconds since 1970, UTC, or `NO_MOMENT`."""
    if moment is None:
        return NO_MOMENT
    since = moment - _MOMENT_EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
