"""Reports on classifiers of single images: tables and figures in one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.evaluation.page import drawn, filled, plain
from core.evaluation.wording import said_interval, with_bounds

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MEASURES", "Page", "Table", "comparison_page", "comparison_report", "image_page", "image_report"]

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


@dataclass(frozen=True)
class Table:
    """A table as it is read: its head and rows of cells; above it a heading and a note, where there are any."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class Page:
    """What a report says, without its figures."""

    title: str
    facts: str
    tables: tuple[Table, ...]


def image_report(
    table: pd.DataFrame, measured: dict[str, Any], title: str, curve: Sequence[dict[str, Any]] = ()
) -> str:
    """Write the report of one run from its predictions, metrics and, after training, its curve."""
    classes = measured["classes"]
    figures = [
        _confusion(measured),
        _roc({"": table}, classes),
        _calibration({"": table}, classes),
        _curve(curve),
    ]
    return filled("classifier_report.html.j2", page=image_page(measured, title), figures=drawn(figures))


def image_page(measured: dict[str, Any], title: str) -> Page:
    """Return what the report of one run says."""
    facts = f"{measured['n']} images of {measured['women']} women or groups."
    if "measured_on" in measured:
        facts += f" Measured on {measured['measured_on']}."
    tables = [
        Table(
            ("Measure", "Value (95 % interval, women drawn)"),
            tuple(
                (words, said_interval(measured, name)) for name, words in MEASURES.items() if name in measured
            ),
        ),
        Table(
            ("Class", "Images", "ROC-AUC", "Sensitivity at 90 % specificity"),
            tuple(
                (
                    name,
                    str(one["n"]),
                    said_interval(one, "auc"),
                    said_interval(one, "sensitivity_at_90_specificity"),
                )
                for name, one in measured["by_class"].items()
            ),
            "By class, against the rest",
        ),
    ]
    if measured.get("by_density"):
        tables.append(
            Table(
                ("Density", "Cases", "Sensitivity", "Specificity"),
                tuple(
                    (
                        name,
                        str(one["n"]),
                        said_interval(one, "sensitivity"),
                        "" if one["specificity"] is None else with_bounds(one["specificity"], None),
                    )
                    for name, one in measured["by_density"].items()
                ),
                f"Sensitivity for {measured['positive']} by density",
                "One threshold: 90 % specificity over all densities.",
            )
        )
    return Page(title, " ".join([facts, *measured.get("notices", [])]), tuple(tables))


def comparison_report(tables: dict[str, pd.DataFrame], compared: dict[str, Any]) -> str:
    """Write the report of several runs side by side."""
    classes = compared["classes"]
    return filled(
        "classifier_report.html.j2",
        page=comparison_page(compared),
        figures=drawn([_roc(tables, classes), _calibration(tables, classes)]),
    )


def comparison_page(compared: dict[str, Any]) -> Page:
    """Return what the report of several runs says."""
    runs = compared["runs"]
    side_by_side = tuple(
        (words, *(said_interval(one, name) for one in runs.values()))
        for name, words in MEASURES.items()
        if all(name in one for one in runs.values())
    )
    pairs = []
    for pair in compared["pairs"]:
        for name in ("accuracy", "auc", "average_precision", "brier", "delong"):
            test = pair.get(name)
            if test is None or test["difference"] is None:
                continue
            pairs.append(
                (
                    f"{pair['one']} – {pair['other']}",
                    "ROC-AUC by DeLong's test" if name == "delong" else MEASURES[name],
                    with_bounds(test["difference"], test["ci"], sign=True),
                    with_bounds(test["p"], None),
                )
            )
    return Page(
        "Runs compared",
        f"{compared['n']} images of {compared['women']} women or groups that all runs predicted.",
        (
            Table(("Measure", *runs), side_by_side),
            Table(
                ("Runs", "Measure", "Difference (95 % interval)", "p"),
                tuple(pairs),
                "Differences on the same cases",
            ),
        ),
    )


def _confusion(measured: dict[str, Any]) -> go.Figure:
    import plotly.graph_objects as go

    counts = np.array(measured["confusion"])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = [plain(name) for name in measured["classes"]]
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
            plain(f"{run} {name}".strip() if len(shown) > 1 or not run else run),
            (table["true"] == name).to_numpy(),
            table[f"p_{name}"].to_numpy(float),
        )
        for run, table in tables.items()
        for name in shown
    ]


def _roc(tables: dict[str, pd.DataFrame], classes: Sequence[str]) -> go.Figure:
    import plotly.graph_objects as go
    from sklearn.metrics import roc_curve

    figure = go.Figure()
    for name, label, score in _curves_of(tables, classes):
        if label.all() or not label.any():
            continue
        alarms, hits, _ = roc_curve(label, score, drop_intermediate=False)
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
                    name=f"{plain(stage)}: {key.replace('_', ' ')}",
                    mode="lines",
                )
    return figure.update_layout(
        title="Training of the model that is kept", xaxis_title="Epoch", yaxis_title="Loss"
    )
