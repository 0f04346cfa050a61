"""A woman's course on one true time axis: what the model said, events, density."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from core.records import PatientRecord, Visit
from core.rules import years_between
from dashboard import look
from dashboard.charts import happenings, template
from dashboard.charts.beside import draw_courses, draw_thresholds, draw_women_of_her_age
from dashboard.charts.course_lines import (
    Course,
    Drawing,
    draw_breasts,
    draw_end_labels,
    draw_growth,
    draw_interval_band,
    draw_risk,
    grown,
    score_of,
)
from dashboard.charts.scale import Scale
from dashboard.charts.template import Figure
from dashboard.charts.untold import draw_other_kinds, draw_untold

RIBBON_PX, WHOLE_PX, UNTOLD_PX = 181, 440, 136
"""Heights of a course in short, which stands over the pictures, of the whole one, and of one without numbers; with one lane of events."""
_LANE_PX, _DENSITY_PX, _GAP_PX = 13, 18, 7
_MARGIN = {"l": 64, "r": 148, "t": 16, "b": 22}
_SHORT_LANES, _WHOLE_LANES = 4, 6


def trend(record: PatientRecord, *, chosen: str | None = None, drawing: Drawing | None = None) -> Figure:
    """Draw a woman's course on one true time axis.

    5-year risk with its interval, malignancy per breast and growth since the prior stand on one axis of probabilities,
    over the thresholds and what the model said of other women; below them events, and density. Risk, malignancy and
    thresholds end at a diagnosis; growth is told after it, and named. A visit whose number may not be said is a grey mark,
    one that is covered says "to read"; where there is no number at all, only visits, events and density are drawn.

    A marker is hollow where views were missing; a line is dotted where two visits lie more than three years
    apart, thin and grey where risk changed by no more than positioning makes, and there is none between scores by other
    weights or calibrations, or through the start of a treatment. Whiskers are the newest visit's intervals. Each marker
    carries its study's UID, so that a click chooses the visit. In short, growth before a diagnosis is left out.
    """
    drawing = drawing or Drawing()
    if not any(visit.score or visit.progression is not None for visit in record.visits):
        return without_numbers(record, chosen=chosen)
    span = _span(record)
    placed = happenings.stagger(record.events, span, _SHORT_LANES if drawing.short else _WHOLE_LANES)
    lanes = happenings.lanes_of(placed)
    height = (RIBBON_PX if drawing.short else WHOLE_PX) + _LANE_PX * (lanes - 1)
    domains = _domains(height, lanes)
    inner = height - _MARGIN["t"] - _MARGIN["b"]
    values = list(_values(record, drawing))
    scale = Scale.over(values, linear=drawing.linear, px=inner * (1 - domains[0][0]))
    course = Course(Figure(), record, span, scale, drawing)
    figure = course.figure
    _behind(course)
    draw_interval_band(course)
    labels = [*draw_breasts(course), *draw_growth(course), *draw_risk(course)]
    draw_end_labels(course, labels)
    draw_untold(figure, [visit for visit in record.standing.read if visit.score is None], scale.low)
    draw_other_kinds(figure, record.visits, scale.low)
    if record.diagnosed_on:
        _end_of_screening(course, record.diagnosed_on)
    _say_place(course)
    happenings.draw_events(figure, placed, span)
    happenings.draw_densities(figure, record.visits)
    _mark(figure, record.visit(chosen or ""), domains[1][0], scale)
    figure.lay_out(
        _lanes(
            height,
            span,
            yaxis=scale.axis(domains[0]),
            yaxis3=_lane_of("events", domains[1], lanes),
            yaxis4=_lane_of("density", domains[2]),
        )
    )
    return figure


def without_numbers(record: PatientRecord, *, chosen: str | None = None) -> Figure:
    """Draw the course of a woman of whom no number may be said: visits with the reader's assessment, events, density."""
    figure = Figure()
    span = _span(record)
    placed = happenings.stagger(record.events, span, _SHORT_LANES)
    lanes = happenings.lanes_of(placed)
    height = UNTOLD_PX + _LANE_PX * (lanes - 1)
    domains = _domains(height, lanes)
    draw_untold(figure, list(record.standing.read), 0.0, assessed=True)
    draw_other_kinds(figure, record.visits, 0.0)
    happenings.draw_events(figure, placed, span)
    happenings.draw_densities(figure, record.visits)
    _mark(figure, record.visit(chosen or ""), domains[1][0])
    figure.lay_out(
        _lanes(
            height,
            span,
            yaxis=_lane_of("visits", domains[0]),
            yaxis3=_lane_of("events", domains[1], lanes),
            yaxis4=_lane_of("density", domains[2]),
        )
    )
    return figure


def _domains(height: int, lanes: int) -> list[tuple[float, float]]:
    """Return the shares of a figure's height that probabilities, events and density take."""
    inner = height - _MARGIN["t"] - _MARGIN["b"]
    events = _DENSITY_PX + _LANE_PX * lanes
    return [
        ((events + _GAP_PX) / inner, 1.0),
        (_DENSITY_PX / inner, events / inner),
        (0.0, (_DENSITY_PX - 2) / inner),
    ]


def _lanes(height: int, span: tuple[date, date], **lanes: dict[str, Any]) -> dict[str, Any]:
    """Return the layout of a course: lanes one above the other, over one axis of dates."""
    return template.layout(
        height=height,
        margin=_MARGIN,
        hovermode="closest",
        clickmode="event+select",
        xaxis=template.axis(
            range=[f"{span[0]}", f"{span[1]}"],
            type="date",
            anchor="free",
            position=0,
            hoverformat="%Y-%m-%d",
            **_time_ticks(span),
        ),
        **lanes,
    )


def _lane_of(what: str, domain: tuple[float, float], lanes: int = 1) -> dict[str, Any]:
    """Return the axis of lanes that show marks, no values."""
    return template.axis(
        domain=domain, range=[-0.5, lanes - 0.5], showgrid=False, tickvals=[(lanes - 1) / 2], ticktext=[what]
    )


def _span(record: PatientRecord) -> tuple[date, date]:
    """Return the days that a course is drawn over."""
    days = [visit.on for visit in record.visits] + [event.on for event in record.events]
    first, last = min(days, default=date.today()), max(days, default=date.today())
    room = timedelta(days=max(60, (last - first).days // 24))
    # A single visit stands in the middle of its year.
    return (first - room, last + room) if last > first else (first - room * 3, last + room * 3)


def _time_ticks(span: tuple[date, date]) -> dict[str, Any]:
    """Return one tick a year, fewer over long spans, months over short ones."""
    years = years_between(*span)
    if years < 2:
        return {"tickformat": "%Y-%m", "dtick": "M1" if years < 0.7 else "M3"}
    return {"tickformat": "%Y", "dtick": f"M{12 * math.ceil(years / 14)}"}


def _values(record: PatientRecord, drawing: Drawing) -> Iterator[float]:
    """Yield all that is drawn on the axis of probabilities."""
    for visit in record.scored:
        score = score_of(visit)
        yield from (score.risk_5y.low, score.risk_5y.value, score.risk_5y.high)
        yield from (value for value in score.malignancy.values() if value is not None)
        if not drawing.short:
            yield from (one.high for one in score.malignancy_interval.values() if one is not None)
    for visit in grown(record, drawing):
        yield visit.progression or 0.0
        if visit.progression_interval is not None and not drawing.short:
            yield visit.progression_interval.high


def _behind(course: Course) -> None:
    """Draw what stands behind the course: thresholds, and other women where the same model spoke of her."""
    record, others = course.record, course.drawing.others
    draw_thresholds(
        course.figure,
        course.scale,
        course.span,
        birth_date=record.birth_date,
        diagnosed_on=record.diagnosed_on,
        last_told=record.scored[-1].on if record.scored else course.span[0],
    )
    if not record.scored:
        return
    told = (course.span[0], record.diagnosed_on or course.span[1])
    draw_women_of_her_age(course.figure, course.scale, told, others.by_age, record.birth_date)
    ends = record.diagnosed_on or record.scored[-1].on
    draw_courses(
        course.figure, course.scale, course.span, others.courses, ends, named=not course.drawing.short
    )


def _mark(figure: Figure, chosen: Visit | None, from_: float, scale: Scale | None = None) -> None:
    """Draw a line through the chosen visit, from a share of the figure's height to its top."""
    if chosen is None:
        return
    reaches: list[dict[str, Any]] = [{"yref": "paper", "y0": from_, "y1": 1}]
    if scale is not None:
        # Plotly draws what reaches over all lanes below what fills one: there the line is drawn again.
        reaches.append({"yref": "y", "y0": scale.low, "y1": scale.high})
    for reach in reaches:
        figure.add_shape(
            type="line",
            x0=chosen.on,
            x1=chosen.on,
            **reach,
            line={"color": look.ACCENT, "width": 1.5},
            layer="below",
        )


def _say_place(course: Course) -> None:
    """Say above the course where the chosen visit stands among women of her age."""
    if course.drawing.place:
        course.figure.add_annotation(
            x=0,
            xref="paper",
            y=1,
            yref="paper",
            text=course.drawing.place,
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 11, "color": look.INK},
        )


def _end_of_screening(course: Course, diagnosed_on: date) -> None:
    """Draw where the diagnosis ends risk and malignancy, and name what follows it."""
    course.figure.add_shape(
        type="line",
        x0=diagnosed_on,
        x1=diagnosed_on,
        yref="y",
        y0=course.scale.low,
        y1=course.scale.high,
        line={"color": look.MUTED, "width": 1, "dash": "dot"},
        layer="below",
    )
    told = any(visit.progression is not None and visit.score is None for visit in course.record.visits)
    along = (diagnosed_on - course.span[0]) / (course.span[1] - course.span[0])
    to_the_left = along > (0.8 if told else 0.97)
    # Above the course, unless the chosen visit's place is said there.
    inside = bool(course.drawing.place) and (along < 0.7 or to_the_left)
    to_the_left = to_the_left or (inside and along > 0.7)
    course.figure.add_annotation(
        x=diagnosed_on,
        xshift=-6 if to_the_left else 6,
        yref="paper",
        y=1,
        text="risk ends at the diagnosis" + ("; after it: ▲ growth since prior" if told else ""),
        showarrow=False,
        xanchor="right" if to_the_left else "left",
        yanchor="top" if inside else "bottom",
        font={"size": 11, "color": look.MUTED},
    )
