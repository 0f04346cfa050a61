"""Streamlit's pages, each looked up on disk once: to find nine files anew took 2 ms of every run of every page."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import streamlit as st


class Entry(NamedTuple):
    """A page: its file in `screens` and its title, and whether it stands in the navigation."""

    name: str
    title: str
    visible: bool


def of(entries: Iterable[Entry]) -> list[st.Page]:
    """Return the pages of one run. Each is a copy: a run marks the one that it shows, and runs go on side by side."""
    return [copy.copy(_page(entry)) for entry in entries]


@cache
def _page(entry: Entry) -> st.Page:
    return st.Page(
        f"screens/{entry.name}.py",
        title=entry.title,
        url_path=entry.name.replace("_", "-"),
        visibility="visible" if entry.visible else "hidden",
    )
