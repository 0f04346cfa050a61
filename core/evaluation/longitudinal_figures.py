"""The figures of the report of a longitudinal evaluation, which need no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.evaluation.page import plain
from core.evaluation.targets import GROUP_AT_LEAST
from core.palette import BLUE, GREEN, INK, ORANGE, PINK

if TYPE_CHECKING:
    import plotly.graph_objects as go

GREY = "#8A8F98"
NAMES = {
    "risk": ("CNN + LSTM, all visits", INK, "circle"),
    "last": ("CNN alone, last visit", BLUE, "square"),
    "no_pixels": ("LSTM alone, no images", ORANGE, "diamond"),
    "dates": ("dates and visit counts only", GREY, "x"),
}


def auc_figure(measured: dict[str, Any]) -> go.Figure | None:
    """Draw AUC by horizon: the model, its controls, perfect readers."""
    import plotly.graph_objects as go

    if not measured["risk"]:
        return None
    figure = go.Figure()
    shown = {"risk": measured["risk"], **measured["controls"]}
    for place, (mode, by_horizon) in enumerate(shown.items()):
        years = [int(k) for k in by_horizon]
        name, colour, symbol = NAMES[mode]
        _points(
            figure, [year + 0.06 * (place - 1.5) for year in years], [by_horizon[str(k)]["auc"] for k in years],
            [by_horizon[str(k)]["auc_ci"] for k in years], name, colour, symbol,
        )  # fmt: skip
    readers = measured.get("oracles", {}).get("readers", {})
    years = [int(k) for k in readers if k.isdigit()]
    for key, name in (("history", "perfect reader, all visits"), ("last", "perfect reader, last visit")):
        if years:
            figure.add_scatter(
                x=years, y=[readers[str(k)][key] for k in years], name=name, mode="lines",
                line={"color": GREEN, "dash": "solid" if key == "history" else "dot", "width": 2},
            )  # fmt: skip
    figure.add_hline(y=0.5, line_dash="dot", line_color=GREY)
    return figure.update_layout(
        title="AUC of cancer within 1 to 5 years of the last study<br><sup>same women for all; bars: 95 % intervals</sup>",
        xaxis={"title": "Years from the last study", "dtick": 1}, yaxis_title="AUC", height=480,
    )  # fmt: skip


def _points(
    figure: go.Figure,
    x: Sequence[Any],
    y: Sequence[float],
    ends: Sequence[Sequence[float]],
    name: str,
    colour: str,
    symbol: str,
    **options: Any,
) -> None:
    """Add points with their intervals."""
    value, (low, high) = np.array(y), np.array(ends).T
    figure.add_scatter(
        x=list(x), y=list(y), name=name, mode="markers", marker={"color": colour, "symbol": symbol, "size": 9},
        error_y={"type": "data", "symmetric": False, "array": list(high - value), "arrayminus": list(value - low)},
        **options,
    )  # fmt: skip


def gain_figure(measured: dict[str, Any]) -> go.Figure | None:
    """Draw what history gains in AUC, and what perfect readers gain."""
    import plotly.graph_objects as go

    control = measured["controls"].get("last", {})
    if not control:
        return None
    figure = go.Figure()
    years = [int(k) for k in control]
    _points(
        figure, [k - 0.05 for k in years], [control[str(k)]["gain"] for k in years],
        [control[str(k)]["gain_ci"] for k in years], "CNN + LSTM over CNN alone", INK, "circle",
    )  # fmt: skip
    readers = measured.get("oracles", {}).get("readers", {})
    known = [k for k in years if str(k) in readers]
    if known:
        _points(
            figure, [k + 0.05 for k in known], [readers[str(k)]["gain"] for k in known],
            [readers[str(k)]["gain_ci"] for k in known], "perfect reader: all visits over the last", GREEN, "diamond",
        )  # fmt: skip
    figure.add_hline(y=0, line_dash="dot", line_color=GREY)
    return figure.update_layout(
        title="What history adds<br><sup>difference of AUC, paired, 95 % intervals; above 0: history helps</sup>",
        xaxis={"title": "Years from the last study", "dtick": 1}, yaxis_title="Gain in AUC", height=380,
    )  # fmt: skip


def calibration_figure(measured: dict[str, Any]) -> go.Figure | None:
    """Draw what was said against what came true, a horizon beside the other."""
    from plotly.subplots import make_subplots

    coverage = {
        k: measured["interval_coverage"][k]
        for k in ("1", "2", "5")
        if k in measured.get("interval_coverage", {})
    }
    if not coverage:
        return None
    figure = make_subplots(
        cols=len(coverage), subplot_titles=[f"within {k} year{'s' * (k != '1')}" for k in coverage]
    )
    for place, held in enumerate(coverage.values(), start=1):
        each = held["each"]
        said, seen = np.array([one["said"] for one in each]), np.array([one["seen"] for one in each])
        low, high = (np.array([one[key] for one in each]) for key in ("low", "high"))
        ends = np.array([one["seen_ci"] for one in each])
        top = float(max(high.max(), ends.max()))
        figure.add_scatter(
            x=[0, top],
            y=[0, top],
            mode="lines",
            line={"dash": "dot", "color": GREY},
            showlegend=False,
            col=place,
            row=1,
        )
        figure.add_scatter(
            x=said, y=seen, mode="markers", marker={"color": INK, "size": 8}, showlegend=False, col=place, row=1,
            error_x={"type": "data", "symmetric": False, "array": high - said, "arrayminus": said - low, "color": GREY},
            error_y={"type": "data", "symmetric": False, "array": ends[:, 1] - seen, "arrayminus": seen - ends[:, 0]},
        )  # fmt: skip
        figure.update_xaxes(title_text="risk said", tickformat=".0%", col=place, row=1)
        figure.update_yaxes(title_text="had cancer" if place == 1 else "", tickformat=".0%", col=place, row=1)
    return figure.update_layout(
        title="Risk said and cancers seen, women in tenths by risk<br><sup>on the dotted line: right. Across: mean interval "
        "of the risks; up: 95 % interval of what was seen</sup>",
        height=400,
    )  # fmt: skip


def group_figure(measured: dict[str, Any]) -> go.Figure | None:
    """Draw AUC by group of women, beside that of all."""
    from plotly.subplots import make_subplots

    groups = measured.get("groups")
    if not groups:
        return None
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=["within 1 year", "within 5 years"])
    order = [
        plain(f"{kind}: {one['group']}") for kind, by_horizon in groups.items() for one in by_horizon["5"]
    ]
    for place, horizon in enumerate(("1", "5"), start=1):
        for key, ends, name, colour, symbol in (
            ("auc", "auc_ci", "CNN + LSTM", INK, "circle"),
            ("reader", "reader_ci", "perfect reader", GREEN, "diamond"),
        ):
            shown = [
                (plain(f"{kind}: {one['group']} ({one['n']})"), one[key], *one[ends])
                for kind, by_horizon in groups.items()
                for one in by_horizon[horizon]
                if key in one
            ]
            if not shown:
                continue
            labels, value, low, high = (list(column) for column in zip(*shown, strict=True))
            figure.add_scatter(
                x=value, y=[label.rsplit(" (", 1)[0] for label in labels], text=labels, name=name, mode="markers", col=place, row=1,
                marker={"color": colour, "symbol": symbol, "size": 9}, showlegend=place == 1,
                error_x={
                    "type": "data", "symmetric": False, "array": np.array(high) - value,
                    "arrayminus": np.array(value) - low, "thickness": 1,
                },
            )  # fmt: skip
        whole = measured["risk"].get(horizon, {}).get("auc")
        for at, dash, name in (
            (whole, "solid", "all women"),
            (GROUP_AT_LEAST * whole if whole else None, "dot", f"{GROUP_AT_LEAST:.1f} of that"),
        ):
            if at:
                figure.add_scatter(
                    x=[at, at], y=[order[0], order[-1]], mode="lines", name=name, showlegend=place == 1,
                    line={"color": GREY, "dash": dash, "width": 1.5}, col=place, row=1,
                )  # fmt: skip
        figure.update_xaxes(title_text="AUC", col=place, row=1)
    figure.update_yaxes(autorange="reversed", automargin=True, categoryorder="array", categoryarray=order)
    return figure.update_layout(
        title=f"AUC by group<br><sup>line: all women; dotted: {GROUP_AT_LEAST:.1f} of that; bars: 95 % intervals</sup>",
        height=620,
    )


def course_figure(table: pd.DataFrame) -> go.Figure | None:
    """Draw how risk ran before a diagnosis, and in women in whom none was seen."""
    import plotly.graph_objects as go

    figure = go.Figure()
    last = table.groupby("patient_id")["day"].transform("max")
    ill = table.groupby("patient_id")["years_to_cancer"].transform(lambda x: x.notna().any()).astype(bool)
    for name, colour, aside, here, ahead in (
        ("came to have cancer", ORANGE, 0.05, ill, table["years_to_cancer"]),
        ("no cancer seen (time to the last study)", GREY, -0.05, ~ill, (last - table["day"]) / 365.25),
    ):
        year = np.floor(ahead.to_numpy(float))
        xs, ys, ends = [], [], []
        for k in range(6):
            risk = table["served_5"].to_numpy(float)[here.to_numpy() & (year == k)]
            if len(risk) >= 10:
                xs.append(aside - (k + 0.5))
                ys.append(float(np.median(risk)))
                ends.append(list(np.quantile(risk, [0.25, 0.75])))
        if xs:
            _points(figure, xs, ys, ends, name, colour, "circle")
    if not figure.data:
        return None
    return figure.update_layout(
        title="5-year risk in the years before a diagnosis<br><sup>median and middle half of the visits in each year</sup>",
        xaxis_title="Years before diagnosis (or before the last study)", height=380,
        # Natural risks and those with a tumour in view lie a hundredfold apart.
        yaxis={"title": "5-year risk, logarithmic", "type": "log", "dtick": "D2", "tickformat": "~%"},
    )  # fmt: skip


def sensitivity_figure(rows: Sequence[dict[str, Any]]) -> go.Figure | None:
    """Draw the gain of history as the simulated women are made otherwise."""
    from plotly.subplots import make_subplots

    moved = list(dict.fromkeys(row["moved"] for row in rows))
    if not moved:
        return None
    figure = make_subplots(
        cols=len(moved), shared_yaxes=True, subplot_titles=[plain(name.replace("_", " ")) for name in moved]
    )
    colours = {1: BLUE, 2: PINK, 5: INK}
    for place, name in enumerate(moved, start=1):
        for horizon, colour in colours.items():
            here = [row for row in rows if row["moved"] == name and row["horizon_years"] == horizon]
            if not here:
                continue
            value = np.array([row["gain"] for row in here])
            ends = np.array([row["gain_ci"] for row in here])
            figure.add_scatter(
                x=[row["value"] for row in here], y=value, mode="lines+markers", name=f"{horizon}-year AUC", col=place, row=1,
                marker={"color": colour, "symbol": "circle-open", "size": 8}, line={"color": colour}, showlegend=place == 1,
                error_y={
                    "type": "data", "symmetric": False, "array": ends[:, 1] - value, "arrayminus": value - ends[:, 0],
                    "thickness": 1,
                },
            )  # fmt: skip
            own = [row for row in here if row.get("model_gain") is not None]
            if own:
                _points(
                    figure, [row["value"] for row in own], [row["model_gain"] for row in own],
                    [row["model_gain_ci"] for row in own], f"this software, {horizon}-year", colour, "circle",
                    showlegend=place == 1, col=place, row=1,
                )  # fmt: skip
    figure.update_yaxes(title_text="Gain in AUC from history", col=1, row=1)
    return figure.update_layout(height=420)
