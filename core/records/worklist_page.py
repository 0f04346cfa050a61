"""The worklist as a page shows it: groups counted, filtered and ordered over the standings, only what is shown read.

The standings are asked in memory (`core.records.worklist_memory`), and by SQL where they have not been read yet. What `core.records.worklist` says of a list of rows in Python holds here of the table: the same groups, filters and orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, collate, false, func, null, or_, select, true
from sqlalchemy.orm import Session

from core.installation import Installation
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from core.records import ready, worklist_memory
from core.records.listing import listed_women
from core.records.worklist import (
    Column,
    Filter,
    Group,
    Order,
    Row,
    choose,
    counts,
    ordered,
    row_of,
    rows,
)
from db.tables import Standing as Kept
from db.tables import StudyStatus

__all__ = ["MOST_IN_WALK", "Shown", "shown"]

MOST_IN_WALK = 1_000
"""Through as many women the patient's page can go on."""


@dataclass(frozen=True)
class Shown:
    """What a page of the worklist shows: its first rows, how many there are in all, and through whom one can go on."""

    rows: Sequence[Row]
    number: int
    """How many women stand in the group and pass the filter."""
    walk: Sequence[str]
    """The MRNs of the first `MOST_IN_WALK` of them, in their order."""
    counts: Mapping[Group, int]
    pending: bool
    """Whether the last study of any woman waits to be scored."""


@needs(Permission.SEE_PATIENTS)
def shown(here: Installation, wanted: Filter, order: Order | None, *, number: int, today: date) -> Shown:
    """Return the first `number` rows of the wanted group that pass a filter, ordered by a column or as the group is.

    Standings that are not up to date are computed first. Where they cannot be written now, all women are read instead.
    """
    try:
        ready.bring_up_to_date(here)
    except Exception as error:
        if outage(error) is None:
            raise
        return _read_all(here, wanted, order, number=number, today=today)
    memory = worklist_memory.memory_of(here)
    if not memory.is_read and _are_many(here):
        with here.database.read() as session:
            return _ask(here, session, wanted, order, number=number, today=today)
    found = memory.ask(here, wanted, order, most=max(number, MOST_IN_WALK), today=today)
    by_id = memory.rows(here, found.ids[:number], today)
    return Shown(
        # Who is gone since is not shown; the next answer does not count her either.
        rows=[by_id[one] for one in found.ids[:number] if one in by_id],
        number=found.number,
        walk=found.walk[:MOST_IN_WALK],
        counts=found.counts,
        pending=found.pending,
    )


def _are_many(here: Installation) -> bool:
    with here.database.read() as session:
        return (session.scalar(select(func.count()).select_from(Kept)) or 0) > worklist_memory.READ_AT_ONCE


def _read_all(here: Installation, wanted: Filter, order: Order | None, *, number: int, today: date) -> Shown:
    found = rows(here, today=today)
    chosen = choose(found, wanted)
    if order is not None:
        chosen = ordered(chosen, order)
    return Shown(
        rows=chosen[:number],
        number=len(chosen),
        walk=[row.mrn for row in chosen[:MOST_IN_WALK]],
        counts=counts(found),
        pending=any(row.last_status is StudyStatus.PENDING for row in found),
    )


def _ask(
    here: Installation, session: Session, wanted: Filter, order: Order | None, *, number: int, today: date
) -> Shown:
    groups = _groups(today)
    said = session.execute(
        select(
            *(func.count(case((belongs, 1))).label(group.name) for group, belongs in groups.items()),
            func.count(case((Kept.pending, 1))).label("pending"),
        )
    ).one()
    admitted = and_(groups[wanted.group], *_admits(wanted, today))
    plain = session.get_bind().dialect.name == "sqlite"
    walk = session.execute(
        select(Kept.patient_id, Kept.mrn)
        .where(admitted)
        .order_by(*_order(wanted.group, order, today, plain=plain))
        .limit(max(number, MOST_IN_WALK))
    ).all()
    many = len(walk) < MOST_IN_WALK
    first = [patient_id for patient_id, _ in walk[:number]]
    by_id = {woman.patient_id: woman for woman in listed_women(here, session, first)}
    return Shown(
        rows=[row_of(by_id[patient_id], today=today) for patient_id in first],
        number=len(walk)
        if many
        else session.scalar(select(func.count()).select_from(Kept).where(admitted)) or 0,
        walk=[mrn for _, mrn in walk[:MOST_IN_WALK]],
        counts={group: getattr(said, group.name) for group in groups},
        pending=said.pending > 0,
    )


def _groups(today: date) -> dict[Group, Any]:
    """Return when a woman counts in each group, as `Row.belongs_to` says."""
    return {
        Group.TO_READ: Kept.unread,
        Group.CHANGED: Kept.changed,
        Group.OPEN: Kept.open_of.is_not(None),
        Group.NOT_SCORED: Kept.not_scored,
        Group.OVERDUE: _is_overdue(today),
        Group.UNDER_TREATMENT: Kept.under_treatment,
        Group.ALL: true(),
    }


def _is_overdue(today: date) -> ColumnElement[bool]:
    in_time = or_(Kept.due_until.is_(None), Kept.due_until >= today)
    return and_(func.coalesce(Kept.overdue_from <= today, false()), in_time)


def _due(today: date) -> ColumnElement[Any]:
    """Return when the next study is due as of a day: that of the open assessment, else by the screening interval."""
    begun = or_(Kept.due_from.is_(None), Kept.due_from <= today)
    in_time = or_(Kept.due_until.is_(None), Kept.due_until >= today)
    return func.coalesce(Kept.open_due, case((and_(begun, in_time), Kept.due_on), else_=null()))


def _age(today: date) -> ColumnElement[Any]:
    """Return her age in whole years: the difference of two days written as yyyymmdd, in ten thousands."""
    return (today.year * 10_000 + today.month * 100 + today.day - Kept.born) // 10_000


def _admits(wanted: Filter, today: date) -> list[ColumnElement[bool]]:
    """Return what a filter asks for beside the group, as `Filter.admits` does."""
    asked: list[ColumnElement[bool]] = []
    if text := wanted.text.strip().casefold():
        asked.append(Kept.search.contains(text, autoescape=True))
    if wanted.age_from is not None:
        asked.append(_age(today) >= wanted.age_from)
    if wanted.age_to is not None:
        asked.append(_age(today) <= wanted.age_to)
    if wanted.densities:
        asked.append(Kept.density.in_(wanted.densities_meant))
    if wanted.bands:
        asked.append(Kept.band.in_(wanted.bands))
    return asked


def _order(group: Group, order: Order | None, today: date, *, plain: bool) -> list[ColumnElement[Any]]:
    """Return the order of a group, or of a column with the group's among equals; what is not known stands last."""
    own = _own_order(group, today, plain=plain)
    if order is None:
        return own
    value = _values(today, plain=plain)[order.column]
    return [value.is_(None), value.desc() if order.descending else value.asc(), *own]


def _own_order(group: Group, today: date, *, plain: bool) -> list[ColumnElement[Any]]:
    mrn = _letters(Kept.mrn, plain=plain)
    if group is Group.TO_READ:
        return [Kept.last_study.is_(None), Kept.last_study.desc(), mrn.desc()]
    if group is Group.OPEN:
        return [Kept.open_of.is_(None), Kept.open_of.asc(), mrn]
    if group is Group.OVERDUE:
        due = _due(today)
        return [due.is_(None), due.asc(), mrn]
    return [
        case((Kept.changed, 0), else_=1),
        case((Kept.urgency.is_(None), 1), else_=0),
        Kept.urgency.asc(),
        case((Kept.open_of.is_(None), 1), else_=0),
        case((Kept.refused, 0), else_=1),
        case((_is_overdue(today), 0), else_=1),
        # After a diagnosis, and where no number may be said, she has no place in an order by risk.
        case((Kept.diagnosed, 0.0), else_=-func.coalesce(Kept.risk, 0.0)),
        mrn,
    ]


def _values(today: date, *, plain: bool) -> Mapping[Column, Any]:
    return {
        Column.PATIENT: _letters(Kept.label, plain=plain),
        Column.AGE: _age(today),
        Column.LAST_STUDY: Kept.last_study,
        Column.RISK: Kept.risk,
        Column.CHANGE: Kept.change,
        Column.SLOPE: Kept.slope,
        Column.DENSITY: Kept.density,
        Column.ASSESSED: Kept.assessed_on,
        Column.NEXT_DUE: _due(today),
        Column.ALERT: Kept.alert_at,
    }


def _letters(column: Any, *, plain: bool) -> ColumnElement[Any]:
    """Return a text that is compared letter by letter, as Python does; SQLite does so anyway."""
    return column if plain else collate(column, "C")
