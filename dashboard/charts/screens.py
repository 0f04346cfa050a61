"""Figures of screens without images, drawn from the tables of `core.cohorts.screens`."""

from __future__ import annotations

import polars as pl

from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure


def cancers(table: pl.DataFrame, column: str, *, x_title: str) -> Figure:
    """Draw cancers per 1,000 screens by group, with their intervals."""
    figure = Figure()
    value, low, high = (table[name] for name in ("per_1000", "low", "high"))
    figure.add(
        "scatter",
        mode="markers",
        x=table[column].to_list(),
        y=value.to_list(),
        error_y={
            "type": "data", "symmetric": False, "array": (high - value).to_list(),
            "arrayminus": (value - low).to_list(), "color": look.MUTED, "thickness": 1.5, "width": 5,
        },
        marker={"color": look.RISK, "size": 9},
        customdata=table.select("low", "high", "screens").rows(),
        hovertemplate="%{x}: %{y:.1f} (%{customdata[0]:.1f}–%{customdata[1]:.1f}), %{customdata[2]:,} screens<extra></extra>",
    )  # fmt: skip
    figure.lay_out(
        template.layout(
            height=280,
            margin={"l": 56, "r": 16, "t": 16, "b": 48},
            xaxis=template.axis(x_title, type="category", showgrid=False),
            yaxis=template.axis("cancers per 1,000 screens", rangemode="tozero"),
        )
    )
    return figure
