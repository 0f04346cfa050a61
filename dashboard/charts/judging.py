"""Figures of how good a model is for a cohort, drawn from the tables of `core.cohorts.judge` and its siblings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from core.rules import thresholds
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure

_CHANCE = {"color": look.NOISE, "width": 1.5, "dash": "dot"}
_LINE = {"color": look.RISK, "width": 2.5}
_BANDS = (look.ACCENT, look.ALERT, look.RIGHT)
_DASHES = ("solid", "dash", "dot")
_FILLS = ("rgba(11, 92, 138, 0.12)", "rgba(230, 159, 0, 0.16)", "rgba(213, 94, 0, 0.12)")
HEIGHT = 320


def _share_axis(title: str, **more: Any) -> dict[str, Any]:
    return template.shares(title, 0, 1.005, **more)


def _laid_out(figure: Figure, x: dict[str, Any], y: dict[str, Any], **more: Any) -> Figure:
    given = {"height": HEIGHT, "margin": {"l": 64, "r": 24, "t": 12, "b": 48}, **more}
    figure.lay_out(template.layout(xaxis=x, yaxis=y, **given))
    return figure


def roc(table: pl.DataFrame) -> Figure:
    """Draw the share of cancers above each threshold over the share of the other women above it."""
    figure = Figure()
    figure.add("scatter", x=[0, 1], y=[0, 1], mode="lines", line=_CHANCE, hoverinfo="skip", name="chance")
    figure.add(
        "scatter",
        x=table["false_alarms"].to_list(),
        y=table["found"].to_list(),
        mode="lines",
        line=_LINE,
        hovertext=[
            f"{look.percent(found)} of the cancers found, {look.percent(called)} of the others called"
            for found, called in table.select("found", "false_alarms").iter_rows()
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="the model",
    )
    figure.add_annotation(
        x=0.66,
        y=0.62,
        text="chance",
        showarrow=False,
        xanchor="left",
        yanchor="top",
        font={"size": 12, "color": look.MUTED},
    )
    return _laid_out(
        figure, _share_axis("women without cancer at or above"), _share_axis("women with cancer at or above")
    )


def precision(table: pl.DataFrame, prevalence: float) -> Figure:
    """Draw the share with cancer among those called over the share of cancers found; `prevalence` is that of chance."""
    figure = Figure()
    figure.add(
        "scatter", x=[0, 1], y=[prevalence] * 2, mode="lines", line=_CHANCE, hoverinfo="skip", name="chance"
    )
    figure.add(
        "scatter",
        x=table["found"].to_list(),
        y=table["precision"].to_list(),
        mode="lines",
        line=_LINE,
        hovertext=[
            f"{look.percent(found)} of the cancers found: {look.percent(have)} of those called have one"
            for found, have in table.select("found", "precision").iter_rows()
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="the model",
    )
    return _laid_out(
        figure,
        _share_axis("women with cancer at or above"),
        template.shares(
            "cancers among those at or above", 0, 1.05 * max([prevalence, *table["precision"].drop_nulls()])
        ),
    )


def _with_interval(table: pl.DataFrame, value: str, low: str, high: str) -> dict[str, Any]:
    values = table[value].to_list()

    def reach(ends: Sequence[float | None], sign: int) -> list[float]:
        return [
            0.0 if end is None else max(0.0, sign * (end - one))
            for one, end in zip(values, ends, strict=True)
        ]

    return {
        "type": "data", "symmetric": False, "array": reach(table[high].to_list(), 1),
        "arrayminus": reach(table[low].to_list(), -1), "color": look.RISK, "thickness": 1.5, "width": 4,
    }  # fmt: skip


def by_horizon(table: pl.DataFrame, value: str, *, y_title: str, right: float) -> Figure:
    """Draw a figure of each horizon with its interval; `right` is what chance, or a right model, would give."""
    figure = Figure()
    years = table["years"].to_list()
    words = [f"{one} y" for one in years]
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=right, y1=right, line=_CHANCE)
    figure.add(
        "scatter",
        x=words,
        y=table[value].to_list(),
        mode="markers",
        marker={"color": look.RISK, "size": 8},
        error_y=_with_interval(table, value, f"{value}_low", f"{value}_high"),
        customdata=table.select(f"{value}_low", f"{value}_high", "women").rows(),
        hovertemplate="%{x}: %{y:.2f} (%{customdata[0]:.2f}–%{customdata[1]:.2f}), "
        "about %{customdata[2]} women with cancer<extra></extra>",
        name=y_title,
    )
    return _laid_out(
        figure,
        template.axis("cancer within", type="category", showgrid=False),
        template.axis(y_title, tickformat=".2~f"),
        height=260,
    )


def calibration(table: pl.DataFrame) -> Figure:
    """Draw what came of each group of like risk over what was expected."""
    most = max(max(table["expected"]), max(end for end in table["high"])) * 1.05
    figure = Figure()
    figure.add(
        "scatter", x=[0, most], y=[0, most], mode="lines", line=_CHANCE, hoverinfo="skip", name="right"
    )
    figure.add(
        "scatter",
        x=table["expected"].to_list(),
        y=table["observed"].to_list(),
        mode="markers",
        marker={"color": look.RISK, "size": 8},
        error_y=_with_interval(table, "observed", "low", "high"),
        hovertext=[
            f"about {women} women: expected {look.percent(expected)}, observed {look.percent(observed)} {look.interval(low, high)}"
            for women, expected, observed, low, high in table.select(
                "women", "expected", "observed", "low", "high"
            ).iter_rows()
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="women of like risk",
    )
    return _laid_out(
        figure,
        template.shares("expected: mean risk", 0, most),
        template.shares("observed: came by then", 0, most),
    )


def decision(table: pl.DataFrame) -> Figure:
    """Draw net benefit over thresholds: of the model with its band, of calling everybody, of calling nobody."""
    x = table["threshold"].to_list()
    figure = Figure()
    figure.add_band(x, table["low"].to_list(), table["high"].to_list(), look.RISK_BAND, name="95 %")
    figure.add(
        "scatter", x=x, y=table["everybody"].to_list(), mode="lines", name="everybody",
        line={"color": look.ACCENT, "width": 1.5, "dash": "dash"}, hovertemplate="everybody: %{y:.1f}<extra></extra>",
    )  # fmt: skip
    figure.add(
        "scatter", x=x, y=table["model"].to_list(), mode="lines+markers", line=_LINE, marker={"size": 5}, name="by the model",
        customdata=[look.percent(one) for one in x],
        hovertemplate="by the model at %{customdata}: %{y:.1f}<extra></extra>",
    )  # fmt: skip
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=0, y1=0, line=_CHANCE)
    top, bottom = max(table["high"]), min(table["low"])
    room, edge = 0.1 * (top - bottom), 0.03 * (x[-1] - x[0])
    return _laid_out(
        figure,
        template.shares("threshold of risk", x[0] - edge, x[-1] + edge),
        template.axis("net benefit a 1,000 women", range=[min(bottom, 0) - room, top + room]),
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 64, "r": 24, "t": 32, "b": 48},
    )


def over_time(table: pl.DataFrame, *, y_title: str, falls: bool) -> Figure:
    """Draw a curve a band of risk with its interval, its name at its end; never told by colour alone."""
    figure = Figure()
    labels = [band.label for band in thresholds.risk_bands()]
    for band in table["band"].unique(maintain_order=True):
        own = table.filter(pl.col("band") == band)
        place = labels.index(band) % len(_BANDS)
        x, y = own["years"].to_list(), own["value"].to_list()
        figure.add_band(x, own["low"].to_list(), own["high"].to_list(), _FILLS[place])
        figure.add(
            "scatter", x=x, y=y, mode="lines+markers",
            line={"color": _BANDS[place], "width": 2.5, "dash": _DASHES[place]}, marker={"size": 5}, name=band,
            hovertext=[
                f"{band}, {after:g} years: {look.percent(value)} {look.interval(low, high)}"
                for after, value, low, high in own.select("years", "value", "low", "high").iter_rows()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip
    least, most = (0.98 * min(table["low"]), 1.002) if falls else (0.0, 1.05 * max(table["high"]))
    return _laid_out(
        figure,
        template.axis("years since she entered", rangemode="tozero"),
        template.shares(y_title, least, most),
        showlegend=True,
        legend={
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            # Above the bands: beside them one of them stands outside a narrow page.
            "title": {"text": "5-year risk at entry", "side": "top", "font": {"size": 12}},
            "font": {"size": 12},
        },
        margin={"l": 64, "r": 24, "t": 52, "b": 48},
    )


def forest(
    table: pl.DataFrame, value: str, *, x_title: str, right: float | None, log: bool = False
) -> Figure:
    """Draw a figure of each group with its interval, a row a group; `right` is a line of reference."""
    told = table.filter(pl.col(value).is_not_null())
    rows = [f"{group}  " for group in told["group"]]
    kinds = told["grouping"].to_list()
    figure = Figure()
    if right is not None:
        figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=right, x1=right, line=_CHANCE)
    figure.add(
        "scatter",
        y=[kinds, rows],
        x=told[value].to_list(),
        mode="markers",
        marker={"color": look.RISK, "size": 8},
        error_x=_with_interval(told, value, f"{value}_low", f"{value}_high"),
        customdata=told.select("women", f"{value}_low", f"{value}_high").rows(),
        hovertemplate="%{y}: %{x:.2f} (%{customdata[1]:.2f}–%{customdata[2]:.2f}), about %{customdata[0]} women<extra></extra>",
        name=x_title,
    )
    axis = template.axis(x_title, type="log" if log else "linear", tickformat=".2~f")
    if log:
        axis |= {"tickvals": [0.25, 0.5, 1, 2, 4], "ticktext": ["0.25", "0.5", "1", "2", "4"]}
    return _laid_out(
        figure,
        axis,
        template.axis("", type="multicategory", autorange="reversed", showgrid=False, automargin=True),
        height=90 + 26 * len(rows),
        margin={"l": 150, "r": 24, "t": 12, "b": 48},
    )
