"""What stands in the place of a score that is covered until the study is read, and what a reader said before it was shown."""

import streamlit as st

from core.people import Permission, Person
from core.records import Visit, reveal_unread
from core.rules import Agreement, agreement, assessment_rules
from dashboard import look, outages, session
from dashboard.house import here


def show_covered(visit: Visit, person: Person) -> None:
    """Say that a visit's score is covered, and let who assesses have it shown unread, with a reason."""
    if not visit.covered:
        return
    how = (
        "It is shown when you sign your assessment."
        if person.may(Permission.ASSESS)
        else "It is shown when an oncologist has signed an assessment."
    )
    look.show(f'<p class="lv-note"><b>The score is covered until this study is read.</b> {how}</p>')
    if person.may(Permission.ASSESS):
        with st.popover(
            "Show without reading",
            type="tertiary",
            icon=":material/visibility:",
            key=f"unread_{visit.study_uid}",
        ):
            ask_why(visit)


def ask_why(visit: Visit) -> None:
    """Ask why the score is needed before the study is read, and show it."""
    with st.form(f"unread_form_{visit.study_uid}", border=False):
        look.show(
            "<p>For emergencies. The score is then shown to everybody, the audit trail keeps who asked and why, and the "
            "assessment will say that it was recorded after the score was shown.</p>"
        )
        reason = st.text_input("Reason", max_chars=500, key=f"unread_reason_{visit.study_uid}")
        if not st.form_submit_button("Show the score", key=f"unread_show_{visit.study_uid}"):
            return
        with outages.beside_the_act("It stays covered."):
            try:
                reveal_unread(here(), session.require(Permission.ASSESS), visit.study_uid, reason)
            except ValueError as error:
                st.warning(str(error))
                return
            st.rerun()


def beside_the_reader(visit: Visit, person: Person) -> None:
    """Set what a reader said before the score was shown beside what the model says; nothing where it was not so."""
    first = visit.assessment.first
    if visit.score is None or not first.covered:
        return
    found = agreement(first.bi_rads, visit.score.malignancy.values())
    if found is None:
        return
    who = "You" if first.by == person.display_name else first.by or "A reader"
    limit = f"{100 * assessment_rules().agreement.malignancy_from:g}{look.NBSP}%"
    model = "at or above" if found in (Agreement.BOTH_POSITIVE, Agreement.MODEL_ONLY) else "below"
    highest = max(value for value in visit.score.malignancy.values() if value is not None)
    words = "They agree." if found.agrees else "They differ."
    look.show(
        f'<p class="lv-note{"" if found.agrees else " alert"}" title="{look.safe(assessment_rules().agreement.source)}">'
        f"{look.safe(who)} said <b>{first.categories}</b> before the score was shown; the model says malignancy "
        f"<b>{look.percent(highest)}</b>, {model} {limit}. <b>{words}</b></p>"
    )
