"""Who sits before the page, and what she may do here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.logs import log_of
from core.outages import outage
from core.people import Permission, Person, audit, sign_ins
from core.people.needing import Need
from core.trail import looking
from dashboard import look, outages, owners
from dashboard.house import here
from dashboard.web.gate import COOKIE

log = log_of(__name__)

OWNER = "page_owner"
_PAGE, _LOOKED_AT, _LISTED = "page_open", "looked_at", "listed"
LOOK_SECONDS = 1800.0
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
    where = address()
    audit.came_from.set(where if isinstance(where, str) else "127.0.0.1")
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


def asks() -> Person | None:
    """Return on whose behalf this thread works, if it runs a page or a part of one (`core.people.asking`)."""
    return person() if get_script_run_ctx(suppress_warning=True) else None


def shown_to_whom_it_is_for(need: Need) -> None:
    """End the page, in words, for whom it is not."""
    if isinstance(need, Permission):
        seen_by(need)


def _with_right(somebody: Person, permission: Permission) -> Person:
    if not somebody.may(permission):
        looking.not_allowed(here(), somebody, permission.value)
        look.heard_title("Not a page of your role")
        st.info("Your role does not include this page. Ask your admin.")
        st.stop()
    return somebody


def turned_to(page: str) -> None:
    """Say which page is open, at every run: who comes back to one looks at it anew (`note_look`)."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state.pop(_LOOKED_AT, None)


def note_look(who: Person, action: str, subject: str) -> None:
    """Write to the audit trail that something was looked at: once a look, and not at every rerun.

    A look ends with another page, another subject or half an hour. Looking and its entry are one: where the entry cannot be
    written the page says so and stays closed.
    """
    look_at, since = st.session_state.get(_LOOKED_AT, (None, 0.0))
    if look_at == (action, subject) and time.monotonic() - since < LOOK_SECONDS:
        return
    with outages.closing_the_page(
        "Opening a patient's images or record is written to the audit trail, and that failed: it stays closed.",
        still="Worklist, cohort and models can still be read.",
    ):
        looking.opened(here(), who, action, subject)
    st.session_state[_LOOKED_AT] = ((action, subject), time.monotonic())


def note_listed(who: Person, mrns: Sequence[str], search: str) -> None:
    """Write to the audit trail whom a list shows, when it shows others than before.

    A list can be read while the machine takes no writes: the entry is then written with the next run that can.
    """
    listed = (tuple(sorted(mrns)), search)
    if not mrns or st.session_state.get(_LISTED) == listed:
        return
    try:
        looking.women_listed(here(), who, mrns, search)
    except Exception as error:
        if outage(error) is None:
            raise
        log.warning("whom a list shows is not in the audit trail yet", kind=type(error).__name__)
        return
    st.session_state[_LISTED] = listed
