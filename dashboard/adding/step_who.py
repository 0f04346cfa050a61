"""Step 1 of adding one study: whose it is."""

from __future__ import annotations

from datetime import date

import streamlit as st

from core.records import Found, known
from dashboard import look, statement
from dashboard.adding.files_table import identifiers
from dashboard.adding.steps import WHO, go
from dashboard.house import here


def who() -> None:
    """Step 1: search for her, or make her known."""
    search, new = st.tabs(["Known here", "New patient"])
    with search:
        text = st.text_input(
            "MRN or name",
            width=560,
            key="add_search",
            placeholder="Search MRN or name",
            icon=":material/search:",
        )
        matches = statement.search(text, if_nobody="Check it, or add a new patient.")
        for number, found in enumerate(matches):
            row, button = st.columns([6, 1], vertical_alignment="center")
            with row:
                look.show(identifiers(found))
            button.button(
                "This patient",
                key=f"take_{number}_{found.mrn}",
                on_click=choose,
                args=(found,),
                width="stretch",
            )
    with new, st.form("new_patient", border=False, width=560):
        mrn = st.text_input("MRN", max_chars=64)
        name = st.text_input("Name", max_chars=256)
        born = st.date_input("Birth date", value=None, min_value=date(1900, 1, 1), max_value=date.today())
        if st.form_submit_button("Go on", type="primary"):
            problem = why_not_new(mrn)
            if problem:
                st.warning(look.plain(problem))
            else:
                choose(Found(mrn.strip(), name.strip() or None, born, False, None))
                st.rerun()


def choose(found: Found) -> None:
    """Take a woman and go on to her files."""
    st.session_state[WHO] = found
    go(1)


def why_not_new(mrn: str) -> str | None:
    """Say why an MRN cannot be a new patient's, or None."""
    if not mrn.strip():
        return "A new patient needs an MRN."
    if known(here(), mrn.strip()):
        return f"MRN {mrn.strip()} is known here already: choose her under “Known here”."
    return None
