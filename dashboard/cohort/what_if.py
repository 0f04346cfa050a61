"""What another threshold or another interval between screens would ask for, and what it would have found."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core.cohorts import Selection, courses_of, disclosure, earlier, truth, what_if
from core.cohorts.what_if import CannotAsk, Plan, Thresholds
from core.rules import thresholds
from dashboard import look
from dashboard.charts import what_if as charts
from dashboard.cohort.figure import About, empty, figure
from dashboard.house import here

COLUMNS = ("woman", "on", "age", "risk_5", "malignancy")
BY_WOMAN = (
    "95 % intervals by woman: a bootstrap with continuous weights (Rubin 1981), or of more than 5,000 women the normal one of a "
    "ratio (Cochran 1977), which then agrees."
)
FEW_LEFT_OUT = "Thresholds between which few women lie are left out."
NOT_CAUSAL = "It counts what a plan asks for. What it would do for the women's health, no record of another plan tells."
USUAL_MONTHS = {"average": 36, "raised": 24, "high": 12}


def show(selection: Selection) -> None:
    """Ask for thresholds and intervals, and show what they come to."""
    told = selection.told_visits(*COLUMNS)
    courses = courses_of(told, selection.women, selection.frame.read_at.date())
    asked, beside = st.columns([3, 2], gap="large")
    with asked:
        at, plan = _ask()
    with beside:
        _assumptions()
    plans = [*what_if.REGULAR, plan]
    counted = f"{disclosure.count_said(courses.women)} women with a course; {selection.sentence}"
    try:
        rates = what_if.rates(courses, plans, at)
    except CannotAsk as error:
        empty("What would another plan ask of 1,000 women a year?", str(error))
        return
    figure(
        selection,
        "What would another plan ask of 1,000 women a year?",
        charts.plans(rates),
        rates,
        About(
            "Visits, recalls and MRIs that each plan would ask of 1,000 women in a year, beside those of the visits that came.",
            f"Each woman's time is divided by the months between visits that her latest score gives her. {BY_WOMAN} "
            + " ".join(what_if.ASSUMPTIONS),
            "Her first visit opens the course and is not counted. Women of whom nothing is known after a score are left out. No number "
            "stands where few women would be told of.",
            NOT_CAUSAL,
        ),
        name="plans",
        counted=counted,
    )
    _more_in_words(rates)
    _thresholds(selection, courses, at, counted)
    _earlier(selection, courses, plans)


def _ask() -> tuple[Thresholds, Plan]:
    look.show('<p class="lv-question">What if …</p>')
    now = what_if.recall_threshold_now()
    left, right = st.columns(2)
    recall = left.selectbox(
        "a visit were a recall from this 12-month probability on",
        what_if.RECALL_THRESHOLDS,
        index=what_if.RECALL_THRESHOLDS.index(now) if now in what_if.RECALL_THRESHOLDS else 0,
        format_func=lambda one: look.percent(one) + (" (the alert’s today)" if one == now else ""),
        key="cohort_recall_from",
    )
    mri = right.selectbox(
        "an MRI were offered from this 5-year risk on",
        what_if.RISK_THRESHOLDS,
        index=what_if.RISK_THRESHOLDS.index(0.03),
        format_func=look.percent,
        key="cohort_mri_from",
    )
    months = {}
    bands = thresholds.risk_bands()
    for column, band in zip(st.columns(len(bands)), bands, strict=True):
        months[band.key] = column.selectbox(
            f"months, risk {band.label.replace(' %', look.NBSP + '%')}",
            what_if.MONTHS_OFFERED,
            index=what_if.MONTHS_OFFERED.index(USUAL_MONTHS.get(band.key, 24)),
            key=f"cohort_months_{band.key}",
            help="Between visits of the plan by risk, while her latest 5-year risk lies in this band.",
        )
    return Thresholds(recall, mri), what_if.by_risk(months)


def _assumptions() -> None:
    said = "".join(f"<li>{look.safe(one)}</li>" for one in what_if.ASSUMPTIONS)
    look.show(f'<div class="lv-note"><b>What this takes for granted</b><ul>{said}</ul></div>')


def _more_in_words(rates: pl.DataFrame) -> None:
    """Say how many more or fewer visits each plan asks for than came."""
    rows = rates.filter(
        (pl.col("what") == "visits") & pl.col("more").is_not_null() & (pl.col("plan") != "as they came")
    )
    said = "; ".join(
        f"{row['plan']} {_signed(row['more'])} ({_signed(row['more_low'])} to {_signed(row['more_high'])})"
        for row in rows.to_dicts()
    )
    if said:
        look.footer(f"Visits a year of 1,000 women, more or fewer than came: {said}.")


def _signed(value: float) -> str:
    return f"{round(value):+,}".replace("-", "−")


def _thresholds(selection: Selection, courses: what_if.Courses, at: Thresholds, counted: str) -> None:
    left, right = st.columns(2)
    parts = (
        (
            left, "How many visits would be recalls?", courses.malignancy, what_if.RECALL_THRESHOLDS, at.recall, "recalls",
            "recall from this 12-month probability on",
            "A recall here is a score at or above a threshold; how many cancers it finds and misses stands under Judge.",
        ),
        (
            right, "At how many visits would an MRI be offered?", courses.risk_5y, what_if.RISK_THRESHOLDS, at.mri, "mris",
            "MRI from this 5-year risk on",
            "Guidelines offer MRI by lifetime risk of 20 % and more, which is another measure than the risk of five years.",
        ),
    )  # fmt: skip
    for column, question, shown, offered, chosen, name, x_title, not_mean in parts:
        with column:
            try:
                table = what_if.by_threshold(courses, shown, offered)
            except CannotAsk as error:
                empty(question, str(error))
                continue
            figure(
                selection,
                question,
                charts.by_threshold(table, chosen, x_title=x_title, y_title="of 1,000 visits"),
                table,
                About(
                    "Of 1,000 visits, those whose score reaches a threshold.",
                    f"All visits of the courses, the first one too. {FEW_LEFT_OUT} {BY_WOMAN}",
                    "Visits whose score may be told.",
                    not_mean,
                ),
                name=f"threshold_{name}",
                counted=counted,
            )


def _earlier(selection: Selection, courses: what_if.Courses, plans: list[Plan]) -> None:
    question = "How many cancers would have been found earlier?"
    women = earlier.with_truth(selection.women, truth.visible_from(here()))
    try:
        table = earlier.found_earlier(courses, women, plans)
    except CannotAsk as error:
        empty(question, str(error))
        return
    if not table["earlier"].is_not_null().any():
        empty(
            question,
            "Few of these cancers would have been found earlier, or all but few. Nothing is told of so few.",
        )
        return
    figure(
        selection,
        question,
        charts.earlier(table),
        table,
        About(
            "Of 100 cancers of simulated women, those that a visit of the plan would have found before the day of their diagnosis, "
            "and by how many months.",
            f"{earlier.ASSUMPTION} {BY_WOMAN}",
            "Simulated women whose course ends with a diagnosis and whose truth the simulator has left. Of real women it is not known.",
            "It is no survival gained: a diagnosis that comes earlier lengthens the time with it even where nothing else changes "
            "(lead time).",
        ),
        name="earlier",
        counted=f"{disclosure.count_said(table['cancers'][0])} cancers of simulated women; {selection.sentence}",
    )
