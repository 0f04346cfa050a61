"""The pages and what each needs; and Streamlit's own objects of them, each looked up on disk once: to find nine files anew took 2 ms of every run of every page."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import streamlit as st

from core.people import SIGNED_IN, Permission
from core.people.needing import Need


class Screen(NamedTuple):
    """A page as it is declared: its file in `screens`, its title, what it needs, whether it stands in the navigation."""

    name: str
    title: str
    needs: Need
    in_navigation: bool

    @property
    def address(self) -> str:
        """Return what its address ends in."""
        return self.name.replace("_", "-")


PAGES = (
    Screen("worklist", "Worklist", Permission.SEE_PATIENTS, True),
    Screen("patient", "Patient", Permission.SEE_PATIENTS, False),
    Screen("compare", "Compare", Permission.SEE_PATIENTS, False),
    Screen("add_study", "Add study", Permission.ADD_STUDY, True),
    Screen("quarantine", "Quarantine", Permission.ADD_STUDY, True),
    Screen("read_image", "Read an image", Permission.SEE_PATIENTS, True),
    Screen("cohort", "Cohort", Permission.SEE_COHORT, True),
    Screen("models", "Models", Permission.SEE_MODELS, True),
    Screen("admin", "Admin", Permission.ADMINISTER, True),
    Screen("account", "Your account", SIGNED_IN, False),
    Screen("help", "Help", SIGNED_IN, False),
)
"""All pages there are; one that is not declared here is not served."""


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
