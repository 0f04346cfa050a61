"""The reader's assessment of the chosen visit."""

from collections.abc import Mapping
from datetime import datetime

import streamlit as st

from core.people import Permission, Person
from core.records import AssessedMeanwhile, Assessment, Visit, record_assessment
from core.rules.vocabulary import BI_RADS, BI_RADS_EDITION, DENSITY_WORDS
from dashboard import look, outages, session
from dashboard.drafts import Draft
from dashboard.house import here


def show_assessment(visit: Visit, person: Person) -> None:
    """Show the reader's assessment, and let an oncologist record it."""
    look.heading("Reader's assessment")
    if visit.bi_rads:
        look.show(
            f'<p class="lv-note"><b>{visit.assessment.words}</b> · {look.safe(visit.assessed_by or "")}, '
            f"{look.moment(visit.assessed_at)}"
            + (f"<br>{look.safe(visit.assessment_note)}" if visit.assessment_note else "")
            + "</p>"
        )
    elif not person.may(Permission.ASSESS):
        look.show('<p class="lv-note">Not assessed yet.</p>')
    if person.may(Permission.ASSESS):
        assess(visit)


@st.fragment
def assess(visit: Visit) -> None:
    """Ask for an assessment; what is put in survives another visit being chosen, and another reader's writing."""
    # Not a form: what stands in one reaches the server, and outlives the form, only when it is sent.
    person = session.require(Permission.ASSESS)
    name = f"assessment_{visit.study_uid}_{person.user_id}"
    press, draft = f"{name}_record", Draft(name)
    stored = fields(name, visit.assessment)
    draft.follow(stored, visit.assessed_at, pressed=bool(st.session_state.get(press)))
    left, right = st.columns(2)
    with left:
        bi_rads = ask_category(f"BI-RADS ({BI_RADS_EDITION})", BI_RADS, key=f"{name}_bi_rads")
    with right:
        density = ask_category("Density", DENSITY_WORDS, key=f"{name}_density")
    note = st.text_area("Note", height=80, max_chars=10_000, key=f"{name}_note", persist_state="session")
    label = "Change assessment" if visit.bi_rads else "Record assessment"
    if draft.told:
        look.show(f'<p class="lv-note alert">{look.safe(draft.told)}</p>')
        label = "Replace assessment"
    record, drop = st.columns([3, 2])
    if draft.changed or draft.told:
        drop.button("Drop my draft", key=f"{name}_drop", on_click=draft.forget, type="tertiary")
    if not record.button(label, key=press, type="primary"):
        return
    if bi_rads is None:
        st.warning("Choose a BI-RADS assessment first.")
        return
    instead_of = draft.version
    assert instead_of is None or isinstance(instead_of, datetime)
    with outages.beside_the_act("The assessment is not recorded."):
        try:
            record_assessment(
                here(),
                person,
                visit.study_uid,
                bi_rads=bi_rads,
                density=density,
                note=note,
                instead_of=instead_of,
            )
        except AssessedMeanwhile as meanwhile:
            draft.refused(fields(name, meanwhile.stored), meanwhile.stored.at, str(meanwhile))
        except ValueError as error:
            st.warning(str(error))
            return
        else:
            draft.forget()
        st.rerun()


def ask_category(label: str, words: Mapping[str, str], *, key: str) -> str | None:
    """Ask for one of some categories, none of which is chosen for the reader."""
    return st.selectbox(
        label,
        list(words),
        index=None,
        format_func=words.__getitem__,
        placeholder="Choose",
        key=key,
        persist_state="session",
    )


def fields(name: str, stored: Assessment) -> dict[str, str | None]:
    """Return what the widgets of an assessment show where it is the one that stands, by their keys."""
    return {
        f"{name}_bi_rads": stored.bi_rads if stored.bi_rads in BI_RADS else None,
        f"{name}_density": stored.density,
        f"{name}_note": stored.note or "",
    }
