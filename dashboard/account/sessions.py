"""Where a person is signed in, and ending it."""

from __future__ import annotations

import streamlit as st

from core.people import Person, open_sign_ins
from core.people.open_sign_ins import OpenSignIn
from dashboard import look, session
from dashboard.account.doing import said, tell
from dashboard.house import here

COLUMNS = (3, 2, 2, 2, 2, 2)
_TITLES = ("browser", "address", "since", "seen last", "ends at the latest", "")


def show(person: Person) -> None:
    """List one's own sign-ins, this one first, each with a way to end it."""
    said("sessions")
    rows = open_sign_ins.list_own(here(), person, session.token())
    look.heading("Where you are signed in", beside=str(len(rows)))
    with st.container(key="own_sign_ins"):
        _titles()
        for row in rows:
            _one(person, row)
    settings = here().settings
    look.show(
        f'<p class="lv-muted">A sign-in ends by itself after {settings.idle_minutes:g} minutes in which nothing is done, and '
        f"{settings.session_hours:g} hours after it began. One that you do not know: end it, and change your password.</p>"
    )
    others = len(rows) - sum(row.this for row in rows)
    if others and st.button(
        "End all others" if others > 1 else "End the other one", key="own_end_others", type="primary"
    ):
        tell("sessions", lambda: _ended_others(person))


def _titles() -> None:
    for column, title in zip(st.columns(COLUMNS), _TITLES, strict=True):
        with column:
            look.show(f'<p class="lv-muted">{title}</p>')


def _one(person: Person, row: OpenSignIn) -> None:
    cells = (
        f"<b>{look.safe(row.browser or 'not known')}</b>{' · this one' if row.this else ''}",
        look.safe(row.address or "this machine"),
        look.moment(row.since),
        look.moment(row.seen),
        look.moment(row.ends),
    )
    *columns, last = st.columns(COLUMNS, vertical_alignment="center")
    for column, cell in zip(columns, cells, strict=True):
        with column:
            look.show(f'<p class="lv-cell">{cell}</p>')
    with last:
        if row.this:
            look.show('<p class="lv-muted">Sign out ends it</p>')
        elif st.button("End", key=f"own_end_{row.key}", width="stretch"):
            tell("sessions", lambda: _ended(person, row))


def _ended(person: Person, row: OpenSignIn) -> str:
    ended = open_sign_ins.end_one(here(), person, row.key)
    return "That sign-in is ended." if ended else "That sign-in had ended already."


def _ended_others(person: Person) -> str:
    ended = open_sign_ins.end_others(here(), person, session.token())
    return f"{ended} other sign-in{'s are' if ended != 1 else ' is'} ended."
