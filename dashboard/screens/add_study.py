"""Add study: one study in its steps, many at once, or records from a table."""

from __future__ import annotations

import streamlit as st

from core.people import Permission, Person
from core.records import Found, known
from dashboard import addresses, keys, look, session
from dashboard.adding.from_table import from_table
from dashboard.adding.many import many
from dashboard.adding.step_check import check
from dashboard.adding.step_done import done
from dashboard.adding.step_files import files
from dashboard.adding.step_who import choose, who
from dashboard.adding.steps import EXAMINED, HOW, MANY, ONE, REPORT, STEP, TABLE, WHO, again, stepper
from dashboard.batches import arrivals
from dashboard.house import here

WAYS = {MANY: many, TABLE: from_table}


def how_many(person: Person) -> str:
    """Ask whether one study is added, many at once, or records from a table."""
    waiting = len(arrivals().of(person.user_id))
    st.session_state.setdefault(HOW, ONE)
    words = {MANY: f"{MANY} · {waiting} waiting"} if waiting else {}
    return (
        st.segmented_control(
            "What to add",
            [ONE, *WAYS],
            required=True,
            format_func=lambda way: words.get(way, way),
            label_visibility="collapsed",
            key=HOW,
        )
        or ONE
    )


def page(person: Person) -> None:
    """Go through the steps."""
    look.title("Add study")
    how = how_many(person)
    if how != ONE:
        WAYS[how](person)
        return
    asked = addresses.whose() if keys.PATIENT in st.query_params else ""
    if asked and st.session_state.get("add_asked") != asked:
        st.session_state["add_asked"] = asked
        found = known(here(), asked)
        if found:
            again(False)
            choose(found)
    step = st.session_state.get(STEP, 0)
    chosen: Found | None = st.session_state.get(WHO)
    if (
        chosen is None
        or (step == 2 and not st.session_state.get(EXAMINED))
        or (step == 3 and REPORT not in st.session_state)
    ):
        step = 0 if chosen is None else 1
    stepper(step)
    if step == 0 or chosen is None:
        who()
    elif step == 1:
        files(chosen, person)
    elif step == 2:
        check(chosen, person)
    else:
        done(chosen)


page(session.require(Permission.ADD_STUDY))
