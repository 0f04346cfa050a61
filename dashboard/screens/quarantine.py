"""Quarantine: files that were not taken in, why, a look into each, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.people import Permission, Person
from core.quarantine import Kept, State, kept_files
from core.refusals import SENTENCES
from dashboard import alike, look, session
from dashboard.house import here
from dashboard.quarantined.acting import act_on_set_aside, act_on_waiting, show_answers
from dashboard.quarantined.inside import download, one_file
from dashboard.quarantined.listing import choose, narrow, short, table

MOST_SHOWN = 200


def chosen_files(chosen: Sequence[Kept], state: State, me: Person) -> None:
    """Show the files that are chosen, and what can be done with them."""
    inside = None
    if len(chosen) == 1:
        inside = one_file(chosen[0], me)
        if chosen[0].has_bytes:
            download(chosen[0], me)
    else:
        look.heading(f"{len(chosen)} files")
        for reason in dict.fromkeys(one.reason for one in chosen):
            number = sum(one.reason == reason for one in chosen)
            look.show(
                f'<p class="lv-note">{number} × {look.safe(short(reason))}: {look.safe(SENTENCES.get(reason, ""))}</p>'
            )
    if state is State.WAITING:
        act_on_waiting(chosen, inside, me)
    elif state is State.SET_ASIDE:
        act_on_set_aside(chosen, me)


def main() -> None:
    """Draw the page."""
    me = session.require(Permission.ADD_STUDY)
    look.title("Quarantine", beside="files that were not taken in; nothing here ends by itself")
    show_answers()
    state = choose()
    if state is None:
        alike.show_pairs(me)
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        reason, text = narrow(state)
        files = kept_files(here(), state=state, reason=reason, text=text, limit=MOST_SHOWN + 1)
        if len(files) > MOST_SHOWN:
            look.show(f'<p class="lv-muted">The newest {MOST_SHOWN}; narrow the list to see others.</p>')
            files = files[:MOST_SHOWN]
        if files:
            chosen = table(files, state)
        else:
            chosen = []
            nothing = (
                "No file waits: every file was taken in."
                if state is State.WAITING and not (reason or text)
                else "None."
            )
            look.show(f'<div class="lv-empty"><b>{nothing}</b></div>')
    with right:
        if chosen:
            chosen_files(chosen, state, me)
        elif files:
            look.show(
                '<div class="lv-empty"><b>Choose a file</b>Tick one for a look into it, or several to say the same of all.</div>'
            )


main()
