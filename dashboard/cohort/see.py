"""What is seen of the women without judging anybody: a chosen kind of figures, each with its question."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl
import streamlit as st

from core.cohorts import Selection, disclosure
from core.cohorts.seeing import alerts, attendance, density, flow, risks, slopes
from core.cohorts.seeing.courses import Anchor, Courses, courses, single_courses
from core.people import Permission
from core.rules import thresholds
from core.rules.trends import SLOPE_METHOD
from dashboard import look, session
from dashboard.charts import seen
from dashboard.charts.cohort import counts, median_course, risk_by_density, risk_histogram
from dashboard.cohort import recorded
from dashboard.cohort.figure import About, empty, figure

ONE_KIND = (
    "Visits whose risk may be told, all scored by the same weights: those that the definition names, else those that most "
    "visits were scored by."
)
QUANTILES = "Quantiles after Harrell and Davis (Biometrika 69 (1982) 635); one is told from as many women on as stand beyond it by fives."
TOO_FEW = "There are too few women, or none of them has a risk that may be told."


def show(selection: Selection) -> None:
    """Show the figures of the kind that is chosen."""
    for chosen in recorded.each(KINDS, _kind):
        KINDS[chosen](selection)


def _kind() -> str | None:
    return st.segmented_control(
        "What to see", list(KINDS), default=next(iter(KINDS)), key="see", required=True, bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip


def risk(selection: Selection) -> None:
    """Show how 5-year risks are distributed, by density, and over the calendar."""
    when = risks.When(
        st.segmented_control(
            "Risk", list(risks.When), default=risks.When.ENTRY, key="see_when", required=True, bind="query-params",
            label_visibility="collapsed",
        )
        or risks.When.ENTRY
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        risk_figure(selection, when)
    by_density = risks.by_density(selection, when)
    with right:
        _or_empty(
            selection, "Is it higher in denser breasts?", by_density.height > 0,
            lambda question: figure(
                selection, question, risk_by_density(by_density), by_density,
                About(
                    "Median and quartiles of 5-year risk by density, on a logarithmic axis.",
                    f"One value a woman, {when.value}. {ONE_KIND} {QUANTILES}",
                    "Neighbouring densities with few women are joined.",
                    "Neither age nor any other difference between the groups is taken out: it is no effect of density.",
                ),
                name="risk-by-density",
            ),
        )  # fmt: skip
    by_year = risks.by_year(selection)
    _or_empty(
        selection, "Has risk changed over the calendar years?", by_year.height > 0,
        lambda question: figure(
            selection, question, median_course(by_year, "year", x_title="year of the visit"), by_year,
            About(
                "Median and quartiles of 5-year risk by the year of the visit.",
                f"One value a woman and year, the mean of hers. {ONE_KIND} {QUANTILES}",
                "Different women stand behind different years; years with few are left out.",
                "A change is not the women's alone: who came, how old they were and by which detector changes too (see Watch).",
            ),
            name="calendar",
        ),
    )  # fmt: skip


def risk_figure(selection: Selection, when: risks.When) -> None:
    """Show how 5-year risks are distributed."""
    table, _ = risks.distribution(selection, when)
    _or_empty(
        selection, f"How high is the 5-year risk {when.value}?", table.height > 0,
        lambda question: figure(
            selection, question, risk_histogram(table, x_title=f"5-year risk {when.value}"), table,
            About(
                "How many women have which probability of cancer within 5 years. Each step of the logarithmic axis reaches a third "
                "higher than the one before; a bar over several steps is as high as their mean.",
                f"One count a woman. {ONE_KIND} "
                + " ".join(f"{band.label}: {band.source}." for band in thresholds.risk_bands()[1:])
                + " Groups of few women are joined with their neighbours.",
                "Women without such a risk are not counted.",
                "It is what the model says, not how many fell ill: see Judge for that.",
            ),
            name="risk",
        ),
    )  # fmt: skip


def course(selection: Selection) -> None:
    """Show how risk runs by what became of the women, and how steeply, beside what was published."""
    anchor, same, sample = _how_to_count()
    single = None
    if sample:
        me = session.require(Permission.SEE_COHORT)
        if me.may(Permission.SEE_SINGLE_COURSES):
            session.note_look(me, "single_courses_seen", "cohort")
            single = single_courses(selection, anchor)
    course_figure(selection, anchor, same=same, single=single)
    slopes_figure(selection)


def course_figure(
    selection: Selection, anchor: Anchor, *, same: bool, single: pl.DataFrame | None, narrow: bool = False
) -> None:
    """Show how risk runs by what became of the women; with the courses of single ones where some are given.

    `narrow` says that it has half a page.
    """
    found = courses(selection, anchor, same_women=same)
    who = (
        f"The same women stand behind every point of a line, in steps of {found.step} years: those with a visit in each of them."
        if found.same_women
        else "Different women stand behind different points: how many joined and left is said at each, and in the table."
    )
    title = "years from entry" if anchor is Anchor.ENTRY else "years to the diagnosis, or to the last visit"
    _or_empty(
        selection,
        "How does risk run, by what became of the women?",
        found.table.height > 0,
        lambda question: figure(
            selection, question, seen.courses_by_group(found.table, x_title=title, single=single, narrow=narrow), found.table,
            About(
                "The median of 5-year risk (line), quartiles (dark band) and tenths (pale band) by year; a thin line is one "
                "woman of a sample drawn by chance.",
                f"One value a woman and step, the mean of hers, on a logarithmic axis. {ONE_KIND} {QUANTILES} "
                "Women without a known diagnosis are counted to their last visit where the others are to their diagnosis.",
                f"{who} Who was diagnosed before she entered is left out.",
                "Counted back from a diagnosis, women are chosen by what came later: it is no forecast. Who has no diagnosis yet "
                "may still get one.",
            ),
            name="course",
            below=_who_stands_behind(found),
        ),
    )  # fmt: skip


def _who_stands_behind(found: Courses) -> str:
    """Return how many women stand behind each point, and how many join and leave from one to the next."""
    rows = ""
    for (group,), of in found.table.group_by(["group"], maintain_order=True):
        cells = "".join(
            f"<td class=n>{women:,}"
            + (
                ""
                if found.same_women or not joined
                else f"<small> +{look.safe(_short(joined))} −{look.safe(_short(left))}</small>"
            )
            + "</td>"
            for women, joined, left in of.select("women", "joined", "left").iter_rows()
        )
        years = "".join(f"<th class=n>{str(year).replace('-', '−')}</th>" for year in of["years"])
        rows += f"<tr><th>{look.safe(group)}</th>{years}</tr><tr><td class=d>women{'' if found.same_women else ', joined, left'}</td>{cells}</tr>"
    return f'<table class="lv-table lv-risk-set">{rows}</table>'


def _short(said: str) -> str:
    return said.replace("fewer than ", "<")


def slopes_figure(selection: Selection) -> None:
    """Show slopes beside the published ones."""
    table, published, source = slopes.slopes(selection)
    _or_empty(
        selection,
        "How steeply does risk rise, beside what was published?",
        table.height > 0,
        lambda question: figure(
            selection, question, seen.slopes_beside(table, published), table,
            About(
                "Change of 5-year risk a year, in percentage points: mean with its 95 % interval (mark), median (stroke) and "
                f"quartiles (bar) over women; the open squares are published: {source}.",
                f"{SLOPE_METHOD} The interval of the mean is of the women's scatter alone.",
                "Women with two visits and more whose scores may be compared.",
                "The published slopes are of other women, by another model, over six years: a difference does not say which is right.",
            ),
            name="slopes",
        ),
    )  # fmt: skip


def _how_to_count() -> tuple[Anchor, bool, bool]:
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        anchor = st.segmented_control(
            "Years counted", list(Anchor), default=Anchor.ENTRY, key="see_anchor", required=True, bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        same = st.toggle("the same women throughout", key="see_same", bind="query-params")
        sample = False
        # A report is of groups alone, whoever makes it.
        if not recorded.is_recording() and session.person().may(Permission.SEE_SINGLE_COURSES):
            sample = st.toggle("a sample of single courses", key="see_single")
    return Anchor(anchor or Anchor.ENTRY), same, sample


def density_part(selection: Selection, *, narrow: bool = False) -> None:
    """Show density by age beside the published population's; `narrow` says that it has half a page."""
    table, source = density.density_by_age(selection)
    _or_empty(
        selection,
        "How many have dense breasts, by age?",
        table["share_dense"].count() > 0,
        lambda question: figure(
            selection, question, seen.density_beside(table, narrow=narrow), table,
            About(
                f"The share of women with density C or D by age, with its 95 % interval, beside a population's: {source}.",
                "One count a woman at entry; the reader's density where one is recorded, else the model's likeliest. Shares are those "
                "of the rounded counts, intervals after Wilson (1927).",
                "Women of 40 to 74 whose density is known; ages at which few women are dense, or few are not, have no share.",
                "Readers agree on four categories with a kappa of 0.67 to 0.85 (Lehman 2018), and the published women are others: a "
                "difference need not be the women's.",
            ),
            name="density-by-age",
        ),
        why="At no age are there enough women whose density is known.",
    )  # fmt: skip


def attendance_part(selection: Selection) -> None:
    """Show how long women stay away, and who is due."""
    left, right = st.columns(2)
    table = attendance.gaps(selection)
    with left:
        _or_empty(
            selection, "How long do women stay away?", table.height > 0 and table["women"].sum() > 0,
            lambda question: figure(
                selection, question, counts(table, "months", x_title="longest time between two visits, months"), table,
                About(
                    "The women by the longest time between two of their visits, in months.",
                    "One count a woman, over all her visits between the years of the definition, scored or not.",
                    "Women with two visits and more.",
                    "A short time may be a work-up, a long one a visit elsewhere: only what came here is known.",
                ),
                name="gaps",
            ),
            why="Nobody, or fewer women than may be told of, came twice on days that are known.",
        )  # fmt: skip
    states, today = attendance.due(selection)
    with right:
        _or_empty(
            selection, f"Who is overdue on {today.isoformat()}?", states.height > 0,
            lambda question: figure(
                selection, question, None, states,
                About(
                    "The women by when their next study is due.",
                    f"{attendance.interval_words()}. Groups of few women stand together as others.",
                    "Who was diagnosed, has died or is outside the screening ages is not due.",
                    "Overdue is not lost: she may have been seen elsewhere, or have moved.",
                ),
                name="due",
            ),
        )  # fmt: skip


def flow_part(selection: Selection) -> None:
    """Show how women go from band to band, and how many get an alert."""
    table = flow.flow(selection)
    bands = [(band.label, band.key) for band in thresholds.risk_bands()]
    _or_empty(
        selection,
        "Do women stay in their band of risk?",
        table.height > 0,
        lambda question: figure(
            selection, question, seen.flows(table, bands, (flow.DIAGNOSED, flow.NO_MORE)), table,
            About(
                "How many women go from which band of 5-year risk to which, from one visit to the next, over the first four.",
                f"Visits from entry on. {ONE_KIND} After the last of them a woman was diagnosed, or has no later visit with a risk.",
                f"Flows of {disclosure.few()} women are left out, and where that is one of a band, the least of its others too.",
                "Visits are numbered, not dated: a step may take one year or five. Going up is not falling ill.",
            ),
            name="flow",
        ),
    )  # fmt: skip
    rates = alerts.alerts_by_year(selection)
    _or_empty(
        selection,
        "How many of a hundred women have an alert?",
        rates["per_hundred"].count() > 0,
        lambda question: figure(
            selection, question, seen.alert_rates(rates), rates,
            About(
                "Of a hundred women seen in a year, with how many a visit raised an alert, acknowledged or not.",
                f"A woman counts once a year. {ONE_KIND} Rates are those of the rounded counts.",
                "Years in which few women were seen, or had an alert, are left out.",
                "An alert asks for a look: it is no finding, and fewer alerts are not better (see What if).",
            ),
            name="alerts",
        ),
        why="In no year are there enough women with an alert.",
    )  # fmt: skip


KINDS: Mapping[str, Callable[[Selection], None]] = {
    "Risk": risk,
    "Course": course,
    "Density by age": density_part,
    "Attendance": attendance_part,
    "Flow and alerts": flow_part,
}


def _or_empty(
    selection: Selection, question: str, is_there: bool, draw: Callable[[str], None], *, why: str = TOO_FEW
) -> None:
    """Draw a figure, or say why there is none."""
    if is_there:
        draw(question)
    else:
        empty(question, why)
