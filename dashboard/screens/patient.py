"""The patient: who she is, how her risk runs, and the chosen visit with its pictures."""

import streamlit as st

from core.people import Permission, Person
from core.records import StudyStatus, findings, record_of
from dashboard import keys, look, session
from dashboard.house import here
from dashboard.patient import assessment, events, header, lesions, pictures, ribbon, score


def page(person: Person) -> None:
    """Tell a woman's record from top to bottom."""
    # The browser's way back leads here without the address: then it is the woman who was open last.
    mrn = str(st.query_params.get(keys.MRN) or st.session_state.get(keys.LAST_PATIENT, ""))
    record = record_of(here(), mrn) if mrn else None
    if record is None:
        header.nobody(mrn)
        return
    session.note_once(person, "patient_opened", f"patient:{record.mrn}")
    st.session_state[keys.LAST_PATIENT] = record.mrn
    st.query_params[keys.MRN] = record.mrn
    head, back, add = st.columns([8, 1.4, 1.4], vertical_alignment="center")
    with head:
        header.identity(record)
    back.page_link("screens/worklist.py", label="Worklist", icon=":material/arrow_back:", width="stretch")
    if person.may(Permission.ADD_STUDY):
        add.page_link(
            "screens/add_study.py",
            label="Add study",
            icon=":material/add:",
            query_params={keys.MRN: record.mrn},
            width="stretch",
        )
    if not record.visits:
        look.show('<div class="lv-empty"><b>No studies yet</b>Add a study to see her course.</div>')
        return
    header.alerts(record, person)
    header.key_figures(record)
    chosen = ribbon.choose_visit(record)
    if record.standing.read:
        ribbon.trend(record, chosen)
    ribbon.strip(record, chosen)
    left, right = st.columns([5, 3], gap="medium")
    found = findings.of_patient(here(), record.mrn)
    with left:
        pictures.viewer(chosen, record.missing_views(chosen), found)
        pictures.findings_of(chosen, found, person)
        events.show_events(record, person)
    with right:
        score.what_the_model_said(record, chosen, person)
        score.try_again(chosen, person)
        assessment.show_assessment(chosen, person)
    lesions.show_lesions(record, person)
    header.model_card(record)
    waiting = {v.study_uid: v.status for v in record.visits if v.status is StudyStatus.PENDING}
    if waiting:
        score.wait_for_score(waiting)


page(session.require(Permission.SEE_PATIENTS))
