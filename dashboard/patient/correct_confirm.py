"""The end of every correction's dialog: what follows, what speaks against it, why, and doing it."""

import streamlit as st

from core.corrections import Ask, CorrectionRefused, Preview, correct, preview
from core.people import Permission
from dashboard import look, outages, session
from dashboard.house import here

LAST = "corrected_last"
COUNT = "corrected_count"
OPEN = "correct_open"
"""Whose record which form is open of."""
FORETOLD = "correction_foretold"


def form_key(name: str, mrn: str) -> str:
    """Return how the keys of a dialog's widgets begin: every correction begins new forms."""
    return f"correct_{name}_{mrn}_{st.session_state.get(COUNT, 0)}"


def ask_and_confirm(mrn: str, ask: Ask | None, key: str, *, nothing: str) -> None:
    """Say what follows of what is asked, and do it once a reason is given; `nothing` says what to choose while nothing is."""
    foretold = _foretold(ask) if ask is not None else None
    if foretold is None:
        if ask is None:
            look.show(f'<p class="lv-muted lv-footer">{look.safe(nothing)}</p>')
        st.button("Put right", type="primary", disabled=True, key=f"{key}_closed")
        return
    assert ask is not None
    _show(foretold)
    seen = True
    if foretold.conflicts:
        lines = "".join(f"<li>{look.safe(line)}</li>" for line in foretold.conflicts)
        look.show(f'<div class="lv-note alert">This speaks against it:<ul>{lines}</ul></div>')
        seen = st.checkbox(
            "I have seen this, and it is right all the same", key=f"{key}_seen_{foretold.stamp[:8]}"
        )
    why, button = st.columns([5, 1.2], vertical_alignment="bottom")
    reason = why.text_input(
        "Why (stays in the record with what was wrong)", max_chars=2000, key=f"{key}_reason"
    )
    if button.button("Put right", type="primary", disabled=not seen, key=f"{key}_do", width="stretch"):
        _do(mrn, ask, reason, foretold, confirmed=bool(foretold.conflicts))


def done(mrn: str, text: str, correction_id: int | None) -> None:
    """Draw the page anew with what was done; a correction can be undone at once."""
    st.session_state[LAST] = (mrn, text, correction_id)
    st.session_state[COUNT] = st.session_state.get(COUNT, 0) + 1
    st.session_state.pop(FORETOLD, None)
    closed()
    st.rerun()


def closed() -> None:
    """Let no form be open any more."""
    st.session_state.pop(OPEN, None)


def _do(mrn: str, ask: Ask, reason: str, foretold: Preview, *, confirmed: bool) -> None:
    with outages.beside_the_act("Nothing is corrected."):
        try:
            made = correct(
                here(),
                ask,
                reason=reason,
                by=session.require(Permission.CORRECT),
                stamp=foretold.stamp,
                confirmed=confirmed,
            )
        except CorrectionRefused as refused:
            st.session_state.pop(FORETOLD, None)  # it is looked at anew
            st.warning(look.plain(str(refused)))
            return
        did = made.did
        done(mrn, f"Corrected: {' '.join(did.says)} {did.sentences[0]}", made.correction_id)


def _foretold(ask: Ask) -> Preview | None:
    """Return what follows of an ask, looked at once; where it cannot be meant, say why."""
    known = st.session_state.get(FORETOLD)
    if known is not None and known[0] == ask:
        return known[1]
    with outages.beside_the_act("What follows cannot be said now."):
        try:
            foretold = preview(here(), ask, by=session.require(Permission.CORRECT))
        except CorrectionRefused as refused:
            st.warning(look.plain(str(refused)))
            return None
        st.session_state[FORETOLD] = (ask, foretold)
        return foretold
    return None


def _show(foretold: Preview) -> None:
    done_ = f"<b>{look.safe(' '.join(foretold.says))}</b>"
    lines = "".join(f"<li>{look.safe(line)}</li>" for line in foretold.sentences)
    look.show(f'<div class="lv-note lv-follows">{done_}<ul>{lines}</ul></div>')
