"""The list of files in quarantine: which are listed, narrowed, chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import streamlit as st

from core.quarantine import Kept, State, count_waiting, reasons_waiting
from dashboard import look
from dashboard.house import here

TABLE, REASON, TEXT, STATE = "quarantine_table", "quarantine_reason", "quarantine_text", "quarantine_state"
ROUND = "quarantine_round"
ROWS_AT_ONCE = 15
"""How many files are listed without a scroll bar of the list's own."""
STATE_WORDS = {State.WAITING: "Waiting", State.SET_ASIDE: "Set aside", State.RESUBMITTED: "Sent in again"}
ALIKE = "alike"
SENT_BY = {"cli": "command line", "web": "page"}
SHORT = {
    "no_identity": "whose it is",
    "bad_identifier": "identifier",
    "no_study_date": "day of the study",
    "unknown_laterality": "side",
    "unknown_view": "view",
    "other_patient": "another patient",
    "exists_elsewhere": "stored under another day",
    "uid_conflict": "identifier taken",
    "identity_conflict": "patient disagrees",
    "not_a_mammogram": "no mammogram",
    "not_a_breast_image": "no breast image",
    "unsupported_format": "format",
    "unsupported_compression": "compression",
    "multi_frame": "a stack of images",
    "truncated": "cut off",
    "unreadable": "damaged",
    "archive_unsafe": "archive",
}
"""Reasons in a few words; of others their code says it."""


def short(reason: str) -> str:
    """Return a reason in a few words."""
    return SHORT.get(reason, reason.replace("_", " "))


def choose() -> State | None:
    """Let the person choose which files are listed; None for the patients who look alike."""
    words: dict[str, str] = {state.value: word for state, word in STATE_WORDS.items()}
    words |= {State.WAITING.value: f"Waiting {count_waiting(here())}", ALIKE: "Patients alike"}
    chosen = st.segmented_control(
        "What is listed",
        list(words),
        default=State.WAITING.value,
        format_func=lambda one: words[one],
        key=STATE,
        label_visibility="collapsed",
    )
    return None if chosen == ALIKE else State(chosen or State.WAITING)


def narrow(state: State) -> tuple[str | None, str]:
    """Let the person narrow the list; return the reason and the text she asks for."""
    reasons = reasons_waiting(here()) if state is State.WAITING else {}
    left, right = st.columns([1, 1], gap="small")
    with left:
        text = st.text_input(
            "File or MRN", key=TEXT, placeholder="part of a file's name or of the MRN stated"
        )
    if not reasons:
        return None, text
    with right:
        reason = st.selectbox(
            "Why it was not taken",
            list(reasons),
            index=None,
            placeholder="all reasons",
            format_func=lambda code: f"{short(code)} ({reasons.get(code, 0)})",
            key=REASON,
        )
    return reason, text


def table(files: Sequence[Kept], state: State) -> list[Kept]:
    """List files; return those that are chosen."""
    stated = [one.stated_mrn or "" for one in files]
    event = st.dataframe(
        {
            "why": [short(one.reason) for one in files],
            "file": [PurePath(one.name).name for one in files],
            **({"stated MRN": stated} if any(stated) else {}),
            "came": [look.moment(one.at) for one in files],
            "by": [SENT_BY.get(one.by, one.by) for one in files],
            "batch": [one.batch_id for one in files],
        },
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"{TABLE}_{state.value}_{st.session_state.get(ROUND, 0)}",
        height="content" if len(files) <= ROWS_AT_ONCE else 560,
        # What is left goes to the file's name, so that the columns fit beside each other on a narrow screen too.
        column_config={
            "why": st.column_config.TextColumn(width=112),
            "came": st.column_config.TextColumn(width=124),
            "by": st.column_config.TextColumn(width=100),
            "batch": st.column_config.NumberColumn(width=56, help="Files of one number came together."),
        },
    )
    rows = event.selection.rows if event else []
    return [files[row] for row in rows if row < len(files)]
