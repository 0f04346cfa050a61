"""Who sits before the page, and what she may do here."""

from __future__ import annotations

import streamlit as st

from core.people import Permission, Person, audit, sign_ins
from dashboard.house import here
from dashboard.web.gate import COOKIE


def token() -> str | None:
    """Return the sign-in token that this page's connection was opened with."""
    return st.context.cookies.get(COOKIE)


def address() -> str | None:
    """Return where this page's connection comes from; None from this machine itself."""
    return st.context.ip_address


def person() -> Person | None:
    """Return who is signed in now; asked anew at every run, so that signing out takes effect at once."""
    return sign_ins.who(here(), token())


def require(permission: Permission) -> Person:
    """Return the person if she may do this; otherwise say so and end the page."""
    somebody = person()
    if somebody is None:
        st.info("Your sign-in has ended. Reload this page to sign in again.")
        st.stop()
    if not somebody.may(permission):
        st.info("Your role does not include this page. Ask your admin.")
        st.stop()
    return somebody


def note_once(who: Person, action: str, subject: str) -> None:
    """Write to the audit trail that something was looked at, once a browser session and not at every rerun."""
    noted = st.session_state.setdefault("noted", set())
    if (action, subject) not in noted:
        audit.note(here(), who, action, subject)
        noted.add((action, subject))
