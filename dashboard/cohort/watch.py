"""Whether pictures and scores still are what they were, and what is missing of the studies."""

from __future__ import annotations

from datetime import date
from functools import partial

import polars as pl
import streamlit as st

from core.cohorts import Selection, disclosure, drift, missing, noticing
from dashboard import look
from dashboard.charts import watch as charts
from dashboard.cohort.figure import About, abreast, empty, figure

RULE = (
    "Each study's value becomes a score by its rank among the studies before the watch began (yes and no: standardised). Two sums "
    f"run, of what the scores exceed {drift.ALLOWANCE} standard deviations by, upwards and downwards (CUSUM; Page 1954, NIST "
    "e-Handbook 6.3.2.3). All measures share one limit. It is fitted to false alarms: years are resampled from the studies before, "
    "in blocks of a week's (Politis and Romano 1994), each judged by a resampled reference (Gandy and Kvaløy 2013)."
)
NO_CAUSE = (
    "An alarm says that something lasting has changed, not what, nor that scores are worse: look at what else changed in those "
    "months. A change that comes slowly over years moves what is usual with it and may not be noticed."
)
CASE_MIX = "Other women may come than before: that moves a measure as a change of detector does."
INTERVAL = "Pale: the 95 % interval of the month's mean, by woman. "
TOLD = "Months in which few women came are told together; shares only where neither those meant nor the others are few."


def show(selection: Selection) -> None:
    """Show how near each measure is to an alarm, each one's course, and what is missing month by month."""
    visits = selection.visits_of(*drift.COLUMNS)
    starts = drift.starts_offered(visits)
    if starts:
        left, _ = st.columns([1, 3])
        begins = left.selectbox(
            "Watched from",
            starts,
            index=_a_year_back(starts),
            format_func=lambda day: f"{day:%Y-%m}",
            key="cohort_watched_from",
            help="What came in the 24 months before is what is usual. Choose a day after which you ask whether something changed.",
        )
        _watched(selection, begins)
    else:
        empty(
            "Has anything changed?",
            f"An alarm rule needs {drift.FEWEST_REFERENCE} studies before the watch begins, to know what is usual, and some after. "
            "This cohort has fewer: widen the definition.",
        )
    _missing(selection)


def _a_year_back(starts: list[date]) -> int:
    """Return the place of the day that leaves a year to watch, if there is one."""
    return min(2, len(starts) - 1)


@st.cache_data(max_entries=16, show_spinner=False)
def _watch(asked: str, _selection: Selection, begins: date) -> drift.Watch | str:
    """Watch once for each definition, day and state of the tables (`asked`)."""
    try:
        return drift.watch(_selection.visits_of(*drift.COLUMNS), begins)
    except drift.CannotWatch as error:
        return str(error)


def _watched(selection: Selection, begins: date) -> None:
    frame = selection.frame
    asked = f"{frame.basis} {frame.read_at} {selection.definition.model_dump_json()}"
    found = _watch(asked, selection, begins)
    if isinstance(found, str):
        empty("Has anything changed?", found)
        return
    look.show(
        f'<p class="lv-note{" alert" if found.noticed else ""}">{look.safe(noticed_in_words(found))}</p>'
    )
    figure(
        selection,
        "Has anything changed?",
        charts.nearness(found),
        near(found),
        About(
            "How near the alarm rule's sum of each measure is to the limit at the end of each month, up to its first alarm.",
            f"{RULE} {limit_in_words(found)} {noticing.MEASURED.sentence}",
            f"Studies from {found.begins} on, beside those from {found.reference_from} on. Of scores that are covered until a study "
            "is read nothing is known here before.",
            NO_CAUSE,
        ),
        name="drift",
    )
    _courses(selection, found)


def _course(selection: Selection, found: drift.Watch, one: drift.Course) -> None:
    """Show one measure month by month."""
    if not one.table["value"].is_not_null().any():
        empty(one.measure.label, "Few women are meant, or all but few. Nothing is told of so few.")
        return
    figure(
        selection,
        f"{one.measure.label}: {usual_and_now(one)}",
        charts.course(found, one),
        one.table.select("months", "women", "value", "low", "high", "of_limit"),
        About(
            f"By month: {one.measure.means}.",
            f"{INTERVAL if not one.measure.is_share else ''}Dotted: what was usual before the watch began. {TOLD} {RULE}",
            "Studies of which it is not known are left out.",
            f"{CASE_MIX} {NO_CAUSE}",
        ),
        name=f"drift_{one.measure.key}",
    )


def _courses(selection: Selection, found: drift.Watch) -> None:
    looks = [one for one in found.courses if one.measure.unit == "deviations"]
    own = [one for one in found.courses if one not in looks and not one.measure.key.startswith("vendor:")]
    abreast(*(partial(_course, selection, found, one) for one in own))
    if any(one.table["value"].is_not_null().any() for one in looks):
        figure(
            selection,
            "How do the pictures look to the model?",
            charts.looks(found, looks),
            pl.concat(
                one.table.select(
                    pl.lit(one.measure.label).alias("measure"),
                    "months",
                    "women",
                    "value",
                    "low",
                    "high",
                    "of_limit",
                )
                for one in looks
            ),
            About(
                "By month: where the pictures of a study lie, on average, on the three directions in which the pictures that the model "
                "learned from differ most, in standard deviations of those; 0 is their mean.",
                f"{INTERVAL}Principal components of what the model sees in a picture. {TOLD} Each direction is watched by the alarm "
                "rule, beside how unfamiliar the pictures are: pictures can shift and stay familiar.",
                "Studies that the model that speaks has read, and whose score is not covered until they are read.",
                f"A direction has no name: it mixes all that the model sees, as density, brightness and sharpness. {CASE_MIX} {NO_CAUSE}",
            ),
            name="drift_looks",
        )
    makers = [
        one for one in found.courses if one.measure.key.startswith("vendor:") and (one.usual or one.now)
    ]
    if makers:
        figure(
            selection,
            "Whose detectors do the studies come from?",
            charts.makers(found, makers),
            _together(makers),
            About(
                "By month: the share of studies of each maker of detectors.",
                f"As the files say it. {TOLD} Each maker is watched by the alarm rule, and so are makers that no study came from "
                "before.",
                "Studies whose files do not say the maker are left out.",
                "Another model of the same maker, or new processing, does not show here: brightness may tell of it.",
            ),
            name="drift_makers",
        )


def _missing(selection: Selection) -> None:
    table = missing.missing_by_month(
        selection.visits_of(*missing.COLUMNS), selection.women, read_at=selection.frame.read_at
    )
    question = "What is missing?"
    if not len(table):
        empty(question, "Few women came in these months. Nothing is told of so few.")
        return
    figure(
        selection,
        question,
        charts.missing(table),
        table.select("missing", "months", "women", "share"),
        About(
            f"Of each of the last {missing.MONTHS} months: the share of studies that lack what stands on the left.",
            f"Word of her a year later: a visit, an event or a contact 12 months on or later; asked of studies a year old whose women "
            f"were neither diagnosed nor died within it. Scores after a diagnosis are not missed. {TOLD}",
            "",
            "What is missing is seldom missing by chance: women who stay away differ from those who come.",
        ),
        name="missing",
    )


def noticed_in_words(found: drift.Watch) -> str:
    """Say what the alarm rule has noticed, the first alarm of each measure."""
    rate = f"{found.limit.false_alarms_a_year:.2f} false alarms a year are expected."
    if not found.noticed:
        return f"Since {found.begins:%Y-%m} nothing has changed that the alarm rule would notice; {rate}"
    said = "; ".join(
        f"{one.measure.label}: {one.direction} ({one.months}, after {one.studies} studies)"
        for one in found.noticed
    )
    return (
        f"Noticed since {found.begins:%Y-%m}: {said}. To see whether it goes on, let the watch begin after it. Without a change "
        f"{rate}"
    )


def limit_in_words(found: drift.Watch) -> str:
    """Say what the limit is and what it was fitted to."""
    limit = found.limit
    raised = (
        f", raised by {limit.raised_by:.1f} because more come in a year than were resampled"
        if limit.raised_by
        else ""
    )
    return (
        f"Here the limit is {limit.value:.1f} for {len(found.courses)} measures: in {limit.years} resampled years of "
        f"{disclosure.rounded(limit.studies)} studies{raised} {limit.false_alarms_a_year:.2f} false alarms a year are expected "
        f"(95 % at most {limit.at_most:.2f}; one is promised)."
    )


def near(found: drift.Watch) -> pl.DataFrame:
    """Return how near each measure is to the limit, by month, as a table to take away."""
    return pl.concat(
        one.table.drop_nulls("of_limit").select(
            pl.lit(one.measure.label).alias("measure"), "months", "women", "of_limit"
        )
        for one in found.courses
    )


def usual_and_now(one: drift.Course) -> str:
    """Say what a measure was before the watch began and what it is since."""
    before, since = (_said(one, value) for value in (one.usual, one.now))
    return f"{before} before, {since} since"


def _said(one: drift.Course, value: float | None) -> str:
    if value is None:
        return look.UNKNOWN
    return look.percent(value) if one.measure.unit in ("share", "risk") else f"{value:.2f}"


def _together(courses: list[drift.Course]) -> pl.DataFrame:
    return pl.concat(
        one.table.select(pl.lit(one.measure.label).alias("detector"), "months", "women", "value")
        for one in courses
    )
