"""Figures: functions from data to a Plotly figure. All share one template and the colours of `look`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.records import EventEntry, EventKind, PatientRecord, Visit, VisitScore
from core.rules import last_of_each_day, thresholds, trends
from dashboard import look

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
_BAND_FILL = {"average": None, "raised": look.PALE_AMBER, "high": look.PALE_RED}
# Risks of a whole cohort are drawn by their logarithm: so many bars for a tenfold risk, no risk below the least.
_BARS_A_DECADE = 8
_LEAST_DRAWN = 1e-4
_RISK_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def trend(record: PatientRecord, *, chosen: str | None = None) -> go.Figure:
    """Draw a woman's course on one true time axis.

    On top 5-year risk with its interval over the thresholds; below it malignancy per breast with progression,
    events, and density.

    A marker is hollow where views were missing; a line is dotted where two visits lie more than three years
    apart. Each marker carries its study's UID, so that a click chooses the visit.
    """
    figure = go.Figure()
    scored = record.scored
    days = [visit.on for visit in record.visits] + [event.on for event in record.events]
    first, last = min(days, default=date.today()), max(days, default=date.today())
    room = timedelta(days=max(120, (last - first).days // 8))
    # A single visit stands in the middle of its year; a course leaves room at its end for the lines' names.
    span = (first - room / 4, last + room) if last > first else (first - room * 1.5, last + room * 1.5)

    top = max([0.042, *(_score(visit).risk_5y.high * 1.12 for visit in scored)])
    _thresholds(figure, top)
    _interval_band(figure, scored)
    _line(figure, scored, [_score(v).risk_5y.value for v in scored], look.RISK, "y", width=2.5)
    _markers(
        figure,
        scored,
        [_score(v).risk_5y.value for v in scored],
        look.RISK,
        "circle",
        "y",
        size=11,
        name="5-year risk",
        texts=[_risk_hover(v) for v in scored],
    )
    labels: list[tuple[float, str, str]] = []
    for laterality, colour, symbol, word in (
        ("L", look.LEFT, "circle", "● left"),
        ("R", look.RIGHT, "diamond", "◆ right"),
    ):
        with_side = [v for v in scored if _score(v).malignancy[laterality] is not None]
        values = [float(_score(v).malignancy[laterality] or 0.0) for v in with_side]
        _line(figure, with_side, values, colour, "y2", width=1.5)
        _markers(figure, with_side, values, colour, symbol, "y2", size=8, name=f"malignancy {word[2:]}")
        if values:
            labels.append((values[-1], word, colour))
    grown = [v for v in scored if _score(v).progression is not None]
    values = [float(_score(v).progression or 0.0) for v in grown]
    _line(figure, grown, values, look.PROGRESSION, "y2", width=1.5)
    _markers(figure, grown, values, look.PROGRESSION, "triangle-up", "y2", size=8, name="progression")
    if values:
        labels.append((values[-1], "▲ progression", look.PROGRESSION))
    if scored:
        _end_labels(figure, labels, scored[-1].on)
    _events(figure, record.events, (first, last), begins=span[0])
    _densities(figure, record.visits)
    for visit in record.visits:
        if visit.study_uid == chosen:
            figure.add_shape(
                type="line",
                x0=visit.on,
                x1=visit.on,
                y0=_EVENT_LANE[0],
                y1=1,
                yref="paper",
                line={"color": look.ACCENT, "width": 1.5},
                layer="below",
            )

    figure.update_layout(
        look.figure_layout(
            height=520,
            margin={"l": 64, "r": 16, "t": 8, "b": 32},
            hovermode="closest",
            clickmode="event+select",
            xaxis=look.axis(
                range=[f"{span[0]}", f"{span[1]}"],
                type="date",
                anchor="free",
                position=0,
                hoverformat="%Y-%m-%d",
                **_time_ticks(span),
            ),
            yaxis=look.axis(
                "5-year risk", domain=_RISK_LANE, range=[0, top], tickformat=".0%" if top > 0.06 else ".1%"
            ),
            yaxis2=look.axis(
                "probability", domain=_BELOW_LANE, range=[-0.04, 1.04], tickformat=".0%", nticks=3
            ),
            yaxis3=look.axis(
                domain=_EVENT_LANE, range=[-1, 1], showgrid=False, tickvals=[0], ticktext=["events"]
            ),
            yaxis4=look.axis(
                domain=_DENSITY_LANE, range=[-1, 1], showgrid=False, tickvals=[0], ticktext=["density"]
            ),
        )
    )
    return figure


def _time_ticks(span: tuple[date, date]) -> dict[str, Any]:
    """Return one tick a year, fewer over long spans, months over short ones."""
    years = trends.years_between(*span)
    if years < 2:
        return {"tickformat": "%Y-%m", "dtick": "M1" if years < 0.7 else "M3"}
    return {"tickformat": "%Y", "dtick": f"M{12 * math.ceil(years / 14)}"}


def _score(visit: Visit) -> VisitScore:
    assert visit.score is not None
    return visit.score


def _thresholds(figure: go.Figure, top: float) -> None:
    bands = thresholds.risk_bands()
    lowest = next((band for band in bands if _BAND_FILL[band.key]), None)
    for band, above in zip(bands, [*bands[1:], None], strict=True):
        fill = _BAND_FILL[band.key]
        if band.lower >= top or fill is None:
            continue
        figure.add_shape(
            type="rect",
            xref="paper",
            x0=0,
            x1=1,
            yref="y",
            y0=band.lower,
            y1=min(top, above.lower) if above else top,
            fillcolor=fill,
            line_width=0,
            layer="below",
        )
        figure.add_shape(
            type="line",
            xref="paper",
            x0=0,
            x1=1,
            yref="y",
            y0=band.lower,
            y1=band.lower,
            line={"color": "#C9A227" if band.key == "raised" else "#C2694A", "width": 1, "dash": "dash"},
            layer="between",
        )
        figure.add_annotation(
            xref="paper",
            x=0.998,
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


def _interval_band(figure: go.Figure, scored: Sequence[Visit]) -> None:
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
    figure.add_trace(
        go.Scatter(
            x=days + days[::-1],
            y=[_score(v).risk_5y.high for v in scored] + [_score(v).risk_5y.low for v in scored][::-1],
            fill="toself",
            fillcolor=look.RISK_BAND,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name="interval",
        )
    )


def _line(
    figure: go.Figure,
    visits: Sequence[Visit],
    values: Sequence[float],
    colour: str,
    axis: str,
    *,
    width: float,
) -> None:
    """Draw the steps between visits, dotted over a long gap."""
    gaps = trends.long_gaps([visit.on for visit in visits])
    for dotted in (False, True):
        x: list[date | None] = []
        y: list[float | None] = []
        for step, gap in enumerate(gaps):
            if gap is dotted:
                x += [visits[step].on, visits[step + 1].on, None]
                y += [values[step], values[step + 1], None]
        if x:
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    yaxis=axis,
                    mode="lines",
                    line={"color": colour, "width": width, "dash": "dot" if dotted else "solid"},
                    hoverinfo="skip",
                    name="over three years without a visit" if dotted else "",
                )
            )


def _markers(
    figure: go.Figure,
    visits: Sequence[Visit],
    values: Sequence[float],
    colour: str,
    symbol: str,
    axis: str,
    *,
    size: int,
    name: str,
    texts: Sequence[str] | None = None,
) -> None:
    texts = texts or [
        f"{visit.on}<br>{name} {look.percent(v)}" for visit, v in zip(visits, values, strict=True)
    ]
    style = {"opacity": 1.0}
    figure.add_trace(
        go.Scatter(
            x=[visit.on for visit in visits],
            y=list(values),
            yaxis=axis,
            mode="markers",
            cliponaxis=False,
            marker={
                "color": ["#FFFFFF" if _score(visit).missing_views else colour for visit in visits],
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
    )


def _risk_hover(visit: Visit) -> str:
    score = _score(visit)
    risk = score.risk_5y
    lines = [
        f"{visit.on}",
        f"cancer within 5 years {look.percent(risk.value)} {look.interval(risk.low, risk.high)}",
    ]
    if score.missing_views:
        lines.append("not seen by the model: " + ", ".join(score.missing_views))
    return "<br>".join(lines)


def _end_labels(figure: go.Figure, labels: list[tuple[float, str, str]], on: date) -> None:
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


def _events(
    figure: go.Figure, events: Sequence[EventEntry], span: tuple[date, date], *, begins: date
) -> None:
    """Draw the event lane; events close together share one line of words."""
    if not events:
        # An axis without any trace is not drawn at all.
        figure.add_trace(
            go.Scatter(
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
        )
    for event in events:
        bar = event.kind is EventKind.THERAPY
        until = f" to {event.end}" if event.end else ""
        figure.add_trace(
            go.Scatter(
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
                hovertemplate=f"{event.on}{until}<br>{_words(event)}<br>{look.safe(event.detail or '')}<extra></extra>",
                name=_words(event),
            )
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


def _neighbours(events: Sequence[EventEntry], *, within: timedelta) -> list[list[EventEntry]]:
    """Gather events that lie so close together that their names would cover each other."""
    groups: list[list[EventEntry]] = []
    for event in events:
        if groups and event.on - groups[-1][0].on < within:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups


def _densities(figure: go.Figure, visits: Sequence[Visit]) -> None:
    # Of the studies of one day one is told, the reader's density before the model's: they stand at one place.
    readers_last = sorted(
        (visit for visit in visits if visit.density), key=lambda v: (v.on, v.reader_density is not None)
    )
    known = last_of_each_day(readers_last, lambda visit: visit.on)
    figure.add_trace(
        go.Scatter(
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
    )


def contributions(score: VisitScore) -> go.Figure:
    """Draw by how much each visit multiplied the odds of cancer within 5 years."""
    entries = score.contributions
    factors = [math.exp(entry.value) for entry in entries]
    days = [entry.study_date.isoformat() for entry in entries]
    reach = max([1.25, *factors, *(1 / f for f in factors)])
    figure = go.Figure(
        go.Bar(
            x=[math.log2(factor) for factor in factors],
            y=days,
            orientation="h",
            marker={"color": [look.RISK if factor >= 1 else "#9AA5B1" for factor in factors]},
            text=[look.times(factor) for factor in factors],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text} the odds<extra></extra>",
        )
    )
    limit = math.log2(reach) * 1.35
    figure.add_shape(
        type="line", x0=0, x1=0, y0=0, y1=1, yref="paper", line={"color": look.MUTED, "width": 1}
    )
    figure.update_layout(
        look.figure_layout(
            height=48 + 26 * max(1, len(entries)),
            margin={"l": 88, "r": 8, "t": 4, "b": 4},
            bargap=0.35,
            xaxis=look.axis(range=[-limit, limit], showticklabels=False, showgrid=False),
            yaxis=look.axis(type="category"),
        )
    )
    return figure


def counts(
    values: pd.Series, *, x_title: str, colour: str = look.INK, order: Sequence[str] | None = None
) -> go.Figure:
    """Draw how many women fall into each category, the numbers written on the bars."""
    table = values.dropna().value_counts()
    table = table.reindex(list(order), fill_value=0) if order is not None else table.sort_index()
    figure = go.Figure(
        go.Bar(
            x=[str(label) for label in table.index],
            y=table.to_list(),
            marker={"color": colour},
            text=table.to_list(),
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x}: %{y} women<extra></extra>",
        )
    )
    figure.update_layout(
        look.figure_layout(
            height=280,
            bargap=0.25,
            margin={"l": 56, "r": 16, "t": 24, "b": 48},
            xaxis=look.axis(x_title, type="category", showgrid=False),
            yaxis=look.axis("women", rangemode="tozero", tickformat="d"),
        )
    )
    return figure


def risk_histogram(risks: pd.Series) -> go.Figure:
    """Draw how the latest 5-year risks are distributed, over the bands that people act on.

    Risks run from some tenths of a percent to nearly all: bars and axis go by the logarithm of the risk.
    """
    logs = [math.log10(max(risk, _LEAST_DRAWN)) for risk in risks]
    first = math.floor(min([*logs, -2.5]) * _BARS_A_DECADE)
    last = math.floor(max([*logs, -1.25]) * _BARS_A_DECADE) + 1
    edges = [number / _BARS_A_DECADE for number in range(first, last + 1)]
    table = pd.cut(pd.Series(logs, dtype=float), edges, right=False).value_counts(sort=False).to_list()
    width = 1 / _BARS_A_DECADE
    figure = go.Figure(
        go.Bar(
            x=[edge + width / 2 for edge in edges[:-1]],
            y=table,
            width=[width * 0.94] * len(table),
            marker={"color": look.RISK},
            customdata=[
                [look.percent(10**a, unit=False), look.percent(min(1.0, 10 ** (a + width)))]
                for a in edges[:-1]
            ],
            hovertemplate="%{customdata[0]}–%{customdata[1]}: %{y} women<extra></extra>",
        )
    )
    bands = thresholds.risk_bands()
    for band, above in zip(bands, [*bands[1:], None], strict=True):
        fill = _BAND_FILL[band.key]
        if fill:
            figure.add_shape(
                type="rect", x0=math.log10(band.lower), x1=math.log10(above.lower) if above else edges[-1], yref="paper", y0=0, y1=1,
                fillcolor=fill, line_width=0, layer="below",
            )  # fmt: skip
        if band.lower:
            figure.add_annotation(
                x=math.log10(band.lower), xanchor="left" if above is None else "right",
                yref="paper", y=1.0, yanchor="bottom", showarrow=False,
                text=look.percent(band.lower), hovertext=band.source, font={"size": 11, "color": look.MUTED},
            )  # fmt: skip
    figure.update_layout(
        look.figure_layout(
            height=300,
            margin={"l": 56, "r": 16, "t": 24, "b": 48},
            xaxis=look.axis(
                "5-year risk at the last scored visit",
                range=[edges[0], edges[-1]],
                tickvals=[math.log10(risk) for risk in _RISK_TICKS],
                ticktext=[look.percent(risk) for risk in _RISK_TICKS],
            ),
            yaxis=look.axis("women", rangemode="tozero", tickformat="d"),
        )
    )
    return figure


def risk_by_density(women: pd.DataFrame) -> go.Figure:
    """Draw each woman's latest 5-year risk by density, with median and quartiles from five women on."""
    figure = go.Figure()
    for letter in "ABCD":
        risks = women.loc[women["density"] == letter, "risk_5y"].clip(lower=_LEAST_DRAWN)
        # Quartiles of fewer than five women would say more than is known: they are dots alone.
        boxed = len(risks) >= 5
        figure.add_trace(
            go.Box(
                y=risks,
                x=[letter] * len(risks),
                boxpoints="all" if len(women) <= 400 else "outliers",
                jitter=0.4,
                pointpos=0,
                marker={"color": look.DENSITY, "size": 4, "opacity": 0.55},
                line={"color": look.DENSITY if boxed else "rgba(0,0,0,0)", "width": 1.5},
                fillcolor="rgba(0, 158, 115, 0.08)" if boxed else "rgba(0,0,0,0)",
                name=letter,
                hovertemplate="density %{x}: %{y:.1%}<extra></extra>",
            )
        )
    figure.update_layout(
        look.figure_layout(
            height=300,
            xaxis=look.axis(
                "density", showgrid=False, categoryorder="array", categoryarray=list("ABCD"), type="category"
            ),
            yaxis=look.axis(
                "5-year risk",
                type="log",
                tickvals=list(_RISK_TICKS),
                ticktext=[look.percent(risk) for risk in _RISK_TICKS],
            ),
        )
    )
    return figure


def median_course(table: pd.DataFrame, column: str, *, x_title: str) -> go.Figure:
    """Draw the median 5-year risk with its quartiles over a column, the number of women at each point below."""
    x = table[column].astype(float).to_list()
    labelled: list[tuple[float, int]] = []
    # From the last point backwards, every point that has room for its label.
    for value, women in zip(x[::-1], table["women"].to_list()[::-1], strict=True):
        if not labelled or labelled[-1][0] - value >= (x[-1] - x[0]) / 9:
            labelled.append((value, women))
    figure = go.Figure()
    if len(table) > 1:
        figure.add_trace(
            go.Scatter(
                x=x + x[::-1],
                y=table["upper_quartile"].to_list() + table["lower_quartile"].to_list()[::-1],
                fill="toself",
                fillcolor=look.RISK_BAND,
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                name="half of the women",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=x,
            y=table["median"],
            mode="lines+markers",
            line={"color": look.RISK, "width": 2.5},
            marker={"size": 8, "color": look.RISK},
            customdata=table[["women"]],
            hovertemplate="median %{y:.1%}, %{customdata[0]} women<extra></extra>",
            name="median",
        )
    )
    figure.update_layout(
        look.figure_layout(
            height=320,
            margin={"l": 56, "r": 16, "t": 8, "b": 64},
            xaxis=look.axis(
                x_title,
                tickangle=0,
                tickvals=[value for value, _ in labelled],
                ticktext=[
                    f"{int(value)}<br><span style='font-size:11px'>n {women}</span>".replace("-", "−")
                    for value, women in labelled
                ],
            ),
            yaxis=look.axis("5-year risk, median and quartiles", rangemode="tozero", tickformat=".1~%"),
        )
    )
    return figure
