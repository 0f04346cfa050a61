"""Figures of one score: how it came from the prior's, and what each visit did to it."""

from __future__ import annotations

import math
from itertools import accumulate

from core.records import Moved, VisitScore
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure

WORDS = {
    "history": "history",
    "time and age": "time and age",
    "left breast": "● left breast",
    "right breast": "◆ right breast",
}
_COLOURS = {"left breast": look.LEFT, "right breast": look.RIGHT}
_TICKS = (
    (0.001, 0.01, 0.1, 0.5, 0.9),
    (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.95),
    tuple(
        round(mantissa * scale, 4)
        for scale in (0.001, 0.01, 0.1)
        for mantissa in (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    ),
)
"""Risks at which the axis may be marked, from few to many."""
_MOST_TICKS = 5
_LEAST_SPAN = math.log(1.5)
"""A change that is hardly one must not fill the figure."""
_ROW_PX = 27


def waterfall(moved: Moved, from_day: str, to_day: str) -> Figure:
    """Draw the way from the prior's 5-year risk to this visit's, a row for each part; the axis is the log-odds.

    A part that raises the odds is a full bar to the right of where the last one ended, one that lowers them a pale bar
    to its left; at the right stands by how much it multiplies the odds.
    """
    steps = list(accumulate(moved.parts.values(), initial=_logit(moved.before)))
    rows = [from_day, *(WORDS.get(what, what) for what in moved.parts), to_day]
    places = list(range(len(rows)))
    figure = Figure()
    figure.add(
        "bar",
        x=list(moved.parts.values()),
        base=steps[:-1],
        y=places[1:-1],
        orientation="h",
        marker={
            "color": [_COLOURS.get(what, look.RISK) for what in moved.parts],
            "opacity": [1 if part > 0 else 0.45 for part in moved.parts.values()],
        },
        hovertext=[f"{what}: {look.times(math.exp(part))} the odds" for what, part in moved.parts.items()],
        hoverinfo="text",
    )
    figure.add(
        "scatter",
        x=[steps[0], steps[-1]],
        y=[places[0], places[-1]],
        mode="markers",
        marker={"color": look.RISK, "size": 10},
        hoverinfo="skip",
    )
    for row, at in enumerate(steps):
        figure.add_shape(
            type="line",
            x0=at,
            x1=at,
            y0=row,
            y1=row + 1,
            layer="below",
            line={"color": look.LINE, "width": 1},
        )
    said = [look.percent(moved.before), *map(_times, moved.parts.values()), look.percent(moved.now)]
    for row, text in enumerate(said):
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="left",
            y=row,
            text=f"<b>{text}</b>" if row in (0, len(said) - 1) else text,
            showarrow=False,
            font={"size": 13},
        )
    middle = (min(steps) + max(steps)) / 2
    reach = max(max(steps) - min(steps), _LEAST_SPAN) * 0.58
    ticks = _ticks(middle - reach, middle + reach)
    figure.lay_out(
        template.layout(
            height=_ROW_PX * len(rows) + 28,
            margin={"l": 104, "r": 56, "t": 2, "b": 26},
            bargap=0.35,
            xaxis=template.axis(
                range=[middle - reach, middle + reach],
                tickvals=[_logit(tick) for tick in ticks],
                ticktext=[look.percent(tick) for tick in ticks],
            ),
            yaxis=template.axis(
                range=[len(rows) - 0.5, -0.5], tickvals=places, ticktext=rows, showgrid=False
            ),
        )
    )
    return figure


def _ticks(low: float, high: float) -> list[float]:
    """Return risks to mark between two log-odds: of the finest steps that leave room for their words."""
    within = [[tick for tick in ticks if low < _logit(tick) < high] for ticks in _TICKS]
    return max((ticks for ticks in within if len(ticks) <= _MOST_TICKS), key=len, default=within[0])


def said(moved: Moved) -> str:
    """Say the figure in a sentence, for who cannot see it."""
    parts = ", ".join(f"{what} {_times(part)}" for what, part in moved.parts.items())
    return f"From {look.percent(moved.before)} at the prior to {look.percent(moved.now)}; odds by {parts}"


def change(moved: Moved) -> str:
    """Return by how much the odds changed in all."""
    return _times(sum(moved.parts.values()))


def _times(log_odds: float) -> str:
    return look.times(math.exp(log_odds))


def _logit(risk: float) -> float:
    return math.log(risk / (1 - risk))


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
