"""The standings in memory: one table for a process, brought up to date by what was written since it was read.

Counting, filtering and ordering a hundred thousand women is then a matter of milliseconds, whatever is asked. What it answers
is what `core.records.worklist_page` asks of the database where the table has not been read yet.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial, total_ordering
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.logs import log_of
from core.people.needing import SYSTEM_ONLY, needs
from core.people.roles import Permission
from core.records import ready
from core.records.listing import listed_women
from core.records.worklist import Column, Filter, Group, Order, Row, row_of
from db.tables import Standing as Kept

__all__ = ["READ_AT_ONCE", "Answer", "Memory", "forget", "memory_of", "read_ahead"]

READ_AT_ONCE = 5_000
"""So many women are read while a page waits; of more the database is asked until they have been read."""
MOST_ROWS = 2_000
"""Women whose rows are kept as the worklist shows them."""
MOST_REPLACED = 1_000
_MOST_ORDERS = 24
_MOST_MOVED, _ORDERS_KEPT = 20, 4
_OrderKey = tuple[Group, Order | None, date]

_READ: Mapping[str, Any] = {
    "patient_id": pl.Int64, "mrn": pl.String, "label": pl.String, "search": pl.String, "born": pl.Int32,
    "last_study": pl.Date, "refused": pl.Boolean, "pending": pl.Boolean, "risk": pl.Float64, "band": pl.Categorical(),
    "change": pl.Float64, "slope": pl.Float64, "density": pl.Categorical(), "assessed_on": pl.Date,
    "alert_at": pl.Datetime("us", "UTC"), "urgency": pl.Float64, "unread": pl.Boolean, "changed": pl.Boolean,
    "not_scored": pl.Boolean, "under_treatment": pl.Boolean, "diagnosed": pl.Boolean, "open_of": pl.Date,
    "open_due": pl.Date, "due_on": pl.Date, "due_from": pl.Date, "due_until": pl.Date, "overdue_from": pl.Date,
    "written_in": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What is asked of a table: the ids and MRNs of the first women, how many there are, and the counts of the groups."""

    ids: Sequence[int]
    walk: Sequence[str]
    number: int
    counts: Mapping[Group, int]
    pending: bool


@dataclass
class _Table:
    """The standings as of one change of the database, and what has been worked out of them."""

    rows: pl.DataFrame
    basis: str
    written_in: int
    orders: OrderedDict[_OrderKey, np.ndarray] = field(default_factory=OrderedDict)
    counts: dict[date, tuple[Mapping[Group, int], bool]] = field(default_factory=dict)


class Memory:
    """The table of one installation. Its methods may be called by several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table: _Table | None = None
        self._rows: OrderedDict[int, tuple[tuple[int, date], Row]] = OrderedDict()

    @property
    def is_read(self) -> bool:
        """Say whether the table has been read once."""
        return self._table is not None

    def ask(
        self,
        here: Installation,
        wanted: Filter,
        order: Order | None,
        *,
        most: int,
        today: date,
    ) -> Answer:
        """Answer for at most so many women of a group that pass a filter, in order; standings are to be up to date."""
        table = self._newest(here)
        counts, pending = _counts(table, today)
        rows = _in_order(table, wanted.group, order, today)
        admitted = table.rows.select(_admits(wanted, today).fill_null(False)).to_series().to_numpy()
        found = rows[admitted[rows]]
        first = table.rows.select("patient_id", "mrn")[found[:most]]
        return Answer(first["patient_id"].to_list(), first["mrn"].to_list(), len(found), counts, pending)

    def rows(self, here: Installation, ids: Sequence[int], today: date) -> dict[int, Row]:
        """Return some women's rows as of a day; of those who were asked for before and have not changed nothing is read."""
        with here.database.read() as session:
            query = select(Kept.patient_id, Kept.written_in).where(Kept.patient_id.in_(ids))
            written = {one: (number, today) for one, number in session.execute(query)}
            with self._lock:
                known = {one: self._rows[one] for one in ids if one in self._rows}
            found = {one: row for one, (as_of, row) in known.items() if as_of == written.get(one)}
            if lacking := [one for one in written if one not in found]:
                women = listed_women(here, session, lacking)
                found |= {woman.patient_id: row_of(woman, today=today) for woman in women}
        with self._lock:
            for one, row in found.items():
                self._rows[one] = (written[one], row)
                self._rows.move_to_end(one)
            while len(self._rows) > MOST_ROWS:
                self._rows.popitem(last=False)
        return found

    def _newest(self, here: Installation) -> _Table:
        # A session that was opened before another one's turn would see an older database than the table already tells of.
        with self._lock, here.database.read() as session:
            self._table = _newer(session, self._table, ready.basis_of(here))
            return self._table


_memories: dict[str, Memory] = {}
_making = threading.Lock()


@needs(Permission.SEE_PATIENTS)
def memory_of(here: Installation) -> Memory:
    """Return the memory of an installation, one for a process."""
    with _making:
        return _memories.setdefault(str(here.database.url), Memory())


@needs(SYSTEM_ONLY)
def read_ahead(here: Installation) -> None:
    """Read the table, so that the first page finds it; what goes wrong is met again, and said, by who asks for it."""
    try:
        ready.bring_up_to_date(here)
        memory_of(here).ask(here, Filter(), None, most=1, today=date.today())
    except Exception as error:  # noqa: BLE001 - a process is not to end for what nobody has asked for yet
        log_of(__name__).warning("The worklist could not be read ahead", error=type(error).__name__)


def forget() -> None:
    """Let go of all tables, as for a test."""
    with _making:
        _memories.clear()


def _newer(session: Session, before: _Table | None, basis: str) -> _Table:
    """Return the table with what was written since; the same one where nothing was."""
    number = ready.last_change(session, Kept)
    women = session.scalar(select(func.count()).select_from(Kept)) or 0
    if before is None or before.basis != basis or number < before.written_in:
        return _Table(_read(session), basis, number)
    if number == before.written_in and women == len(before.rows):
        return before
    new = _read(session, after=before.written_in)
    if len(new) > MOST_REPLACED:
        return _Table(_read(session), basis, number)
    changed = before.rows["patient_id"].is_in(new["patient_id"].implode())
    rows = pl.concat([before.rows.filter(~changed), new], rechunk=True)
    if len(rows) != women:  # somebody is gone
        there = pl.Series(session.scalars(select(Kept.patient_id)).all(), dtype=pl.Int64)
        rows = rows.filter(pl.col("patient_id").is_in(there.implode()))
        return _Table(rows, basis, number)
    return _Table(rows, basis, number, _orders_with(before.orders, changed.to_numpy(), rows, len(new)))


def _orders_with(
    orders: Mapping[_OrderKey, np.ndarray], changed: np.ndarray, rows: pl.DataFrame, new: int
) -> OrderedDict[_OrderKey, np.ndarray]:
    """Return the last few orders with the rows that changed, which stand last now, put in their new places.

    A few rows are put into an order much faster than all are sorted; of more rows nothing is returned, nor of other orders.
    """
    if new > _MOST_MOVED:
        return OrderedDict()
    gone = np.cumsum(changed, dtype=np.int64)
    kept: OrderedDict[_OrderKey, np.ndarray] = OrderedDict()
    for key, before in list(orders.items())[-_ORDERS_KEPT:]:
        stays = before[~changed[before]]
        keys, ways = _keys(rows, *key)
        places = (stays - gone[stays]).astype(np.uint32)
        for place in range(len(rows) - new, len(rows)):
            at = bisect_left(places, _sorting(keys, ways, place), key=partial(_sorting, keys, ways))
            places = np.insert(places, at, place)
        kept[key] = places
    return kept


def _sorting(keys: pl.DataFrame, ways: Sequence[bool], place: int) -> list[_Sorted]:
    values = keys.row(int(place))
    return [_Sorted(value, way) for value, way in zip(values, ways, strict=True)]


@total_ordering
@dataclass(frozen=True)
class _Sorted:
    """A value as it is sorted by: what is not known stands last whichever way."""

    value: Any
    descending: bool

    def __lt__(self, other: _Sorted) -> bool:
        if self.value is None or other.value is None:
            return self.value is not None
        return bool(other.value < self.value if self.descending else self.value < other.value)


def _read(session: Session, after: int | None = None) -> pl.DataFrame:
    """Return all standings, or those written after a change, of which one more than may be replaced is enough."""
    query = select(*(getattr(Kept, name) for name in _READ))
    if after is not None:
        # Not in any order: by that of the women all of them would be looked at.
        query = query.where(Kept.written_in > after).limit(MOST_REPLACED + 1)
    else:
        query = query.order_by(Kept.patient_id)
    parts = [
        pl.DataFrame([tuple(row) for row in some], schema=dict(_READ), orient="row")
        for some in session.execute(query.execution_options(yield_per=10_000)).partitions()
    ]
    return pl.concat(parts, rechunk=True) if parts else pl.DataFrame(schema=dict(_READ))


def _groups(today: date) -> dict[Group, pl.Expr]:
    """Return who belongs to each group, as `Row.belongs_to` says."""
    return {
        Group.TO_READ: pl.col("unread"),
        Group.CHANGED: pl.col("changed"),
        Group.OPEN: pl.col("open_of").is_not_null(),
        Group.NOT_SCORED: pl.col("not_scored"),
        Group.OVERDUE: _is_overdue(today),
        Group.UNDER_TREATMENT: pl.col("under_treatment"),
        Group.ALL: pl.lit(True),
    }


def _counts(table: _Table, today: date) -> tuple[Mapping[Group, int], bool]:
    if today not in table.counts:
        groups = _groups(today)
        said = table.rows.select(
            *(belongs.sum().alias(group.name) for group, belongs in groups.items() if group is not Group.ALL),
            pl.col("pending").any(),
            pl.len().alias(Group.ALL.name),
        ).row(0, named=True)
        table.counts[today] = ({group: said[group.name] for group in groups}, bool(said["pending"]))
    return table.counts[today]


def _is_overdue(today: date) -> pl.Expr:
    in_time = pl.col("due_until").is_null() | (pl.col("due_until") >= today)
    return (pl.col("overdue_from") <= today).fill_null(False) & in_time


def _due(today: date) -> pl.Expr:
    begun = pl.col("due_from").is_null() | (pl.col("due_from") <= today)
    in_time = pl.col("due_until").is_null() | (pl.col("due_until") >= today)
    return pl.coalesce(pl.col("open_due"), pl.when(begun & in_time).then(pl.col("due_on")))


def _age(today: date) -> pl.Expr:
    return (today.year * 10_000 + today.month * 100 + today.day - pl.col("born")) // 10_000


def _admits(wanted: Filter, today: date) -> pl.Expr:
    """Return who stands in the group and passes the filter, as `Filter.admits` says."""
    asked = _groups(today)[wanted.group]
    if wanted.group is Group.ALL:
        asked = pl.col("patient_id").is_not_null()
    if text := wanted.text.strip().casefold():
        asked &= pl.col("search").str.contains(text, literal=True)
    if wanted.age_from is not None:
        asked &= _age(today) >= wanted.age_from
    if wanted.age_to is not None:
        asked &= _age(today) <= wanted.age_to
    if wanted.densities:
        asked &= pl.col("density").cast(pl.String).is_in(list(wanted.densities_meant))
    if wanted.bands:
        asked &= pl.col("band").cast(pl.String).is_in(list(wanted.bands))
    return asked


def _in_order(table: _Table, group: Group, order: Order | None, today: date) -> np.ndarray:
    """Return the places of all rows in the order of a group, or of a column with the group's among equals."""
    key = (_like(group), order, today)
    if key not in table.orders:
        keys, ways = _keys(table.rows, *key)
        sorted_by = keys.with_row_index("place").sort(keys.columns, descending=ways, nulls_last=True)
        while len(table.orders) >= _MOST_ORDERS:
            table.orders.popitem(last=False)
        table.orders[key] = sorted_by["place"].to_numpy()
    table.orders.move_to_end(key)
    return table.orders[key]


def _keys(
    rows: pl.DataFrame, group: Group, order: Order | None, today: date
) -> tuple[pl.DataFrame, list[bool]]:
    """Return what an order sorts by, the first column first, and of each whether the largest stands first."""
    by = _own_order(group, today)
    if order is not None:
        value = _values(today)[order.column]
        by = [(value.is_null(), False), (value, order.descending), *by]
    keys = rows.select(expression.alias(str(number)) for number, (expression, _) in enumerate(by))
    return keys, [way for _, way in by]


def _like(group: Group) -> Group:
    """Return the group whose own order a group has."""
    return group if group in (Group.TO_READ, Group.OPEN, Group.OVERDUE) else Group.ALL


def _own_order(group: Group, today: date) -> list[tuple[pl.Expr, bool]]:
    """Return what a group is ordered by, each with whether the largest stands first; see `worklist_page`."""
    mrn = pl.col("mrn")
    if group is Group.TO_READ:
        return [(pl.col("last_study"), True), (mrn, True)]
    if group is Group.OPEN:
        return [(pl.col("open_of"), False), (mrn, False)]
    if group is Group.OVERDUE:
        return [(_due(today), False), (mrn, False)]
    return [
        (pl.col("changed"), True),
        (pl.col("urgency"), False),
        (pl.col("open_of").is_null(), False),
        (pl.col("refused"), True),
        (_is_overdue(today), True),
        # After a diagnosis, and where no number may be said, she has no place in an order by risk.
        (pl.when(pl.col("diagnosed")).then(0.0).otherwise(pl.col("risk").fill_null(0.0)), True),
        (mrn, False),
    ]


def _values(today: date) -> Mapping[Column, pl.Expr]:
    return {
        Column.PATIENT: pl.col("label"),
        Column.AGE: _age(today),
        Column.LAST_STUDY: pl.col("last_study"),
        Column.RISK: pl.col("risk"),
        Column.CHANGE: pl.col("change"),
        Column.SLOPE: pl.col("slope"),
        Column.DENSITY: pl.col("density").cast(pl.String),
        Column.ASSESSED: pl.col("assessed_on"),
        Column.NEXT_DUE: _due(today),
        Column.ALERT: pl.col("alert_at"),
    }
