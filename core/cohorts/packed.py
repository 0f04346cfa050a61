"""A woman's rows as bytes, as they are kept, and the two tables made of very many of them at once.

Half a million rows of fifty columns would be 25 million Python objects to fetch; as bytes they are one array of records.
Numbers are little-endian; what is not known is NaN, `NO_DAY`, `NO_MOMENT` or `UNKNOWN`, and null in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from core.cohorts.frame import HORIZONS, TRUSTS, VISITS, WOMEN, Frame, schema_of
from core.rules.vocabulary import BI_RADS, DENSITIES

__all__ = [
    "BI_RADS_CODES",
    "DENSITY_BY",
    "DENSITY_CODES",
    "NO_DAY",
    "NO_MOMENT",
    "SIDES",
    "UNKNOWN",
    "VISIT",
    "WOMAN",
    "Packed",
    "Words",
    "day_number",
    "frame_from",
    "moment_number",
    "women_and_visits",
]  # fmt: skip

NO_DAY = -(2**31)
NO_MOMENT = -(2**63)
UNKNOWN = -1
DENSITY_CODES = ("", *DENSITIES)
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
        ("distance", "<f4"), ("limit", "<f4"), ("brightness", "<f4"),
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


def frame_from(packed: Sequence[Packed], words: Mapping[str, int], basis: str, read_at: datetime) -> Frame:
    """Return the tables of some women, in the order in which they come; those without visits are left out."""
    women, visits = women_and_visits(packed, words)
    return Frame(women, visits, basis, read_at)


def women_and_visits(
    packed: Sequence[Packed], words: Mapping[str, int], first: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the tables of some women, numbered from `first` on; all of them have a visit.

    Raises `ValueError` where bytes are not of this release's records.
    """
    names = _names(words)
    ids = np.fromiter((one.patient_id for one in packed), np.int64, len(packed))
    numbers = np.fromiter((len(one.visits) // VISIT.itemsize for one in packed), np.int64, len(packed))
    women = np.frombuffer(b"".join(one.woman for one in packed), WOMAN)
    visits = np.frombuffer(b"".join(one.visits for one in packed), VISIT)
    if len(women) != len(packed) or len(visits) != numbers.sum() or not numbers.all():
        raise ValueError("The rows kept of women are not as this release keeps them.")
    woman = np.repeat(np.arange(first, first + len(packed), dtype=np.uint32), numbers)
    starts = np.cumsum(numbers) - numbers
    of_visits = _visits(visits, names, woman, np.arange(len(visits)) - np.repeat(starts, numbers))
    return _women(women, names, first, ids, numbers, starts, visits), of_visits


def _women(
    women: np.ndarray,
    names: pl.Series,
    first: int,
    ids: np.ndarray,
    numbers: np.ndarray,
    starts: np.ndarray,
    visits: np.ndarray,
) -> pl.DataFrame:
    days = visits["on"]
    scored = (
        np.add.reduceat(visits["trust"] == TRUSTS.index("trusted"), starts, dtype=np.int64)
        if len(ids)
        else starts
    )
    made = {
        "woman": np.arange(first, first + len(ids), dtype=np.uint32),
        "patient_id": ids,
        "simulated": women["simulated"] == 1,
        "first_on": _day(days[starts]),
        "last_on": _day(days[starts + numbers - 1]),
        "visits": numbers.astype(np.uint16),
        "scored_visits": scored.astype(np.uint16),
        "diagnosis_side": _of(SIDES, women["diagnosis_side"]),
        "treatments": names.gather(women["treatments"]),
        "relatives": _small(women["relatives"]),
        **{name: _yes_or_no(women[name]) for name in ("postmenopausal", "hormone_therapy", "prior_biopsy")},
    }
    return _table(WOMEN, made, women)


def _visits(visits: np.ndarray, names: pl.Series, woman: np.ndarray, number: np.ndarray) -> pl.DataFrame:
    made = {
        "woman": woman,
        "visit": number.astype(np.uint16),
        "scored": visits["scored"] == 1,
        "trust": _of(TRUSTS, visits["trust"]),
        **{name: names.gather(visits[name]) for name in ("said_by", "model", "doubt", "vendor")},
        "density": _of(DENSITY_CODES, visits["density"]),
        "density_by": _of(DENSITY_BY, visits["density_by"]),
        "bi_rads": _of(BI_RADS_CODES, visits["bi_rads"]),
        "bi_rads_first_at": _moment(visits["bi_rads_first_at"]),
        "read_first": visits["read_first"] == 1,
        "recall": _yes_or_no(visits["recall"]),
        "missing_views": visits["views"] < 4,
        "risk_of_study_id": np.ascontiguousarray(visits["study_id"]),
    }
    for name in ("said_by", "model", "vendor"):
        made[name] = pl.select(pl.when(pl.lit(made[name]) != "").then(pl.lit(made[name]))).to_series()
    return _table(VISITS, made, visits)


def _table(columns: Mapping[str, Any], made: Mapping[str, Any], records: np.ndarray) -> pl.DataFrame:
    """Return the table of some columns: those that are made, and the records' own."""
    schema = schema_of(columns)
    series = []
    for name, kind in schema.items():
        if name in made:
            one = pl.Series(name, made[name])
        else:
            own = np.ascontiguousarray(records[name])
            one = _day(own) if kind == pl.Date else pl.Series(own)
        if one.dtype == pl.Float32:
            one = one.fill_nan(None)
        series.append(one.alias(name) if one.dtype == kind else one.cast(kind).alias(name))
    return pl.DataFrame(series)


def _day(days: np.ndarray) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(days))
    return _where(series != NO_DAY, series).cast(pl.Date)


def _moment(moments: np.ndarray) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(moments))
    return _where(series != NO_MOMENT, series).cast(pl.Datetime("us"))


def _small(numbers: np.ndarray) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(numbers))
    return _where(series != UNKNOWN, series).cast(pl.UInt8)


def _yes_or_no(numbers: np.ndarray) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(numbers))
    return _where(series != UNKNOWN, series) == 1


def _where(known: pl.Series, series: pl.Series) -> pl.Series:
    return pl.select(pl.when(known).then(series)).to_series()


def _of(words: Sequence[str], codes: np.ndarray) -> pl.Series:
    return _category(words).gather(np.ascontiguousarray(codes))


@cache
def _category(words: Sequence[str]) -> pl.Series:
    return pl.Series([word or None for word in words], dtype=pl.Categorical())


def _names(words: Mapping[str, int]) -> pl.Series:
    """Return the words in the places of their numbers, the empty one at 0."""
    by_number = {number: word for word, number in words.items()}
    return pl.Series(
        [by_number.get(number, "") for number in range(max(by_number, default=0) + 1)], dtype=pl.Categorical()
    )


def packed_of(rows: Iterable[tuple[int, bytes, bytes]]) -> list[Packed]:
    """Return rows of the database as what they are."""
    return [Packed(*row) for row in rows]
