"""Her lesions over time: sizes at every study, growth, response by rule; and what readers do with them."""

from collections.abc import Callable, Sequence
from datetime import date

import streamlit as st

from core.people import Permission, Person
from core.records import (
    FollowedLesion,
    LesionCourse,
    LesionStatus,
    PatientRecord,
    StudySize,
    Undo,
    course_of,
    lesions_of_patient,
    undo_lesion_act,
)
from core.rules import Growth, Response, TimepointResponse, has_grown
from core.rules.vocabulary import SIDE_WORDS
from dashboard import look, outages, session
from dashboard.charts import lesions as charts
from dashboard.charts import template
from dashboard.house import here
from dashboard.patient import lesion_forms

DONE, WRITTEN, SEEN = "lesion_done", "lesions_written", "lesions_seen"
MOST_STUDIES = 6
LONGEST_DAYS = 9999
"""A longer doubling time is said to be longer: in 27 years nothing grows that matters."""
STATUS_WORDS = {
    LesionStatus.FOLLOWED: "followed",
    LesionStatus.KNOWN_BENIGN: "known benign",
    LesionStatus.RESOLVED: "resolved",
}
METHOD = (
    "Diameters in mm, long × short axis, the longest of all views of a study; of a node the short axis counts. Volume doubling "
    "by a straight line through the logarithms, with its 90 % interval from what a reader's measuring errs: 1 mm, or 7 % "
    "where that is more. RECIST 1.1 was not made for mammograms: read the answer as RECIST-like."
)


def show_lesions(record: PatientRecord, person: Person) -> None:
    """Show a woman's lesions, and let an oncologist work on them."""
    lesions = lesions_of_patient(here(), record.mrn)
    look.heading("Lesions", beside="over her studies" if lesions else "")
    if person.may(Permission.ASSESS):
        _what_was_done(record)
    if not lesions:
        how = (
            " Choose “Read this image” on a view, draw a box and keep it: then it can be found again on her other studies."
            if person.may(Permission.ASSESS)
            else ""
        )
        look.show(f'<p class="lv-muted lv-footer">None is followed.{how}</p>')
        return
    course = course_of(lesions, record.events)
    with st.container(key="lesions"):
        table, figure = st.columns([8, 5], gap="medium")
    with table:
        look.show(_table(lesions, course))
        _remarks(lesions, course)
    if any(lesion.diameters for lesion in lesions):
        with figure:
            st.plotly_chart(
                charts.diameters(lesions, record.events),
                key=f"diameters_{record.mrn}",
                theme=None,
                config=template.CONFIG,
                alt="Diameters of her lesions in mm at each study, as in the table beside",
            )
    look.footer(METHOD)
    if person.may(Permission.ASSESS):
        _work(record, [lesions])


def _table(lesions: Sequence[FollowedLesion], course: LesionCourse | None) -> str:
    days = sorted({size.on for lesion in lesions for size in lesion.sizes})[-MOST_STUDIES:]
    if course is not None and course.baseline not in days:
        days[0] = course.baseline
    heads = "".join(f'<th class="n" title="{on}">{look.month(on)}</th>' for on in days)
    rows = "".join(_row(lesion, days, course) for lesion in lesions)
    return (
        '<div class="lv-wide"><table class="lv-table"><tr><th>lesion</th><th>breast</th>'
        f'{heads}<th class="n">since prior</th><th class="n" title="{look.safe(METHOD)}">volume doubles in</th>'
        f"<th>status</th></tr>{rows}{_sums(days, course) if course else ''}</table></div>"
    )


def _row(lesion: FollowedLesion, days: Sequence[date], course: LesionCourse | None) -> str:
    sizes = {size.on: size for size in lesion.sizes}
    cells = "".join(f'<td class="n">{_size(sizes.get(on))}</td>' for on in days)
    kind = "node" if lesion.node else lesion.kind or ""
    target = course is not None and lesion.label in course.targets
    beside = " · ".join(part for part in (look.safe(kind), "target" if target else "") if part)
    is_new = course is not None and any(lesion.label in said.new for said in course.said)
    new = ' <span class="lv-new">new</span>' if is_new else ""
    return (
        f"<tr><td><b>{look.safe(lesion.label)}</b>{new}"
        f"{f'<br><small>{beside}</small>' if beside else ''}</td>"
        f"<td>{_side(lesion)}</td>{cells}"
        f'<td class="n">{_change(lesion)}</td><td class="n">{_growth(lesion)}</td><td>{_status(lesion)}</td></tr>'
    )


def _side(lesion: FollowedLesion) -> str:
    mark = '<span class="lv-left">●</span>' if lesion.laterality == "L" else '<span class="lv-right">◆</span>'
    return f"{mark} {SIDE_WORDS[lesion.laterality]}"


def _size(size: StudySize | None) -> str:
    """Say long × short axis of a study; “gone” is measured, “–” is not."""
    if size is None:
        return f'<span title="Not measured at this study">{look.UNKNOWN}</span>'
    long_mm, short_mm = size.long_mm, size.short_mm
    if long_mm is None:
        return '<span title="Its place is kept; how large it is was not measured">seen</span>'
    if long_mm == 0:
        return "gone"
    return f"{_mm(long_mm)} × {_mm(short_mm)}" if short_mm is not None else _mm(long_mm)


def _mm(length: float) -> str:
    return f"{length:.1f}" if 0 < length < 9.95 else f"{length:.0f}"


def _change(lesion: FollowedLesion) -> str:
    """Say the change since the prior measurement; pale where two measurements of one length differ as much."""
    if len(lesion.diameters) < 2:
        return look.UNKNOWN
    (_, before), (_, now) = lesion.diameters[-2:]
    change = now - before
    words = f"{'+' if change > 0 else '−'}{_mm(abs(change))}{look.NBSP}mm" if round(abs(change), 1) else "0"
    if has_grown(before, now) or has_grown(now, before):
        return f"{'▲' if change > 0 else '▼'} {words}"
    return f'<span class="lv-noise" title="No more than what measuring errs">{words}</span>'


def _growth(lesion: FollowedLesion) -> str:
    """Say the doubling time with its interval, or that growth is not shown."""
    growth: Growth | None = lesion.growth
    if growth is None:
        return f'<span title="Two studies with a diameter are needed">{look.UNKNOWN}</span>'
    if growth.shrinks:
        return "it shrinks"
    why = f"90 % interval; {growth.visits} studies"
    if growth.is_shown:
        return (
            f'<span title="{why}">{_days(growth.doubling_days)} '
            f"({_days(growth.fastest_days, unit=False)}–{_days(growth.slowest_days, unit=False)})</span>"
        )
    fastest = f"<br>at fastest {_days(growth.fastest_days)}" if growth.fastest_days else ""
    return f'<span class="lv-noise" title="{why}">growth not shown{fastest}</span>'


def _days(days: float | None, *, unit: bool = True) -> str:
    if days is None:
        return look.UNKNOWN
    number = f"{days:.0f}" if days <= LONGEST_DAYS else f"> {LONGEST_DAYS}"
    return f"{number}{look.NBSP}d" if unit else number


def _status(lesion: FollowedLesion) -> str:
    words = STATUS_WORDS[lesion.status]
    if lesion.has_outgrown:
        return f'<b class="lv-grown">grown</b><br><small>was called {words}: look again</small>'
    note = f"<br><small>{look.safe(lesion.note)}</small>" if lesion.note else ""
    by = f"{lesion.status_by or ''}, {look.moment(lesion.status_at)}" if lesion.status_at else ""
    return f'<span title="{look.safe(by)}">{words}</span>{note}'


def _sums(days: Sequence[date], course: LesionCourse) -> str:
    """Return the rows of sum, nadir and response; a day before the baseline has none."""
    by_day = dict(zip(course.days, course.said, strict=True))

    def row(name: str, cell: Callable[[TimepointResponse], str], more: str = "") -> str:
        cells = "".join(f'<td class="n">{cell(by_day[on]) if on in by_day else ""}</td>' for on in days)
        return f'<tr class="lv-sum"><td colspan="2">{name}</td>{cells}<td colspan="3">{more}</td></tr>'

    sums = row("sum of targets", lambda said: _mm(said.sum_mm) if said.sum_mm is not None else look.UNKNOWN)
    nadir = row("nadir", lambda said: _mm(said.nadir_mm) if said.nadir_mm is not None else look.UNKNOWN)
    answers = row(
        "RECIST-like",
        lambda said: f"<b>{said.response.value}</b>",
        f"<small>{look.safe(course.because)}</small>",
    )
    return sums + nadir + answers


def _remarks(lesions: Sequence[FollowedLesion], course: LesionCourse | None) -> None:
    """Say what stands in no cell: what was corrected since, what has grown, what a reader has to judge."""
    said = [
        f"{lesion.label}, {place.on}: {place.corrected} It is not counted."
        for lesion in lesions
        for place in lesion.places
        if place.corrected
    ]
    said += [
        f"{lesion.label} was called benign and has grown since." for lesion in lesions if lesion.has_outgrown
    ]
    if course is not None:
        last = course.said[-1]
        said += [
            f"{one} If it was there at baseline, measure it there too." if one.startswith("New") else one
            for one in last.remarks
        ]
        if last.unmeasured and last.response is Response.NE:
            said.append(f"Not measured at the last study: {', '.join(last.unmeasured)}.")
    if said:
        items = "".join(f"<li>{look.safe(one)}</li>" for one in dict.fromkeys(said))
        look.show(f'<div class="lv-note alert"><ul>{items}</ul></div>')


def done(record: PatientRecord, undo: Undo) -> None:
    """Draw the page anew with what was done, and the way to undo it."""
    st.session_state[DONE] = (record.mrn, undo)
    st.session_state[WRITTEN] = st.session_state.get(WRITTEN, 0) + 1
    st.rerun()


def _what_was_done(record: PatientRecord) -> None:
    mrn, undo = st.session_state.get(DONE, ("", None))
    if mrn != record.mrn:
        st.session_state.pop(DONE, None)
        return
    words, button = st.columns([6, 1.2], vertical_alignment="center")
    if isinstance(undo, str):
        with words:
            look.show(f'<p class="lv-note" role="status">{look.safe(undo)}</p>')
        return
    with words:
        look.show(f'<p class="lv-note good" role="status">{look.safe(undo.words)}.</p>')
    if button.button("Undo", key="undo_lesion", width="stretch"):
        person = session.require(Permission.ASSESS)
        with outages.beside_the_act("It is not undone."):
            try:
                undo_lesion_act(here(), person, undo)
            except ValueError as error:
                st.session_state[DONE] = (record.mrn, str(error))
            else:
                st.session_state[DONE] = (record.mrn, f"Undone: {undo.words}. The audit trail keeps both.")
            st.rerun()


@st.fragment
def _work(record: PatientRecord, just_read: list[Sequence[FollowedLesion]]) -> None:
    """Let an oncologist choose a lesion and work on it.

    `just_read` holds the lesions that the page has read; it is empty when only this part runs.
    """
    person = session.require(Permission.ASSESS)
    hers = just_read.pop() if just_read else lesions_of_patient(here(), record.mrn)
    lesions = {lesion.lesion_id: lesion for lesion in hers}
    # What she had before her: the versions of when the forms were last drawn, not of the moment in which she presses.
    seen: dict[int, int] = st.session_state.get(SEEN, {})
    form = f"lesion_{record.mrn}_{person.user_id}_{st.session_state.get(WRITTEN, 0)}"
    which, measure, change, take_back, _ = st.columns([2.4, 1.5, 1.5, 1.7, 2.9], vertical_alignment="bottom")
    chosen = which.selectbox(
        "Work on",
        list(lesions),
        format_func=lambda one: look.plain(lesions[one].label) if one in lesions else "",
        key=f"{form}_which",
    )
    if chosen is None:
        return
    lesion = lesions[chosen]
    desk = lesion_forms.Desk(here(), person, record, lesion, list(lesions.values()), seen, f"{form}_{chosen}")
    undo = None
    for place, label, icon, show in (
        (measure, "Measure", ":material/straighten:", lesion_forms.measure),
        (change, "Change", ":material/edit:", lesion_forms.change),
        (take_back, "Take back", ":material/undo:", lesion_forms.take_back),
    ):
        # What is in it is asked for when it is opened: a place that is registered takes its time.
        opened = place.popover(
            label, icon=icon, width="stretch", key=f"{desk.form}_{label}", on_change="rerun"
        )
        if opened.open:
            with opened:
                undo = show(desk) or undo
    st.session_state[SEEN] = {one.lesion_id: one.version for one in lesions.values()}
    if undo is not None:
        done(record, undo)
