"""Patients who may be one woman with two numbers, as the quarantine lists them."""

from __future__ import annotations

import streamlit as st

from core.people import Permission, Person
from core.records import AlikePatient, alike_pairs, say_not_the_same
from dashboard import addresses, look, outages
from dashboard.house import here
from dashboard.patient.correct_confirm import OPEN, form_key

MOST_SHOWN = 200
MERGES = "alike_merges"


def show_pairs(me: Person) -> None:
    """List patients who may be one woman with two numbers, and let a person say that they are two."""
    merges = st.session_state.pop(MERGES, None)
    if merges is not None:
        st.switch_page("screens/patient.py", query_params=addresses.query_of(merges))
    pairs = alike_pairs(here(), limit=MOST_SHOWN)
    if not pairs:
        look.show(
            '<div class="lv-empty"><b>No two patients look like one woman</b>Same or similar names, and birth dates that agree '
            "but for one digit, would stand here.</div>"
        )
        return
    look.show(
        '<p class="lv-muted">Two numbers may be one woman’s. Open both and compare. <b>One woman …</b> says what merging them does before anything is done, and it can be undone.</p>'
    )
    for pair in pairs:
        with st.container(border=True):
            left, middle, right = st.columns([3, 3, 2], gap="medium", vertical_alignment="center")
            left.html(patient(pair.one))
            middle.html(patient(pair.other))
            against = f"<br>against: {look.safe(', '.join(pair.against))}" if pair.against else ""
            with right:
                look.show(f'<p class="lv-subtitle">{look.safe(", ".join(pair.reasons))}{against}</p>')
                if me.may(Permission.CORRECT):
                    st.button(
                        "One woman …",
                        key=f"one_woman_{pair.one.mrn}_{pair.other.mrn}",
                        on_click=begin_merging,
                        args=(pair.one.mrn, pair.other.mrn),
                    )
                if st.button("Not the same", key=f"not_same_{pair.one.mrn}_{pair.other.mrn}"):
                    with outages.beside_the_act():
                        try:
                            say_not_the_same(here(), pair.one.mrn, pair.other.mrn, person=me)
                        except LookupError as gone:
                            st.warning(look.plain(gone.args[0]))
                            return
                        st.rerun()


def begin_merging(kept: str, other: str) -> None:
    """Open the form that merges two records on the page of one of them, with the other one's number in it."""
    st.session_state[OPEN] = (kept, "merge")
    st.session_state[f"{form_key('merge', kept)}_mrn"] = other
    st.session_state[MERGES] = kept


def patient(one: AlikePatient) -> str:
    """Say who one of two patients is, as HTML that leads to her page."""
    return (
        f'<p class="lv-note"><a href="{look.safe(addresses.link_to(one.mrn))}"><b>{look.safe(one.name or look.UNKNOWN)}</b></a><br>'
        f"MRN {look.safe(one.mrn)} · born {look.iso(one.birth_date)}</p>"
    )
