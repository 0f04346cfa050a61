"""Who sits before the page, and what she may do here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.people import Permission, Person, audit, sign_ins
from dashboard import look, outages, owners
from dashboard.house import here
from dashboard.web.gate import COOKIE

OWNER = "page_owner"
STANDS_SECONDS = 1.0
"""For so long who was found at the beginning of a page's run is not asked for again in that run."""
_run = threading.local()


def token() -> str | None:
    """Return the sign-in token that this page's connection was opened with."""
    return st.context.cookies.get(COOKIE)


def address() -> str | None:
    """Return where this page's connection comes from; None from this machine itself."""
    return st.context.ip_address


def person() -> Person:
    """Return who is signed in now and whose page this is; where that is not one and the same, say so and end the page.

    Asked anew at every run of a page and of a part of one, before anything is read, done or written in it: signing out,
    or signing in as somebody else in the same browser, takes effect at once on every page that is open.
    """
    if (found := getattr(_run, "found", None)) is not None and time.monotonic() - _run.at < STANDS_SECONDS:
        return found
    return _asked_anew()


def _asked_anew() -> Person:
    somebody = sign_ins.who(here(), token())
    owner: Person | None = st.session_state.get(OWNER)
    if somebody is None:
        _end(
            "Your sign-in has ended. Sign in again in another tab, then come back and reload this page.",
            owner,
        )
    if owner is None:
        owner = st.session_state[OWNER] = somebody
    if owner.user_id != somebody.user_id:
        _end(
            f"{somebody.display_name} is signed in in this browser now, and this page was opened by "
            f"{owner.display_name}. Reload it to go on as {somebody.display_name}, or sign in as "
            f"{owner.display_name} again in another tab.",
            owner,
        )
    context = get_script_run_ctx()
    if context is not None and Runtime.exists():
        owners.claim(context.session_id, somebody.user_id)
    return somebody


@contextmanager
def of_one_run() -> Iterator[Person]:
    """Yield who is signed in; the parts of the page that are drawn within, in its one run, need not ask again.

    A part that runs by itself, and what a click calls before the page, ask as ever; so does whatever is done by a right
    (`require`), where what is only shown by one need not (`seen_by`).
    """
    somebody = person()
    _run.found, _run.at = somebody, time.monotonic()
    try:
        yield somebody
    finally:
        _run.found = None


def _end(sentence: str, owner: Person | None) -> NoReturn:
    kept = " Nothing was done here since, and what was typed and not recorded is not saved." if owner else ""
    look.show(f'<p class="lv-note alert" role="alert">{look.safe(sentence + kept)}</p>')
    st.stop()


def goes_over_to(person: Person) -> None:
    """Make this page another person's, to whom its sign-in of the demo has gone over: nothing on it is lost."""
    st.session_state[OWNER] = person
    _run.found = None
    context = get_script_run_ctx()
    if context is not None:
        owners.hand_over(context.session_id, person.user_id)


def require(permission: Permission) -> Person:
    """Return the person if she may do this; otherwise say so and end the page."""
    return _with_right(_asked_anew(), permission)


def seen_by(permission: Permission) -> Person:
    """Return the person if she may see this; as `require`, for what draws and does nothing: within one run of a page it was asked at its beginning."""
    return _with_right(person(), permission)


def _with_right(somebody: Person, permission: Permission) -> Person:
    if not somebody.may(permission):
        look.heard_title("Not a page of your role")
        st.info("Your role does not include this page. Ask your admin.")
        st.stop()
    return somebody


def note_once(who: Person, action: str, subject: str) -> None:
    """Write to the audit trail that something was looked at, once a browser session and not at every rerun.

    Looking and its entry are one: where the entry cannot be written the page says so and stays closed.
    """
    noted = st.session_state.setdefault("noted", set())
    if (action, subject) in noted:
        return
    with outages.closing_the_page(
        "Opening a patient's images or record is written to the audit trail, and that failed: it stays closed.",
        still="Worklist, cohort and models can still be read.",
    ):
        audit.note(here(), who, action, subject)
    noted.add((action, subject))
