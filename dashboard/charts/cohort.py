"""Figures of groups of women, drawn from the tables of `core.cohorts`: who they are, how high their risk is."""

from __future__ import annotations

import math

import polars as pl

from core.rules.vocabulary import DENSITIES
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure

_LOWEST_TOP = 0.005
"""What a linear axis of risk reaches at the least."""
_FEW_RISK_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Where a figure has half a narrow page: more would stand on each other."""


def counts(table: pl.DataFrame, column: str, *, x_title: str, colour: str = look.INK) -> Figure:
    """Draw how many women fall into each category of a column, the numbers written on the bars."""
    women = table["women"].to_list()
    figure = Figure()
    figure.add(
        "bar",
        x=table[column].to_list(),
        y=women,
        marker={"color": colour},
        text=[f"{many:,}" for many in women],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{x}: %{y} women<extra></extra>",
    )
    figure.lay_out(
        template.layout(
            height=280,
            bargap=0.25,
            margin={"l": 56, "r": 16, "t": 24, "b": 48},
            xaxis=template.axis(x_title, type="category", showgrid=False, automargin=True),
            yaxis=template.axis("women", rangemode="tozero", tickformat=",d"),
        )
    )
    return figure


def risk_histogram(table: pl.DataFrame, *, x_title: str = "5-year risk at the last scored visit") -> Figure:
    """Draw how 5-year risks are distributed, over the bands that people act on.

    Bars and axis go by the logarithm of the risk. A bar over several steps is as high as their mean, so that its area
    is its women; on that the number stands.
    """
    low = [math.log10(risk) for risk in table["risk_from"]]
    widths = [math.log10(risk) - begin for risk, begin in zip(table["risk_to"], low, strict=True)]
    joined = (table["steps"] > 1).any()
    figure = Figure()
    figure.add(
        "bar",
        x=[begin + width / 2 for begin, width in zip(low, widths, strict=True)],
        y=(table["women"] / table["steps"]).to_list(),
        width=[width * 0.94 for width in widths],
        marker={"color": look.RISK},
        text=[
            f"{women:,}" if women and steps > 1 else ""
            for women, steps in zip(table["women"], table["steps"], strict=True)
        ],
        textfont={"size": 12, "color": look.MUTED},
        constraintext="none",
        textposition="outside",
        cliponaxis=False,
        customdata=[
            [look.percent(begin, unit=False), look.percent(end), women]
            for begin, end, women in zip(table["risk_from"], table["risk_to"], table["women"], strict=True)
        ],
        hovertemplate="%{customdata[0]}–%{customdata[1]}: %{customdata[2]} women<extra></extra>",
    )
    begins, ends = (low[0], low[-1] + widths[-1]) if low else (-3.0, 0.0)
    for band, above, fill in template.bands():
        if fill:
            figure.add_shape(
                type="rect", x0=math.log10(band.lower), x1=math.log10(above.lower) if above else ends, yref="paper", y0=0, y1=1,
                fillcolor=fill, line={"width": 0}, layer="below",
            )  # fmt: skip
        if band.lower:
            figure.add_annotation(
                x=math.log10(band.lower), xanchor="left" if above is None else "right",
                yref="paper", y=1.0, yanchor="bottom", showarrow=False,
                text=look.percent(band.lower), hovertext=band.source, font={"size": 11, "color": look.MUTED},
            )  # fmt: skip
    figure.lay_out(
        template.layout(
            height=300,
            margin={"l": 56, "r": 16, "t": 24, "b": 48},
            xaxis=template.axis(
                x_title,
                range=[begins, ends],
                tickvals=[math.log10(risk) for risk in _FEW_RISK_TICKS],
                ticktext=[look.percent(risk) for risk in _FEW_RISK_TICKS],
                tickangle=0,
            ),
            yaxis=template.axis("women a step of risk" if joined else "women", rangemode="tozero"),
        )
    )
    return figure


def risk_by_density(table: pl.DataFrame) -> Figure:
    """Draw median and quartiles of 5-year risk by density; where there are too few women for quartiles, the median alone."""
    labels = table["density"].to_list()
    whole = table.drop_nulls()
    figure = Figure()
    figure.add(
        "box",
        x=whole["density"].to_list(),
        q1=whole["lower_quartile"].to_list(),
        median=whole["median"].to_list(),
        q3=whole["upper_quartile"].to_list(),
        line={"color": look.DENSITY, "width": 1.5},
        fillcolor="rgba(0, 158, 115, 0.08)",
        hoverinfo="skip",
    )
    figure.add(
        "scatter",
        x=labels,
        y=table["median"].to_list(),
        mode="markers",
        marker={"color": look.DENSITY, "size": 6},
        customdata=[
            [women, look.percent(median), look.percent(low), look.percent(high)]
            for women, median, low, high in table.select(
                "women", "median", "lower_quartile", "upper_quartile"
            ).iter_rows()
        ],
        hovertemplate="density %{x}, %{customdata[0]} women: median %{customdata[1]}, "
        "half of them %{customdata[2]} to %{customdata[3]}<extra></extra>",
    )
    figure.lay_out(
        template.layout(
            height=300,
            xaxis=template.axis(
                "density", showgrid=False, categoryorder="array", categoryarray=labels or list(DENSITIES), type="category"
            ),
            yaxis=template.log_shares(
                "5-year risk", [*table["lower_quartile"], *table["median"], *table["upper_quartile"]]
            ),
        )
    )  # fmt: skip
    return figure


def median_course(table: pl.DataFrame, column: str, *, x_title: str) -> Figure:
    """Draw the median 5-year risk with its quartiles over a column, the number of women at each point below."""
    x = table[column].cast(pl.Float64).to_list()
    labelled: list[tuple[float, int]] = []
    # From the last point backwards, every point that has room for its label.
    for value, women in zip(x[::-1], table["women"].to_list()[::-1], strict=True):
        if not labelled or labelled[-1][0] - value >= (x[-1] - x[0]) / 9:
            labelled.append((value, women))
    figure = Figure()
    known = table.drop_nulls(["lower_quartile", "upper_quartile"])
    if len(known) > 1:
        around = known[column].cast(pl.Float64).to_list()
        low, high = (known[f"{end}_quartile"].to_list() for end in ("lower", "upper"))
        figure.add_band(around, low, high, look.RISK_BAND, name="half of the women")
    figure.add(
        "scatter",
        x=x,
        y=table["median"].to_list(),
        mode="lines+markers",
        line={"color": look.RISK, "width": 2.5},
        marker={"size": 8, "color": look.RISK},
        hovertext=[
            f"median {look.percent(median)}, {women:,} women"
            for median, women in table.select("median", "women").iter_rows()
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="median",
    )
    figure.lay_out(
        template.layout(
            height=320,
            margin={"l": 56, "r": 16, "t": 8, "b": 64},
            xaxis=template.axis(
                x_title,
                tickangle=0,
                tickvals=[value for value, _ in labelled],
                ticktext=[
                    f"{int(value)}<br><span style='font-size:11px'>n {women:,}</span>".replace("-", "−")
                    for value, women in labelled
                ],
            ),
            yaxis=template.shares(
                "5-year risk, median and quartiles",
                0,
                1.08 * max([_LOWEST_TOP, *known["upper_quartile"], *table["median"]]),
            ),
        )
    )
    return figure
