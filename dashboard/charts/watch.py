"""Figures of what changes over the months: how near each measure is to an alarm, its course, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from core.cohorts.drift import Course, Watch
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure

_GREY = "#9AA5B1"
_MIX = (look.ACCENT, look.DENSITY, look.RIGHT, look.PROGRESSION, look.INK)
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LONGEST_NAME = 26
_LINE_PX = 16
_TOLD_FROM = 0.6
"""From this share of the limit on a line has its name beside it."""


def nearness(watch: Watch) -> Figure:
    """Draw how near the sum of each measure is to the limit, month by month since the watch began, up to its alarm."""
    figure = Figure()
    steps = 0
    for course in sorted(watch.courses, key=lambda one: one.noticed.after if one.noticed else 0):
        table = course.table.drop_nulls("of_limit")
        x, y = table["begin"].to_list(), table["of_limit"].to_list()
        near = bool(y) and y[-1] >= _TOLD_FROM
        colour = look.ALERT if course.noticed else look.INK if near else _GREY
        figure.add(
            "scatter",
            x=x,
            y=y,
            mode="lines+markers",
            line={"color": colour, "width": 2.5 if course.noticed else 1.25},
            marker={"size": [5] * (len(x) - 1) + [11 if course.noticed else 5], "color": colour},
            hovertext=[
                f"{course.measure.label}, {months}: {look.percent(of_limit)} of the limit"
                for months, of_limit in table.select("months", "of_limit").iter_rows()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            name=course.measure.label,
            cliponaxis=False,
        )
        if course.noticed:
            steps += 1
            words = f"{course.measure.label}: {course.noticed.direction}"
            _name(figure, watch, x[-1], 1 + 0.14 * steps, words)
        elif near:
            # Below its end where the line of the alarm runs through it.
            _name(figure, watch, x[-1], y[-1] - (0.12 if y[-1] > 0.85 else 0.0), course.measure.label)
    figure.add_shape(
        type="line", xref="paper", x0=0, x1=1, y0=1, y1=1, line={"color": look.ALERT, "width": 1.5, "dash": "dash"}
    )  # fmt: skip
    figure.add_annotation(
        xref="paper", x=0, y=1, text="alarm", xanchor="left", yanchor="bottom", showarrow=False,
        font={"size": 11, "color": look.MUTED},
    )  # fmt: skip
    figure.lay_out(
        template.layout(
            height=220 + 24 * steps,
            margin={"l": 64, "r": 24, "t": 8, "b": 40},
            xaxis=template.axis("", type="date", tickformat="%Y-%m", range=[watch.begins, watch.last]),
            yaxis=template.axis(
                "share of the limit",
                range=[0, 1.15 + 0.14 * steps],
                tickvals=_QUARTERS,
                ticktext=[look.percent(one) for one in _QUARTERS],
            ),
        )
    )
    return figure


def _name(figure: Figure, watch: Watch, x: date, y: float, words: str) -> None:
    """Put words beside a place: to its right in the first half of the watch, to its left after, so that none is cut."""
    early = 2 * (x - watch.begins) < watch.last - watch.begins
    figure.add_annotation(
        x=x, y=y, text=words, xanchor="left" if early else "right", yanchor="middle", xshift=-8 if early else 8, showarrow=False,
        font={"size": 12, "color": look.INK},
    )  # fmt: skip


def course(watch: Watch, one: Course) -> Figure:
    """Draw a measure month by month: what was usual before as a dotted line, the months before on grey, alarms as lines."""
    figure = _over_time(watch)
    _band(figure, one, look.INK)
    _line(figure, one, one.measure.label, look.INK, "solid")
    if one.usual is not None:
        figure.add_shape(
            type="line", xref="paper", x0=0, x1=1, y0=one.usual, y1=one.usual,
            line={"color": look.MUTED, "width": 1, "dash": "dot"},
        )  # fmt: skip
    if one.noticed is not None:
        _alarm(figure, one, f"alarm: {one.noticed.direction}")
    # An axis that fits tightly makes noise look like news: it spans at least half of the usual value.
    known = [value for name in ("value", "low", "high") for value in one.table[name].drop_nulls()]
    known += [] if one.usual is None else [one.usual]
    figure["layout"]["yaxis"] = _axis(one, known)
    return figure


def looks(watch: Watch, courses: Sequence[Course]) -> Figure:
    """Draw where the pictures lie on each direction, month by month, with its interval and its name at its end."""
    figure = _over_time(watch)
    figure["layout"]["margin"]["r"] = 110
    alarms = sum(one.noticed is not None for one in courses)
    figure["layout"]["margin"]["t"] += _LINE_PX * max(alarms - 1, 0)
    figure["layout"]["height"] += _LINE_PX * max(alarms - 1, 0)
    ends: list[tuple[float, str, str]] = []
    for place, one in enumerate(courses):
        colour, name = _MIX[place % len(_MIX)], f"direction {place + 1}"
        _band(figure, one, colour)
        _line(figure, one, name, colour, _DASHES[place % len(_DASHES)])
        known = one.table.drop_nulls("value")
        if len(known):
            ends.append((known["value"][-1], name, colour))
        if one.noticed is not None:
            alarms -= 1
            _alarm(figure, one, f"alarm: {name}", line=alarms)
    values = [
        value
        for one in courses
        for value in (*one.table["low"].drop_nulls(), *one.table["high"].drop_nulls())
    ]
    low, high = min([-1.0, *values]), max([1.0, *values])
    _names_at_end(figure, ends, apart=0.1 * (high - low))
    figure["layout"]["yaxis"] = template.axis(
        "standard deviations", range=[1.05 * low, 1.05 * high], tickformat=".1f", zeroline=True
    )
    return figure


def makers(watch: Watch, courses: Sequence[Course]) -> Figure:
    """Draw the share of studies of each maker of detectors, month by month, each line with its name at its end."""
    figure = _over_time(watch)
    figure["layout"]["margin"]["r"] = 180
    ends = []
    for place, one in enumerate(courses):
        name = one.measure.label.removeprefix("Detector: ").removeprefix("A detector ")
        colour = _MIX[place % len(_MIX)]
        _line(figure, one, name, colour, _DASHES[place % len(_DASHES)])
        known = one.table.drop_nulls("value")
        if len(known):
            ends.append((known["value"][-1], name, colour))
    _names_at_end(figure, ends, apart=0.1)
    figure["layout"]["yaxis"] = template.shares("share of studies", 0, 1.02)
    return figure


def _names_at_end(figure: Figure, ends: Sequence[tuple[float, str, str]], *, apart: float) -> None:
    """Put each line's name (value, name, colour) at its end, none over another."""
    lowest = -np.inf
    for value, name, colour in sorted(ends):
        lowest = max(value, lowest + apart)
        figure.add_annotation(
            xref="paper", x=1, xanchor="left", xshift=8, y=float(lowest), text=name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME - 1]}…", showarrow=False,
            font={"size": 12, "color": colour},
        )  # fmt: skip


def missing(table: pl.DataFrame) -> Figure:
    """Draw what is missing as a field: a row a kind, a column a month, the darker the more, with numbers on hover."""
    kinds = table["missing"].unique(maintain_order=True).to_list()[::-1]
    begins = sorted(table["begin"].unique().to_list())
    shares, words = [], []
    for kind in kinds:
        rows = table.filter(pl.col("missing") == kind).sort("begin").to_dicts()
        held = [max((row for row in rows if row["begin"] <= begin), key=lambda row: row["begin"], default=None) for begin in begins]  # fmt: skip
        shares.append([None if row is None else row["share"] for row in held])
        words.append([_missing_said(row) for row in held])
    named = [f"{kind} {_all_months(table.filter(pl.col('missing') == kind))}" for kind in kinds]
    figure = Figure()
    figure.add(
        "heatmap",
        x=[f"{begin:%Y-%m}" for begin in begins],
        y=named,
        z=shares,
        zmin=0,
        zmax=1,
        colorscale=[[0, "#F4F6F8"], [0.02, "#E3EBF1"], [0.2, "#A9C6DA"], [1, look.ACCENT]],
        showscale=True,
        colorbar={
            "thickness": 10,
            **template.percent_ticks(0, 1),
            "outlinewidth": 0,
            "tickfont": {"size": 11, "color": look.MUTED},
        },
        xgap=1,
        ygap=2,
        text=words,
        hovertemplate="%{y}<br>%{text}<extra></extra>",
    )
    figure.lay_out(
        template.layout(
            height=60 + 32 * len(kinds),
            margin={"l": 210, "r": 8, "t": 8, "b": 40},
            xaxis=template.axis("", type="category", showgrid=False, nticks=10),
            yaxis=template.axis("", type="category", showgrid=False),
        )
    )
    return figure


def _all_months(rows: pl.DataFrame) -> str:
    """Return the share over all months, weighted by women; where a month may not be told, only that."""
    known = rows.drop_nulls("share").filter(pl.col("women") > 0)
    if not len(known):
        return look.UNKNOWN
    share, women = (known[name].to_numpy() for name in ("share", "women"))
    return look.percent(float(np.average(share, weights=women)))


def _missing_said(row: dict[str, object] | None) -> str:
    if row is None:
        return "no study is asked"
    if row["share"] is None:
        return f"{row['months']}: not told, of few women or of all but few"
    return f"{row['months']}: {look.percent_of(row['share'])} of {row['women']:,} women's studies"


def _over_time(watch: Watch) -> Figure:
    figure = Figure()
    figure.add_shape(
        type="rect", x0=watch.reference_from, x1=watch.begins, yref="paper", y0=0, y1=1,
        fillcolor="#F4F6F8", line={"width": 0}, layer="below",
    )  # fmt: skip
    figure.add_annotation(
        x=watch.reference_from, xanchor="left", yref="paper", y=0.02, yanchor="bottom", text="before", showarrow=False,
        font={"size": 11, "color": look.MUTED},
    )  # fmt: skip
    figure.lay_out(
        template.layout(
            height=240,
            margin={"l": 64, "r": 16, "t": 24, "b": 40},
            xaxis=template.axis(
                "",
                type="date",
                tickformat="%Y-%m",
                nticks=5,
                tickangle=0,
                range=[watch.reference_from, watch.last],
            ),
        )
    )
    return figure


def _alarm(figure: Figure, one: Course, words: str, *, line: int = 0) -> None:
    """Mark the month of a measure's alarm; of several, each has its words on a line of its own, the lowest 0."""
    assert one.noticed is not None
    begin = _begin_of(one, one.noticed.months)
    figure.add_shape(
        type="line", x0=begin, x1=begin, yref="paper", y0=0, y1=1, line={"color": look.ALERT, "width": 1.5, "dash": "dash"}
    )  # fmt: skip
    figure.add_annotation(
        x=begin, xanchor="right", xshift=6, yref="paper", y=1, yanchor="bottom", yshift=_LINE_PX * line, text=words, showarrow=False,
        font={"size": 12, "color": look.INK},
    )  # fmt: skip


def _band(figure: Figure, one: Course, colour: str) -> None:
    """Draw the interval of each month's mean as a pale band; nothing where there is none."""
    known = one.table.drop_nulls(["low", "high"])
    if not len(known):
        return
    figure.add_band(
        known["begin"].to_list(), known["low"].to_list(), known["high"].to_list(), colour, opacity=0.12
    )


def _line(figure: Figure, one: Course, name: str, colour: str, dash: str) -> None:
    table = one.table
    figure.add(
        "scatter",
        x=table["begin"].to_list(),
        y=table["value"].to_list(),
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 5, "color": colour},
        customdata=[
            [months, f"{women:,}", _said(one, value)]
            for months, women, value in table.select("months", "women", "value").iter_rows()
        ],
        hovertemplate="%{customdata[0]}, %{customdata[1]} women: %{customdata[2]}<extra></extra>",
        name=name,
    )


def _said(one: Course, value: float | None) -> str:
    if value is None:
        return look.UNKNOWN
    return look.percent(value) if one.measure.unit in ("share", "risk") else f"{value:.3f}".replace("-", "−")


def _unit(one: Course) -> str:
    return {
        "number": "",
        "deviations": "standard deviations",
        "share": "share of studies",
        "risk": "5-year risk",
    }[one.measure.unit]


def _axis(one: Course, known: Sequence[float]) -> dict[str, Any]:
    """Return the axis of a measure that shows these values of it."""
    unit = one.measure.unit
    if not known:
        return template.axis(_unit(one)) if unit == "number" else template.shares(_unit(one), 0, 1)
    low, high = min(known), max(known)
    if unit == "share":
        return template.shares(_unit(one), 0, min(1.02, max(0.1, 1.25 * high)))
    usual = one.usual if one.usual is not None else (low + high) / 2
    low, high = min(low, 0.75 * usual), max(high, 1.25 * usual)
    edge = 0.05 * (high - low)
    low, high = max(0.0, low - edge), high + edge
    if unit == "risk":
        return template.shares(_unit(one), low, high)
    return template.axis(_unit(one), range=[low, high], tickformat=".2f")


def _begin_of(one: Course, months: str) -> object:
    """Return the first day of the period that an alarm's month lies in."""
    return max(
        (begin for begin in one.table["begin"] if f"{begin:%Y-%m}" <= months[:7]),
        default=one.table["begin"][0],
    )
