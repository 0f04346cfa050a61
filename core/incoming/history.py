"""What is known of a patient beside her images, as a source of data hands it over: events and risk factors.

A person who records an event on a page goes through `core.records.events.add_event`, which checks her role; this is the
way for sources (the demo, adapters), where every entry is written once however often it is handed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from core.incoming.settled import called
from core.installation import Installation
from core.people import audit
from core.people.needing import SYSTEM_ONLY, needs
from core.people.roles import Permission
from db.sessions import WITH_PUT_AWAY
from db.tables import Event, EventKind, EventResult, Image, Laterality, RiskFactors, Study


@dataclass(frozen=True)
class EventNote:
    """One event: `kind` as of `db.tables.EventKind`; `laterality` L, R or None, of a mastectomy None is both.

    `result` is that of a biopsy: benign, high-risk, malignant or inconclusive; None while it is not known.
    """

    kind: str
    on: date
    until: date | None = None
    laterality: str | None = None
    detail: str = ""
    result: str | None = None


@dataclass(frozen=True)
class RiskNote:
    """What was known of a woman's risk factors on a day; None where it was not."""

    on: date
    bmi: float | None = None
    first_degree_relatives_with_breast_cancer: int | None = None
    postmenopausal: bool | None = None
    hormone_therapy: bool | None = None
    prior_biopsy: bool | None = None


@dataclass(frozen=True)
class StudyHeld:
    """One study that is stored: its day and its number of images."""

    on: date
    images: int


@needs(Permission.ADD_STUDY)
def studies_held(here: Installation, mrn: str) -> dict[str, StudyHeld]:
    """Return what is stored of one patient, by study UID, also what a correction put away; empty for an unknown one."""
    with here.database.read() as session:
        patient = called(session, mrn)
        if patient is None:
            return {}
        rows = session.execute(
            select(Study.uid, Study.study_date, func.count(Image.id))
            .outerjoin(Image, Image.study_id == Study.id)
            .where(Study.patient_id == patient.id)
            .group_by(Study.id),
            execution_options=WITH_PUT_AWAY,
        ).all()
    return {uid: StudyHeld(on, images) for uid, on, images in rows}


@needs(SYSTEM_ONLY)
def record_history(
    here: Installation, mrn: str, *, events: Iterable[EventNote] = (), risk_factors: Iterable[RiskNote] = ()
) -> int:
    """Add to a patient's record what is not there yet and return how many entries were new.

    An event is the same if kind, day and breast agree; risk factors are the same if the day agrees. A result that comes
    after its biopsy is added to it; one that is known stays. All is written in one transaction. Raises ValueError for an
    unknown patient, kind, breast or result, and an event that ends before it begins.
    """
    added = 0
    with here.database.write() as session:
        patient = called(session, mrn)
        if patient is None:
            raise ValueError(f"There is no patient with the MRN {mrn}.")
        known = {(event.kind, event.event_date, event.laterality): event for event in patient.events}
        for event in events:
            if event.until is not None and event.until < event.on:
                raise ValueError("The event ends before it begins: check the dates.")
            side = Laterality(event.laterality) if event.laterality else None
            key = (EventKind(event.kind), event.on, side)
            result = EventResult(event.result) if event.result else None
            if key in known:
                if result is not None and known[key].result is None:
                    known[key].result = result
                    added += 1
                continue
            known[key] = Event(
                patient_id=patient.id,
                kind=key[0],
                event_date=event.on,
                end_date=event.until,
                laterality=side,
                result=result,
                detail=event.detail or None,
            )
            session.add(known[key])
            added += 1
        days = {factors.recorded_on for factors in patient.risk_factors}
        for note in risk_factors:
            if note.on in days:
                continue
            days.add(note.on)
            session.add(
                RiskFactors(
                    patient_id=patient.id,
                    recorded_on=note.on,
                    bmi=note.bmi,
                    first_degree_relatives_with_breast_cancer=note.first_degree_relatives_with_breast_cancer,
                    postmenopausal=note.postmenopausal,
                    hormone_therapy=note.hormone_therapy,
                    prior_biopsy=note.prior_biopsy,
                )
            )
            added += 1
        if added:
            audit.record(session, None, "history_recorded", f"patient:{mrn}", {"entries": added})
    return added
