"""Where one stands in adding one study: its steps, and what is kept from one to the next."""

from __future__ import annotations

import streamlit as st

from dashboard import look
from dashboard.web import uploads

HOW = "add_how"
ONE, MANY, TABLE = "One study", "Many at once", "From a table"
STEPS = ("Who", "Files", "Check", "Done")
STEP, WHO, REPORT, CLOSED = "add_step", "add_who", "add_report", "add_closed"
FILES, EXAMINED, FIELD = "add_files", "add_examined", "add_field"
"""The uploads by the names that their files go by, what each file is, and the ids of the uploads in the field."""


def go(step: int) -> None:
    """Move to a step."""
    st.session_state[STEP] = step


def again(keep_patient: bool) -> None:
    """Begin anew, for the same woman or for another."""
    uploads.drop(upload for same in st.session_state.get(FILES, {}).values() for upload in same)
    for key in (FILES, EXAMINED, FIELD, REPORT, CLOSED, *([] if keep_patient else [WHO])):
        st.session_state.pop(key, None)
    st.session_state["add_upload_number"] = st.session_state.get("add_upload_number", 0) + 1
    go(1 if keep_patient else 0)


def stepper(step: int) -> None:
    """Show where one stands."""
    items = "".join(
        f'<div class="{"now" if number == step else "past" if number < step else ""}">'
        f"<span>{number + 1}</span>{name}</div>"
        for number, name in enumerate(STEPS)
    )
    look.show(f'<div class="lv-steps">{items}</div>')
