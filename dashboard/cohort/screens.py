"""Screens of a cohort that came as a table: how many are recalled, how many cancers follow within a year, and in whom."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.cohorts import Selection, screens
from core.cohorts.disclosure import count_said, few
from dashboard.charts.screens import cancers
from dashboard.cohort.figure import About, empty, figure

UNIT = (
    "One count a screen: a woman with several counts with each. Intervals are of 95 % (Wilson 1927) and take screens as "
    f"independent. Nothing is told of {few()} women."
)
WHOM = "All screens of these women that say it, whether or not another one came before."
YEAR = "Cancer is known for the year after each screen, not later, and not on which day."


def show(selection: Selection) -> None:
    """Show the audit of screening, then cancers by density and by age."""
    many = count_said(selection.visits_of("woman").height)
    counted = f"{many} screens; {selection.sentence}"
    audit = screens.measures(selection)
    question = "How many are recalled, and how many cancers follow?"
    if not audit.height:
        empty(question, f"There are too few: each number must be of nobody, or not of {few()} women.")
        return
    figure(
        selection,
        question,
        None,
        audit,
        About(
            "The measures by which screening is audited, each per 1,000 of the screens that it is of.",
            f"A positive assessment is BI-RADS 0, 4 or 5 (ACR, follow-up and outcome monitoring). {UNIT}",
            f"{WHOM} {YEAR}",
            "It says nothing of a model: none has read these screens. A cancer after a negative screen may not have been there "
            "to be seen.",
        ),
        name="screens",
        counted=counted,
    )
    left, right = st.columns(2)
    for place, table, column, title, question in (
        (left, screens.by_density(selection), "density", "density", "In whom is cancer found, by density?"),
        (right, screens.by_age(selection), "age_group", "age, years", "In whom is cancer found, by age?"),
    ):
        with place:
            _cancers(selection, table, column, title, question, counted)


def _cancers(
    selection: Selection, table: pl.DataFrame, column: str, title: str, question: str, counted: str
) -> None:
    if not table.height:
        empty(question, f"There are too few cancers: each number must be of nobody, or not of {few()} women.")
        return
    figure(
        selection,
        question,
        cancers(table, column, x_title=title),
        table,
        About(
            "Cancers within a year of the screen per 1,000 screens, with their 95 % intervals.",
            UNIT,
            f"{WHOM} {YEAR} Groups with cancers in {few()} women are left out.",
            "Groups differ in more than this: density falls with age, and risk rises with it. Differences are not tested.",
        ),
        name=f"screens-by-{title.split(',')[0]}",
        counted=counted,
    )
