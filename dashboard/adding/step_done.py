"""Step 4 of adding one study: its files taken in, what became of each, and the score as it comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.incoming import BatchReport, Examined
from core.people import Closed, NewAccount, Person
from core.records import Found
from core.records import known as known_
from core.refusals import refusal_text
from core.rules.vocabulary import SIDE_WORDS
from dashboard import addresses, keys, look, statement
from dashboard.adding.files_table import identifiers
from dashboard.adding.first_real import goes_over
from dashboard.adding.scored import progress
from dashboard.adding.steps import CLOSED, EXAMINED, FIELD, FILES, REPORT, again, go
from dashboard.house import here
from dashboard.web import uploads


def take_in(
    found: Found,
    study_date: date,
    views: Mapping[str, tuple[str, str]],
    person: Person,
    own_admin: NewAccount | None,
) -> None:
    """Hand the files to the intake and remember what became of each."""
    # The files that cannot be added go in as well: each is answered, and kept in quarantine with its reason.
    files: dict[str, list[UploadedFile]] = st.session_state[FILES]
    named = [(name, same[-1]) for name, same in files.items()]
    bar = st.progress(0.0, "Adding …")
    done = 0

    def on_item(_item: object) -> None:
        nonlocal done
        done += 1
        bar.progress(min(1.0, done / len(named)), f"Added {done} of {len(named)}")

    def on_closed(closed: Closed) -> None:
        st.session_state[CLOSED] = closed
        if closed.admin is not None and person.username in closed.accounts:
            goes_over(person, closed.admin)

    with closing(uploads.opened_in_turn(named)) as incoming:
        report = statement.take_in(
            found,
            study_date,
            views,
            incoming,
            person,
            on_item=on_item,
            own_admin=own_admin,
            on_closed=on_closed,
        )
    bar.empty()
    st.session_state[REPORT] = report
    answered = list(files)[: len(report.items)]
    uploads.drop(upload for name in answered for upload in files[name])
    # Where the machine failed, the files that it did not come to stay here and can be added once it works again.
    left = {name: same for name, same in files.items() if name not in answered}
    examined: list[Examined] = [item for item in st.session_state[EXAMINED] if item.name in left]
    for key in (FILES, EXAMINED, FIELD):
        st.session_state.pop(key, None)
    if left:
        st.session_state[FILES], st.session_state[EXAMINED] = left, examined
        # The field forgets: what it still shows is not all left.
        st.session_state["add_upload_number"] = st.session_state.get("add_upload_number", 0) + 1


def done(found: Found) -> None:
    """Step 4: what became of each file, and the score as it comes."""
    # Where files are de-identified on the way in she is here by a pseudonym.
    came: BatchReport = st.session_state[REPORT]
    found = replace(
        found, mrn=next((item.patient for item in came.items if item.patient and item.study_uid), found.mrn)
    )
    known = known_(here(), found.mrn) or found
    look.show(identifiers(known))
    closed: Closed | None = st.session_state.get(CLOSED)
    if closed:
        now = f" {closed.admin.username} is admin here now." if closed.admin else ""
        look.show(
            f'<p class="lv-note good"><b>The demo accounts are closed for good.</b>{look.safe(now)}</p>'
        )
    report: BatchReport = st.session_state[REPORT]
    if report.cut_short is not None:
        cut_short(report, st.session_state.get(FILES, {}))
    words = {
        "accepted": ("added", "good"),
        "duplicate": ("already here", ""),
        "quarantined": ("not taken", "bad"),
    }
    rows = ""
    order = list(words)[::-1]
    for item in sorted(report.items, key=lambda item: order.index(str(item.outcome))):
        word, cls = words[str(item.outcome)]
        why = refusal_text(item.reason, item.detail) if str(item.outcome) == "quarantined" else ""
        rows += (
            f"<tr><td>{look.safe(item.path)}</td><td>{SIDE_WORDS.get(item.laterality or '', '')}</td>"
            f'<td>{look.safe(item.view or "")}</td><td class="{cls}">{word}</td><td>{look.safe(why)}</td></tr>'
        )
    if rows:
        look.show(
            '<table class="lv-table lv-files"><tr><th>file</th><th>side</th><th>view</th><th>result</th><th>why</th></tr>'
            f"{rows}</table>"
        )
    uids = sorted({item.study_uid for item in report.items if item.study_uid})
    if uids:
        progress(found.mrn, tuple(uids))
    buttons = st.container(horizontal=True)
    buttons.button("Another study of hers", on_click=again, args=(True,))
    buttons.button("Another patient", on_click=again, args=(False,))
    if uids and buttons.button("Open the patient", type="primary"):
        st.switch_page(
            "screens/patient.py", query_params=addresses.query_of(found.mrn, **{keys.VISIT: uids[0]})
        )


def cut_short(report: BatchReport, left: Collection[str]) -> None:
    """Say what the machine lacks, which files are not in, and that they wait here."""
    many = f"{len(left)} file{'s are' if len(left) != 1 else ' is'} not added yet"
    names = "".join(f"<li>{look.safe(name)}</li>" for name in left)
    look.show(
        f'<div class="lv-note alert">{look.safe(report.cut_short)} '
        + (
            f"{many}, and kept here to be added then:<ul>{names}</ul></div>"
            if left
            else "All files were answered.</div>"
        )
    )
    if left:
        st.button("Go on with these files", on_click=go_on)


def go_on() -> None:
    """Go back to the files that the machine did not come to."""
    st.session_state.pop(REPORT, None)
    go(1)
