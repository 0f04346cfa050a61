"""More of how good the model is: over the years, by how cancers were found, beside another model, and drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import streamlit as st

from core.cohorts import over_time as years
from core.cohorts.background import Jobs, Running
from core.cohorts.bootstrap import Drawn, draw_figures
from core.cohorts.judge import THRESHOLDS, Judged, NothingToTell
from core.cohorts.judge_alerts import AlertsBeside, alerts_beside
from core.cohorts.judge_models import Version, set_beside, versions
from core.cohorts.judge_screens import screened
from dashboard import look
from dashboard.charts import judging as charts
from dashboard.cohort.figure import About, empty, figure
from dashboard.house import here

RECORDED = "A cancer that is not on record here counts as none: it may have been found elsewhere."
TESTS = "Bands are those of screening, by the 5-year risk at entry. Curves are told at half years, where a step holds no few women."
DRAWS = 1000


# ----- over the years


def over_time(of: Judged) -> None:
    """Show cumulative incidence and survival by band, with the numbers still followed."""
    left, right = st.columns(2)
    with left:
        _curve(of, falls=False)
    with right:
        _curve(of, falls=True)
    question = "How many are followed still?"
    try:
        table = years.at_risk_table(of)
    except NothingToTell as why:
        empty(question, str(why))
        return
    figure(
        of.selection,
        question,
        None,
        table,
        About(
            "Women of each band who are still at risk and known of after so many years: the numbers behind both figures.",
            "Counted at whole years since each woman entered, rounded to five; of few women none.",
            "",
            "Who is followed long is not like who is lost: the curves take both to be alike within a band.",
        ),
        name="judge-at-risk",
    )


def _curve(of: Judged, *, falls: bool) -> None:
    question = "How many stay free of cancer and alive?" if falls else "How many have had a cancer?"
    try:
        found = years.survival(of) if falls else years.incidence(of)
    except NothingToTell as why:
        empty(question, str(why))
        return
    tested = ""
    if found.tested is not None:
        name = "Log-rank test" if falls else "Gray's test"
        one = found.tested
        p = "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"
        tested = f"{name} of no difference between bands: χ² = {one.statistic:.1f}, {one.df} df, {p}"
    left_out = f"; too few women: {', '.join(found.left_out)}" if found.left_out else ""
    how = (
        "Kaplan and Meier; an event is a diagnosis, death or the loss of both breasts. Log-rank test (Mantel 1966)."
        if falls
        else "Aalen and Johansen: death and the loss of both breasts compete. Gray's test (1988)."
    )
    figure(
        of.selection,
        question,
        charts.over_time(
            found.table,
            y_title="free of cancer, alive, breast at risk" if falls else "diagnosed",
            falls=falls,
        ),
        found.table,
        About(
            "The share of the women of each band of risk, over the years since they entered.",
            f"{how} {TESTS} Intervals are 95 %.",
            "Women who enter with a risk that may be told.",
            f"That bands differ does not say that their risks are right. {RECORDED}",
        ),
        name="judge-survival" if falls else "judge-incidence",
        counted=f"{of.selection.sentence}. {tested}{left_out}" if tested else "",
    )


# ----- how cancers were found


def screening(of: Judged) -> None:
    """Show screen-detected and interval cancers."""
    question = "Which cancers did screening find, and which came between?"
    try:
        found = screened(of)
    except NothingToTell as why:
        empty(question, str(why))
        return
    about = About(
        "Screen-detected: a positive assessment (BI-RADS 0, 4, 5, by its first version) and a diagnosis within 12 months. "
        "Interval: a negative one, and a diagnosis before the next screen was due.",
        "Screens followed until the next one came or was due; a cancer belongs to the last screen before it. Intervals are 95 %, each "
        "woman being one draw.",
        "All assessed screens of these women, not their entry alone.",
        f"Sensitivity of screening is of these two kinds only. {RECORDED}",
    )
    # One above the other: beside each other their tables would not stand in a narrow page.
    figure(of.selection, question, None, found.figures, about, name="judge-screens", counted=found.counted)
    if found.scores.is_empty():
        empty("How had the model scored them?", "Too few of either kind have a score that may be told.")
        return
    figure(
        of.selection,
        "How had the model scored them?",
        None,
        found.scores,
        About(
            "AUC of the 1-year risk at that screen, each kind of cancer against screens without one; and which share was "
            "scored as high as the highest tenth of those (above).",
            "Intervals are 95 %, each woman being one draw.",
            "Screens whose score may be told.",
            "A high score at the screen before an interval cancer does not say that it could be seen there.",
        ),
        name="judge-screens-scores",
        counted=found.counted,
    )


# ----- beside another model


def two_models(of: Judged) -> None:
    """Ask for two versions, and set them side by side on the same women."""
    question = "Does another model, or another version, do better on the same women?"
    known = {one.words: one for one in versions(here())}
    if len(known) < 2:
        empty(
            question,
            "All scores here are by one model with one calibration. Install another one and score again "
            "(python -m core score --all): both stay stored, and can be compared here.",
        )
        return
    names = list(known)
    one, two, at = st.columns([3, 3, 1])
    first = one.selectbox("First", names, index=1, key="judge_first")
    second = two.selectbox("Second", names, index=0, key="judge_second")
    threshold = at.selectbox(
        "Called above", THRESHOLDS, index=THRESHOLDS.index(0.03), format_func=look.percent, key="judge_called"
    )  # fmt: skip
    if first == second:
        empty(question, "Choose two that differ.")
        return
    try:
        with st.spinner("Comparing"):
            found = set_beside(here(), of, known[first], known[second], float(threshold))
    except NothingToTell as why:
        empty(question, str(why))
        return
    about = About(
        "Each figure by both on the same women, and the second less the first.",
        "Paired tests by woman: DeLong's (1988) of the AUC where nobody is lost. p_adjusted allows for the three figures (Holm).",
        "Women whose entering visit both may tell of.",
        "A difference on these women need not hold on others; a p above 0.05 does not say that both are alike.",
    )
    figure(of.selection, question, None, found.figures, about, name="judge-pair", counted=found.counted)
    figure(
        of.selection,
        f"Whom would only one of them call above {look.percent(float(threshold))}?",
        None,
        found.changes,
        about,
        name="judge-changes",
        counted=found.counted,
    )
    _alerts(of, known[first], known[second])


def _alerts(of: Judged, first: Version, second: Version) -> None:
    """Offer to hold the alert rules against both versions: it is computed beside the page."""
    question = "Which alerts would change?"
    key = ("alerts", of.content, first, second)
    job = _jobs().find(key)
    if job is None:
        words, button = st.columns([5, 2], vertical_alignment="center")
        with words:
            look.show(
                f'<p class="lv-footer"><b>{question}</b> The alert rules can be held against what is stored of both.</p>'
            )
        if not button.button("Hold the rules against both", key="judge_alerts", width="stretch"):
            return
        place = here()
        job = _jobs().start(key, lambda tell: alerts_beside(place, of, first, second, tell))
    if not job.is_done:
        _wait_until_done(job, lambda done: f"{round(100 * done)} % of the women asked")
        return
    try:
        found: AlertsBeside = job.result()
    except NothingToTell as why:
        empty(question, str(why))
        return
    figure(
        of.selection,
        question,
        None,
        found.by_rule,
        About(
            "By each rule in force: of how many women it asks, for how many either version raises it, and for how many only one.",
            "The rules of core/rules/alerts.toml, held against the stored scores of each version as the worker holds them. "
            "more_a_thousand is the second less the first, of a thousand women, with its paired 95 % interval.",
            "Women of whom both may be told at that visit. A rule on a change asks those with a prior by both.",
            "A threshold that was measured on one version's scores need not fit another's: more alerts are no better ones.",
        ),
        name="judge-alerts",
        counted=found.counted,
    )


# ----- drawn anew


@st.cache_resource
def _jobs() -> Jobs:
    return Jobs()


def drawn_anew(of: Judged) -> None:
    """Offer a thousand cohorts drawn anew: they are computed beside the page, which says how far they are."""
    at, risk = of.at, of.risk
    job = _jobs().find(of.content)
    if job is None:
        words, button = st.columns([5, 2], vertical_alignment="center")
        with words:
            look.show(
                '<p class="lv-footer">The intervals above are by formula. A thousand cohorts drawn anew from these women check them.</p>'
            )
        if not button.button(f"Draw {DRAWS:,} cohorts", key="judge_draw", width="stretch"):
            return
        job = _jobs().start(of.content, lambda tell: draw_figures(at, risk, times=DRAWS, progress=tell))
    _wait_for(job, of)


def _wait_for(job: Running, of: Judged) -> None:
    if job.is_done:
        _drawn(job, of)
    else:
        _wait_until_done(job, lambda done: f"{round(DRAWS * done):,} of {DRAWS:,} cohorts drawn")


def _wait_until_done(job: Running, words: Callable[[float], str]) -> None:
    @st.fragment(run_every=0.5)
    def waiting() -> None:
        if job.is_done:
            st.rerun()
        done = min(1.0, job.done)
        st.progress(done, text=words(done))

    waiting()


def _drawn(job: Running, of: Judged) -> None:
    try:
        found: dict[str, Drawn] = job.result()
    except ValueError as why:
        raise NothingToTell(str(why)) from why
    names = {"auc": "AUC", "average_precision": "average precision", "o_e": "observed over expected"}
    rows: list[tuple[Any, ...]] = [(names[name], one.value, one.low, one.high) for name, one in found.items()]
    figure(
        of.selection,
        "How far might chance move these figures?",
        None,
        pl.DataFrame(rows, schema=["figure", "value", "low", "high"], orient="row"),
        About(
            f"The middle 95 % of {DRAWS:,} cohorts drawn anew from these women.",
            "Each woman is drawn a Poisson number of times with mean 1 (Hanley and MacGibbon 2006); the weights of those lost are kept.",
            "",
            "It tells of chance in who came, not of bias: cancers found elsewhere are missing in every draw.",
        ),
        name="judge-drawn",
        counted=of.counted,
    )
