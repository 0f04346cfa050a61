"""What the worklist is narrowed and ordered by: search, filters, saved views, and the address that says all but the search."""

from collections.abc import Mapping
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.people import Person
from core.records import (
    Column,
    Group,
    View,
    delete_view,
    key_of,
    mrn_of,
    save_view,
    views_of,
    worklist,
)
from core.rules import thresholds
from core.rules.vocabulary import DENSITIES
from dashboard import keys, look, outages
from dashboard.house import here

__all__ = ["OWN_ORDER", "PAGE_OF_ROWS", "chips", "wanted", "write_address"]

PAGE_OF_ROWS = 100
MOST_ROWS = 5_000
"""What an address may ask for at once."""
AGES = (20, 100)
ADDRESSED = (keys.GROUP, keys.AGE, keys.DENSITY, keys.BAND, keys.ORDER, keys.ROWS_SHOWN)
OWN_ORDER = ("", True)
"""The order that no column has: the group's own."""
NOTHING: Mapping[str, object] = {keys.SEARCH: "", keys.AGE: AGES, keys.DENSITY: [], keys.BAND: []}
"""What a filter says that narrows nothing."""


def adopt(asked: Mapping[str, str]) -> None:
    """Take search, filters and order from an address; what cannot be is passed over."""
    ages = [int(age[:4]) for age in asked.get(keys.AGE, "").split("-") if age.isdecimal()]
    shown = asked.get(keys.ROWS_SHOWN, "")
    state = st.session_state
    state[keys.SEARCH] = asked.get(keys.SEARCH, "")
    state[keys.GROUP] = asked[keys.GROUP] if asked.get(keys.GROUP) in list(Group) else Group.ALL.value
    state[keys.AGE] = (
        (max(AGES[0], ages[0]), min(AGES[1], ages[1])) if len(ages) == 2 and ages[0] <= ages[1] else AGES
    )
    state[keys.DENSITY] = [letter for letter in DENSITIES if letter in asked.get(keys.DENSITY, "")]
    state[keys.BAND] = [key for key in _bands() if key in asked.get(keys.BAND, "").split(",")]
    column, _, way = asked.get(keys.ORDER, "").partition("-")
    state[keys.ORDER] = (column, way != "up") if column in list(Column) else OWN_ORDER
    state[keys.ROWS_SHOWN] = (
        min(max(int(shown[:6]), PAGE_OF_ROWS), MOST_ROWS) if shown.isdecimal() else PAGE_OF_ROWS
    )


def adopt_address() -> None:
    """Take what the address says, where it says anything: a shared link, or the browser's way back.

    An address without any leaves what the person had set, so that coming back from a patient changes nothing.
    """
    asked = st.query_params
    if (row := asked.get(keys.ROW)) and (mrn := mrn_of(here(), row)):
        st.session_state[keys.LAST_PATIENT] = mrn
    if any(key in asked for key in ADDRESSED):
        # What is searched for stands in no address.
        adopt({**asked, keys.SEARCH: st.session_state.get(keys.SEARCH, "")})


def asked_for() -> dict[str, str]:
    """Say search, filters and order, as a view that is saved keeps them."""
    state = st.session_state
    column, descending = state.get(keys.ORDER, OWN_ORDER)
    shown = state.get(keys.ROWS_SHOWN, PAGE_OF_ROWS)
    said = {
        keys.SEARCH: state[keys.SEARCH].strip(),
        keys.GROUP: state[keys.GROUP] or Group.ALL.value,
        keys.AGE: "" if tuple(state[keys.AGE]) == AGES else "-".join(str(age) for age in state[keys.AGE]),
        keys.DENSITY: "".join(state[keys.DENSITY]),
        keys.BAND: ",".join(state[keys.BAND]),
        keys.ORDER: f"{column}-{'down' if descending else 'up'}" if column else "",
        keys.ROWS_SHOWN: str(shown) if shown > PAGE_OF_ROWS else "",
    }
    return {key: value for key, value in said.items() if value}


def write_address() -> None:
    """Put filters, order and the row into the address, so that it can be shared and come back to; no search: it names her."""
    row = st.session_state.get(keys.LAST_PATIENT)
    said = {key: value for key, value in asked_for().items() if key in ADDRESSED}
    if row and (key := key_of(here(), row)):
        said[keys.ROW] = key
    if said != st.query_params.to_dict():
        st.query_params.from_dict(said)


def wanted(person: Person) -> tuple[worklist.Filter, DeltaGenerator]:
    """Show search and filters, and return what they say with the place for the groups, whose counts are not known yet."""
    adopt_address()
    title, search, saved, filters = st.columns([4, 3, 1.6, 1.4], vertical_alignment="center")
    with title:
        look.title("Worklist")
    search.text_input(
        "Search",
        key=keys.SEARCH,
        placeholder="Search name or MRN",
        label_visibility="collapsed",
        icon=":material/search:",
        on_change=write_address,
        persist_state="session",
    )
    st.session_state.setdefault(keys.AGE, AGES)
    with filters.popover("Filters", icon=":material/tune:", width="stretch"):
        filter_fields()
    st.session_state.setdefault(keys.GROUP, Group.ALL.value)
    groups = st.container()
    with saved.popover("Saved views", icon=":material/bookmark:", width="stretch"):
        saved_views(person)
    state = st.session_state
    age: tuple[int, int] = state[keys.AGE]
    narrowed = worklist.Filter(
        text=state[keys.SEARCH] or "",
        group=Group(state[keys.GROUP] or Group.ALL),
        age_from=age[0] if age[0] > AGES[0] else None,
        age_to=age[1] if age[1] < AGES[1] else None,
        densities=tuple(state[keys.DENSITY]),
        bands=tuple(state[keys.BAND]),
    )
    return narrowed, groups


def filter_fields() -> None:
    """Ask for age, density and band."""
    bands = _bands()
    st.slider("Age", *AGES, key=keys.AGE, on_change=write_address, persist_state="session")
    st.pills(
        "Density",
        list(DENSITIES),
        selection_mode="multi",
        wrap=True,
        key=keys.DENSITY,
        on_change=write_address,
        persist_state="session",
    )
    st.pills(
        "5-year risk",
        list(bands),
        selection_mode="multi",
        wrap=True,
        format_func=bands.__getitem__,
        key=keys.BAND,
        on_change=write_address,
        persist_state="session",
    )


def saved_views(person: Person) -> None:
    """List a person's named worklists, to be opened or deleted, and keep this one under a name."""
    views = views_of(here(), person)
    for view in views:
        open_it, away = st.columns([3, 1], vertical_alignment="center")
        open_it.button(
            look.plain(view.name),
            key=f"view_{view.name}",
            on_click=partial(open_view, view),
            width="stretch",
            type="tertiary",
        )
        away.button(
            "Delete",
            key=f"delete_view_{view.name}",
            on_click=partial(delete_view, here(), person, view.name),
            type="tertiary",
        )
    if not views:
        look.show('<p class="lv-footer">None yet. A view keeps group, search, filters and order.</p>')
    with st.form("save_view", border=False, clear_on_submit=True):
        name = st.text_input("Name of this view", max_chars=64)
        if st.form_submit_button("Save this view"):
            with outages.beside_the_act("The view is not saved."):
                try:
                    save_view(here(), person, name, asked_for())
                except ValueError as error:
                    st.warning(str(error))
                    return
                st.rerun()


def open_view(view: View) -> None:
    """Show a named worklist."""
    adopt(view.address)
    write_address()


def chips(narrowed: worklist.Filter) -> None:
    """Show each filter that is active, to be taken away by a click."""
    bands = _bands()
    active = {
        keys.SEARCH: f"“{narrowed.text.strip()}”" if narrowed.text.strip() else "",
        keys.AGE: "Age {}–{}".format(*st.session_state[keys.AGE])
        if (narrowed.age_from, narrowed.age_to) != (None, None)
        else "",
        keys.DENSITY: f"Density {', '.join(narrowed.densities)}" if narrowed.densities else "",
        keys.BAND: f"5-year risk {', '.join(bands[key] for key in narrowed.bands)}" if narrowed.bands else "",
    }
    if not any(active.values()):
        return
    with st.container(horizontal=True, gap="small", key="chips"):
        for key, words in active.items():
            if words:
                st.button(
                    look.plain(words),
                    icon=":material/close:",
                    key=f"chip_{key}",
                    on_click=partial(take_away, key),
                )
        st.button("Clear all", key="chip_all", on_click=clear, type="tertiary")


def take_away(key: str) -> None:
    """Take one filter back."""
    st.session_state[key] = NOTHING[key]
    write_address()


def clear() -> None:
    """Take all narrowing back."""
    for key, nothing in NOTHING.items():
        st.session_state[key] = nothing
    write_address()


def _bands() -> Mapping[str, str]:
    """Return the bands of risk that hold now, with their words."""
    return {band.key: band.label for band in thresholds.risk_bands()}
