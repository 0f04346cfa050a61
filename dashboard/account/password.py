"""One's own password."""

from __future__ import annotations

import streamlit as st

from core.people import ASKED_OF_A_PASSWORD, Person
from core.people.own_account import change_password, own_account
from dashboard import look, session
from dashboard.account import linking
from dashboard.account.doing import counted, said, tell
from dashboard.house import here


def show(person: Person) -> None:
    """Let a person choose another password."""
    mine = own_account(here(), person)
    if mine.outside:
        look.show(
            f'<p class="lv-muted">You sign in with {look.safe(here().settings.oidc_name)}. Your password is kept and '
            "changed there. Only an admin can give you one here again.</p>"
        )
        return
    if mine.demo:
        look.show(
            '<p class="lv-muted">This is an account of the demo: its password is published, and stays as it is.</p>'
        )
        return
    said("password")
    number = counted("password")
    left, right, _ = st.columns([2, 2, 1])
    with left, st.form(f"own_password_{number}"):
        look.heading("Change your password")
        old = st.text_input(
            "Password now", type="password", key=f"own_old_{number}", autocomplete="current-password"
        )
        new = st.text_input(
            "New password",
            type="password",
            key=f"own_new_{number}",
            autocomplete="new-password",
        )
        again = st.text_input(
            "New password, once more", type="password", key=f"own_again_{number}", autocomplete="new-password"
        )
        look.show(
            f'<p class="lv-muted">{look.safe(ASKED_OF_A_PASSWORD)} You are signed out everywhere else, and your tokens end.</p>'
        )
        if st.form_submit_button("Change password", type="primary", key="own_password_save"):
            tell("password", lambda: _changed(person, old, new, again))
    # Beside it, where it is seen without scrolling.
    with right:
        linking.show(person)


def _changed(person: Person, old: str, new: str, again: str) -> str:
    if new != again:
        raise ValueError("The new password is not the same twice.")
    ended = change_password(here(), person, old, new, token=session.token(), address=session.address())
    elsewhere = f" {ended} other sign-in{'s' if ended != 1 else ''} ended." if ended else ""
    return f"Your password is changed.{elsewhere}"
