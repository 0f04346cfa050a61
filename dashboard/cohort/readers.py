"""How readers' assessments stand to what the model says, where they were signed before it was shown."""

import streamlit as st

from core.cohorts import Selection, disclosure
from core.cohorts.seeing.agreement import ReadersAndModel, readers_and_model
from core.rules import assessment_rules
from dashboard import look
from dashboard.cohort.figure import About, empty, figure

QUESTION = "Do readers and the model say the same, before a reader has seen the score?"


def show(selection: Selection) -> None:
    """Show the table of both, and how far they agree beyond chance."""
    found = readers_and_model(selection)
    if not found.table.height:
        empty(
            QUESTION,
            f"Nothing is shown of this group: each number must be of nobody, or of {disclosure.smallest_group()} women and more "
            "with an assessment that was signed before the score was shown.",
        )
        return
    rule = assessment_rules().agreement
    left, _ = st.columns([2, 1])
    with left:
        figure(
            selection,
            QUESTION,
            None,
            found.table,
            About(
                "The women by how the reader's assessment stands to the model's malignancy of the same visit.",
                f"{rule.source}. Of each woman the last such assessment counts, by its first version: who changed her mind after the "
                f"score was shown, changed it later. {agreement_sentence(found)}",
                "Women with an assessment signed before the score was shown, and a score that may be told; known malignancy is left out.",
                "Neither is right because both agree, and the reader's answer is not the truth: see Judge.",
            ),
            name="readers",
            counted=f"{disclosure.count_said(found.n)} of {selection.sentence}",
        )
        look.footer(agreement_sentence(found))


def agreement_sentence(found: ReadersAndModel) -> str:
    """Say how far readers and model agree beyond chance."""
    if found.kappa is None:
        return (
            "Cohen's kappa is told where each of its four cells holds nobody, or "
            f"{disclosure.smallest_group()} women and more."
        )
    value, low, high = found.kappa
    return (
        f"They agree in {disclosure.count_said(found.agree)} of {disclosure.count_said(found.n)}. "
        f"Cohen's kappa {value:.2f} (95 % {low:.2f} to {high:.2f})."
    )
