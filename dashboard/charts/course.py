"""Figures of one woman: her course, and what each visit did to a score."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from core.records import COVERED, EventEntry, EventKind, Interval, PatientRecord, Visit, VisitScore
from core.rules import is_within_noise, last_of_each_day, said_alike, trends, years_between
from core.rules.vocabulary import SIDE_WORDS
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure

# The rows of the trend as shares of its height, from the bottom: time axis, then density, events, below, risk.
_DENSITY_LANE, _EVENT_LANE = (0.0, 0.065), (0.08, 0.195)
_BELOW_LANE, _RISK_LANE = (0.235, 0.475), (0.53, 1.0)

_EVENT_SYMBOL = {
    EventKind.BIOPSY: "diamond",
    EventKind.DIAGNOSIS: "star",
    EventKind.SURGERY: "square",
    EventKind.THERAPY: "circle",
    EventKind.NOTE: "circle-open",
}
RIBBON_PX = 184
"""Height of a course in short, which stands over the pictures."""
_SIDES = (("L", look.LEFT, "circle", "● left"), ("R", look.RIGHT, "diamond", "◆ right"))


def trend(record: PatientRecord, *, chosen: str | None = None) -> Figure:
    """Draw a woman's course on one true time axis.

    On top 5-year risk with its interval over the thresholds; below it malignancy per breast with progression,
    events, and density. Risk, malignancy and thresholds end at a diagnosis. A visit whose number may not be said is a
    grey mark; where there is no number at all, only visits, events and density are drawn.

    A marker is hollow where views were missing; a line is dotted where two visits lie more than three years
    apart, thin and grey where risk changed by no more than positioning makes, and there is none between scores by other
    weights or calibrations. Whiskers are the newest visit's intervals. Each marker carries its study's UID, so that a click chooses the visit.
    """
    if not any(visit.score or visit.progression is not None for visit in record.visits):
        return without_numbers(record, chosen=chosen)
    figure = Figure()
    scored = record.scored
    days = [visit.on for visit in record.visits] + [event.on for event in record.events]
    first, last = min(days, default=date.today()), max(days, default=date.today())
    span = _span(first, last)
    top = max([0.042, *(_score(visit).risk_5y.high * 1.12 for visit in scored)])
    _thresholds(figure, top, span, record.diagnosed_on)
    _interval_band(figure, scored)
    _risk(figure, scored)
    _untold(figure, [visit for visit in record.standing.read if visit.score is None], 0.03 * top)
    _below(figure, record)
    _events(figure, record.events, (first, last), begins=span[0])
    _densities(figure, record.visits)
    _mark(figure, next((visit for visit in record.visits if visit.study_uid == chosen), None))
    figure.lay_out(
        _lanes(
            520,
            span,
            yaxis=template.axis(
                "5-year risk", domain=_RISK_LANE, range=[0, top], tickformat=".0%" if top > 0.06 else ".1%"
            ),
            yaxis2=template.axis(
                "probability", domain=_BELOW_LANE, range=[-0.04, 1.04], tickformat=".0%", nticks=3
            ),
            yaxis3=_lane_of("events", _EVENT_LANE),
            yaxis4=_lane_of("density", _DENSITY_LANE),
        )
    )
    return figure


def in_short(ribbon: Figure) -> Figure:
    """Return a course as a ribbon: visits, events and density as they are, without the lane of malignancy and progression."""
    layout = ribbon["layout"]
    ribbon["data"] = [trace for trace in ribbon["data"] if trace.get("yaxis", "y") != "y2"]
    layout["annotations"] = [note for note in layout.get("annotations", ()) if note.get("yref") != "y2"]
    layout["shapes"] = [shape for shape in layout.get("shapes", ()) if shape.get("yref") != "y2"]
    layout.pop("yaxis2", None)
    layout["height"] = RIBBON_PX
    for axis, domain in (("yaxis", (0.4, 1.0)), ("yaxis3", (0.19, 0.36)), ("yaxis4", (0.0, 0.14))):
        if axis in layout:
            layout[axis]["domain"] = domain
    layout["margin"] = {"l": 64, "r": 16, "t": 4, "b": 24}
    return ribbon


def _lanes(height: int, span: tuple[date, date], **lanes: dict[str, Any]) -> dict[str, Any]:
    """Return the layout of a course: lanes one above the other, over one axis of dates."""
    return template.layout(
        height=height,
        margin={"l": 64, "r": 16, "t": 8, "b": 32},
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


def _lane_of(what: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Return the axis of a lane that shows marks, no values."""
    return template.axis(domain=domain, range=[-1, 1], showgrid=False, tickvals=[0], ticktext=[what])


def without_numbers(record: PatientRecord, *, chosen: str | None = None) -> Figure:
    """Draw the course of a woman of whom no number may be said: visits with the reader's assessment, events, density."""
    figure = Figure()
    days = [visit.on for visit in record.visits] + [event.on for event in record.events]
    first, last = min(days, default=date.today()), max(days, default=date.today())
    span = _span(first, last)
    visits = list(record.standing.read)
    _untold(figure, visits, 0.0, assessed=True)
    _events(figure, record.events, (first, last), begins=span[0])
    _densities(figure, record.visits)
    _mark(figure, next((visit for visit in record.visits if visit.study_uid == chosen), None), from_=0.25)
    figure.lay_out(
        _lanes(
            220,
            span,
            yaxis=_lane_of("visits", (0.62, 1.0)),
            yaxis3=_lane_of("events", (0.25, 0.58)),
            yaxis4=_lane_of("density", (0.0, 0.2)),
        )
    )
    return figure


def _span(first: date, last: date) -> tuple[date, date]:
    """Return the days that a course is drawn over."""
    room = timedelta(days=max(120, (last - first).days // 8))
    # A single visit stands in the middle of its year; a course leaves room at its end for the lines' names.
    return (first - room / 4, last + room) if last > first else (first - room * 1.5, last + room * 1.5)


def _untold(figure: Figure, visits: Sequence[Visit], height: float, *, assessed: bool = False) -> None:
    """Mark visits whose numbers may not be said, with the reader's assessment beside them where that is asked for."""
    if not visits:
        return
    figure.add(
        "scatter",
        x=[visit.on for visit in visits],
        y=[height] * len(visits),
        yaxis="y",
        mode="markers+text" if assessed else "markers",
        cliponaxis=False,
        marker={"color": "#9AA5B1", "symbol": "circle-x-open", "size": 11, "line": {"width": 1.5}},
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        text=[visit.bi_rads or "" for visit in visits],
        textposition="top center",
        textfont={"size": 12, "color": look.INK},
        customdata=[[visit.study_uid] for visit in visits],
        hovertext=[_untold_hover(visit) for visit in visits],
        hovertemplate="%{hovertext}<extra></extra>",
        name="no number",
    )


def _untold_hover(visit: Visit) -> str:
    lines = [f"{visit.on}"]
    if visit.covered:
        lines.append(COVERED)
    elif visit.rank is not None:
        lines.append(f"{visit.rank.words}: {visit.rank.women}")
    elif visit.doubt is not None:
        lines.append(f"no number: {visit.doubt.sentence}")
    if visit.bi_rads:
        lines.append(f"{visit.assessment.words}, by the reader")
    return "<br>".join(look.safe(line) for line in lines)


def _risk(figure: Figure, scored: Sequence[Visit]) -> None:
    """Draw 5-year risk from visit to visit."""
    values = [_score(visit).risk_5y.value for visit in scored]
    _line(figure, scored, values, look.RISK, "y", width=2.5, of_risk=True)
    texts = [_risk_hover(visit, prior) for visit, prior in zip(scored, [None, *scored], strict=False)]
    _markers(figure, scored, values, look.RISK, "circle", "y", size=11, name="5-year risk", texts=texts)


def _below(figure: Figure, record: PatientRecord) -> None:
    """Draw malignancy per breast and progression, each named at its end; a diagnosis ends the one, not the other."""
    scored = record.scored
    labels: list[tuple[float, str, str]] = []
    for laterality, colour, symbol, word in _SIDES:
        with_side = [v for v in scored if _score(v).malignancy[laterality] is not None]
        values = [float(_score(v).malignancy[laterality] or 0.0) for v in with_side]
        _line(figure, with_side, values, colour, "y2", width=1.5)
        name = f"malignancy {SIDE_WORDS[laterality]}"
        intervals = [_score(v).malignancy_interval[laterality] for v in with_side]
        _markers(figure, with_side, values, colour, symbol, "y2", size=8, name=name, intervals=intervals)
        if values:
            labels.append((values[-1], word, colour))
    grown = [v for v in record.standing.read if v.progression is not None]
    # Before a diagnosis and after it another question is asked: no line joins the two.
    for part in ([v for v in grown if v.score], [v for v in grown if not v.score]):
        values = [float(v.progression or 0.0) for v in part]
        _line(figure, part, values, look.PROGRESSION, "y2", width=1.5)
        intervals = [v.progression_interval for v in part]
        _markers(
            figure, part, values, look.PROGRESSION, "triangle-up", "y2", size=8, name="progression", intervals=intervals
        )  # fmt: skip
    if grown:
        growth = (float(grown[-1].progression or 0.0), "▲ progression", look.PROGRESSION)
        if scored and grown[-1].on <= scored[-1].on:
            labels.append(growth)
        else:
            _end_labels(figure, [growth], grown[-1].on)
    if scored:
        _end_labels(figure, labels, scored[-1].on)


def _mark(figure: Figure, chosen: Visit | None, from_: float = _EVENT_LANE[0]) -> None:
    """Draw a line through the chosen visit."""
    if chosen is not None:
        figure.add_shape(
            type="line",
            x0=chosen.on,
            x1=chosen.on,
            y0=from_,
            y1=1,
            yref="paper",
            line={"color": look.ACCENT, "width": 1.5},
            layer="below",
        )


def _time_ticks(span: tuple[date, date]) -> dict[str, Any]:
    """Return one tick a year, fewer over long spans, months over short ones."""
    years = years_between(*span)
    if years < 2:
        return {"tickformat": "%Y-%m", "dtick": "M1" if years < 0.7 else "M3"}
    return {"tickformat": "%Y", "dtick": f"M{12 * math.ceil(years / 14)}"}


def _score(visit: Visit) -> VisitScore:
    assert visit.score is not None
    return visit.score


def _thresholds(figure: Figure, top: float, span: tuple[date, date], diagnosed_on: date | None) -> None:
    """Draw the thresholds of screening, up to the diagnosis where there is one."""
    until = min(span[1], diagnosed_on) if diagnosed_on else span[1]
    if diagnosed_on:
        _end_of_screening(figure, diagnosed_on, span)
    if until <= span[0]:
        return
    lowest = next((band for band, _, fill in template.bands() if fill), None)
    for band, above, fill in template.bands():
        if band.lower >= top or fill is None:
            continue
        figure.add_shape(
            type="rect",
            x0=span[0],
            x1=until,
            yref="y",
            y0=band.lower,
            y1=min(top, above.lower) if above else top,
            fillcolor=fill,
            line={"width": 0},
            layer="below",
        )
        figure.add_shape(
            type="line",
            x0=span[0],
            x1=until,
            yref="y",
            y0=band.lower,
            y1=band.lower,
            line={"color": template.BAND_LINE[band.key], "width": 1, "dash": "dash"},
            layer="between",
        )
        figure.add_annotation(
            x=until,
            xshift=-4,
            yref="y",
            y=band.lower,
            text=f"{look.percent(band.lower)} {band.source.split()[0]}",
            hovertext=band.source,
            showarrow=False,
            xanchor="right",
            # The lowest line is named from below, so that two lines that lie close keep their names apart.
            yanchor="top" if band is lowest else "bottom",
            font={"size": 11, "color": look.MUTED},
        )


def _end_of_screening(figure: Figure, diagnosed_on: date, span: tuple[date, date]) -> None:
    """Draw where the diagnosis ends risk and malignancy, and say so beside it."""
    figure.add_shape(
        type="line",
        x0=diagnosed_on,
        x1=diagnosed_on,
        yref="paper",
        y0=_BELOW_LANE[0],
        y1=1,
        line={"color": look.MUTED, "width": 1, "dash": "dot"},
        layer="below",
    )
    near_the_end = span[1] - diagnosed_on < (span[1] - span[0]) * 0.3
    figure.add_annotation(
        x=diagnosed_on,
        xshift=-6 if near_the_end else 6,
        yref="paper",
        y=1,
        text="risk ends at the diagnosis",
        showarrow=False,
        xanchor="right" if near_the_end else "left",
        yanchor="top",
        font={"size": 11, "color": look.MUTED},
    )


def _may_be_joined(before: Visit, after: Visit) -> bool:
    """Say whether what was said of two visits may be set beside each other: by the same weights and calibration."""
    said = [visit.score or visit.untrusted for visit in (before, after)]
    return said_alike(score for score in said if score is not None)


def _interval_band(figure: Figure, scored: Sequence[Visit]) -> None:
    """Draw the intervals of 5-year risk, one band for each run of visits that were scored alike."""
    runs: list[list[Visit]] = []
    for visit in scored:
        if runs and _may_be_joined(runs[-1][-1], visit):
            runs[-1].append(visit)
        else:
            runs.append([visit])
    for run in runs:
        _band(figure, run)


def _band(figure: Figure, scored: Sequence[Visit]) -> None:
    if len(scored) < 2:
        for visit in scored:
            interval = _score(visit).risk_5y
            figure.add_shape(
                type="line",
                x0=visit.on,
                x1=visit.on,
                yref="y",
                y0=interval.low,
                y1=interval.high,
                line={"color": look.RISK_BAND, "width": 8},
            )
        return
    days = [visit.on for visit in scored]
    figure.add(
        "scatter",
        x=days + days[::-1],
        y=[_score(v).risk_5y.high for v in scored] + [_score(v).risk_5y.low for v in scored][::-1],
        fill="toself",
        fillcolor=look.RISK_BAND,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name="interval",
    )


def _line(
    figure: Figure,
    visits: Sequence[Visit],
    values: Sequence[float],
    colour: str,
    axis: str,
    *,
    width: float,
    of_risk: bool = False,
) -> None:
    """Draw the steps between visits that were scored alike: dotted over a long gap, of risk thin within noise."""
    gaps = trends.long_gaps([visit.on for visit in visits])
    steps: dict[tuple[bool, bool], list[int]] = {}
    for step, (before, after) in enumerate(itertools.pairwise(visits)):
        if _may_be_joined(before, after):
            noise = of_risk and is_within_noise(_score(before), _score(after)) is True
            steps.setdefault((gaps[step], noise), []).append(step)
    for (dotted, noise), which in steps.items():
        names = ["over three years without a visit"] * dotted + [look.WITHIN_NOISE] * noise
        figure.add(
            "scatter",
            x=[day for step in which for day in (visits[step].on, visits[step + 1].on, None)],
            y=[value for step in which for value in (values[step], values[step + 1], None)],
            yaxis=axis,
            mode="lines",
            line={
                "color": look.NOISE if noise else colour,
                "width": 1 if noise else width,
                "dash": "dot" if dotted else "solid",
            },
            hoverinfo="skip",
            name=", ".join(names),
        )


def _markers(
    figure: Figure,
    visits: Sequence[Visit],
    values: Sequence[float],
    colour: str,
    symbol: str,
    axis: str,
    *,
    size: int,
    name: str,
    texts: Sequence[str] | None = None,
    intervals: Sequence[Interval | None] = (),
) -> None:
    """Draw visits' marks; of the newest one of `intervals` whiskers, of all of them the words on hover."""
    intervals = intervals or [None] * len(visits)
    texts = texts or [
        f"{visit.on}<br>{name} {look.percent(value)} {look.interval_of(interval)}".rstrip()
        for visit, value, interval in zip(visits, values, intervals, strict=True)
    ]
    if intervals and intervals[-1] is not None:
        _whiskers(figure, visits[-1].on, intervals[-1], colour, axis, name)
    style = {"opacity": 1.0}
    figure.add(
        "scatter",
        x=[visit.on for visit in visits],
        y=list(values),
        yaxis=axis,
        mode="markers",
        cliponaxis=False,
        marker={
            "color": ["#FFFFFF" if _views_missing(visit) else colour for visit in visits],
            "symbol": symbol,
            "size": size,
            "line": {"color": colour, "width": 2},
        },
        selected={"marker": style},
        unselected={"marker": style},
        customdata=[[visit.study_uid] for visit in visits],
        text=list(texts),
        hovertemplate="%{text}<extra></extra>",
        name=name,
    )


def _whiskers(figure: Figure, on: date, known: Interval, colour: str, axis: str, name: str) -> None:
    """Draw the interval of a visit's probability, behind its mark."""
    figure.add(
        "scatter",
        x=[on, on],
        y=[known.low, known.high],
        yaxis=axis,
        mode="lines+markers",
        line={"color": colour, "width": 3},
        marker={"color": colour, "symbol": "line-ew-open", "size": 10, "line": {"width": 2}},
        hoverinfo="skip",
        name=f"interval of {name}",
    )


def _views_missing(visit: Visit) -> bool:
    said = visit.score or visit.untrusted
    return said is not None and bool(said.missing_views)


def _risk_hover(visit: Visit, prior: Visit | None) -> str:
    score = _score(visit)
    risk = score.risk_5y
    lines = [
        f"{visit.on}",
        f"cancer within 5 years {look.percent(risk.value)} {look.interval(risk.low, risk.high)}",
    ]
    if prior is not None and _may_be_joined(prior, visit):
        change = risk.value - _score(prior).risk_5y.value
        noise = is_within_noise(_score(prior), score)
        words = look.WITHIN_NOISE if noise else f"{look.points(change)} points"
        lines.append(f"since {prior.on}: {words}")
    if visit.bi_rads:
        lines.append(look.safe(f"{visit.assessment.words}, by the reader"))
    if score.missing_views:
        lines.append("not seen by the model: " + ", ".join(view.words for view in score.missing_views))
    return "<br>".join(lines)


def _end_labels(figure: Figure, labels: list[tuple[float, str, str]], on: date) -> None:
    """Name the lines at their ends, moved apart where they would lie on one another."""
    apart, previous = 0.17, -1.0
    places = []
    for value, text, colour in sorted(labels):
        previous = max(value, previous + apart)
        places.append((previous, text, colour))
    shift = max(0.0, places[-1][0] - 1.0) if places else 0.0
    for place, text, colour in places:
        figure.add_annotation(
            x=on,
            y=place - shift,
            yref="y2",
            text=text,
            showarrow=False,
            xanchor="left",
            xshift=12,
            font={"size": 12, "color": colour},
        )


def _events(figure: Figure, events: Sequence[EventEntry], span: tuple[date, date], *, begins: date) -> None:
    """Draw the event lane; events close together share one line of words."""
    if not events:
        # An axis without any trace is not drawn at all.
        figure.add(
            "scatter",
            x=[begins],
            y=[0],
            yaxis="y3",
            mode="text",
            text=["none recorded"],
            textposition="middle right",
            textfont={"size": 11, "color": look.MUTED},
            hoverinfo="skip",
            name="events",
        )
    for event in events:
        bar = event.kind is EventKind.THERAPY
        until = f" to {event.end}" if event.end else ""
        figure.add(
            "scatter",
            x=[event.on, event.end or max(span[1], event.on)] if bar else [event.on],
            y=[-0.5] * (2 if bar else 1),
            yaxis="y3",
            mode="lines" if bar else "markers",
            line={"color": look.INK, "width": 7},
            marker={
                "symbol": _EVENT_SYMBOL[event.kind],
                "size": 10,
                "color": look.INK,
                "line": {"color": look.INK, "width": 1.5},
            },
            hovertemplate=f"{event.on}{until}<br>{_words(event)}<br>{look.safe(_more(event))}<extra></extra>",
            name=_words(event),
        )
    for group in _neighbours(events, within=(span[1] - span[0]) * 0.12):
        figure.add_annotation(
            x=group[0].on,
            y=0.5,
            yref="y3",
            text=" · ".join(dict.fromkeys(_words(event) for event in group)),
            showarrow=False,
            xanchor="right" if span[1] - group[0].on < (span[1] - span[0]) * 0.25 else "left",
            font={"size": 11, "color": look.MUTED},
        )


def _words(event: EventEntry) -> str:
    return event.kind.value + (f" {event.laterality}" if event.laterality else "")


def _more(event: EventEntry) -> str:
    """Say what came of an event, and its note."""
    return ", ".join(filter(None, (event.result.value if event.result else "", event.detail or "")))


def _neighbours(events: Sequence[EventEntry], *, within: timedelta) -> list[list[EventEntry]]:
    """Gather events that lie so close together that their names would cover each other."""
    groups: list[list[EventEntry]] = []
    for event in events:
        if groups and event.on - groups[-1][0].on < within:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups


def _densities(figure: Figure, visits: Sequence[Visit]) -> None:
    # Of the studies of one day one is told, the reader's density before the model's: they stand at one place.
    readers_last = sorted(
        (visit for visit in visits if visit.density), key=lambda v: (v.on, v.reader_density is not None)
    )
    known = last_of_each_day(readers_last, lambda visit: visit.on)
    figure.add(
        "scatter",
        x=[visit.on for visit in known],
        y=[0] * len(known),
        yaxis="y4",
        mode="text",
        text=[f"<b>{visit.density}</b>" for visit in known],
        textfont={"color": look.DENSITY, "size": 14},
        hovertext=[
            f"{v.on}<br>density {v.density}, {'reader' if v.reader_density else 'model'}" for v in known
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="density",
    )


def contributions(score: VisitScore) -> Figure:
    """Draw by how much each visit multiplied the odds of cancer within 5 years."""
    entries = score.contributions
    factors = [math.exp(entry.value) for entry in entries]
    days = [entry.study_date.isoformat() for entry in entries]
    reach = max([1.25, *factors, *(1 / f for f in factors)])
    figure = Figure()
    figure.add(
        "bar",
        x=[math.log2(factor) for factor in factors],
        y=days,
        orientation="h",
        marker={"color": [look.RISK if factor >= 1 else "#9AA5B1" for factor in factors]},
        text=[look.times(factor) for factor in factors],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text} the odds<extra></extra>",
    )
    limit = math.log2(reach) * 1.7  # room for the words, in a narrow column too
    figure.add_shape(
        type="line", x0=0, x1=0, y0=0, y1=1, yref="paper", line={"color": look.MUTED, "width": 1}
    )
    figure.lay_out(
        template.layout(
            height=48 + 26 * max(1, len(entries)),
            margin={"l": 88, "r": 8, "t": 4, "b": 4},
            bargap=0.35,
            xaxis=template.axis(range=[-limit, limit], showticklabels=False, showgrid=False),
            yaxis=template.axis(type="category"),
        )
    )
    return figure
