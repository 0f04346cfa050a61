"""What happened beside the studies: biopsy, diagnosis, surgery, mastectomy, therapy, contact, death, notes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from core.records import cards
from core.worker import judge_after_event
from db.tables import (
    Event,
    EventKind,
    EventResult,
    Laterality,
    Patient,
    User,
)

BOTH = "both"
HAS_HAPPENED = (EventKind.DEATH, EventKind.MASTECTOMY, EventKind.CONTACT)
"""Kinds that end a follow-up or say how far it goes: none of them can be a plan."""

__all__ = [
    "BOTH",
    "EventChangedMeanwhile",
    "EventEntry",
    "EventKind",
    "EventResult",
    "add_event",
    "record_result",
    "remove_event",
]


class EventChangedMeanwhile(ValueError):
    """The event is not the one that was seen; the message says what to do."""


@dataclass(frozen=True)
class EventEntry:
    """Something that happened beside the studies."""

    event_id: int
    kind: EventKind
    on: date
    end: date | None
    laterality: str | None
    detail: str | None
    result: EventResult | None = None

    @property
    def side_words(self) -> str:
        """Say the breast: L, R, or of a mastectomy both; nothing where it is of no one side."""
        return self.laterality or (BOTH if self.kind is EventKind.MASTECTOMY else "")


def event_entry(event: Event) -> EventEntry:
    return EventEntry(
        event_id=event.id,
        kind=event.kind,
        on=event.event_date,
        end=event.end_date,
        laterality=event.laterality.value if event.laterality else None,
        detail=event.detail,
        result=event.result,
    )


@needs(Permission.RECORD_EVENT)
def add_event(
    here: Installation,
    person: Person,
    mrn: str,
    *,
    kind: EventKind,
    on: date,
    end: date | None = None,
    laterality: str | None = None,
    detail: str = "",
    result: EventResult | None = None,
) -> EventEntry:
    """Add an event to a woman's record and return it; what her newest score raises is judged anew with it.

    `laterality` is L, R, or "both", which is kept as no one side; of a mastectomy one of the three has to be said.

    Raises
    ------
    AccessDenied
        If the person may not record events.
    ValueError
        If the dates cannot be, an event other than a therapy has an end or other than a biopsy a result, a note says
        nothing, a mastectomy does not say of which breast, or the patient does not exist.
    """
    if end is not None and kind is not EventKind.THERAPY:
        raise ValueError("Only a therapy has an end. Clear the end, or choose therapy.")
    if result is not None and kind is not EventKind.BIOPSY:
        raise ValueError("Only a biopsy has a result. Clear the result, or choose biopsy.")
    if end is not None and end < on:
        raise ValueError("The event ends before it begins: check the dates.")
    if kind is EventKind.NOTE and not detail.strip():
        raise ValueError("The note is empty. Write what it should say.")
    if kind is EventKind.MASTECTOMY and laterality is None:
        raise ValueError("Say which breast was removed: left, right, or both.")
    if kind in HAS_HAPPENED and on > date.today():
        raise ValueError(f"A {kind.value} cannot lie in the future: check the date.")
    side = None if laterality == BOTH else laterality
    with here.database.write() as session:
        patient = session.scalar(select(Patient).where(Patient.mrn == mrn))
        if patient is None:
            raise ValueError("This patient is not here any more. Open the worklist again.")
        if patient.birth_date is not None and on < patient.birth_date:
            raise ValueError("The event lies before her birth: check the date.")
        event = Event(
            patient_id=patient.id,
            kind=kind,
            event_date=on,
            end_date=end,
            laterality=Laterality(side) if side else None,
            result=result,
            detail=detail.strip()[:10_000] or None,
            recorded_by_id=person.user_id,
        )
        session.add(event)
        session.flush()
        judge_after_event(session, patient.id, cards.speaking(here))
        audit.record(
            session,
            person,
            "event_added",
            f"patient:{mrn}",
            {"kind": kind.value, "on": on.isoformat()} | _said(result),
        )
        return event_entry(event)


@needs(Permission.RECORD_EVENT)
def record_result(
    here: Installation,
    person: Person,
    event_id: int,
    result: EventResult,
    *,
    seen: EventEntry | None = None,
) -> None:
    """Say what came of a biopsy that is on record; an earlier result stays in the audit trail.

    Raises
    ------
    AccessDenied
        If the person may not record events.
    ValueError
        If there is no such event any more, or it is no biopsy; `EventChangedMeanwhile` where it is not as `seen`.
    """
    with here.database.write() as session:
        event = session.get(Event, event_id)
        if event is None or event.kind is not EventKind.BIOPSY:
            raise ValueError("This biopsy is not here any more. Open the patient again.")
        _check_as_seen(event, seen)
        before, event.result = event.result, result
        audit.record(
            session,
            person,
            "biopsy_result_recorded",
            f"patient:{event.patient.mrn}",
            {"on": event.event_date.isoformat(), "before": before.value if before else None} | _said(result),
        )


def _check_as_seen(event: Event | None, seen: EventEntry | None) -> None:
    if seen is not None and (event is None or event_entry(event) != seen):
        raise EventChangedMeanwhile("The event has changed since you read it. Read it again.")


def _said(result: EventResult | None) -> dict[str, str]:
    return {"result": result.value} if result else {}


@needs(Permission.RECORD_EVENT)
def remove_event(
    here: Installation, person: Person, event_id: int, *, seen: EventEntry | None = None
) -> None:
    """Take an event back, and judge her newest score anew; what it said stays in the audit trail.

    Raises `AccessDenied`, and `EventChangedMeanwhile` where it is not as `seen`; without that, a gone one stays gone.
    """
    with here.database.write() as session:
        event = session.get(Event, event_id)
        _check_as_seen(event, seen)
        if event is None:
            return
        recorded_by = session.get(User, event.recorded_by_id) if event.recorded_by_id else None
        said = {
            "kind": event.kind.value,
            "on": event.event_date.isoformat(),
            "end": event.end_date.isoformat() if event.end_date else None,
            "laterality": event.laterality.value if event.laterality else None,
            "detail": event.detail,
            **_said(event.result),
            "by": recorded_by.display_name if recorded_by else None,
            "at": event.created_at.isoformat(),
        }
        subject = f"patient:{event.patient.mrn}"
        patient_id = event.patient_id
        session.delete(event)
        session.flush()
        judge_after_event(session, patient_id, cards.speaking(here))
        audit.record(session, person, "event_removed", subject, said)
