"""Figures of how risk runs in groups of women, how it flows, how women come; beside what was published."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import polars as pl

from core.cohorts.seeing.courses import Group
from core.cohorts.seeing.slopes import PublishedRow
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import BAND_FILL, Figure

COLOURS = {Group.CANCER.value: look.RIGHT, Group.NONE.value: look.RISK, Group.ALL.value: look.RISK}
FILLS = {
    Group.CANCER.value: ("rgba(213, 94, 0, 0.10)", "rgba(213, 94, 0, 0.18)"),
    Group.NONE.value: ("rgba(31, 41, 55, 0.07)", "rgba(31, 41, 55, 0.14)"),
    Group.ALL.value: ("rgba(31, 41, 55, 0.07)", "rgba(31, 41, 55, 0.14)"),
}
DASHES = {Group.CANCER.value: "solid", Group.NONE.value: "dash", Group.ALL.value: "solid"}
SYMBOLS = {Group.CANCER.value: "diamond", Group.NONE.value: "circle", Group.ALL.value: "circle"}
PUBLISHED = look.LEFT
_NAMES_APART = 0.06
"""How far apart the names of two lines stand, as a share of the axis."""
_LINE_LETTERS = 20
"""As many letters stand on a line of a row's name."""
_BANDS = (("lowest_tenth", "highest_tenth"), ("lower_quartile", "upper_quartile"))


def courses_by_group(
    table: pl.DataFrame, *, x_title: str, single: pl.DataFrame | None = None, narrow: bool = False
) -> Figure:
    """Draw median, quartiles and tenths of 5-year risk by year and group on a logarithmic axis; below them a sample of courses.

    The number of women stands at each point on hover, with how many joined and left since the point before. Each line has
    its name at its end, and a `narrow` figure all names above it.
    """
    figure = Figure()
    if single is not None:
        for _, hers in single.group_by(["course"], maintain_order=True):
            figure.add(
                "scatter", x=hers["years"].to_list(), y=hers["risk_5"].cast(pl.Float64).to_list(), mode="lines",
                line={"width": 0.8, "color": COLOURS[hers["group"][0]]}, opacity=0.35, hoverinfo="skip", showlegend=False,
            )  # fmt: skip
    for (group,), hers in table.group_by(["group"], maintain_order=True):
        _add_course(figure, str(group), hers)
    if not narrow and len(table):
        _name_at_end(figure, table, _risks(table, single))
    figure.lay_out(
        template.layout(
            height=400,
            margin={"l": 56, "r": 16, "t": 32, "b": 48} if narrow else {"l": 64, "r": 150, "t": 8, "b": 48},
            showlegend=narrow,
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
            xaxis=template.axis(
                x_title,
                range=_reach(table),
                dtick=1 if single is not None or _step(table) == 1 else 2,
                tickformat="d",
            ),
            yaxis=template.log_shares("5-year risk", _risks(table, single)),
        )
    )
    return figure


def _risks(table: pl.DataFrame, single: pl.DataFrame | None) -> list[float | None]:
    """Return all risks that are drawn."""
    columns = [table[name] for name in ("median", *itertools.chain.from_iterable(_BANDS))]
    return [
        *itertools.chain.from_iterable(column.to_list() for column in columns),
        *([] if single is None else single["risk_5"].cast(pl.Float64).to_list()),
    ]


def _reach(table: pl.DataFrame) -> list[float] | None:
    years = table["years"].to_list()
    return [min(years) - 0.3, max(years) + 0.3] if years else None


def _step(table: pl.DataFrame) -> int:
    years = sorted(set(table["years"].to_list()))
    return min((b - a for a, b in itertools.pairwise(years)), default=1)


def _add_course(figure: Figure, group: str, table: pl.DataFrame) -> None:
    for (low, high), fill in zip(_BANDS, FILLS[group], strict=True):
        known = table.drop_nulls([low, high])
        x = known["years"].to_list()
        if len(x) > 1:
            figure.add_band(x, known[low].to_list(), known[high].to_list(), fill)
    x, y = table["years"].to_list(), table["median"].to_list()
    between = [(b - a) for a, b in itertools.pairwise(x)]
    # No line joins points over a year of which too few women may be told.
    gaps = [place + 1 for place, apart in enumerate(between) if apart > min(between)]
    moves = [
        f"{group}: median {look.percent(median)}, {women:,} women"
        + (f", {joined} joined, {left} left since the point before" if joined else "")
        for median, women, joined, left in table.select("median", "women", "joined", "left").iter_rows()
    ]
    figure.add(
        "scatter", x=_with_gaps(x, gaps), y=_with_gaps(y, gaps), mode="lines+markers", name=group,
        hovertext=_with_gaps(moves, gaps),
        line={"color": COLOURS[group], "width": 2.5, "dash": DASHES[group]},
        marker={"size": 8, "color": COLOURS[group], "symbol": SYMBOLS[group]},
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _name_at_end(figure: Figure, table: pl.DataFrame, values: Sequence[float | None]) -> None:
    """Put each group's name at the end of its line, none over another; `values` are all that the axis holds."""
    known = [_log10(value) for value in values if value]
    ends = [
        (_log10(hers["median"][-1]), hers["years"][-1], str(group))
        for (group,), hers in table.group_by(["group"], maintain_order=True)
    ]
    lowest = -math.inf
    for height, year, group in sorted(ends):
        lowest = max(height, lowest + _NAMES_APART * max(max(known) - min(known), 0.1))
        figure.add_annotation(
            x=year, y=lowest, text=f" {group}", showarrow=False, xanchor="left", xshift=8,
            font={"size": 12, "color": COLOURS[group]},
        )  # fmt: skip


def _with_gaps(values: Sequence[Any], before: Sequence[int]) -> list[Any]:
    """Return the values with nothing before some of them."""
    return [
        one for place, value in enumerate(values) for one in ([None, value] if place in before else [value])
    ]


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-6))


def slopes_beside(table: pl.DataFrame, published: Sequence[PublishedRow]) -> Figure:
    """Draw slopes by group, a row each: quartiles as a bar, the mean with its interval; below them the published ones.

    Names of rows stand on several lines, so that half a narrow page has room for the figure too.
    """
    figure = Figure()
    rows: list[str] = []
    by_group = {one.group: one for one in published}
    for group, mean, low, high, lower, median, upper in table.select(
        "group", "mean", "low", "high", "lower_quartile", "median", "upper_quartile"
    ).iter_rows():
        name = _on_lines(group)
        rows.append(name)
        figure.add(
            "bar", orientation="h", y=[name], x=[upper - lower], base=[lower], width=0.5,
            marker={"color": FILLS[group][1]}, hovertemplate=f"half of them {lower:+.2f} to {upper:+.2f}<extra></extra>",
        )  # fmt: skip
        figure.add(
            "scatter", x=[median], y=[name], mode="markers", marker={"symbol": "line-ns-open", "size": 22, "color": COLOURS[group]},
            hovertemplate="median %{x:+.2f}<extra></extra>",
        )  # fmt: skip
        figure.add(
            "scatter", x=[mean], y=[name], mode="markers", marker={"symbol": SYMBOLS[group], "size": 9, "color": COLOURS[group]},
            error_x={"type": "data", "symmetric": False, "array": [high - mean], "arrayminus": [mean - low], "color": COLOURS[group]},
            hovertemplate="mean %{x:+.2f}<extra></extra>",
        )  # fmt: skip
        if (one := by_group.get(group)) is not None:
            row = _on_lines(f"published: {group}")
            rows.append(row)
            figure.add(
                "scatter", x=[one.per_year], y=[row], mode="markers+text", text=[f"{one.per_year:.2f}"], textposition="top center",
                marker={"symbol": "square-open", "size": 10, "color": PUBLISHED, "line": {"width": 2}},
                error_x=None if one.low is None or one.high is None else {
                    "type": "data", "symmetric": False, "array": [one.high - one.per_year],
                    "arrayminus": [one.per_year - one.low], "color": PUBLISHED,
                },
                hovertemplate="published %{x:+.2f}<extra></extra>",
            )  # fmt: skip
    figure.add_shape(type="line", x0=0, x1=0, yref="paper", y0=0, y1=1, line={"color": look.LINE, "width": 1})
    figure.lay_out(
        template.layout(
            height=80 + 64 * max(len(rows), 1),
            margin={"l": 128, "r": 24, "t": 8, "b": 48},
            xaxis=template.axis("percentage points a year"),
            yaxis=template.axis(
                "", type="category", categoryorder="array", categoryarray=rows[::-1], showgrid=False
            ),
        )
    )
    return figure


def _on_lines(words: str) -> str:
    return "<br>".join(textwrap.wrap(words, _LINE_LETTERS))


def density_beside(table: pl.DataFrame, *, narrow: bool = False) -> Figure:
    """Draw by age the share of women with dense breasts, with its interval, beside the published share.

    Each line has its name at its end, and a `narrow` figure both names above it.
    """
    figure = Figure()
    own = table.drop_nulls("share_dense")
    ages = table["age_group"].to_list()
    figure.add(
        "scatter", x=ages, y=table["share_published"].to_list(), mode="lines+markers", name="published",
        line={"color": PUBLISHED, "width": 1.5, "dash": "dot"}, marker={"symbol": "square-open", "size": 9, "color": PUBLISHED},
        customdata=[look.percent(one) for one in table["share_published"]],
        hovertemplate="published, %{x}: %{customdata}<extra></extra>",
    )  # fmt: skip
    share = own["share_dense"].to_list()
    figure.add(
        "scatter", x=own["age_group"].to_list(), y=share, mode="lines+markers", name="these women",
        line={"color": look.DENSITY, "width": 2.5}, marker={"size": 9, "color": look.DENSITY},
        error_y={
            "type": "data", "symmetric": False, "color": look.DENSITY,
            "array": [high - here for high, here in zip(own["share_high"], share, strict=True)],
            "arrayminus": [here - low for low, here in zip(own["share_low"], share, strict=True)],
        },
        customdata=[
            f"{look.percent(dense)} of {women:,} women"
            for dense, women in own.select("share_dense", "women").iter_rows()
        ],
        hovertemplate="%{x}: %{customdata}<extra></extra>",
    )  # fmt: skip
    for words, column, colour in (
        ("published", "share_published", PUBLISHED),
        ("these women", "share_dense", look.DENSITY_LETTER),
    ):
        known = table.drop_nulls(column)
        if len(known) and not narrow:
            figure.add_annotation(
                x=known["age_group"][-1], y=known[column][-1], text=words, showarrow=False, xanchor="left", xshift=12,
                font={"size": 12, "color": colour},
            )  # fmt: skip
    figure.lay_out(
        template.layout(
            height=340,
            margin={"l": 56, "r": 16, "t": 32, "b": 48} if narrow else {"l": 64, "r": 104, "t": 8, "b": 48},
            showlegend=narrow,
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
            xaxis=template.axis(
                "age at entry, years",
                type="category",
                categoryorder="array",
                categoryarray=ages,
                showgrid=False,
                automargin=True,
            ),
            yaxis=template.shares("share with density C or D", 0, 1),
        )
    )
    return figure


def flows(table: pl.DataFrame, bands: Sequence[tuple[str, str]], ends: Sequence[str]) -> Figure:
    """Draw how women go from band to band as a Sankey diagram, a column a visit; `bands` are label and key, lowest first."""
    fill = {label: BAND_FILL.get(key) or "#E5E7EB" for label, key in bands}
    solid = {
        label: colour for (label, _), colour in zip(bands, ("#9AA5B1", "#C9A227", "#C2694A"), strict=False)
    }
    order = [*[label for label, _ in reversed(bands)], *ends]
    nodes = sorted(
        {(step, begin) for step, begin in table.select("step", "from").iter_rows()}
        | {(step + 1, to) for step, to in table.select("step", "to").iter_rows()},
        key=lambda node: (node[0], order.index(node[1])),
    )
    places = {node: place for place, node in enumerate(nodes)}
    columns = max((step for step, _ in nodes), default=2)
    figure = Figure()
    figure.add(
        "sankey",
        arrangement="snap",
        node={
            "label": [name for _, name in nodes],
            "color": [solid.get(name, look.RIGHT if name == ends[0] else "#CBD2D9") for _, name in nodes],
            "x": [0.001 + 0.998 * (step - 1) / max(columns - 1, 1) for step, _ in nodes],
            "y": _heights(table, nodes),
            "pad": 16,
            "thickness": 14,
            "line": {"width": 0},
            "hovertemplate": "%{label}: about %{value:,d} women<extra></extra>",
        },
        link={
            "source": [places[(step, begin)] for step, begin in table.select("step", "from").iter_rows()],
            "target": [places[(step + 1, to)] for step, to in table.select("step", "to").iter_rows()],
            "value": table["women"].to_list(),
            "color": [_stronger(fill[begin]) for begin in table["from"]],
            "hovertemplate": "%{source.label} → %{target.label}: %{value:,d} women<extra></extra>",
        },
    )
    for step in range(1, columns + 1):
        figure.add_annotation(
            x=(step - 1) / max(columns - 1, 1), y=1.06, xref="paper", yref="paper", showarrow=False,
            xanchor="left" if step == 1 else "right" if step == columns else "center",
            text=f"visit {step}", font={"size": 12, "color": look.MUTED},
        )  # fmt: skip
    for step in sorted(set(range(1, columns)) - set(table["step"].to_list())):
        figure.add_annotation(
            x=(step - 0.5) / max(columns - 1, 1), y=0.5, xref="paper", yref="paper", showarrow=False,
            text="not told: few women", font={"size": 12, "color": look.MUTED},
        )  # fmt: skip
    figure.lay_out(template.layout(height=440, margin={"l": 8, "r": 8, "t": 40, "b": 16}))
    return figure


def _heights(table: pl.DataFrame, nodes: Sequence[tuple[int, str]]) -> list[float]:
    """Return the middle of each node, top to bottom in the order of the nodes, by how many women pass it."""
    many = {
        (step, name): max(
            int(table.filter((pl.col("step") == step) & (pl.col("from") == name))["women"].sum()),
            int(table.filter((pl.col("step") == step - 1) & (pl.col("to") == name))["women"].sum()),
        )
        for step, name in nodes
    }
    most = max((sum(of for (at, _), of in many.items() if at == step) for step, _ in nodes), default=1)
    middles, at, column = [], 0.0, 0
    for step, name in nodes:
        at = at if step == column else 0.0
        column = step
        height = 0.82 * many[(step, name)] / most
        middles.append(min(0.999, max(0.001, at + height / 2)))
        at += height + 0.04
    return middles


def _stronger(fill: str) -> str:
    return {"#FDF6E3": "rgba(201, 162, 39, 0.28)", "#FCEBE6": "rgba(194, 105, 74, 0.30)"}.get(
        fill, "rgba(154, 165, 177, 0.28)"
    )


def alert_rates(table: pl.DataFrame) -> Figure:
    """Draw how many of a hundred women had an alert, by year."""
    known = table.drop_nulls("per_hundred")
    figure = Figure()
    figure.add(
        "scatter", x=known["year"].to_list(), y=known["per_hundred"].to_list(), mode="lines+markers",
        line={"color": look.ALERT, "width": 2}, marker={"size": 8, "color": look.ALERT, "symbol": "triangle-up"},
        customdata=known["women"].to_list(),
        hovertemplate="%{x}: %{y:.1f} of a hundred, %{customdata:,} women seen<extra></extra>",
    )  # fmt: skip
    figure.lay_out(
        template.layout(
            height=300,
            xaxis=template.axis("year of the visit", tickformat="d"),
            yaxis=template.axis("women with an alert, of a hundred", rangemode="tozero"),
        )
    )
    return figure
