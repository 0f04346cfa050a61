"""Which women the cohort page is of: those of the installation, or those of a cohort that came as a table."""

from __future__ import annotations

import streamlit as st

from core import cohorts
from core.cohorts import Domain, Frame
from core.cohorts.bcsc import TableRefused
from core.cohorts.stored import frame_of_table, tables
from dashboard import look
from dashboard.cohort import define
from dashboard.house import here

__all__ = ["KEY", "choose", "is_table", "name"]

KEY = "cohort_table"
"""What the page's address says: the name of a table, nothing for the women of the installation."""


def name() -> str:
    """Return the name of the table that the page is of; empty for the women of the installation."""
    return str(st.session_state.get(KEY) or "")


def choose() -> Frame:
    """Ask whose women, where there is more than one source; return their tables."""
    found = {one.name: one for one in tables(here())}
    if not found:
        return cohorts.frame_of(here())
    chosen = st.selectbox(
        "Data",
        ["", *found],
        format_func=lambda one: found[one].label if one else "women of this installation",
        key=KEY,
        bind="query-params",
        on_change=_begin_anew,
    )
    if not chosen:
        return cohorts.frame_of(here())
    try:
        frame = frame_of_table(here(), chosen)
    except TableRefused as error:
        look.show(f'<p class="lv-note alert">{look.safe(error)}</p>')
        return cohorts.frame_of(here())
    if not frame.visits["scored"].any():
        # Nobody has a score: asked for those with one, nobody would fit.
        st.session_state.setdefault(define.DOMAIN, Domain.ANY)
    with st.expander("What this table is"):
        for note in found[chosen].notes:
            look.footer(note)
    return frame


def _begin_anew() -> None:
    """Forget choices that the other women may not have."""
    for key in (define.KIND, define.DOMAIN):
        st.session_state.pop(key, None)


def is_table(frame: Frame) -> bool:
    """Say whether women came as a table, whose screens have an outcome of their own."""
    return "cancer_within_year" in frame.visits.columns
