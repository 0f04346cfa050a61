"""How good the model is for these women: told apart, calibrated, useful, for whom not, and beside another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl
import streamlit as st

from core.cohorts import HORIZONS, Selection
from core.cohorts.judge import THRESHOLDS, Asking, Judged, NothingToTell, judged
from dashboard import look
from dashboard.charts import judging as charts
from dashboard.cohort import judge_more, recorded
from dashboard.cohort.figure import About, abreast, empty, figure, note

WHOM = "Women enter at a fixed visit, never at their last, and are followed until a diagnosis, death, the loss of both breasts or the last day on which they are known of."
LOST = (
    "Women lost before the horizon are stood in for by those followed longer (inverse probability of censoring); who died or "
    "lost both breasts before it is known to get no cancer by then."
)
INTERVAL = "Intervals are 95 %, each woman being one draw."
RECORDED = "A cancer that is not on record here counts as none: it may have been found elsewhere."


def show(selection: Selection) -> None:
    """Ask for horizon and view, say who is followed, and show the view."""
    of = judged(selection, _asked())
    if ahead := selection.definition.looks_ahead:
        note(
            f"This cohort is chosen by what came after women entered ({', '.join(ahead)}): its figures say nothing of what "
            "will come of other women."
        )
    try:
        look.figures([(what, number, beside, "") for what, number, beside in of.followed()])
    except NothingToTell as why:
        empty("How good is the model for these women?", str(why))
        return
    for view in recorded.each(VIEWS, _view):
        VIEWS[view](of)


def _view() -> str | None:
    return st.segmented_control(
        "View",
        list(VIEWS),
        default="Telling apart",
        key="judge_view",
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )


def _asked() -> Asking:
    years, months = st.columns([2, 3], vertical_alignment="bottom")
    horizon = years.segmented_control(
        "Cancer within",
        list(HORIZONS),
        default=HORIZONS[-1],
        format_func=lambda one: f"{one} y",
        key="judge_horizon",
        required=True,
        bind="query-params",
    )
    without = months.toggle(
        "Without the first 6 months",
        key="judge_without",
        bind="query-params",
        help="Leaves out the women whose follow-up ended within 6 months of entry: a cancer found then may have been there to be seen.",
    )
    return Asking(int(horizon or HORIZONS[-1]), bool(without))


def _shown(question: str, draw: Callable[[], None]) -> None:
    """Draw a figure, or say in its place why there is none."""
    try:
        draw()
    except NothingToTell as why:
        empty(question, str(why))


def telling_apart(of: Judged) -> None:
    """Show ROC, precision and AUC by horizon."""
    abreast(
        lambda: _shown("Are women with cancer told from the others?", lambda: _roc(of)),
        lambda: _shown("How many of those called have a cancer?", lambda: _precision(of)),
        lambda: _shown("What does the model reach?", lambda: _headline(of)),
        lambda: _shown("Is it as good for a nearer cancer?", lambda: _by_horizon(of)),
    )
    _shown("How far might chance move these figures?", lambda: judge_more.drawn_anew(of))


def _roc(of: Judged) -> None:
    table = of.roc()
    figure(
        of.selection,
        "Are women with cancer told from the others?",
        charts.roc(table),
        table,
        About(
            f"For each threshold of {of.risk_words}: which share of the women with cancer, and of the others, lies at or above it.",
            f"ROC curve, cumulative cases and dynamic controls (Blanche et al. 2013). {LOST} Steps hold no few women.",
            WHOM,
            f"It does not say whether the risks are as high as they should be (calibration), nor where to act. {RECORDED}",
        ),
        name="judge-roc",
        counted=of.counted,
    )


def _headline(of: Judged) -> None:
    figure(
        of.selection,
        "What does the model reach?",
        None,
        of.headline(),
        About(
            "AUC and C-index: the probability that of two women the one with (the earlier) cancer scored higher; average "
            "precision; cancers observed over expected; calibration's intercept and slope.",
            f"AUC and C-index with intervals on the logit (DeLong 1988 where nobody is lost; Harrell 1982), observed by Aalen "
            f"and Johansen, slope by weighted logistic regression (Cox 1958). {LOST} {INTERVAL}",
            WHOM,
            f"An AUC is of this mix of women: another mix of ages has another one. {RECORDED}",
        ),
        name="judge-headline",
        counted=of.counted,
    )


def _precision(of: Judged) -> None:
    table = of.precision()
    figure(
        of.selection,
        "How many of those called have a cancer?",
        charts.precision(table, float(table["precision"][-1])),
        table,
        About(
            "For each threshold: which share of the cancers lies at or above it, and which share of the women there has one.",
            f"Precision over recall. {LOST} Dotted: were women called at random.",
            WHOM,
            f"It depends on how common cancer is here, and cannot be set beside another cohort's. {RECORDED}",
        ),
        name="judge-precision",
        counted=of.counted,
    )


def _by_horizon(of: Judged) -> None:
    table = of.by_horizon()
    figure(
        of.selection,
        "Is it as good for a nearer cancer?",
        charts.by_horizon(table, "auc", y_title="AUC", right=0.5),
        table,
        About(
            "Time-dependent AUC of each horizon's own risk: cancer by then against none by then.",
            f"Uno et al. 2007, Blanche et al. 2013. {LOST} {INTERVAL} Dotted: chance.",
            f"{WHOM} The horizons are of the same women: their figures go together.",
            f"Five horizons are five looks at the same cancers: no difference between them is tested. {RECORDED}",
        ),
        name="judge-horizons",
    )


def calibrated(of: Judged) -> None:
    """Show observed against expected by tenth, and by horizon."""
    abreast(
        lambda: _shown("Are the risks as high as what comes?", lambda: _tenths(of)),
        lambda: _shown("Are they right at each horizon?", lambda: _o_e(of)),
        lambda: _shown("What does the model reach?", lambda: _headline(of)),
    )


def _tenths(of: Judged) -> None:
    table = of.tenths()
    figure(
        of.selection,
        "Are the risks as high as what comes?",
        charts.calibration(table),
        table,
        About(
            f"Women in tenths by their {of.risk_words}: its mean, and which share had a cancer by then. On the dotted line both agree.",
            f"Observed by Aalen and Johansen with death and the loss of both breasts competing, interval on the scale of log(−log). "
            f"{INTERVAL} Tenths with few cancers are joined with their neighbours.",
            WHOM,
            f"A point off the line by its interval may be chance, the more so of ten. {RECORDED}",
        ),
        name="judge-calibration",
        counted=of.counted,
    )


def _o_e(of: Judged) -> None:
    table = of.by_horizon()
    figure(
        of.selection,
        "Are they right at each horizon?",
        charts.by_horizon(table, "o_e", y_title="observed over expected", right=1.0),
        table,
        About(
            "Cancers that came over cancers that the risks expect: 1 is right, below 1 the risks are too high.",
            f"Observed by Aalen and Johansen, expected the mean risk of all women who entered. {INTERVAL}",
            WHOM,
            f"1 on the whole may hide too high in some women and too low in others: see the tenths and the groups. {RECORDED}",
        ),
        name="judge-o-e",
    )


def threshold(of: Judged) -> None:
    """Ask for a threshold, and show what follows from it, and net benefit over all of them."""
    left, right = st.columns(2)
    with left:
        chosen = st.select_slider(
            f"Recalled from a {of.risk_words} of",
            list(THRESHOLDS),
            value=0.03,
            format_func=look.percent,
            key="judge_threshold",
        )
        _shown("What follows from acting above it?", lambda: _at_threshold(of, float(chosen)))
    with right:
        _shown("Is acting on the model of use?", lambda: _decision(of))


def _at_threshold(of: Judged, chosen: float) -> None:
    figure(
        of.selection,
        f"What follows from recalling above {look.percent(chosen)}?",
        None,
        of.at_threshold(chosen),
        About(
            f"Had every woman with a {of.risk_words} of {look.percent(chosen)} or more been called when she entered.",
            f"{LOST} Shares with intervals on the logit. {INTERVAL} A threshold between which and the next few women lie is not told.",
            WHOM,
            "Found is cancer that came by the horizon in a woman above the threshold, not a cancer that a recall would have "
            f"shown that day. {RECORDED}",
        ),
        name="judge-threshold",
        counted=of.counted,
    )


def _decision(of: Judged) -> None:
    table = of.decision()
    figure(
        of.selection,
        "Is acting on the model of use?",
        charts.decision(table),
        table,
        About(
            "Net benefit a thousand women over thresholds: cancers called less women called without one, these weighed by the odds of the threshold.",
            f"Vickers and Elkin 2006; with those lost Vickers et al. 2008. {LOST} {INTERVAL}",
            WHOM,
            "It takes the threshold as saying how many recalls a cancer is worth; costs, harm and other tests are not in it.",
        ),
        name="judge-decision",
        counted=of.counted,
    )


def groups(of: Judged) -> None:
    """Show AUC and observed over expected by group, with how often was looked."""
    _shown("For whom is it right, and for whom wrong?", lambda: _groups(of))


def _groups(of: Judged) -> None:
    table, looks = of.subgroups()
    if table["auc"].is_null().all():
        raise NothingToTell("In no group are there women enough with and without a cancer.")
    about = About(
        "AUC and observed over expected of each group of women, by what was known when they entered.",
        f"{LOST} Each group's AUC is tested against that of all others; p is given as it is, and allowing for all {looks} "
        f"comparisons of this table (Holm 1979). {INTERVAL} Groups with few women, or few cancers, have no figure.",
        WHOM,
        f"Groups overlap (a dense breast is often a young one). {looks} looks find a difference by chance in one of twenty each.",
    )
    note(
        f"{looks} comparisons were made: of twenty, one has p below 0.05 by chance. p (Holm) allows for them."
    )
    left, right = st.columns(2)
    with left:
        figure(
            of.selection, "Are cancers told apart as well in each group?",
            charts.forest(table, "auc", x_title=f"AUC, {of.risk_words}", right=0.5), table, about,
            name="judge-groups-auc", counted=of.counted,
        )  # fmt: skip
    with right:
        figure(
            of.selection, "Are the risks right in each group?",
            charts.forest(table, "o_e", x_title="observed over expected", right=1.0, log=True), table, about,
            name="judge-groups-o-e", counted=of.counted,
        )  # fmt: skip
    figure(
        of.selection, "The groups in numbers", None, table.select(_GROUP_COLUMNS), about,
        name="judge-groups", counted=of.counted,
    )  # fmt: skip


_GROUP_COLUMNS = [
    pl.col("grouping").alias("by"), "group", "women",
    pl.col("auc").alias("AUC"), pl.col("auc_low").alias("low"), pl.col("auc_high").alias("high"),
    pl.col("o_e").alias("O/E"), pl.col("o_e_low").alias("O/E low"), pl.col("o_e_high").alias("O/E high"),
    "p", pl.col("p_adjusted").alias("p (Holm)"),
]  # fmt: skip

VIEWS: Mapping[str, Callable[[Judged], None]] = {
    "Telling apart": telling_apart,
    "Calibration": calibrated,
    "Threshold": threshold,
    "Over time": lambda of: judge_more.over_time(of),
    "Screening": lambda of: judge_more.screening(of),
    "Groups": groups,
    "Two models": lambda of: judge_more.two_models(of),
}
