"""The audit trail as a page: who did what about whom, filtered, page by page, as a file."""

from __future__ import annotations

from datetime import date, timedelta

import streamlit as st

from core.people import Person, list_accounts
from core.trail import (
    MOST_AT_ONCE,
    WORDS,
    Entry,
    Found,
    NoSuchWoman,
    Wanted,
    actions_there,
    as_csv,
    as_messages,
    everything,
    find,
    head,
)
from dashboard import handing, look, outages
from dashboard.house import here

PATIENT, PERSON, ACTION, OUTCOME, DAYS = (
    f"audit_{name}" for name in ("patient", "person", "action", "outcome", "days")
)
OLDER, ASKED = "audit_older", "audit_asked"
OUTCOMES = ("refused", "failed")
WHEN = {"the last day": 1, "the last week": 7, "the last month": 31, "the last year": 366}
"""Choice -> how many days back."""


def about(mrn: str) -> None:
    """Ask for one woman's entries when the page is opened next."""
    for key in (PERSON, ACTION, OUTCOME, DAYS):
        st.session_state.pop(key, None)
    st.session_state[PATIENT] = mrn


def offer(mrn: str) -> None:
    """Lead an admin from a woman's page to all that was done about her."""
    if st.button("Who looked at her record", icon=":material/history:", type="tertiary", key="who_looked"):
        about(mrn)
        st.switch_page("screens/admin.py", query_params={"part": "Audit"})


def show(me: Person) -> None:
    """Show the filters and the newest entries that they leave, a hundred at a time."""
    wanted = _asked()
    if st.session_state.get(ASKED) != wanted:
        st.session_state[ASKED], st.session_state[OLDER] = wanted, []
    older: list[int] = st.session_state[OLDER]
    with outages.beside_the_act():
        try:
            found = _found(me, wanted, older[-1] if older else None)
        except NoSuchWoman as error:
            look.show(f'<p class="lv-note alert">{look.safe(str(error))}</p>')
            return
        _table(found)
        _turn(found, older)
        _files(me, wanted)


def _asked() -> Wanted:
    columns = st.columns([2, 2, 2, 2, 2], vertical_alignment="bottom")
    people = [account.username for account in list_accounts(here())]
    with columns[0]:
        patient = st.text_input("About (MRN)", key=PATIENT, placeholder="any woman").strip()
    with columns[1]:
        person = st.selectbox(
            "By", people, index=None, key=PERSON, placeholder="anybody", accept_new_options=True
        )
    with columns[2]:
        action = st.selectbox(
            "What", actions_there(here()), index=None, key=ACTION, placeholder="anything",
            format_func=lambda one: WORDS.get(one, one.replace("_", " ")),
        )  # fmt: skip
    with columns[3]:
        outcome = st.selectbox("Ended", OUTCOMES, index=None, key=OUTCOME, placeholder="in any way")
    with columns[4]:
        days = st.selectbox("When", list(WHEN), index=None, key=DAYS, placeholder="at any time")
    since = date.today() - timedelta(days=WHEN[days] - 1) if days else None
    return Wanted(person or None, patient or None, action, outcome, since)


def _found(me: Person, wanted: Wanted, older_than: int | None) -> Found:
    """Read a page of entries; that it was read is written once for what is asked, and not at every rerun."""
    noted = st.session_state.get("audit_noted") != wanted
    found = find(here(), me, wanted, older_than=older_than, noted=noted)
    st.session_state["audit_noted"] = wanted
    return found


def _table(found: Found) -> None:
    if not found.entries:
        look.show(
            '<div class="lv-empty"><b>No entries</b>Nothing in the trail fits what is asked for above.</div>'
        )
        return
    rows = "".join(map(_row, found.entries))
    look.show(
        '<table class="lv-table"><tr><th>when</th><th>who</th><th>from</th><th>about</th><th>what</th></tr>'
        f"{rows}</table>"
    )


def _row(entry: Entry) -> str:
    # So that each entry is a line: of many women two are named.
    named = entry.patients if len(entry.patients) <= 3 else entry.patients[:2]
    patients = ", ".join(named)
    if len(named) < len(entry.patients):
        patients += f" and {len(entry.patients) - len(named)}{look.NBSP}more"
    ended = f' <span class="lv-mark">{look.safe(entry.outcome)}</span>' if entry.outcome != "done" else ""
    whom = entry.subject.removeprefix("user:") if entry.subject.startswith("user:") else patients
    return (
        f'<tr><td class="d">{look.moment(entry.at)}</td><td class="d">{look.safe(entry.display_name or look.UNKNOWN)}</td>'
        f'<td class="d">{look.safe(entry.address or look.UNKNOWN)}</td><td class="whom">{look.safe(whom or look.UNKNOWN)}</td>'
        f"<td>{look.safe(entry.said)}{ended}</td></tr>"
    )


def _turn(found: Found, older: list[int]) -> None:
    """Let the person go to older entries and back."""
    if not older and found.older_than is None:
        return
    with st.container(horizontal=True, gap="small"):
        if older and st.button("Newer", key="audit_newer", icon=":material/arrow_back:"):
            older.pop()
            st.rerun()
        if found.older_than is not None and st.button(
            f"{MOST_AT_ONCE} older",
            key="audit_go_older",
            icon=":material/arrow_forward:",
            icon_position="right",
        ):
            older.append(found.older_than)
            st.rerun()


def _files(me: Person, wanted: Wanted) -> None:
    """Hand out all that is asked for; made when it is clicked, and written in the trail."""
    with st.container(horizontal=True, gap="small"):
        handing.download_button(
            "CSV",
            lambda: b"".join(as_csv(everything(here(), me, wanted))),
            file_name="longview-audit.csv", mime="text/csv", icon=":material/download:", key="audit_csv",
            on_click="ignore",
        )  # fmt: skip
        handing.download_button(
            "DICOM audit messages",
            lambda: "".join(as_messages(everything(here(), me, wanted))).encode(),
            file_name="longview-audit.xml", mime="application/xml", icon=":material/download:", key="audit_dicom",
            help="PS3.15 A.5, one message a line, for an audit record repository", on_click="ignore",
        )  # fmt: skip
    look.footer(
        f"Each entry holds a digest of the one before. Head of the trail: {head(here())}. Keep it elsewhere; "
        "“python -m core verify --head …” says whether the trail up to there was written anew."
    )
