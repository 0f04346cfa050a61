"""Where each woman stands, kept ready for the worklist: written with what changes it, computed anew where it is not.

How it is kept `core.records.kept_table` says; `verify` says whether it is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from dateutil.relativedelta import relativedelta
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people.needing import SIGNED_IN, SYSTEM_ONLY, needs
from core.records import cards
from core.records.kept_table import KeptTable, last_change
from core.records.listing import ListedWoman, listed_women
from core.records.worklist import Row, row_of
from core.rules import thresholds
from core.rules.trends import add_months
from db.tables import StaleStanding, Standing

__all__ = [
    "basis_of",
    "bring_up_to_date",
    "differing",
    "due_days",
    "is_up_to_date",
    "keep_ready",
    "last_change",
    "rebuild",
]

_COMPUTED_BY = ("standing.py", "listing.py", "worklist.py", "covered.py", "trusted.py", "ready.py")
_ANY_DAY = date(2000, 1, 1)


@needs(SIGNED_IN)
def basis_of(here: Installation) -> str:
    """Return what standings are computed by here: release, rules, the model that speaks, and whether studies are read first."""
    card = cards.card_of(here, cards.speaking(here))
    said = (
        _code(),
        cards.speaking(here),
        card.weights_sha256 if card else "",
        card.calibration if card else "",
        str(here.settings.read_first),
    )
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


@cache
def _code() -> str:
    digest = hashlib.sha256()
    rules = (one for one in files("core.rules").iterdir() if one.name.endswith((".py", ".toml")))
    for one in sorted([*rules, *(files("core.records") / name for name in _COMPUTED_BY)], key=str):
        digest.update(one.read_bytes())
    return digest.hexdigest()


def keep_ready(here: Installation, session: Session) -> None:
    """Compute the standings that the transaction of this session has made stale, unless they are very many."""
    _STANDINGS.write_stale(here, session)


def is_up_to_date(here: Installation, session: Session) -> bool:
    """Say whether every woman's standing is there, by what holds here, and not stale."""
    return _STANDINGS.is_up_to_date(here, session)


@needs(SYSTEM_ONLY)
def bring_up_to_date(here: Installation) -> int:
    """Compute the standings that are stale or by another basis, and return how many; safe beside others who do the same."""
    return _STANDINGS.bring_up_to_date(here)


@needs(SYSTEM_ONLY)
def rebuild(here: Installation) -> int:
    """Compute every woman's standing anew, and return how many there are."""
    return _STANDINGS.rebuild(here)


@needs(SYSTEM_ONLY)
def differing(here: Installation) -> Iterator[str]:
    """Yield a sentence for each standing that is not what the other tables say; none where all is well."""
    with here.database.read() as session:
        if lacking := _STANDINGS.lacking(session):
            yield f"{lacking} patients lack their row of the worklist. Run rebuild."
        known = select(Standing).where(_STANDINGS.holds(here))
        kept = {row.patient_id: row for row in session.scalars(known)}
        basis = basis_of(here)
        for woman in listed_women(here, session):
            row = kept.get(woman.patient_id)
            if row is not None:
                now = _values(woman, basis)
                wrong = [name for name, value in now.items() if getattr(row, name) != value]
                if wrong:
                    yield f"The worklist's row of patient {woman.mrn} differs in {', '.join(wrong)}. Run rebuild."


def _rows(here: Installation, session: Session, ids: Sequence[int]) -> Iterator[dict[str, object]]:
    basis = basis_of(here)
    return (_values(woman, basis) for woman in listed_women(here, session, ids))


_STANDINGS = KeptTable(Standing, StaleStanding, basis_of, _rows)


def _values(woman: ListedWoman, basis: str) -> dict[str, object]:
    row = row_of(woman, today=_ANY_DAY)
    last = None if row.under_treatment or woman.standing.risk_ended_on else row.last_study
    due = due_days(last, woman.birth_date)
    return {
        "patient_id": woman.patient_id,
        "basis": basis,
        "mrn": woman.mrn,
        "label": row.label.casefold(),
        "search": f"{woman.mrn}\n{woman.name or ''}".casefold(),
        "born": _number(woman.birth_date),
        "last_study": row.last_study,
        "refused": row.last_status is not None and row.last_status.value == "refused",
        "pending": row.last_status is not None and row.last_status.value == "pending",
        "risk": row.risk_5y,
        "band": row.band,
        "change": 0.0 if row.change_is_noise else row.change_since_prior,
        "slope": row.slope.per_year if row.slope else None,
        "density": row.density,
        "assessed_on": row.last_word.on if row.last_word else None,
        "alert_at": max((alert.raised_at for alert in row.alerts), default=None),
        "urgency": _urgency(row),
        "unread": row.unread,
        "changed": row.changed,
        "not_scored": row.not_scored,
        "under_treatment": row.under_treatment,
        "diagnosed": row.diagnosed,
        "open_of": row.open_assessment.of if row.open_assessment else None,
        "open_due": row.open_assessment.due if row.open_assessment else None,
        **due,
    }


def _urgency(row: Row) -> float | None:
    """Return how urgent what is changed is, as the order of the worklist has it; None where nothing is, or by no rule."""
    return row.urgency if row.changed and row.urgency != float("inf") else None


def due_days(last: date | None, birth_date: date | None) -> dict[str, date | None]:
    """Return from and until which days the next study is due, and from which it is overdue, as `ScreeningInterval` says."""
    nothing: dict[str, date | None] = dict.fromkeys(("due_on", "due_from", "due_until", "overdue_from"))
    if last is None:
        return nothing
    interval = thresholds.screening_interval()
    first, until = None, None
    if birth_date is not None:
        next_can = add_months(last, interval.interval_months)
        begins, ends = _birthday(birth_date, interval.from_age), _birthday(birth_date, interval.to_age + 1)
        if next_can >= ends:
            return nothing
        until = ends - timedelta(days=1)
        first = begins if next_can < begins else None
    return {
        "due_on": interval.due_in_range(last, birth_date),
        "due_from": first,
        "due_until": until,
        "overdue_from": interval.overdue_in_range(last, birth_date) + timedelta(days=1),
    }


def _birthday(birth_date: date, age: int) -> date:
    """Return the day on which she is so old; for a woman born on 29 February 1 March where the year has no such day."""
    day = birth_date + relativedelta(years=age)
    return day if day.day == birth_date.day else day + timedelta(days=1)


def _number(day: date | None) -> int | None:
    return None if day is None else day.year * 10_000 + day.month * 100 + day.day
