"""The two tables of very many women, made of their kept bytes at once: columns of one array, not objects one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from core.cohorts.frame import VISITS, WOMEN, Frame, schema_of
from core.cohorts.packed import (
    BI_RADS_CODES,
    DENSITY_BY,
    DENSITY_CODES,
    NO_DAY,
    NO_MOMENT,
    SIDES,
    TRUSTS,
    UNKNOWN,
    VISIT,
    WOMAN,
    Packed,
)

__all__ = ["frame_from", "women_and_visits"]


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
