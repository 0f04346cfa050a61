"""Events that are another woman's, or of another day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.corrections.asked import CorrectionRefused, EventIs, EventsAre
from core.corrections.work import Work, who, woman_called
from db.tables import Event, EventKind, Patient

__all__ = ["event_by_id", "events_are", "say_event", "women_of_events"]


def women_of_events(session: Session, ask: EventsAre) -> list[Patient]:
    """Return whose the events are, and whose they are to be."""
    women = [session.get_one(Patient, event_by_id(session, event_id).patient_id) for event_id in ask.events]
    return women + [woman_called(session, is_.mrn) for is_ in ask.events.values() if is_.mrn is not None]


def events_are(work: Work, ask: EventsAre) -> None:
    """Give events their woman and their day; raises `CorrectionRefused` for what cannot be meant."""
    session = work.session
    women = {woman.id: woman for woman in women_of_events(session, ask)}
    before = _first_diagnoses(session, women)
    for event_id, is_ in ask.events.items():
        _event_is(work, event_by_id(session, event_id), is_)
    session.flush()
    work.notes += _diagnosed_otherwise(women, before, _first_diagnoses(session, women))


def _event_is(work: Work, event: Event, is_: EventIs) -> None:
    session = work.session
    was, of = say_event(event), session.get_one(Patient, event.patient_id)
    to = woman_called(session, is_.mrn) if is_.mrn is not None else of
    if to.simulated != of.simulated:
        raise CorrectionRefused("Simulated and real women are never put together.")
    on, end = is_.on or event.event_date, is_.end or event.end_date
    if is_.end is not None and event.kind is not EventKind.THERAPY:
        raise CorrectionRefused(f"Only a therapy has an end, not the {was}.")
    if end is not None and end < on:
        raise CorrectionRefused(f"The {was} would end on {end}, before it begins: say its end too.")
    if to.birth_date is not None and on < to.birth_date:
        raise CorrectionRefused(f"{who(to)} is born {to.birth_date}: nothing of hers is of {on}. Check both.")
    _say_twice(work, event, to, on)
    if work.ledger.set(event, event_date=on, end_date=end):
        until = f" to {end}" if end is not None else ""
        work.done.append(f"The {was} becomes that of {on}{until}.")
    if work.ledger.set(event, patient_id=to.id):
        work.done.append(f"The {say_event(event)} goes to {who(to)}.")
    session.flush()


def _say_twice(work: Work, event: Event, to: Patient, on: date) -> None:
    same = select(Event.id).where(
        Event.patient_id == to.id, Event.kind == event.kind, Event.event_date == on, Event.id != event.id
    )
    if work.session.scalar(same.limit(1)) is not None:
        work.notes.append(f"{who(to)} has another {event.kind.value} of {on}: both stay.")


def event_by_id(session: Session, event_id: int) -> Event:
    """Return an event; raises `CorrectionRefused` where there is none, or it was taken back."""
    event = session.get(Event, event_id)
    if event is None:
        raise CorrectionRefused(f"There is no event {event_id}, or it was taken back.")
    return event


def say_event(event: Event) -> str:
    """Name an event by its kind, breast and day."""
    side = f" {event.laterality.value}" if event.laterality else ""
    return f"{event.kind.value}{side} of {event.event_date}"


def _first_diagnoses(session: Session, women: Iterable[int]) -> dict[int, date]:
    return dict(
        session.execute(
            select(Event.patient_id, func.min(Event.event_date))
            .where(Event.patient_id.in_(list(women)), Event.kind == EventKind.DIAGNOSIS)
            .group_by(Event.patient_id)
        ).all()
    )


def _diagnosed_otherwise(
    women: Mapping[int, Patient], before: Mapping[int, date], after: Mapping[int, date]
) -> list[str]:
    """Say whose first diagnosis is of another day now: up to it scores are told, and not after it."""
    return [
        f"The first diagnosis of {who(woman)} is then "
        + (
            f"of {after[one]}: no score after it is told."
            if one in after
            else "gone: her scores are told again."
        )
        for one, woman in women.items()
        if before.get(one) != after.get(one)
    ]
