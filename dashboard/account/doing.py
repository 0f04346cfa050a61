"""How a part of one's own account does something: it is said what was done, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard import look, outages

_SAID, _COUNTED = "own_said_", "own_counted_"


def tell(part: str, act: Callable[[], str]) -> None:
    """Do something and run the page anew, which says what the act returned; a `ValueError` is said in its place."""
    with outages.beside_the_act():
        try:
            sentence = act()
        except ValueError as error:
            st.warning(look.plain(error))
            return
        st.session_state[_SAID + part] = sentence
        # What was put in is gone with it: the next fields have other keys.
        st.session_state[_COUNTED + part] = counted(part) + 1
        st.rerun()


def counted(part: str) -> int:
    """Return how often something was done in a part: what its fields' keys end in."""
    return int(st.session_state.get(_COUNTED + part, 0))


def said(part: str) -> None:
    """Say once what was done last in a part."""
    sentence = st.session_state.pop(_SAID + part, "")
    if sentence:
        look.show(f'<p class="lv-note" role="status">{look.safe(sentence)}</p>')
