"""Events and notes: what happened beside the studies."""

from datetime import date, timedelta

import streamlit as st

from core.people import Permission, Person
from core.records import BOTH, EventEntry, EventKind, EventResult, PatientRecord
from core.records import add_event as add_event_
from core.records import record_result as record_result_
from core.records import remove_event as remove_event_
from core.rules.vocabulary import SIDE_WORDS, SIDES
from dashboard import look, outages
from dashboard.house import here

EVENT_NOTE, EVENTS_WRITTEN = "event_note", "events_written"


def show_events(record: PatientRecord, person: Person) -> None:
    """List events and notes, and let people add one or take one back."""
    head, add, *away = st.columns([4, 1.2, 1.5] if record.events else [5.5, 1.2], vertical_alignment="center")
    with head:
        look.heading("Events and notes")
    if person.may(Permission.RECORD_EVENT):
        # Each change begins new forms in closed popovers: until then what was put in stays.
        form = f"event_{record.mrn}_{person.user_id}_{st.session_state.get(EVENTS_WRITTEN, 0)}"
        with add.popover("Add", icon=":material/add:", width="stretch", key=f"{form}_adding"):
            add_event(record, person, form)
        if away:
            with away[0].popover(
                "Take back", icon=":material/undo:", width="stretch", key=f"{form}_removing"
            ):
                take_event_back(record, person, form)
        what_was_done(record, person)
        ask_for_results(record, person, form)
    if not record.events:
        look.show('<p class="lv-muted lv-footer">None recorded.</p>')
        return
    rows = "".join(
        f'<tr><td class="d">{event.on}{f"<br>to {event.end}" if event.end else ""}</td>'
        f"<td>{event.kind.value}{f' {event.side_words}' if event.side_words else ''}</td>"
        f"<td>{result_words(event)}{look.safe(event.detail or '')}</td></tr>"
        for event in reversed(record.events)
    )
    look.show(f'<table class="lv-table"><tr><th>date</th><th>what</th><th>note</th></tr>{rows}</table>')


def result_words(event: EventEntry) -> str:
    """Say what came of a biopsy, before its note; nothing of other events."""
    if event.kind is not EventKind.BIOPSY:
        return ""
    words = f"<b>{event.result.value}</b>" if event.result else '<span class="lv-muted">no result yet</span>'
    return f"{words}, " if event.detail else words


def ask_for_results(record: PatientRecord, person: Person, form: str) -> None:
    """Ask what came of the biopsies that have no result yet."""
    waiting = [event for event in record.events if event.kind is EventKind.BIOPSY and event.result is None]
    for event in waiting:
        with st.form(f"{form}_result_{event.event_id}", border=False):
            what, done = st.columns([3, 1], vertical_alignment="bottom")
            chosen = what.selectbox(
                f"Result of the biopsy of {event.on}",
                [result.value for result in EventResult],
                index=None,
                placeholder="Choose",
                key=f"{form}_result_of_{event.event_id}",
            )
            if done.form_submit_button(
                "Record", key=f"{form}_record_result_{event.event_id}", width="stretch"
            ):
                if chosen is None:
                    st.warning("Choose the result.")
                    return
                with outages.beside_the_act("The result is not recorded."):
                    record_result_(here(), person, event.event_id, EventResult(chosen))
                    event_done(record, f"Recorded: biopsy of {event.on}, {chosen}.")


def say_event(event: EventEntry) -> str:
    """Say an event in one line."""
    result = event.result.value if event.result else ""
    parts = [look.iso(event.on), event.kind.value, event.side_words, result, event.detail or ""]
    line = " ".join(" ".join(parts).split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def event_done(record: PatientRecord, text: str, event_id: int | None = None) -> None:
    """Draw the page anew with what was done; an event that was added can be taken back at once."""
    st.session_state[EVENT_NOTE] = (record.mrn, text, event_id)
    st.session_state[EVENTS_WRITTEN] = st.session_state.get(EVENTS_WRITTEN, 0) + 1
    st.rerun()


def what_was_done(record: PatientRecord, person: Person) -> None:
    """Say which event of hers was added or taken back last, with the way to undo it."""
    mrn, text, added = st.session_state.get(EVENT_NOTE, ("", "", None))
    if mrn != record.mrn:
        st.session_state.pop(EVENT_NOTE, None)
        return
    words, undo = st.columns([5.2, 1.5], vertical_alignment="center")
    with words:
        look.show(f'<p class="lv-note">{look.safe(text)}</p>')
    event = next((event for event in record.events if event.event_id == added), None)
    if event and undo.button("Undo", key=f"undo_event_{event.event_id}", width="stretch"):
        remove_event(record, person, event)


def remove_event(record: PatientRecord, person: Person, event: EventEntry) -> None:
    """Take an event back and say so."""
    with outages.beside_the_act("Nothing is taken back."):
        remove_event_(here(), person, event.event_id)
        event_done(record, f"Taken back: {say_event(event)}. The audit trail keeps what it said.")


def take_event_back(record: PatientRecord, person: Person, form: str) -> None:
    """Ask which event was recorded by mistake."""
    with st.form(f"{form}_remove", border=False):
        by_id = {event.event_id: event for event in reversed(record.events)}
        chosen = st.selectbox(
            "Recorded by mistake",
            list(by_id),
            index=None,
            format_func=lambda key: say_event(by_id[key]),
            placeholder="Choose",
            key=f"{form}_which",
            width=420,
        )
        if st.form_submit_button("Take back", key=f"{form}_take_back", type="primary"):
            if chosen is None:
                st.warning("Choose what to take back.")
                return
            remove_event(record, person, by_id[chosen])


def add_event(record: PatientRecord, person: Person, form: str) -> None:
    """Ask for an event; what is put in stays until it is recorded."""
    with st.form(form, border=False):
        what, side = st.columns(2)
        begin, finish = st.columns(2)
        kinds = [kind.value for kind in EventKind]
        kind = EventKind(what.selectbox("What", kinds, key=f"{form}_kind") or EventKind.NOTE)
        laterality = side.selectbox(
            "Breast",
            [*SIDES, BOTH],
            index=None,
            format_func=lambda side: SIDE_WORDS.get(side, side),
            placeholder="Not one-sided",
            key=f"{form}_side",
        )
        earliest = record.birth_date or date(1900, 1, 1)
        on = begin.date_input(
            "Date", value=date.today(), min_value=earliest, max_value=date.today(), key=f"{form}_on"
        )
        end = finish.date_input(
            "End, of a therapy",
            value=None,
            min_value=earliest,
            max_value=date.today() + timedelta(days=7300),
            key=f"{form}_end",
        )
        result = st.selectbox(
            "Result, of a biopsy",
            [result.value for result in EventResult],
            index=None,
            placeholder="Not known yet",
            key=f"{form}_result",
        )
        detail = st.text_area("Note", height=80, max_chars=10_000, key=f"{form}_note")
        if st.form_submit_button("Add", key=f"{form}_add", type="primary"):
            with outages.beside_the_act("It is not recorded."):
                try:
                    added = add_event_(
                        here(),
                        person,
                        record.mrn,
                        kind=kind,
                        on=on,
                        end=end,
                        laterality=laterality,
                        detail=detail,
                        result=EventResult(result) if result else None,
                    )
                except ValueError as error:
                    st.warning(str(error))
                    return
                event_done(record, f"Recorded: {say_event(added)}.", added.event_id)
