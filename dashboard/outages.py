"""What a page says where the machine fails it: database, disk, image store or memory away, in words and with a way on.

An act that fails leaves the rest of its page as it is, with all that was typed (`beside_the_act`). A page that cannot
be drawn says so in its place and tries again by itself (`closing_the_page`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

import streamlit as st

from core.logs import log_of
from core.outages import outage
from dashboard import look

log = log_of(__name__)

AGAIN_SECONDS = 5.0
"""How soon a page that could not be drawn is tried again."""
TRIED = "outage_tried"


@contextmanager
def beside_the_act(nothing: str = "Nothing is saved.") -> Iterator[None]:
    """Do what a person asked for; where the machine fails it, say so there and go on with the page.

    `nothing` says what was not done. Errors that are no outage go on.
    """
    try:
        yield
    except Exception as error:
        said = outage(error)
        if said is None:
            raise
        log.warning("an act failed", kind=type(error).__name__)
        _show(f"{nothing} {said} What was put in still stands here.")


@contextmanager
def closing_the_page(what: str = "This page cannot be shown now.", *, still: str = "") -> Iterator[None]:
    """Read what a page needs; where the machine fails it, say so, offer to try again, and end the page.

    `what` says what failed, `still` what works all the same. Errors that are no outage go on.
    """
    try:
        yield
    except Exception as error:
        said = outage(error)
        if said is None:
            raise
        log.warning("a page could not be shown", kind=type(error).__name__)
        _show(f"{what} {said} {still}".strip())
        _offer_again()


def _offer_again() -> NoReturn:
    if st.button("Try again", key="outage_again", icon=":material/refresh:"):
        st.rerun()
    st.session_state[TRIED] = False
    _again_by_itself()
    # Stopped, not ended: what widgets hold that were not drawn this time is kept for when they are again.
    st.stop()


@st.fragment(run_every=AGAIN_SECONDS)
def _again_by_itself() -> None:
    look.show('<p class="lv-muted">It is tried again every few seconds.</p>')
    # The first run of a fragment is part of the page's; those after it come with time.
    if st.session_state.get(TRIED):
        st.rerun()
    st.session_state[TRIED] = True


def _show(sentence: str) -> None:
    look.show(f'<p class="lv-note alert" role="alert">{look.safe(sentence)}</p>')


def say_it_failed(error: Exception) -> bool:
    """Tell the person in a sentence that a page or a part of one failed; Streamlit has logged the traceback already."""
    said = outage(error)
    if said is not None:
        _show(f"This part of the page cannot be shown now. {said}")
        return True
    at = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    log.error("a page failed", at=at, kind=type(error).__name__)
    _show(f"This page could not be shown. Reload it; if it fails again, tell your admin the time: {at}.")
    return True
