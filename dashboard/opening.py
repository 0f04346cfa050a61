"""Popovers that few who look at a page open: what is in one costs each of its runs nothing until it is opened first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

OPENED = "opened"
"""The kinds of popovers that were open on this page once."""


@contextmanager
def popover(kind: str, label: str, *, key: str, **more: Any) -> Iterator[bool]:
    """Draw into a popover, and yield whether what is in it is to be drawn; `more` as of `st.popover`.

    It is from when one of its kind was first open: what a person has put in then stays when it is closed. Opening it runs
    the part of the page again that it stands on.
    """
    place = st.popover(label, key=key, on_change="rerun", **more)
    if place.open:
        st.session_state[OPENED] = {*st.session_state.get(OPENED, ()), kind}
    with place:
        yield kind in st.session_state.get(OPENED, ())
