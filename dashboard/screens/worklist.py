"""The worklist: who needs a look, found and opened."""

from datetime import date

import streamlit as st

from core.people import Permission, Person, audit
from core.records import (
    Column,
    Group,
    Order,
    Shown,
    keys_of,
    shown,
)
from core.rules import thresholds
from core.worker import progress, worker_seen
from dashboard import addresses, components, keys, look, session, waiting
from dashboard.house import here
from dashboard.worklist.groups import choose_group, words_of_groups
from dashboard.worklist.narrowing import OWN_ORDER, PAGE_OF_ROWS, chips, wanted, write_address
from dashboard.worklist.row_words import entry


def open_patient(mrn: str) -> None:
    """Go to a woman's page; it asks by itself who may see her."""
    st.session_state[keys.LAST_PATIENT] = mrn
    st.switch_page("screens/patient.py", query_params=addresses.query_of(mrn))


def put_in_order(order: components.WorklistOrder) -> None:
    """Show the rows in another order; one that there is not changes nothing."""
    if order[0] in list(Column) or order == OWN_ORDER:
        st.session_state[keys.ORDER] = order
        write_address()


def show_more() -> None:
    """Show the next rows too."""
    st.session_state[keys.ROWS_SHOWN] += PAGE_OF_ROWS
    write_address()


def empty(person_may_add: bool) -> None:
    """Say what to do where there is nobody yet."""
    look.show(
        '<div class="lv-empty"><b>No patients yet</b>'
        + (
            "Add a study to begin: its four views, whose they are and from which day."
            if person_may_add
            else ""
        )
        + " Or load simulated women from a terminal: <code>python -m seed_data demo</code></div>"
    )
    if person_may_add:
        _, middle, _ = st.columns([2, 1, 2])
        middle.page_link("screens/add_study.py", label="Add study", icon=":material/add:")


@st.fragment(run_every=3.0)
def watch(seen: tuple[int, ...]) -> None:
    """Show studies and scores as they come in, while any are on their way."""
    session.require(Permission.SEE_PATIENTS)
    if progress.state(here()) != seen:
        st.rerun()


def table(found: Shown, person: Person) -> None:
    """Show the rows, and do what is asked of them."""
    session.note_listed(person, [row.mrn for row in found.rows], st.session_state.get(keys.SEARCH) or "")
    subjects = [f"patient:{row.mrn}" for row in found.rows]
    named = keys_of(here(), [row.mrn for row in found.rows])
    looked = audit.who_did(here(), "patient_opened", subjects)
    components.worklist_table(
        [
            entry(row, named.get(row.mrn, ""), looked.get(f"patient:{row.mrn}", ()), person)
            for row in found.rows
        ],
        focus=st.session_state.get(keys.LAST_PATIENT),
        order=st.session_state[keys.ORDER],
        on_open=open_patient,
        on_order=put_in_order,
        says=f"{found.number} {words_of_groups()[Group(st.session_state[keys.GROUP] or Group.ALL)].walk}",
    )


person = session.seen_by(Permission.SEE_PATIENTS)
seen = progress.state(here())
narrowed, groups = wanted(person)
column, descending = st.session_state.setdefault(keys.ORDER, OWN_ORDER)
order = Order(Column(column), descending) if column else None
rows_shown = st.session_state.setdefault(keys.ROWS_SHOWN, PAGE_OF_ROWS)
found = shown(here(), narrowed, order, number=rows_shown, today=date.today())
everybody = found.counts[Group.ALL]
with groups:
    choose_group(found.counts)
if not everybody or found.pending:
    watch(seen)
if found.pending:
    worker = worker_seen(here())
    if not worker.running:
        look.show(f'<p class="lv-note alert">{look.safe(worker.sentence)}</p>')
files_waiting = waiting.in_quarantine(person)
if files_waiting and not person.may(Permission.ASSESS):
    look.show(
        f'<p class="lv-note alert"><a href="/quarantine" target="_self">{waiting.sentence(files_waiting)}</a></p>'
    )
if not everybody:
    empty(person.may(Permission.ADD_STUDY))
    st.stop()
chips(narrowed)
look.footer(words_of_groups()[narrowed.group].sentence)
# Those through whom the patient's page goes on.
st.session_state[keys.WALK] = (tuple(found.walk), words_of_groups()[narrowed.group].walk)
write_address()
if found.rows:
    table(found, person)
else:
    why = "Search and filters together leave no one." if narrowed.narrows else "No one stands in this group."
    look.show(f'<div class="lv-empty"><b>Nobody matches</b>{why}</div>')
line, more = st.columns([5, 1], vertical_alignment="center")
with line:
    look.footer(
        f"{found.number} of {everybody} patients. Risk is cancer within 5 years at the last scored visit; "
        f"thresholds edition {thresholds.edition()}. Research software. Not for diagnosis."
    )
if found.number > rows_shown:
    more.button(
        f"Show {min(PAGE_OF_ROWS, found.number - rows_shown)} more", on_click=show_more, width="stretch"
    )
