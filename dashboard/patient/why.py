"""Why the score of the chosen visit is another than the prior's."""

import streamlit as st

from core.records import PatientRecord, Visit, VisitScore
from dashboard import look
from dashboard.charts import course, movement, template


def why_it_moved(record: PatientRecord, visit: Visit) -> None:
    """Show how a visit's 5-year risk came from the prior's, and what each visit told; nothing without a score."""
    score = visit.score
    if score is None or not score.priors:
        return
    _since_the_prior(record, visit, score)
    if len(score.contributions) > 1:
        _each_visit(visit, score)


def _since_the_prior(record: PatientRecord, visit: Visit, score: VisitScore) -> None:
    prior = record.moved_from(visit)
    if prior is None or score.moved is None:
        look.heading("Why it moved")
        look.footer("The prior has no score that this one can be set beside.")
        return
    look.heading("Why it moved", beside=f"since the prior; odds {movement.change(score.moved)} in all")
    st.plotly_chart(
        movement.waterfall(score.moved, look.iso(prior.on), look.iso(visit.on)),
        key=f"moved_{visit.study_uid}",
        theme=None,
        config=template.CONFIG,
        alt=movement.said(score.moved),
    )
    look.footer(
        "5-year risk, from the prior to this visit. × is what each does to the odds; together they make the change. History: "
        "the prior now stands among the visits before. Breasts: new pictures in the place of the prior's."
    )


def _each_visit(visit: Visit, score: VisitScore) -> None:
    with st.expander("What each visit told"):
        look.footer(
            "By how much each visit, seen besides those after it, multiplies the odds of cancer within 5 years, from those of "
            "a woman of whom nothing is seen."
        )
        st.plotly_chart(
            course.contributions(score),
            key=f"contributions_{visit.study_uid}",
            theme=None,
            config=template.CONFIG,
            alt="How much each visit multiplied the odds of cancer within 5 years",
        )
