"""What a cohort chooses by, a row a woman: the visit that she enters with, and in which band of each filter she is.

Made once for each way of entering, so that a filter that is changed only compares small whole numbers.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.cohorts.bands import EVENTS, FILTERS, Codes, Filter, codes_of
from core.cohorts.definition import Definition, Domain, Enters, Population
from core.cohorts.frame import Frame
from core.cohorts.happenings import MEANS, has_any

__all__ = ["Facts", "facts_of"]

KEPT = 8
_ANY_EVENT = {"event_kinds": (), "events_from": None, "events_to": None}
_OF_HER = ("diagnosed_on", "treatments", "events", "slope", "last_contact", "birth_date", "simulated")


@dataclass(frozen=True)
class Facts:
    """The women who enter, by their rows in the frame (`rows`, in order), their entering visits beside them.

    `entry_rows` are the rows of those among the frame's visits; `ages` are theirs then in whole years (NaN: not known); `codes` has of each filter the place of each woman's band
    among `keys`; `events` are the columns of all women by which events are chosen (`core.cohorts.happenings`).
    """

    rows: NDArray[np.uint32]
    entry_rows: NDArray[np.uint32]
    simulated: NDArray[np.bool_]
    ages: NDArray[np.float64]
    keys: Mapping[str, list[str]]
    codes: Mapping[str, Codes]
    events: pl.DataFrame
    women_in_all: int

    def mark(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mark a woman of the whole frame, from one a woman here."""
        marks = np.zeros(self.women_in_all, dtype=bool)
        marks[self.rows[chosen]] = True
        return marks

    def codes_of(self, one: Filter, definition: Definition) -> Codes:
        """Return of each woman the place of her band of a filter; of that by events, of those that the definition names."""
        if one is not EVENTS or not definition.names_events:
            return self.codes[one.key]
        years = definition.events_from, definition.events_to
        return (~has_any(self.events, definition.event_kinds, *years)[self.rows]).astype(np.int16)


_lock = threading.Lock()
_kept: OrderedDict[tuple[int, str], tuple[weakref.ref[Frame], Facts]] = OrderedDict()


def facts_of(frame: Frame, definition: Definition) -> Facts:
    """Return what a definition chooses by; those of the last few ways of entering are kept, as long as the frame is."""
    chosen_by = {one.key: () for one in FILTERS} | _ANY_EVENT
    enters = definition.model_copy(update=chosen_by)
    key = (id(frame), enters.model_dump_json())
    with _lock:
        if (kept := _kept.get(key)) is not None and kept[0]() is frame:
            _kept.move_to_end(key)
            return kept[1]
    facts = _facts(frame, enters)
    with _lock:
        _kept[key] = (weakref.ref(frame), facts)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return facts


def _facts(frame: Frame, definition: Definition) -> Facts:
    visits = frame.visits.select(
        "woman", "on", "age", "trust", "density", "risk_5", "vendor", "said_by"
    ).with_row_index("row")
    eligible = visits.filter(_counts(definition))
    if definition.kind is not Population.BOTH:
        wanted = frame.women.filter(pl.col("simulated") == (definition.kind is Population.SIMULATED))["woman"]
        eligible = eligible.filter(_among(eligible["woman"], wanted, len(frame.women)))
    number = eligible.group_by("woman").agg(pl.len().alias("eligible"))
    entry = (
        _entering(eligible, frame, definition)
        .join(number, on="woman", how="left", maintain_order="left")
        .join(frame.women.select("woman", *_OF_HER), on="woman", how="left", maintain_order="left")
        .with_columns(age_years=_whole_years())
    )
    found = {one.key: codes_of(one, entry) for one in FILTERS}
    return Facts(
        rows=entry["woman"].to_numpy(),
        entry_rows=entry["row"].to_numpy(),
        simulated=entry["simulated"].to_numpy(),
        ages=entry["age_years"].to_numpy(),
        keys={key: keys for key, (keys, _) in found.items()},
        codes={key: codes for key, (_, codes) in found.items()},
        events=frame.women.select(*MEANS),
        women_in_all=len(frame.women),
    )


def _among(woman: pl.Series, wanted: pl.Series, women: int) -> pl.Series:
    marks = np.zeros(women, dtype=bool)
    marks[wanted.to_numpy()] = True
    return pl.Series(marks[woman.to_numpy()])


def _counts(definition: Definition) -> pl.Expr:
    """Say which visits count: those of the domain, between the years, scored by the model."""
    trust = pl.col("trust").cast(pl.String)
    counts = {
        Domain.TRUSTED: trust == "trusted",
        Domain.WITHHELD: trust.is_in(["withheld", "uncalibrated"]),
        Domain.ANY: pl.lit(True),
    }[definition.domain]
    if definition.from_year is not None:
        counts &= pl.col("on") >= date(definition.from_year, 1, 1)
    if definition.to_year is not None:
        counts &= pl.col("on") <= date(definition.to_year, 12, 31)
    if definition.model:
        counts &= pl.col("said_by").cast(pl.String) == definition.model
    return counts


def _entering(eligible: pl.DataFrame, frame: Frame, definition: Definition) -> pl.DataFrame:
    """Return the first visit of each woman that she can enter with."""
    if definition.enters is Enters.AGE:
        births = frame.women.select("woman", "birth_date")
        aged = eligible.join(births, on="woman", how="left", maintain_order="left")
        eligible = aged.filter(_whole_years() >= definition.at_age).drop("birth_date")
    elif definition.enters is Enters.YEAR and definition.at_year is not None:
        eligible = eligible.filter(pl.col("on") >= date(definition.at_year, 1, 1))
    return eligible.unique("woman", keep="first", maintain_order=True)


def _whole_years() -> pl.Expr:
    """Return the age in whole years as `core.rules.ages.age_years`; that of the files where the birth date is not known."""
    on, born = pl.col("on"), pl.col("birth_date")
    before_birthday = (on.dt.month().cast(pl.Int32) * 100 + on.dt.day()) < (
        born.dt.month().cast(pl.Int32) * 100 + born.dt.day()
    )
    exact = on.dt.year() - born.dt.year() - before_birthday.cast(pl.Int32)
    return pl.coalesce(exact.cast(pl.Float64), pl.col("age").cast(pl.Float64).floor())
