"""Compare: two of a woman's studies over the whole window, dark; nothing else."""

import streamlit as st

from core.people import Permission, Person
from core.records import findings, record_of
from dashboard import addresses, keys, look, session
from dashboard.house import here
from dashboard.patient import header, pictures, ribbon


def page(person: Person) -> None:
    """Open a woman's pictures; Esc leads back to her page."""
    mrn = addresses.whose()
    record = record_of(here(), mrn) if mrn else None
    if record is None or not record.visits:
        header.nobody(mrn)
        return
    session.note_look(person, "patient_opened", f"patient:{record.mrn}")
    st.session_state[keys.LAST_PATIENT] = record.mrn
    addresses.say_who(record.mrn)
    whole_window(record.mrn)


@st.fragment
def whole_window(mrn: str) -> None:
    """Show the viewer over everything else."""
    person = session.seen_by(Permission.SEE_PATIENTS)
    record = record_of(here(), mrn)
    if record is None or not record.visits:
        st.rerun()
        return
    chosen = ribbon.choose_visit(record)
    look.heard_title(f"{record.label}: studies compared")
    compared = pictures.compared_with(record, chosen, str(st.query_params.get(keys.PRIOR, "")))
    found = findings.of_patient(here(), mrn)
    pictures.viewer(record, chosen, compared, found, person, whole_page=True)


page(session.seen_by(Permission.SEE_PATIENTS))
