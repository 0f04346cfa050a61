"""Correcting an event in a dialog: one that is another woman's, or of another day."""

from datetime import date

import streamlit as st

from core.corrections import EventIs, EventsAre
from core.people import Permission
from core.records import EventEntry, EventKind, PatientRecord, Visit, known
from dashboard import session
from dashboard.house import here
from dashboard.patient.correct_confirm import ask_and_confirm, form_key
from dashboard.patient.correct_films import ask_day
from dashboard.patient.correct_person import say_who
from dashboard.patient.events import say_event


def whose_and_when(record: PatientRecord, _visit: Visit | None) -> None:
    """Ask which event it is, and whose and of when it is."""
    session.require(Permission.CORRECT)
    key = form_key("events", record.mrn)
    events = {event.event_id: event for event in reversed(record.events)}
    event = events[
        st.selectbox(
            "Event", list(events), format_func=lambda one: say_event(events[one]), key=f"{key}_event"
        )
    ]
    key = f"{key}_{event.event_id}"
    whose, when, until = st.columns(3)
    with whose:
        mrn = st.text_input(
            "MRN of the woman whose it is", record.mrn, max_chars=64, key=f"{key}_mrn"
        ).strip()
    with when:
        on = ask_day("The day that is right", event.on, record, f"{key}_on")
    end = _end(event, f"{key}_end", until) if event.kind is EventKind.THERAPY else None
    other = known(here(), mrn) if mrn not in ("", record.mrn) else None
    if mrn not in ("", record.mrn):
        say_who(other, mrn, new=False)
    is_ = EventIs(
        mrn if other is not None else None,
        on if on != event.on else None,
        end if end != event.end else None,
    )
    is_meant = mrn == record.mrn or other is not None
    ask_and_confirm(
        record.mrn,
        EventsAre({event.event_id: is_}) if is_meant and is_ != EventIs() else None,
        key,
        nothing="Say whose it is, or of which day; what follows is told here. One that never was is taken back below her "
        "events.",
    )


def _end(event: EventEntry, key: str, place: st.delta_generator.DeltaGenerator) -> date | None:
    said = place.date_input(
        "End of the therapy", event.end, min_value=date(1900, 1, 1), key=key, format="YYYY-MM-DD"
    )
    return said if isinstance(said, date) else event.end
