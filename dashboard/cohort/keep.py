"""Cohorts with names on the page: opened, saved, shared by a link, deleted."""

from __future__ import annotations

import json

import streamlit as st

from core.cohorts import (
    Definition,
    DefinitionRefused,
    Frame,
    SavedCohort,
    cohorts_of,
    delete_cohort,
    save_cohort,
)
from core.cohorts.saved import LONGEST_NAME
from core.people import Person
from dashboard import handing, look, outages
from dashboard.cohort import define
from dashboard.house import here

LINK = "cohort"
"""What the page's address says in the place of a definition: the key of a saved one."""
LONGEST_DEFINITION = 20_000
_SAID, _WRONG, _PASTED = "cohort_said", "cohort_wrong", "cohort_pasted"


def open_link(person: Person) -> str:
    """Put the cohort that the address names on the page; say what is wrong with it, or nothing."""
    key = st.query_params.get(LINK)
    if key is None:
        return ""
    del st.query_params[LINK]
    found = next((one for one in cohorts_of(here(), person) if one.key == key), None)
    if found is None:
        return "The link that you opened leads to a cohort that was deleted, or is not shared with you."
    if found.definition is None:
        return found.problem
    define.choose(found.definition)
    return ""


def offer(person: Person, definition: Definition, frame: Frame) -> list[SavedCohort]:
    """Show the button under which cohorts are opened and saved; return those that there are."""
    saved = cohorts_of(here(), person)
    with st.popover("Saved cohorts", icon=":material/bookmark:", width="stretch", key="cohort_saved"):
        _open(person, saved)
        _save(person, definition, frame)
        handing.download_button(
            "Definition as a file",
            json.dumps(definition.to_json(), indent=1, ensure_ascii=False, sort_keys=True),
            file_name="longview-cohort.json",
            mime="application/json",
            icon=":material/download:",
            key="download_definition",
            on_click="ignore",
        )
        _paste(frame)
    if wrong := st.session_state.pop(_WRONG, ""):
        look.show(f'<p class="lv-note alert">{look.safe(wrong)}</p>')
    if said := st.session_state.pop(_SAID, ""):
        look.show(f'<p class="lv-note">{look.safe(said)}</p>')
    return saved


def _open(person: Person, saved: list[SavedCohort]) -> None:
    if not saved:
        st.caption(
            "None yet. The address of this page holds the whole definition too: it can be sent as a link."
        )
        return
    chosen = st.selectbox(
        "Open", saved, index=None, format_func=lambda one: look.plain(one.label), placeholder="a saved cohort", key="cohort_to_open"
    )  # fmt: skip
    if chosen is None:
        return
    if chosen.definition is None:
        st.warning(look.plain(chosen.problem))
    else:
        st.caption(look.plain(chosen.definition.sentence("")))
        st.button(
            "Open", key="cohort_open", type="primary", on_click=define.choose, args=(chosen.definition,)
        )
        st.caption(
            "Its link, for whoever may see it"
            + ("" if chosen.shared or chosen.by else ": you alone, until it is shared")
        )
        st.code(f"/cohort?{LINK}={chosen.key}", language=None)
    if not chosen.by:
        st.button("Delete", key="cohort_delete", on_click=_delete, args=(person, chosen))


def _paste(frame: Frame) -> None:
    """Open a definition that came as a file: its text is pasted."""
    st.text_area(
        "Or open a definition: the text of its file",
        key=_PASTED,
        height=80,
        max_chars=LONGEST_DEFINITION,
        placeholder='{"format": "longview-cohort/1", …}',
    )
    st.button("Open the definition", key="cohort_open_pasted", on_click=_open_pasted, args=(frame,))


def _open_pasted(frame: Frame) -> None:
    text = str(st.session_state.get(_PASTED) or "").strip()
    try:
        definition = Definition.from_json(text)
    except DefinitionRefused as refused:
        st.session_state[_WRONG] = str(refused)
        return
    if lacking := define.unknown_of(definition, frame):
        st.session_state[_WRONG] = (
            f"This definition asks for what these women do not have: {'; '.join(lacking)}. Take it out, or open it where it "
            "was made."
        )
        return
    define.choose(definition)
    st.session_state[_PASTED] = ""
    st.session_state[_SAID] = "The definition is opened."


def _delete(person: Person, chosen: SavedCohort) -> None:
    with outages.beside_the_act():
        delete_cohort(here(), person, chosen.key)
        st.session_state[_SAID] = f"“{chosen.name}” is deleted."


def _save(person: Person, definition: Definition, frame: Frame) -> None:
    with st.form("save_cohort", clear_on_submit=False, border=False):
        name = st.text_input("Save this one as", max_chars=LONGEST_NAME, key="cohort_name")
        shared = st.checkbox("share it with all who may see this page", key="cohort_shared")
        if not st.form_submit_button("Save", key="cohort_save"):
            return
    with outages.beside_the_act():
        try:
            kept = save_cohort(here(), person, name, definition, frame, shared=shared)
        except ValueError as error:
            st.warning(look.plain(error))
            return
        st.session_state[_SAID] = f"“{kept.name}” is saved."
        st.rerun()
