"""The patient: who she is, how her risk runs, and the chosen visit with its pictures."""

import streamlit as st

from core.people import Permission, Person
from core.records import PatientRecord, StudyStatus, findings, record_of
from dashboard import addresses, audit_trail, drafts, keys, look, session
from dashboard.house import here
from dashboard.patient import (
    assessment,
    correct_menu,
    events,
    header,
    lesions,
    pictures,
    priors,
    report_menu,
    ribbon,
    score,
)

MOST_FORMS = 12
"""So many assessments in which nothing was put in are remembered; one costs little, and each rerun goes through all."""


def page(person: Person) -> None:
    """Tell a woman's record: what is open, her course, the pictures and what to do of them, and then the rest."""
    # The browser's way back leads here without the address: then it is the woman who was open last.
    mrn = addresses.whose()
    record = record_of(here(), mrn) if mrn else None
    if record is None:
        header.nobody(mrn)
        return
    if mrn != record.mrn:
        st.session_state[correct_menu.FORMER] = (record.mrn, mrn)
    drafts.let_go(assessment.FORMS, MOST_FORMS)
    session.note_look(person, "patient_opened", f"patient:{record.mrn}")
    st.session_state[keys.LAST_PATIENT] = record.mrn
    addresses.say_who(record.mrn)
    head, tools = st.columns([5.2, 6.6], vertical_alignment="center")
    with head:
        header.identity(record)
    visit = ribbon.choose_visit(record) if record.visits else None
    with (
        tools,
        st.container(
            horizontal=True,
            horizontal_alignment="right",
            vertical_alignment="center",
            gap="small",
            key="tools",
        ),
    ):
        header.way_through(record)
        if person.may(Permission.ADD_STUDY):
            st.page_link(
                "screens/add_study.py",
                label="Add study",
                icon=":material/add:",
                query_params=addresses.query_of(record.mrn),
            )
        if priors.are_fetched_by(person):
            priors.button(record)
        if person.may(Permission.CORRECT):
            correct_menu.offer(record, visit)
        if visit is not None:
            report_menu.offer(record, visit)
    if priors.are_fetched_by(person):
        priors.progress(record)
    correct_menu.what_was_done(record, person)
    if visit is None:
        look.show('<div class="lv-empty"><b>No studies yet</b>Add a study to see her course.</div>')
        return
    alerts_in_a_line(record, person)
    with st.container(key="key_figures"):
        header.key_figures(record)
    workspace([record], record.mrn)
    lesions.show_lesions(record, person)
    events.show_events(record, person)
    if record.scored:
        ribbon.whole_course(record)
    header.model_card(record)
    if person.may(Permission.ADMINISTER):
        audit_trail.offer(record.mrn)
    waiting = {v.study_uid: v.status for v in record.visits if v.status is StudyStatus.PENDING}
    if waiting:
        score.wait_for_score(waiting)


def alerts_in_a_line(record: PatientRecord, person: Person) -> None:
    """Show the first open alert as a line that opens all of them; nothing where there never was one."""
    if not record.alerts:
        return
    still = record.open_alerts
    rest = f" · and {len(still) - 1} more" if len(still) > 1 else ""
    line = f"{look.plain(still[0].message)}{rest}" if still else f"Earlier alerts {len(record.alerts)}"
    with st.container(key="alerts_open" if still else "alerts_ended"), st.popover(line, width="stretch"):
        header.alerts(record, person)


@st.fragment
def workspace(opened: list[PatientRecord], mrn: str) -> None:
    """Show course, pictures and what is said of them side by side; another visit chosen runs this part alone.

    `opened` holds the record that the page has just read; it is empty when only this part runs.
    """
    person = session.seen_by(Permission.SEE_PATIENTS)
    record = opened.pop() if opened else record_of(here(), mrn)
    if record is None or not record.visits:
        st.rerun()
        return
    chosen = ribbon.choose_visit(record)
    compared = pictures.compared_with(record, chosen, str(st.query_params.get(keys.PRIOR, "")))
    found = findings.of_patient(here(), record.mrn)
    with st.container(key="workspace"):
        left, right = st.columns([5, 2], gap="small")
        with left:
            if record.standing.read:
                ribbon.trend(record, chosen)
            pictures.viewer(record, chosen, compared, found, person)
        with right:
            assessment.show_assessment(record, chosen, person)
            score.what_the_model_said(record, chosen, person)
            score.try_again(chosen, person)
            pictures.findings_of(chosen, found, person)


page(session.seen_by(Permission.SEE_PATIENTS))
