"""What can be done about files in quarantine: sent in again with what was missing, set aside, brought back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import PurePath

import streamlit as st

from core.incoming import BatchReport
from core.people import OwnAdminNeeded, Person
from core.quarantine import Contents, Helps, Kept, Said, bring_back, helps, resubmit, set_aside
from core.records import known
from core.rules.vocabulary import SIDE_WORDS, VIEWS
from dashboard import addresses, look, outages, waiting
from dashboard.house import here
from dashboard.quarantined.listing import ROUND
from dashboard.statement import EARLIEST

ANSWERED = "quarantine_answered"
WHAT_HELPS = {
    Helps.WHOSE_AND_WHEN: "Say whose it is and of which day, then send it in again.",
    Helps.WHEN: "Say the day of the study, then send it in again.",
    Helps.SIDE_AND_VIEW: "Say side and view, then send it in again.",
    Helps.A_MAMMOGRAM: "If it is a mammogram after all, say so: it is kept and shown, and not read by the model.",
    Helps.THE_SAME_AGAIN: "What stood against it lay outside the file: once that is mended, send it in again.",
    Helps.ANOTHER_FILE: "Nothing said here can mend the file. Get another copy from the sender, then set this one aside.",
}


def act_on_waiting(files: Sequence[Kept], inside: Contents | None, me: Person) -> None:
    """Let files be sent in again with what was missing, or set aside with a reason; what helps comes first."""
    ways = dict.fromkeys(helps(one.reason) for one in files)
    sendable = all(one.has_bytes for one in files)
    if sendable and [*ways] == [Helps.ANOTHER_FILE]:
        look.show(f'<p class="lv-subtitle">{WHAT_HELPS[Helps.ANOTHER_FILE]}</p>')
        _set_aside(files, me)
        with st.expander("Send in again all the same"):
            _send_in_again(files, inside, me)
        return
    if sendable:
        look.heading("Send in again")
        look.show(f'<p class="lv-subtitle">{" ".join(WHAT_HELPS[way] for way in ways)}</p>')
        _send_in_again(files, inside, me)
    _set_aside(files, me)


def _send_in_again(files: Sequence[Kept], inside: Contents | None, me: Person) -> None:
    said = statement_of(files, inside)
    label = "Send in again" if len(files) == 1 else f"Send all {len(files)} in again"
    if not st.button(label, type="primary", key="quarantine_send", disabled=said is None) or said is None:
        return
    with outages.beside_the_act(), st.spinner("Taking in…"), telling():
        answer(resubmit(here(), [one.item_id for one in files], said, person=me))


def _set_aside(files: Sequence[Kept], me: Person) -> None:
    numbers = [one.item_id for one in files]
    look.heading("Set aside")
    look.show('<p class="lv-subtitle">It stays kept, leaves this list, and can be brought back.</p>')
    reason = st.text_input(
        "Why it is not wanted",
        key=f"quarantine_why_{numbers[0]}_{len(numbers)}",
        placeholder="for example: sent by mistake, a better copy came",
    )
    if st.button("Set aside", key="quarantine_aside"):
        with outages.beside_the_act(), telling():
            number = set_aside(here(), numbers, reason, person=me)
            done(f"{number} file{'s' if number > 1 else ''} set aside.")


def statement_of(files: Sequence[Kept], inside: Contents | None) -> Said | None:
    """Ask what was missing; None while something that is said cannot be meant."""
    header = inside.header if inside else None
    numbers = "_".join(str(one.item_id) for one in files)[:200]
    stated = files[0].stated_mrn if len({one.stated_mrn for one in files}) == 1 else None
    one = len(files) == 1
    st.caption(
        "What is left empty comes from the file."
        if one
        else "What is left empty comes from each file itself."
    )
    left, right = st.columns(2, gap="small")
    mrn = left.text_input(
        "MRN",
        value=stated or "",
        placeholder=(header.patient_id if header else None) or "as the file says",
        key=f"quarantine_mrn_{numbers}",
        max_chars=64,
    ).strip()
    study_date = right.date_input(
        "Day of the study",
        value=files[0].stated_date if one else None,
        min_value=EARLIEST,
        max_value=date.today(),
        key=f"quarantine_date_{numbers}",
    )
    side = left.selectbox(
        "Side",
        list(SIDE_WORDS),
        index=None,
        placeholder="as the file says",
        format_func=lambda code: SIDE_WORDS[code],
        key=f"quarantine_side_{numbers}",
    )
    view = right.selectbox(
        "View", VIEWS, index=None, placeholder="as the file says", key=f"quarantine_view_{numbers}"
    )
    a_mammogram = False
    if any(helps(one.reason) is Helps.A_MAMMOGRAM for one in files):
        a_mammogram = st.checkbox(
            "It is a mammogram: keep and show it, not read by the model."
            if one
            else "They are mammograms: keep and show them, not read by the model.",
            key=f"quarantine_mammogram_{numbers}",
        )
    if mrn:
        her = known(here(), mrn)
        look.show(
            f'<p class="lv-note good">{look.safe(her.name or her.mrn)}, born {look.iso(her.birth_date)}, is known here.</p>'
            if her
            else '<p class="lv-note">Nobody here has this MRN: she comes in as a new patient.</p>'
        )
    try:
        return Said(
            mrn=mrn or None,
            study_date=study_date if isinstance(study_date, date) else None,
            side=side,
            view=view,
            a_mammogram=a_mammogram,
        )
    except ValueError as error:
        look.show(f'<p class="lv-note alert">{look.safe(error)}</p>')
        return None


def act_on_set_aside(files: Sequence[Kept], me: Person) -> None:
    """Say who set files aside and why, and let them be brought back."""
    for one in files:
        look.show(
            f'<p class="lv-note">Set aside by {look.safe(one.settled_by or "")}, {look.moment(one.settled_at)}: '
            f"{look.safe(one.settled_why or '')}</p>"
        )
    if st.button("Bring back", key="quarantine_back"):
        with outages.beside_the_act(), telling():
            number = bring_back(here(), [one.item_id for one in files], person=me)
            done(f"{number} file{'s' if number > 1 else ''} wait{'' if number > 1 else 's'} again.")


@contextmanager
def telling() -> Iterator[None]:
    """Do what was asked of files; say on the page what stands against it. Other errors go on."""
    try:
        yield
    except OwnAdminNeeded:
        st.warning(
            "The first real patient comes in together with an admin of your own: add her under Add study."
        )
    except (ValueError, LookupError) as error:
        st.warning(look.plain(error.args[0] if error.args else error))


def answer(report: BatchReport) -> None:
    """Keep what became of files for the next run of the page, which lists what still waits."""
    lines = [
        (item.outcome, PurePath(item.path).name, item.patient, item.study_date, item.text or "")
        for item in report.items
    ]
    if report.cut_short:
        lines.append(("not reached", "", None, None, report.cut_short))
    st.session_state[ANSWERED] = lines
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    waiting.count_anew()
    st.rerun()


def done(sentence: str) -> None:
    """Say in the next run of the page what was done."""
    st.session_state[ANSWERED] = [("done", "", None, None, sentence)]
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    waiting.count_anew()
    st.rerun()


def show_answers() -> None:
    """Show once what became of the files that were acted on."""
    for outcome, name, mrn, day, text in st.session_state.pop(ANSWERED, []):
        good = outcome in ("accepted", "duplicate", "done")
        whose = (
            f" <a href='{look.safe(addresses.link_to(mrn))}'>MRN {look.safe(mrn)}</a>, {look.safe(day)}."
            if mrn and good
            else ""
        )
        word = {
            "accepted": "taken in:",
            "duplicate": "here already:",
            "quarantined": "not taken:",
            "done": "",
        }.get(outcome, outcome)
        look.show(
            f'<p class="lv-note {"good" if good else "alert"}" role="status"><b>{look.safe(name)}</b> {word}{whose} {look.safe(text)}</p>'
        )
