"""Signing in with the hospital's own sign-in in the place of a password that is kept here."""

from __future__ import annotations

import streamlit as st

from core.people import Person
from core.people.linking import begin_link
from dashboard import look, session
from dashboard.account.doing import counted, said, tell
from dashboard.house import here

_BEGUN = "own_link_begun"


def show(person: Person) -> None:
    """Let a person link her account to her sign-in at the hospital; nothing where there is none."""
    settings = here().settings
    if settings.oidc_issuer is None:
        return
    with st.container(border=True):
        look.heading(f"Sign in with {settings.oidc_name}")
        said("linking")
        _steps(person, settings.oidc_name)


def _steps(person: Person, hospital: str) -> None:
    if st.session_state.get(_BEGUN):
        look.show(
            f'<p><a href="/sign-in/oidc?link=1&amp;next=/account" target="_self" style="color: {look.ACCENT}">Go on at '
            f'{look.safe(hospital)}</a></p><p class="lv-muted">You are asked there who you are, within ten minutes.</p>'
        )
        return
    number = counted("linking")
    look.show(
        f'<p class="lv-muted">From then on {look.safe(hospital)} says that it is you and in which role: your password '
        "and second factor here open nothing any more. Only an admin can take that back.</p>"
    )
    with st.form(f"own_link_{number}", border=False):
        password = st.text_input(
            "Your password here",
            type="password",
            key=f"own_link_password_{number}",
            autocomplete="current-password",
        )
        if st.form_submit_button("Link my account", key="own_link"):
            tell("linking", lambda: _begun(person, password))


def _begun(person: Person, password: str) -> str:
    begin_link(here(), person, password, token=session.token(), address=session.address())
    st.session_state[_BEGUN] = True
    return "That is your password. One step is left."
