"""The cohort: who the women are, how high their risk is, how it runs."""

import enum
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.people import Permission
from core.records import (
    Cohort,
    Definition,
    Population,
    ReadersAndModel,
    cards,
    cohort,
    csv,
    figures,
    readers_and_model,
)
from core.records.small_groups import FEW, SMALLEST_GROUP
from core.rules import assessment_rules, thresholds
from core.rules.vocabulary import DENSITIES
from dashboard import look, session
from dashboard.charts.cohort import counts, median_course, risk_by_density, risk_histogram
from dashboard.charts.template import Figure
from dashboard.drawing import draw
from dashboard.house import here

AGES = (20, 100)
JOINED = f"Groups of {FEW} women are joined with their neighbours."


class Anchor(enum.StrEnum):
    """From where the years of a course are counted."""

    LAST_VISIT = "to the last visit"
    DIAGNOSIS = "to the diagnosis"


def define(number: Mapping[Population, int]) -> Definition:
    """Ask which women belong, and return the definition."""
    # Never both unasked: the page begins with the kind of which there are more.
    default = (
        Population.REAL if number[Population.REAL] >= number[Population.SIMULATED] else Population.SIMULATED
    )
    told = cohort.told_kinds(number)
    kind = st.radio(
        "Women",
        list(Population),
        index=list(Population).index(default),
        format_func=lambda kind: " ".join(
            [Population(kind).value, *(f"({many})" for many in [told[Population(kind)]] if many)]
        ),
        key="kind",
        bind="query-params",
    )
    age = st.slider("Age at the last scored visit", *AGES, AGES, key="cohort_age", bind="query-params")
    density = st.pills(
        "Density",
        list(DENSITIES),
        selection_mode="multi",
        wrap=True,
        key="cohort_density",
        bind="query-params",
    )
    band_names = {band.key: band.label for band in thresholds.risk_bands()}
    band = st.pills(
        "5-year risk",
        list(band_names),
        selection_mode="multi",
        wrap=True,
        format_func=lambda key: band_names[key],
        key="cohort_risk",
        bind="query-params",
    )
    visits = st.slider("Scored visits, at least", 1, 8, 1, key="visits", bind="query-params")
    return Definition(
        kind=Population(kind or default),
        age_from=age[0] if age[0] > AGES[0] else 0,
        age_to=age[1] if age[1] < AGES[1] else 120,
        densities=tuple(density),
        bands=tuple(band),
        visits_from=visits,
    )


def figure(
    question: str,
    chosen: Cohort,
    drawn: Figure,
    table: pd.DataFrame,
    *,
    name: str,
    method: str,
    counted: str = "",
) -> None:
    """Show a figure that stands alone: question, who is counted, method, download."""
    counted = counted or chosen.sentence
    with st.container(border=True):
        words, buttons = st.columns([5, 3], vertical_alignment="top", gap="small")
        with words:
            look.show(
                f'<p class="lv-question">{look.safe(question)}</p>'
                f'<p class="lv-subtitle">{look.safe(counted)}</p>'
            )
        with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            with st.popover("", icon=":material/info:", help="How this was made"):
                look.show(f"<p>{look.safe(method)}</p>")
            st.download_button(
                "",
                csv.csv_of(table, note=f"{question} {counted}. Research software, not for diagnosis."),
                file_name=f"longview-{name}-{chosen.definition.kind.name.lower()}.csv",
                mime="text/csv",
                icon=":material/download:",
                help="The figure's numbers as CSV",
                key=f"download_{name}",
                on_click="ignore",
            )
        draw(drawn, key=f"figure_{name}", alt=f"{question} {counted}")


def too_few() -> None:
    """Say why a figure of points has none."""
    look.show(
        f'<div class="lv-empty"><b>Too few visits</b>A point needs at least {SMALLEST_GROUP} women.</div>'
    )


def who(chosen: Cohort) -> None:
    """Show ages and densities."""
    left, right = st.columns(2)
    ages, counted = figures.ages(chosen)
    with left:
        figure(
            "How old are the women?",
            chosen,
            counts(ages, "age_group", x_title="age at the last scored visit, years"),
            ages,
            name="age",
            method="One count a woman, by her age at her last scored visit, in groups of five years. "
            f"Women without a birth date are not counted here. {JOINED}",
            counted=counted,
        )
    densities = figures.densities(chosen)
    with right:
        figure(
            "How dense are their breasts?",
            chosen,
            counts(densities, "density", x_title="density", colour=look.DENSITY),
            densities,
            name="density",
            method="One count a woman at her last scored visit: the reader's density where one is recorded, "
            f"else the category that the model finds likeliest. {JOINED}",
        )


def risk(chosen: Cohort) -> None:
    """Show the latest 5-year risks."""
    left, right = st.columns(2)
    risks = figures.risks(chosen)
    with left:
        figure(
            "How high is the latest 5-year risk?",
            chosen,
            risk_histogram(risks),
            risks,
            name="risk",
            method="Probability of cancer within 5 years at each woman's last scored visit, "
            "on a logarithmic axis: each step reaches a third higher than the one before. "
            + " ".join(f"{band.label}: {band.source}." for band in thresholds.risk_bands()[1:])
            + f" {JOINED} A bar over several steps is as high as their mean.",
        )
    by_density = figures.risks_by_density(chosen)
    with right:
        figure(
            "Is it higher in denser breasts?",
            chosen,
            risk_by_density(by_density),
            by_density,
            name="risk-by-density",
            method="Box: quartiles; line and dot: median. The axis is logarithmic. "
            f"Neither age nor any other difference between the groups is taken out. {JOINED}",
        )


def course(chosen: Cohort) -> None:
    """Show how risk runs up to the last visit or a diagnosis, and over the calendar."""
    anchor = Anchor.LAST_VISIT
    if chosen.may_tell_diagnosed:
        anchor = Anchor(
            st.segmented_control("Years counted", list(Anchor), default=anchor, key="anchor", required=True)
            or anchor
        )
    to_diagnosis = anchor is Anchor.DIAGNOSIS
    table = figures.course_to_diagnosis(chosen) if to_diagnosis else figures.course_to_last(chosen)
    left, right = st.columns(2)
    method = (
        "Median and quartiles of 5-year risk over women, one value a woman and year (her mean, if she came more than "
        f"once). Points with {FEW} women are left out. Different women stand behind different points. "
        "Where visits were scored by different weights, those by the commonest count: others are never joined with them."
    )
    with left:
        if table.empty:
            too_few()
        else:
            figure(
                "How does risk run before a diagnosis?"
                if to_diagnosis
                else "How does risk run up to the last visit?",
                chosen,
                median_course(
                    table,
                    "years",
                    x_title="years before the diagnosis" if to_diagnosis else "years before the last visit",
                ),
                table,
                name="course",
                method=method,
                counted=f"{chosen.diagnosed} of them with a diagnosis; {chosen.sentence}"
                if to_diagnosis
                else "",
            )
    calendar = figures.calendar(chosen)
    with right:
        if calendar.empty:
            too_few()
        else:
            figure(
                "Has risk changed over the calendar years?",
                chosen,
                median_course(calendar, "year", x_title="year of the visit"),
                calendar,
                name="calendar",
                method=method,
            )


def readers(chosen: Cohort) -> None:
    """Show how readers' assessments stand to what the model says, where they were signed before it was shown."""
    found = readers_and_model(here(), chosen.definition.kind)
    rule = assessment_rules().agreement
    counted = (
        f"{found.n if found.told else FEW.capitalize()} women ({chosen.definition.kind.value}) with an assessment signed before the score "
        "was shown; the other choices on the left are not applied here"
    )
    look.show(
        '<p class="lv-question">Do readers and the model say the same, before a reader has seen the score?</p>'
        f'<p class="lv-subtitle">{look.safe(counted)}</p>'
    )
    if not found.rows:
        look.show(
            f'<div class="lv-empty"><b>Nothing is shown of this group</b>Each number must be of nobody, or of '
            f"{SMALLEST_GROUP} women and more.</div>"
        )
        return
    body = "".join(
        f'<tr><td>{look.safe(words)}</td><td class="n">{women}</td><td class="n">{look.percent(women / found.n)}</td></tr>'
        for words, women in found.rows
    )
    table, _ = st.columns(2)
    with table:
        look.show(
            '<table class="lv-table"><tr><th>reader and model</th><th class="n">women</th><th class="n">share</th></tr>'
            f"{body}</table>"
        )
        look.footer(agreement_sentence(found))
    look.footer(
        f"{rule.source}. Known malignancy is left out. Of each woman the last "
        "such assessment counts, by its first version: who changed her mind after the score was shown, changed it later."
    )


def agreement_sentence(found: ReadersAndModel) -> str:
    """Say how far readers and model agree beyond chance."""
    if found.kappa is None:
        return f"Cohen's kappa is told where each of its four cells holds nobody, or {SMALLEST_GROUP} women and more."
    value, low, high = found.kappa
    return (
        f"They agree in {found.agree} of {found.n}. Cohen's kappa {value:.2f} (95 % {low:.2f} to {high:.2f})."
    )


session.require(Permission.SEE_COHORT)
number = cohort.kinds(here())
if not number[Population.BOTH]:
    look.title("Cohort")
    look.show(
        '<div class="lv-empty"><b>No women yet</b>Figures appear when studies are scored. Load simulated women '
        "from a terminal: <code>python -m seed_data demo</code></div>"
    )
    st.stop()
definition_column, figures_column = st.columns([1, 4], gap="large")
with definition_column:
    look.title("Cohort")
    live = st.container()
    definition = define(number)
chosen = cohort.cohort(cohort.everyone(here()), definition)
with live:
    marked = look.badge(True) if definition.kind is not Population.REAL else ""
    many = FEW if chosen.n < SMALLEST_GROUP else look.UNKNOWN if chosen.withheld else chosen.n
    look.show(f'<p style="margin:0"><span class="lv-big">{many}</span> women{marked}</p>')
with figures_column:
    if chosen.withheld:
        look.show(
            f'<div class="lv-empty"><b>Nothing is shown of this group</b>{look.safe(chosen.withheld)} '
            "Widen the definition on the left, or choose other women. "
            "Only women with a scored study are counted.</div>"
        )
        st.stop()
    if definition.kind is Population.BOTH:
        look.show(
            '<p class="lv-note alert">Simulated and real women are counted together in these figures.</p>'
        )
    # Only the open tab's figures are drawn.
    parts = {"Who": who, "Risk": risk, "Course": course, "Readers": readers}
    for tab, part in zip(
        st.tabs(list(parts), key="part", on_change="rerun", bind="query-params"), parts.values(), strict=True
    ):
        if tab.open:
            with tab:
                part(chosen)
    name = cards.speaking(here())
    look.footer(
        "Visits of which no number may be told, those after a diagnosis, and those that are not read yet are not counted. "
        + cards.footer(cards.card_of(here(), name), name)
    )
