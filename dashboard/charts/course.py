"""Figures of one woman: her course, and what each visit did to a score."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from core.records import COVERED, Interval, PatientRecord, Visit, VisitScore
from core.rules import is_within_noise, said_alike, trends, years_between
from core.rules.vocabulary import SIDE_WORDS
from dashboard import look
from dashboard.charts import happenings, template
from dashboard.charts.beside import OtherWomen, draw_courses, draw_thresholds, draw_women_of_her_age
from dashboard.charts.scale import Scale
from dashboard.charts.template import Figure

RIBBON_PX, WHOLE_PX, UNTOLD_PX = 181, 440, 136
"""Heights of a course in short, which stands over the pictures, of the whole one, and of one without numbers; with one lane of events."""
_LANE_PX, _DENSITY_PX, _GAP_PX = 13, 18, 7
_MARGIN = {"l": 64, "r": 148, "t": 16, "b": 22}
_SHORT_LANES, _WHOLE_LANES = 4, 6
_LABEL_PX = 15

_SIDES = (("L", look.LEFT, "circle", "● left, 1 year"), ("R", look.RIGHT, "diamond", "◆ right, 1 year"))


@dataclass(frozen=True)
class Drawing:
    """How a course is drawn: what stands behind it, on which axis, and whether in short, as a ribbon over the pictures."""

    others: OtherWomen = field(default_factory=OtherWomen)
    linear: bool = False
    short: bool = False
    place: str = ""
    """Where the chosen visit stands among women of her age, in words."""


@dataclass(frozen=True)
class _Course:
    """A course being drawn: the woman, the days it is drawn over, and how."""

    figure: Figure
    record: PatientRecord
    span: tuple[date, date]
    scale: Scale
    drawing: Drawing

    def joined(self, before: Visit, after: Visit) -> bool:
        """Say whether a line may join two visits: by the same weights and calibration, no treatment begun between them."""
        if any(before.on <= day < after.on for day in self.record.treated_on):
            return False
        said = [visit.score or visit.untrusted for visit in (before, after)]
        return said_alike(score for score in said if score is not None)


@dataclass(frozen=True)
class _Look:
    """How a line of a course looks, and what it is called."""

    name: str
    colour: str
    symbol: str
    size: int
    width: float


_RISK = _Look("5-year risk", look.RISK, "circle", 10, 2.5)
_GROWTH = _Look("growth since prior", look.PROGRESSION, "triangle-up", 8, 1.5)


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
    course = _Course(Figure(), record, span, scale, drawing)
    figure = course.figure
    _behind(course)
    _interval_band(course)
    labels = [*_breasts(course), *_growth(course), *_risk(course)]
    _end_labels(course, labels)
    _untold(figure, [visit for visit in record.standing.read if visit.score is None], scale.low)
    _other_kinds(figure, record.visits, scale.low)
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
    _untold(figure, list(record.standing.read), 0.0, assessed=True)
    _other_kinds(figure, record.visits, 0.0)
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
        score = _score(visit)
        yield from (score.risk_5y.low, score.risk_5y.value, score.risk_5y.high)
        yield from (value for value in score.malignancy.values() if value is not None)
        if not drawing.short:
            yield from (one.high for one in score.malignancy_interval.values() if one is not None)
    for visit in _grown(record, drawing):
        yield visit.progression or 0.0
        if visit.progression_interval is not None and not drawing.short:
            yield visit.progression_interval.high


def _grown(record: PatientRecord, drawing: Drawing) -> list[Visit]:
    """Return the visits whose growth since the prior is drawn."""
    grown = [visit for visit in record.standing.read if visit.progression is not None]
    return [visit for visit in grown if visit.score is None] if drawing.short else grown


def _behind(course: _Course) -> None:
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


def _untold(figure: Figure, visits: Sequence[Visit], height: float, *, assessed: bool = False) -> None:
    """Mark visits whose numbers are not said, with the reader's assessment beside them where that is asked for."""
    to_read = [visit for visit in visits if visit.covered]
    withheld = [visit for visit in visits if not visit.covered]
    for hers, symbol, colour, name in (
        (to_read, "square-open", look.ACCENT, "to read"),
        (withheld, "circle-x-open", "#9AA5B1", "no number"),
    ):
        if not hers:
            continue
        texts = [_beside_untold(visit, assessed=assessed) for visit in hers]
        figure.add(
            "scatter",
            x=[visit.on for visit in hers],
            y=[height] * len(hers),
            yaxis="y",
            mode="markers+text" if any(texts) else "markers",
            cliponaxis=False,
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 1.5}},
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 1.0}},
            text=texts,
            textposition="top center" if assessed else "middle right",
            textfont={"size": 12, "color": look.INK},
            customdata=[[visit.study_uid] for visit in hers],
            hovertext=[_untold_hover(visit) for visit in hers],
            hovertemplate="%{hovertext}<extra></extra>",
            name=name,
        )


def _other_kinds(figure: Figure, visits: Sequence[Visit], height: float) -> None:
    """Mark the studies by ultrasound and MR, which no model reads, so that her course is whole."""
    hers = [visit for visit in visits if visit.other_kind is not None]
    if not hers:
        return
    figure.add(
        "scatter",
        x=[visit.on for visit in hers],
        y=[height] * len(hers),
        yaxis="y",
        mode="markers+text",
        cliponaxis=False,
        marker={"color": look.MUTED, "symbol": "hexagon-open", "size": 10, "line": {"width": 1.5}},
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        text=[f"{visit.modality} {visit.bi_rads or ''}".strip() for visit in hers],
        textposition="top center",
        textfont={"size": 11, "color": look.MUTED},
        customdata=[[visit.study_uid] for visit in hers],
        hovertext=[
            f"{visit.on}<br>{visit.other_kind}, read by no model"
            + (f"<br>{look.safe(visit.assessment.words)}, by the reader" if visit.bi_rads else "")
            for visit in hers
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="ultrasound and MR",
    )


def _beside_untold(visit: Visit, *, assessed: bool) -> str:
    if visit.covered:
        return "to read"
    return visit.bi_rads or "" if assessed else ""


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


def _risk(course: _Course) -> list[_Label]:
    """Draw 5-year risk from visit to visit."""
    scored = course.record.scored
    values = [_score(visit).risk_5y.value for visit in scored]
    _line(course, scored, values, _RISK)
    texts = [_risk_hover(visit, prior) for visit, prior in zip(scored, [None, *scored], strict=False)]
    _markers(course, scored, values, _RISK, texts=texts)
    return _label_of(scored, values, _RISK.name, _RISK.colour)


def _breasts(course: _Course) -> list[_Label]:
    """Draw malignancy per breast."""
    labels = []
    for laterality, colour, symbol, word in _SIDES:
        with_side = [v for v in course.record.scored if _score(v).malignancy[laterality] is not None]
        values = [float(_score(v).malignancy[laterality] or 0.0) for v in with_side]
        drawn = _Look(f"malignancy {SIDE_WORDS[laterality]}", colour, symbol, 7, 1.0)
        _line(course, with_side, values, drawn)
        intervals = [_score(v).malignancy_interval[laterality] for v in with_side]
        _markers(course, with_side, values, drawn, intervals=intervals)
        labels += _label_of(with_side, values, word, colour)
    return labels


def _growth(course: _Course) -> list[_Label]:
    """Draw growth since the prior; before a diagnosis and after it another question is asked, and no line joins the two."""
    labels: list[_Label] = []
    grown = _grown(course.record, course.drawing)
    for part in ([v for v in grown if v.score], [v for v in grown if not v.score]):
        values = [float(v.progression or 0.0) for v in part]
        _line(course, part, values, _GROWTH)
        _markers(course, part, values, _GROWTH, intervals=[v.progression_interval for v in part])
        labels = _label_of(part, values, "▲ grown", look.PROGRESSION) or labels
    return labels


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


def _score(visit: Visit) -> VisitScore:
    assert visit.score is not None
    return visit.score


def _say_place(course: _Course) -> None:
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


def _end_of_screening(course: _Course, diagnosed_on: date) -> None:
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


def _interval_band(course: _Course) -> None:
    """Draw the intervals of 5-year risk, one band for each run of visits that may be joined."""
    runs: list[list[Visit]] = []
    for visit in course.record.scored:
        if runs and course.joined(runs[-1][-1], visit):
            runs[-1].append(visit)
        else:
            runs.append([visit])
    for run in runs:
        _band(course, run)


def _band(course: _Course, scored: Sequence[Visit]) -> None:
    drawn = course.scale.drawn
    low = [drawn(_score(visit).risk_5y.low) for visit in scored]
    high = [drawn(_score(visit).risk_5y.high) for visit in scored]
    if len(scored) < 2:
        for visit in scored:
            course.figure.add_shape(
                type="line",
                x0=visit.on,
                x1=visit.on,
                yref="y",
                y0=low[0],
                y1=high[0],
                line={"color": look.RISK_BAND, "width": 8},
            )
        return
    days = [visit.on for visit in scored]
    course.figure.add(
        "scatter",
        x=days + days[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=look.RISK_BAND,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name="interval",
    )


def _line(course: _Course, visits: Sequence[Visit], values: Sequence[float], drawn: _Look) -> None:
    """Draw the steps between visits that may be joined: dotted over a long gap, of risk thin within noise."""
    gaps = trends.long_gaps([visit.on for visit in visits])
    steps: dict[tuple[bool, bool], list[int]] = {}
    for step, (before, after) in enumerate(itertools.pairwise(visits)):
        if course.joined(before, after):
            noise = drawn is _RISK and is_within_noise(_score(before), _score(after)) is True
            steps.setdefault((gaps[step], noise), []).append(step)
    at = [course.scale.drawn(value) for value in values]
    for (dotted, noise), which in steps.items():
        names = ["over three years without a visit"] * dotted + [look.WITHIN_NOISE] * noise
        course.figure.add(
            "scatter",
            x=[day for step in which for day in (visits[step].on, visits[step + 1].on, None)],
            y=[value for step in which for value in (at[step], at[step + 1], None)],
            yaxis="y",
            mode="lines",
            line={
                "color": look.NOISE if noise else drawn.colour,
                "width": 1 if noise else drawn.width,
                "dash": "dot" if dotted else "solid",
            },
            hoverinfo="skip",
            name=", ".join(names),
        )


def _markers(
    course: _Course,
    visits: Sequence[Visit],
    values: Sequence[float],
    drawn: _Look,
    *,
    texts: Sequence[str] | None = None,
    intervals: Sequence[Interval | None] = (),
) -> None:
    """Draw visits' marks; of the newest one of `intervals` whiskers, of all of them the words on hover."""
    intervals = intervals or [None] * len(visits)
    texts = texts or [
        f"{visit.on}<br>{drawn.name} {look.percent(value)} {look.interval_of(interval)}".rstrip()
        for visit, value, interval in zip(visits, values, intervals, strict=True)
    ]
    if intervals and intervals[-1] is not None and not course.drawing.short:
        _whiskers(course, visits[-1].on, intervals[-1], drawn)
    style = {"opacity": 1.0}
    course.figure.add(
        "scatter",
        x=[visit.on for visit in visits],
        y=[course.scale.drawn(value) for value in values],
        yaxis="y",
        mode="markers",
        cliponaxis=False,
        marker={
            "color": ["#FFFFFF" if _views_missing(visit) else drawn.colour for visit in visits],
            "symbol": drawn.symbol,
            "size": drawn.size - 2 if course.drawing.short else drawn.size,
            "line": {"color": drawn.colour, "width": 2},
        },
        selected={"marker": style},
        unselected={"marker": style},
        customdata=[[visit.study_uid] for visit in visits],
        text=list(texts),
        hovertemplate="%{text}<extra></extra>",
        name=drawn.name,
    )


def _whiskers(course: _Course, on: date, known: Interval, drawn: _Look) -> None:
    """Draw the interval of a visit's probability, behind its mark."""
    course.figure.add(
        "scatter",
        x=[on, on],
        y=[course.scale.drawn(known.low), course.scale.drawn(known.high)],
        yaxis="y",
        mode="lines+markers",
        line={"color": drawn.colour, "width": 2},
        marker={"color": drawn.colour, "symbol": "line-ew-open", "size": 10, "line": {"width": 2}},
        hoverinfo="skip",
        name=f"interval of {drawn.name}",
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
    if prior is not None and said_alike((_score(prior), score)):
        change = risk.value - _score(prior).risk_5y.value
        noise = is_within_noise(_score(prior), score)
        words = look.WITHIN_NOISE if noise else f"{look.points(change)} points"
        lines.append(f"since {prior.on}: {words}")
    if visit.bi_rads:
        lines.append(look.safe(f"{visit.assessment.words}, by the reader"))
    if score.missing_views:
        lines.append("not seen by the model: " + ", ".join(view.words for view in score.missing_views))
    return "<br>".join(lines)


@dataclass(frozen=True)
class _Label:
    """What a line is called at its end, on the day `on`."""

    value: float
    name: str
    colour: str
    on: date

    def text(self, *, short: bool) -> str:
        """Return its words: with the value where there is room."""
        return self.name.split(",")[0] if short else f"{self.name} {look.percent(self.value)}"


def _label_of(visits: Sequence[Visit], values: Sequence[float], name: str, colour: str) -> list[_Label]:
    if not visits:
        return []
    return [_Label(values[-1], name, colour, visits[-1].on)]


def _end_labels(course: _Course, labels: Sequence[_Label]) -> None:
    """Name the lines at their ends, moved apart where they would lie on one another.

    Those that reach the end of the course are named beside it, the others where they end.
    """
    first, last = course.span
    near = [label for label in labels if (last - label.on) < (last - first) * 0.12]
    for group, at_the_edge in ((near, True), ([label for label in labels if label not in near], False)):
        previous = -float(_LABEL_PX)
        places = []
        for label in sorted(group, key=lambda label: label.value):
            previous = max(course.scale.height(label.value), previous + _LABEL_PX)
            places.append((previous, label))
        over = max(0.0, places[-1][0] - course.scale.px + 6) if places else 0.0
        for place, label in places:
            course.figure.add_annotation(
                x=1 if at_the_edge else label.on,
                xref="paper" if at_the_edge else "x",
                y=course.scale.words(course.scale.value(max(0.0, place - over))),
                yref="y",
                text=label.text(short=not at_the_edge and course.record.standing.read[-1].on > label.on),
                showarrow=False,
                xanchor="left",
                xshift=4 if at_the_edge else 10,
                font={"size": 12, "color": label.colour},
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
