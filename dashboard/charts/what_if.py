"""Figures of what another threshold or interval would ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure

_PANELS = ("visits", "recalls", "MRIs")
_GAP = 0.06


@dataclass(frozen=True)
class Panel:
    """A column of a figure of plans: its title, its numbers' columns, and its unit."""

    title: str
    value: str
    low: str
    high: str


def plans(table: pl.DataFrame) -> Figure:
    """Draw visits, recalls and MRIs of each plan (`what_if.rates`) with their intervals, a panel each."""
    names = table["plan"].unique(maintain_order=True).to_list()
    parts = [
        (
            what,
            table.filter(pl.col("what") == what),
            Panel(what, "a_year", "low", "high"),
        )
        for what in _PANELS
    ]
    return _beside(names, parts)


def earlier(table: pl.DataFrame) -> Figure:
    """Draw of each plan (`earlier.found_earlier`) how many cancers it would have found earlier, and by how many months."""
    names = table["plan"].to_list()
    return _beside(
        names,
        [
            (
                "found earlier, of 100",
                table,
                Panel("earlier", "earlier", "earlier_low", "earlier_high"),
            ),
            (
                "months earlier, on average",
                table,
                Panel("months", "months", "months_low", "months_high"),
            ),
        ],
    )


def _beside(names: Sequence[str], parts: Sequence[tuple[str, pl.DataFrame, Panel]]) -> Figure:
    figure, axes = Figure(), {}
    width = (1 - _GAP * (len(parts) - 1)) / len(parts)
    for place, (title, table, panel) in enumerate(parts):
        known = table.drop_nulls(panel.value)
        value, low, high = (known[name].to_list() for name in (panel.value, panel.low, panel.high))
        axis = f"x{place + 1}" if place else "x"
        figure.add(
            "scatter",
            x=value,
            y=known["plan"].to_list(),
            xaxis=axis,
            mode="markers+text",
            marker={"size": 9, "color": [_colour(plan) for plan in known["plan"]]},
            text=[_number(one) for one in value],
            textposition="top center",
            textfont={"size": 12, "color": look.INK},
            cliponaxis=False,
            error_x=_interval(low, value, high),
            customdata=[[_number(a), _number(b)] for a, b in zip(low, high, strict=True)],
            hovertemplate="%{y}: %{text} (95 % %{customdata[0]} to %{customdata[1]})<extra></extra>",
        )
        for plan in table.filter(pl.col(panel.value).is_null())["plan"]:
            figure.add_annotation(
                x=0, xref=axis, y=plan, yref="y", xanchor="left", text="not told: few women", showarrow=False,
                # Over the grid's line, which would strike it through.
                bgcolor="#FFFFFF",
                font={"size": 12, "color": look.MUTED},
            )  # fmt: skip
        begin = place * (width + _GAP)
        axes[f"xaxis{place + 1}" if place else "xaxis"] = template.axis(
            title,
            domain=[begin, begin + width],
            range=[-0.04 * max([*high, 1]), 1.15 * max([*high, 1])],
            nticks=5,
        )
    figure.lay_out(
        template.layout(
            height=90 + 44 * len(names),
            margin={"l": 100, "r": 16, "t": 16, "b": 48},
            yaxis=template.axis(
                "",
                type="category",
                categoryorder="array",
                categoryarray=list(names)[::-1],
                range=[-0.6, len(names) - 0.3],
            ),
            **axes,
        )
    )
    return figure


def by_threshold(table: pl.DataFrame, chosen: float, *, x_title: str, y_title: str) -> Figure:
    """Draw how many of 1,000 visits reach each threshold, on steps as the thresholds are; the chosen one stands out."""
    ticks = [look.percent(one) for one in table["threshold"]]
    value, low, high = (table[name].to_list() for name in ("per_1000", "low", "high"))
    figure = Figure()
    figure.add(
        "scatter",
        x=ticks,
        y=value,
        mode="lines+markers+text",
        line={"color": "#C3CBD4", "width": 1},
        marker={
            "size": [13 if one == chosen else 8 for one in table["threshold"]],
            "color": [look.ALERT if one == chosen else look.RISK for one in table["threshold"]],
            "symbol": ["diamond" if one == chosen else "circle" for one in table["threshold"]],
        },
        text=[_number(one) for one in value],
        textposition="top right",
        textfont={"size": 12, "color": look.INK},
        cliponaxis=False,
        error_y=_interval(low, value, high),
        customdata=[[_number(a), _number(b)] for a, b in zip(low, high, strict=True)],
        hovertemplate="from %{x} on: %{text} of 1,000 visits (95 % %{customdata[0]} to %{customdata[1]})<extra></extra>",
    )
    figure.lay_out(
        template.layout(
            height=280,
            margin={"l": 64, "r": 40, "t": 24, "b": 48},
            xaxis=template.axis(x_title, type="category", showgrid=False, automargin=True),
            yaxis=template.axis(y_title, rangemode="tozero"),
        )
    )
    return figure


def _colour(plan: str) -> str:
    return look.MUTED if plan == "as they came" else look.ACCENT


def _interval(low: Sequence[float], value: Sequence[float], high: Sequence[float]) -> dict[str, Any]:
    """Return the bars of values with their intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [end - one for end, one in zip(high, value, strict=True)],
        "arrayminus": [one - end for end, one in zip(low, value, strict=True)],
        "color": look.MUTED,
        "thickness": 1.5,
        "width": 4,
    }


def _number(value: float) -> str:
    return (
        f"{value:,.0f}"
        if value >= 9.95 or value == 0
        else f"{value:.1f}"
        if value >= 0.95
        else f"{value:.2f}"
    )
