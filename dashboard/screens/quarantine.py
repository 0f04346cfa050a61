"""Quarantine: files that were not taken in, why, a look into each, and what a person can do about it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import PurePath
from urllib.parse import quote

import streamlit as st

from core.incoming import BatchReport
from core.people import OwnAdminNeeded, Permission, Person
from core.quarantine import (
    Contents,
    Helps,
    Kept,
    Said,
    State,
    bring_back,
    count_waiting,
    helps,
    kept_files,
    look_into,
    original,
    reasons_waiting,
    resubmit,
    set_aside,
)
from core.records import known
from core.refusals import SENTENCES
from core.rules.vocabulary import SIDE_WORDS, VIEWS
from dashboard import alike, look, outages, session
from dashboard.house import here
from dashboard.statement import EARLIEST

MOST_SHOWN = 200
TABLE, REASON, TEXT, STATE = "quarantine_table", "quarantine_reason", "quarantine_text", "quarantine_state"
ANSWERED, ROUND = "quarantine_answered", "quarantine_round"
LOOKED = "quarantine_looked"
STATE_WORDS = {State.WAITING: "Waiting", State.SET_ASIDE: "Set aside", State.RESUBMITTED: "Sent in again"}
ALIKE = "alike"
SENT_BY = {"cli": "command line", "web": "page"}
SHORT = {
    "no_identity": "whose it is",
    "bad_identifier": "identifier",
    "no_study_date": "day of the study",
    "unknown_laterality": "side",
    "unknown_view": "view",
    "other_patient": "another patient",
    "exists_elsewhere": "stored under another day",
    "uid_conflict": "identifier taken",
    "identity_conflict": "patient disagrees",
    "not_a_mammogram": "no mammogram",
    "not_a_breast_image": "no breast image",
    "unsupported_format": "format",
    "unsupported_compression": "compression",
    "multi_frame": "a stack of images",
}
"""Reasons in a few words; of others their code says it."""
WHAT_HELPS = {
    Helps.WHOSE_AND_WHEN: "Say whose it is and of which day, then send it in again.",
    Helps.WHEN: "Say the day of the study, then send it in again.",
    Helps.SIDE_AND_VIEW: "Say side and view, then send it in again.",
    Helps.A_MAMMOGRAM: "If it is a mammogram after all, say so: it is kept and shown, and not read by the model.",
    Helps.THE_SAME_AGAIN: "What stood against it lay outside the file: once that is mended, send it in again.",
    Helps.ANOTHER_FILE: "Nothing said here can mend the file. Get another copy from the sender, then set this one aside.",
}


def short(reason: str) -> str:
    """Return a reason in a few words."""
    return SHORT.get(reason, reason.replace("_", " "))


def choose() -> State | None:
    """Let the person choose which files are listed; None for the patients who look alike."""
    words: dict[str, str] = {state.value: word for state, word in STATE_WORDS.items()}
    words |= {State.WAITING.value: f"Waiting {count_waiting(here())}", ALIKE: "Patients alike"}
    chosen = st.segmented_control(
        "What is listed",
        list(words),
        default=State.WAITING.value,
        format_func=lambda one: words[one],
        key=STATE,
        label_visibility="collapsed",
    )
    return None if chosen == ALIKE else State(chosen or State.WAITING)


def narrow(state: State) -> tuple[str | None, str]:
    """Let the person narrow the list; return the reason and the text she asks for."""
    reasons = reasons_waiting(here()) if state is State.WAITING else {}
    left, right = st.columns([1, 1], gap="small")
    with left:
        text = st.text_input(
            "File or MRN", key=TEXT, placeholder="part of a file's name or of the MRN stated"
        )
    if not reasons:
        return None, text
    with right:
        reason = st.selectbox(
            "Why it was not taken",
            list(reasons),
            index=None,
            placeholder="all reasons",
            format_func=lambda code: f"{short(code)} ({reasons.get(code, 0)})",
            key=REASON,
        )
    return reason, text


def table(files: Sequence[Kept], state: State) -> list[Kept]:
    """List files; return those that are chosen."""
    event = st.dataframe(
        {
            "why": [short(one.reason) for one in files],
            "file": [PurePath(one.name).name for one in files],
            "stated MRN": [one.stated_mrn or "" for one in files],
            "came": [look.moment(one.at) for one in files],
            "by": [SENT_BY.get(one.by, one.by) for one in files],
            "batch": [one.batch_id for one in files],
        },
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"{TABLE}_{state.value}_{st.session_state.get(ROUND, 0)}",
        height=min(560, 38 + 35 * max(len(files), 1)),
        column_config={
            "why": st.column_config.TextColumn(width="medium"),
            "file": st.column_config.TextColumn(width="medium"),
            "batch": st.column_config.NumberColumn(width="small", help="Files of one number came together."),
        },
    )
    rows = event.selection.rows if event else []
    return [files[row] for row in rows if row < len(files)]


def contents(kept: Kept, me: Person) -> Contents:
    """Look into a file, once for as long as it is chosen."""
    looked: tuple[int, Contents] | None = st.session_state.get(LOOKED)
    if looked is None or looked[0] != kept.item_id:
        with st.spinner("Opening the file…"):
            looked = st.session_state[LOOKED] = (kept.item_id, look_into(here(), kept.item_id, me))
    return looked[1]


def facts(inside: Contents) -> str:
    """Say what a file says of itself, as HTML."""
    header = inside.header
    if header is None:
        return f'<p class="lv-note">{look.safe(inside.unreadable or "")}</p>'
    size = f"{inside.columns} × {inside.rows} pixels"
    side = SIDE_WORDS.get(header.laterality or "", "")
    rows = "".join(
        f'<tr><td class="d lv-muted">{what}</td><td>{look.safe(value or look.UNKNOWN)}</td></tr>'
        for what, value in (
            ("patient", " · ".join(one for one in (header.patient_id, header.patient_name) if one)),
            ("born", look.iso(header.birth_date)),
            ("study", " · ".join((look.iso(header.study_date), header.modality or ""))),
            ("side and view", f"{side} {header.view or ''}".strip()),
            ("size", size),
        )
    )
    picture = ""
    if inside.thumbnail_png:
        data = base64.b64encode(inside.thumbnail_png).decode()
        picture = f'<img src="data:image/png;base64,{data}" alt="the file’s picture, small">'
    said = "".join(f"<li>{look.safe(text)}</li>" for text in dict.fromkeys(inside.contradictions))
    return (
        f'<div class="lv-kept">{picture}<table class="lv-table">{rows}</table></div>'
        f"{f'<ul class=lv-said>{said}</ul>' if said else ''}"
    )


def one_file(kept: Kept, me: Person) -> Contents:
    """Show one file: why it waits, what it says of itself, and let it be downloaded."""
    look.heading(PurePath(kept.name).name, beside=f"number {kept.item_id}")
    look.show(f'<p class="lv-note alert">{look.safe(kept.detail or "")} {look.safe(kept.advice)}</p>')
    inside = contents(kept, me)
    look.show(facts(inside))
    return inside


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


def act_on_waiting(files: Sequence[Kept], inside: Contents | None, me: Person) -> None:
    """Let files be sent in again with what was missing, or set aside with a reason."""
    numbers = [one.item_id for one in files]
    if all(one.has_bytes for one in files):
        look.heading("Send in again")
        ways = dict.fromkeys(helps(one.reason) for one in files)
        look.show(
            f'<p class="lv-subtitle">{" ".join(WHAT_HELPS[way] for way in ways)} What is left empty comes from the file.</p>'
        )
        said = statement_of(files, inside)
        label = "Send in again" if len(files) == 1 else f"Send all {len(files)} in again"
        if (
            st.button(label, type="primary", key="quarantine_send", disabled=said is None)
            and said is not None
        ):
            with (
                outages.beside_the_act(),
                st.spinner("Taking in…"),
                telling(),
            ):
                answer(resubmit(here(), numbers, said, person=me))
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
    st.rerun()


def done(sentence: str) -> None:
    """Say in the next run of the page what was done."""
    st.session_state[ANSWERED] = [("done", "", None, None, sentence)]
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    st.rerun()


def show_answers() -> None:
    """Show once what became of the files that were acted on."""
    for outcome, name, mrn, day, text in st.session_state.pop(ANSWERED, []):
        good = outcome in ("accepted", "duplicate", "done")
        whose = (
            f" <a href='/patient?mrn={quote(mrn)}'>MRN {look.safe(mrn)}</a>, {look.safe(day)}."
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


def download(kept: Kept, me: Person) -> None:
    """Let the file leave as it was sent; fetched when asked, and written to the audit trail."""
    st.download_button(
        "Download the file",
        data=lambda: original(here(), kept.item_id, me),
        file_name=f"quarantine-{kept.item_id}{PurePath(kept.name).suffix[:8]}",
        mime="application/octet-stream",
        icon=":material/download:",
        key=f"quarantine_download_{kept.item_id}",
    )


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
