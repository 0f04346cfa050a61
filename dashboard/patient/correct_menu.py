"""What went in wrong is put right from her page: the menu, what was done last with its way back, and all that was corrected."""

from collections.abc import Callable

import streamlit as st

from core.corrections import ChangedSince, CorrectionRefused, Entry, corrections_of, preview_undo
from core.corrections import undo as undo_
from core.people import Permission, Person
from core.records import PatientRecord, Visit
from dashboard import look, outages, session
from dashboard.house import here
from dashboard.patient import correct_events, correct_films, correct_person
from dashboard.patient.correct_confirm import LAST, OPEN, closed, done

LIST = "list"
FORMER = "former_mrn"
FORMS: dict[str, tuple[str, Callable[[PatientRecord, Visit | None], None]]] = {
    "films": ("Side, view or kind of films", correct_films.what_films_are),
    "aside": ("Films that are not wanted", correct_films.set_aside),
    "date": ("Date of a study", correct_films.date_of_study),
    "days": ("One study that was several", correct_films.days_of_films),
    "move": ("Studies or films of another woman", correct_person.move),
    "events": ("Event of another woman or day", correct_events.whose_and_when),
    "who": ("Name, birth date or sex", correct_person.who_she_is),
    "merge": ("Another record that is hers", correct_person.merge),
}


def offer(record: PatientRecord, visit: Visit | None) -> None:
    """Offer what can be put right as a menu; what is chosen opens in a dialog."""
    labels = {name: label for name, (label, _) in FORMS.items()} | {LIST: "What was corrected …"}
    names = list(labels) if record.visits else ["events", "who", "merge", LIST]
    if not record.events:
        names.remove("events")
    chosen = st.menu_button(
        "Correct",
        names,
        format_func=labels.__getitem__,
        icon=":material/edit:",
        key=f"correct_{record.mrn}",
    )
    if chosen is not None:
        st.session_state[OPEN] = (record.mrn, chosen)
    mrn, opened = st.session_state.get(OPEN, ("", ""))
    # It stays open where the page is drawn anew behind it, as it is when a score arrives.
    if mrn == record.mrn and opened in names:
        label, form = FORMS.get(opened, ("", what_was_corrected))
        title = f"Correct: {label[0].lower()}{label[1:]}" if label else "What was corrected"
        st.dialog(title, width="large", on_dismiss=closed)(_of_her)(record, visit, form)


def _of_her(
    record: PatientRecord, visit: Visit | None, form: Callable[[PatientRecord, Visit | None], None]
) -> None:
    """Say whose record is corrected, above the form."""
    born = f"born {look.iso(record.birth_date)}" if record.birth_date else "birth date unknown"
    look.show(
        f'<p class="lv-of-her"><b>{look.safe(record.name or "No name")}</b>{look.badge(record.simulated)} '
        f"<span>MRN {look.safe(record.mrn)} · {born}</span></p>"
    )
    form(record, visit)


def what_was_done(record: PatientRecord, person: Person) -> None:
    """Say what was corrected last on this page, with the way to undo it, and under which other MRN she was asked for."""
    former = st.session_state.get(FORMER)
    if former is not None and former[0] == record.mrn:
        look.show(
            f'<p class="lv-note">MRN {look.safe(former[1])} was merged into this record: it leads here.</p>'
        )
    mrn, text, correction_id = st.session_state.get(LAST, ("", "", None))
    if mrn != record.mrn:
        return
    words, way_back = st.columns([7, 1], vertical_alignment="center")
    with words:
        look.show(f'<p class="lv-note good" role="status">{look.safe(text)}</p>')
    if (
        correction_id is not None
        and person.may(Permission.CORRECT)
        and way_back.button(
            "Undo", key=f"undo_correction_{correction_id}", icon=":material/undo:", width="stretch"
        )
    ):
        take_back(record, correction_id)


def take_back(record: PatientRecord, correction_id: int, reason: str = "", stamp: str | None = None) -> None:
    """Undo a correction and say so; where that cannot be, say why and leave all as it is."""
    with outages.beside_the_act("Nothing is undone."):
        try:
            made = undo_(
                here(), correction_id, reason=reason, by=session.require(Permission.CORRECT), stamp=stamp
            )
        except CorrectionRefused as refused:
            st.warning(look.plain(str(refused)))
            return
        done(record.mrn, f"Undone. {' '.join(made.did.says)} {made.did.sentences[0]}", None)


def what_was_corrected(record: PatientRecord, _visit: Visit | None) -> None:
    """List what was corrected of her, newest first, each with its way back."""
    session.require(Permission.CORRECT)
    entries = corrections_of(here(), record.mrn)
    if not entries:
        look.show('<p class="lv-muted">Nothing of hers was corrected.</p>')
    for entry in entries:
        words, way_back = st.columns([6, 1.2], vertical_alignment="top")
        with words:
            look.show(_said(entry))
        if entry.is_undone:
            continue
        asked = f"asked_to_undo_{entry.correction_id}"
        if way_back.button("Undo …", key=f"undo_{entry.correction_id}", width="stretch"):
            st.session_state[asked] = not st.session_state.get(asked, False)
        if st.session_state.get(asked):
            _ask_to_undo(record, entry)


def _ask_to_undo(record: PatientRecord, entry: Entry) -> None:
    try:
        foretold = preview_undo(here(), entry.correction_id, by=session.require(Permission.CORRECT))
    except (ChangedSince, CorrectionRefused) as refused:
        st.warning(look.plain(str(refused)))
        return
    lines = "".join(f"<li>{look.safe(line)}</li>" for line in foretold.sentences)
    look.show(f'<div class="lv-note">Then it is as it was before.<ul>{lines}</ul></div>')
    reason, button = st.columns([5, 1.2], vertical_alignment="bottom")
    why = reason.text_input("Why, if you like", max_chars=2000, key=f"why_undo_{entry.correction_id}")
    if button.button("Undo it", type="primary", key=f"undo_it_{entry.correction_id}", width="stretch"):
        take_back(record, entry.correction_id, why, foretold.stamp)


def _said(entry: Entry) -> str:
    undone = ""
    if entry.undone_at is not None:
        why = f": {look.safe(entry.undo_reason)}" if entry.undo_reason else ""
        undone = (
            f"<br><b>Undone</b> by {look.safe(entry.undone_by or '')}, {look.moment(entry.undone_at)}{why}"
        )
    return (
        f'<div class="lv-corrected{" undone" if entry.is_undone else ""}"><p>{look.safe(entry.says)}</p>'
        f'<p class="lv-muted lv-footer">{look.moment(entry.at)} · {look.safe(entry.by)} · {look.safe(entry.reason)}{undone}</p></div>'
    )
