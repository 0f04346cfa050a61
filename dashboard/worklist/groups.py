"""The groups of the worklist: what each is called, and the choice of one."""

from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st

from core.records import (
    Group,
)
from core.rules import thresholds
from dashboard import keys
from dashboard.worklist.narrowing import write_address

__all__ = ["GroupWords", "choose_group", "words_of_groups"]


class GroupWords(NamedTuple):
    """What a group is called on its button, what in "3 of 7 changed", and in a sentence what stands in it."""

    button: str
    walk: str
    sentence: str


def words_of_groups() -> Mapping[Group, GroupWords]:
    """Return what each group is called, by the rules that hold now."""
    return {
        Group.TO_READ: GroupWords(
            "To read",
            "to read",
            "Nobody has assessed the newest study. By its day, the newest first: the order says nothing of a score.",
        ),
        Group.CHANGED: GroupWords(
            "Changed",
            "changed",
            "An alert is open, and nobody who could have seen it has said what explains it. The most urgent first.",
        ),
        Group.OPEN: GroupWords(
            "Open assessment",
            "open",
            "BI-RADS 0 waits for further pictures, 3 for the follow-up at six months, 4 and 5 for a biopsy's result.",
        ),
        Group.NOT_SCORED: GroupWords(
            "Not scored", "not scored", "The last study has no number: it is read as usual."
        ),
        Group.OVERDUE: GroupWords(
            "Overdue",
            "overdue",
            f"The next study should have come by now; {thresholds.screening_interval().source}.",
        ),
        Group.UNDER_TREATMENT: GroupWords(
            "Under treatment",
            "under treatment",
            "A cancer is known: the clinic plans, and of the rules for alerts only growth speaks.",
        ),
        Group.ALL: GroupWords("All", "patients", "What is changed and unexplained first, then what is open."),
    }


def choose_group(number: Mapping[Group, int]) -> None:
    """Show the groups with how many stand in each."""
    words = words_of_groups()
    st.segmented_control(
        "Show",
        [group.value for group in Group],
        key=keys.GROUP,
        format_func=lambda group: f"{words[Group(group)].button} {number[Group(group)]}",
        required=True,
        label_visibility="collapsed",
        on_change=write_address,
        persist_state="session",
    )
