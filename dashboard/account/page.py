"""The page of one's own account, of which only the open part is drawn."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec

import streamlit as st

from dashboard import look, session

PARTS: Mapping[str, str] = {
    "Password": "password",
    "Second factor": "second_factor",
    "Signed in": "sessions",
    "Tokens": "tokens",
}
"""The parts by their names, each a module of this room with ``show(person)``; imported when it is opened."""


def show_page() -> None:
    """Show the page to whoever is signed in."""
    person = session.person()
    look.title("Your account", beside=f"{person.display_name}, user name {person.username}")
    names = [name for name, module in PARTS.items() if find_spec(f"dashboard.account.{module}")]
    tabs = st.tabs(names, key="part", on_change="rerun", bind="query-params")
    for tab, name in zip(tabs, names, strict=True):
        if tab.open:
            with tab:
                importlib.import_module(f"dashboard.account.{PARTS[name]}").show(person)
