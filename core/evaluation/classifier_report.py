"""Reports on classifiers of single images: tables and figures in one HTML file that needs no network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MEASURES", "comparison_report", "image_report", "said_interval"]

MEASURES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "f1": "F1",
    "specificity": "Specificity",
    "auc": "ROC-AUC",
    "average_precision": "PR-AUC (average precision)",
    "brier": "Brier",
    "kappa": "Cohen's κ",
    "kappa_linear": "Linearly weighted κ",
}
STYLE = (
    "body{font-family:sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.2rem .8rem;text-align:left}table{border-collapse:collapse;margin:1rem 0}"
    "tr+tr{border-top:1px solid #ddd}"
)


def said_interval(measured: dict[str, Any], name: str) -> str:
    """Return a measure with its interval in words."""
    value, interval = measured.get(name), measured.get(f"{name}_ci")
    if value is None:
        return "cannot be said"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def image_report(
    table: pd.DataFrame, measured: dict[str, Any], title: str, curve: Sequence[dict[str, Any]] = ()
) -> str:
    """Write the report of one run from its predictions, metrics and, after training, its curve."""
    classes = measured["classes"]
    shown = [
        _confusion(measured),
        _roc({"": table}, classes),
        _calibration({"": table}, classes),
        _curve(curve),
    ]
    facts = f"{measured['n']} images of {measured['women']} women or groups."
    if "measured_on" in measured:
        facts += f" Measured on {measured['measured_on']}."
    facts += " ".join(["", *measured.get("notices", [])])
    rows = [[words, said_interval(measured, name)] for name, words in MEASURES.items() if name in measured]
    parts = [
        _table(["Measure", "Value (95 % interval, women drawn)"], rows),
        "<h2>By class, against the rest</h2>",
        _table(
            ["Class", "Images", "ROC-AUC", "Sensitivity at 90 % specificity"],
            [
                [
                    name,
                    one["n"],
                    said_interval(one, "auc"),
                    said_interval(one, "sensitivity_at_90_specificity"),
                ]
                for name, one in measured["by_class"].items()
            ],
        ),
    ]
    if measured.get("by_density"):
        parts += [
            f"<h2>Sensitivity for {html.escape(measured['positive'])} by density</h2>",
            "<p>One threshold: 90 % specificity over all densities.</p>",
            _table(
                ["Density", "Cases", "Sensitivity", "Specificity"],
                [
                    [
                        name,
                        one["n"],
                        said_interval(one, "sensitivity"),
                        "" if one["specificity"] is None else f"{one['specificity']:.3f}",
                    ]
                    for name, one in measured["by_density"].items()
                ],
            ),
        ]
    return _page(title, facts, "".join(parts), [one for one in shown if one is not None])


def comparison_report(tables: dict[str, pd.DataFrame], compared: dict[str, Any]) -> str:
    """Write the report of several runs side by side."""
    classes, runs = compared["classes"], compared["runs"]
    side_by_side = [
        [words, *(said_interval(one, name) for one in runs.values())]
        for name, words in MEASURES.items()
        if all(name in one for one in runs.values())
    ]
    pairs = []
    for pair in compared["pairs"]:
        for name in ("accuracy", "auc", "average_precision", "brier", "delong"):
            test = pair.get(name)
            if test is None or test["difference"] is None:
                continue
            words = "ROC-AUC by DeLong's test" if name == "delong" else MEASURES[name]
            low, high = test["ci"]
            pairs.append(
                [
                    f"{pair['one']} – {pair['other']}",
                    words,
                    f"{test['difference']:+.3f} ({low:+.3f} to {high:+.3f})",
                    f"{test['p']:.3f}",
                ]
            )
    body = _table(["Measure", *runs], side_by_side)
    body += "<h2>Differences on the same cases</h2>" + _table(
        ["Runs", "Measure", "Difference (95 % interval)", "p"], pairs
    )
    facts = f"{compared['n']} images of {compared['women']} women or groups that all runs predicted."
    return _page("Runs compared", facts, body, [_roc(tables, classes), _calibration(tables, classes)])


def _page(title: str, facts: str, body: str, figures: Sequence[go.Figure]) -> str:
    drawn = "".join(
        figure.to_html(full_html=False, include_plotlyjs="inline" if number == 0 else False)
        for number, figure in enumerate(figures)
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(facts)}</p>"
        f"<p>Research software, not for diagnosis.</p>{body}{drawn}</html>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    top = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _confusion(measured: dict[str, Any]) -> go.Figure:
    import plotly.graph_objects as go

    counts = np.array(measured["confusion"])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = measured["classes"]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=classes,
            y=classes,
            text=counts,
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=1,
            colorbar_title="share of row",
        )
    )
    return (
        figure.update_layout(
            title="Confusion matrix", xaxis_title="Called", yaxis_title="True", yaxis_autorange="reversed"
        )
        .update_xaxes(type="category")
        .update_yaxes(type="category")
    )


def _curves_of(
    tables: dict[str, pd.DataFrame], classes: Sequence[str]
) -> list[tuple[str, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return name, labels and scores for each curve: with two classes of the last, with more of each."""
    shown = classes[-1:] if len(classes) == 2 else classes
    return [
        (
            f"{run} {name}".strip() if len(shown) > 1 or not run else run,
            (table["true"] == name).to_numpy(),
            table[f"p_{name}"].to_numpy(float),
        )
        for run, table in tables.items()
        for name in shown
    ]


def _roc(tables: dict[str, pd.DataFrame], classes: Sequence[str]) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, label, score in _curves_of(tables, classes):
        if label.all() or not label.any():
            continue
        order = np.argsort(-score, kind="stable")
        last = np.append(np.diff(score[order]) != 0, True)
        hits = np.concatenate([[0.0], np.cumsum(label[order])[last] / label.sum()])
        alarms = np.concatenate([[0.0], np.cumsum(~label[order])[last] / (~label).sum()])
        figure.add_scatter(x=alarms, y=hits, name=name, mode="lines")
    figure.add_scatter(x=[0, 1], y=[0, 1], name="chance", mode="lines", line={"dash": "dot", "color": "grey"})
    return figure.update_layout(
        title="ROC", xaxis_title="1 – specificity", yaxis_title="Sensitivity", showlegend=True
    )


def _calibration(tables: dict[str, pd.DataFrame], classes: Sequence[str]) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, label, score in _curves_of(tables, classes):
        groups = [
            group
            for group in np.array_split(np.argsort(score, kind="stable"), min(8, max(1, len(score) // 5)))
            if len(group)
        ]
        figure.add_scatter(
            x=[float(score[group].mean()) for group in groups],
            y=[float(label[group].mean()) for group in groups],
            name=name,
            mode="markers+lines",
        )
    figure.add_scatter(x=[0, 1], y=[0, 1], name="right", mode="lines", line={"dash": "dot", "color": "grey"})
    return figure.update_layout(
        title="Calibration, images in groups of equal size by probability",
        xaxis_title="Predicted",
        yaxis_title="Seen",
    )


def _curve(curve: Sequence[dict[str, Any]]) -> go.Figure | None:
    import plotly.graph_objects as go

    if not curve:
        return None
    figure = go.Figure()
    for key in ("loss", "validation_loss"):
        for stage in dict.fromkeys(record["stage"] for record in curve):
            of_stage = [record for record in curve if record["stage"] == stage and key in record]
            if of_stage:
                figure.add_scatter(
                    x=[record["epoch"] for record in of_stage],
                    y=[record[key] for record in of_stage],
                    name=f"{stage}: {key.replace('_', ' ')}",
                    mode="lines",
                )
    return figure.update_layout(
        title="Training of the model that is kept", xaxis_title="Epoch", yaxis_title="Loss"
    )
